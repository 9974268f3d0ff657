//! The lines for programs.

use super::Count;
use crate::error::Error;
use crate::exit::Exit;
use crate::json::Json;

/// `{"event":"message","text":...}`.
pub fn message(text: &str) -> String {
    Json::object(|j| {
        j.str("event", "message");
        j.str("text", text);
    })
}

/// `{"event":"phase","name":...}`.
pub fn phase(name: &str) -> String {
    Json::object(|j| {
        j.str("event", "phase");
        j.str("name", name);
    })
}

/// `{"event":"fetch","objects":...,"known":...,"bytes":...}`.
pub fn fetch(count: Count) -> String {
    Json::object(|j| {
        j.str("event", "fetch");
        j.number("objects", count.done);
        j.number("known", count.known);
        j.number("bytes", count.bytes);
    })
}

/// `{"event":"error","class":...,"exit":...,"text":...}`.
pub fn error(error: &Error) -> String {
    Json::object(|j| {
        j.str("event", "error");
        j.str("class", error.class());
        j.number("exit", error.exit().code().into());
        j.str("text", error.text());
    })
}

/// `{"event":"end","exit":...,"word":...}`.
pub fn end(exit: Exit) -> String {
    Json::object(|j| {
        j.str("event", "end");
        j.number("exit", exit.code().into());
        j.str("word", exit.word());
    })
}

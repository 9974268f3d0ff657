//! A transport that cuts, repeats and lies, for tests of what stands above it.

use rootling_store::Input;
use std::io::{Cursor, Read};
use std::sync::Mutex;

use super::{Answer, Body, Request, Transport};
use crate::error::{Error, Result};

/// What happens to one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before the head.
    Refuse,
    /// It is not there.
    Absent,
    /// Only so many bytes come, and then an error.
    Cut(usize),
    /// Only so many bytes come, and then the end.
    Short(usize),
    /// One byte is another.
    Flip(usize),
    /// Bytes follow that do not belong to it.
    Longer,
    /// These bytes come instead.
    Instead(Vec<u8>),
}

/// Plays faults, in order, on the requests whose path contains a word.
pub struct Faulty<T> {
    inner: T,
    plan: Mutex<Vec<(String, Fault)>>,
    seen: Mutex<Vec<String>>,
}

impl<T: Transport> Faulty<T> {
    /// `inner` with a plan; each fault is played once.
    pub fn new(inner: T, plan: Vec<(String, Fault)>) -> Faulty<T> {
        Faulty { inner, plan: Mutex::new(plan), seen: Mutex::default() }
    }

    /// Every path asked for so far.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(|broken| broken.into_inner()).clone()
    }

    fn next(&self, path: &str) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap_or_else(|broken| broken.into_inner());
        let index = plan.iter().position(|(word, _)| path.contains(word.as_str()))?;
        Some(plan.remove(index).1)
    }
}

impl<T: Transport> Transport for Faulty<T> {
    fn get(&self, request: &Request<'_>) -> Result<Answer> {
        self.seen.lock().unwrap_or_else(|broken| broken.into_inner()).push(request.path.to_owned());
        let Some(fault) = self.next(request.path) else { return self.inner.get(request) };
        let place = self.name(request.path);
        match fault {
            Fault::Refuse => return Err(Error::retry(format_args!("{place}: connection refused"))),
            Fault::Absent => return Ok(Answer::Absent),
            _ => {}
        }
        let Answer::Found(body) = self.inner.get(request)? else { return Ok(Answer::Absent) };
        let offset = body.offset;
        let mut bytes = body.bytes()?;
        let mut cut = false;
        match fault {
            Fault::Cut(length) => {
                cut = true;
                bytes.truncate(length);
            }
            Fault::Short(length) => bytes.truncate(length),
            Fault::Flip(index) => {
                let index = index.min(bytes.len().saturating_sub(1));
                if let Some(byte) = bytes.get_mut(index) {
                    *byte ^= 0x20;
                }
            }
            Fault::Longer => bytes.extend_from_slice(b"more"),
            Fault::Instead(other) => bytes = other,
            Fault::Refuse | Fault::Absent => {}
        }
        let reader: Box<dyn Input + Send> =
            if cut { Box::new(Cursor::new(bytes).chain(Broken)) } else { Box::new(Cursor::new(bytes)) };
        let mut body = Body::new(place, reader, request.limit);
        body.offset = offset;
        Ok(Answer::Found(body))
    }

    fn name(&self, path: &str) -> String {
        self.inner.name(path)
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::ConnectionReset.into())
    }
}

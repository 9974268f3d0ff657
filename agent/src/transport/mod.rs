//! How bytes come from a remote: one trait, and one file per way.
//!
//! | file | noun |
//! |---|---|
//! | [`http`] | HTTP/1.1, plain or in TLS, directly or through a proxy |
//! | [`mod@file`] | `file:` URLs and local paths |
//! | [`tls`] | TLS, if the feature `tls` is on |
//! | [`body`] | what is received: limited, counted, classified |
//! | [`speed`] | the low-speed limit |
//! | [`retry`] | when to try again, and after how long |
//! | [`faulty`] | a transport that lies, for tests |
//!
//! **Invariant:** no read waits for ever, and no body is longer than its reader allows.

pub mod body;
pub mod faulty;
pub mod file;
pub mod http;
pub mod retry;
pub mod speed;
mod tls;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::remote::Remote;
pub use body::Body;

/// Whether this build speaks TLS.
pub const TLS: bool = tls::ENABLED;

/// One thing to fetch.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Below the remote's `url`, or below its `contenturl` for content objects.
    pub path: &'a str,
    /// Content objects may live elsewhere.
    pub content: bool,
    /// A repo need not have it.
    pub optional: bool,
    /// The most bytes to accept.
    pub limit: u64,
    /// Only these bytes; the server may send the whole file all the same, see [`Body::offset`].
    pub range: Option<Range<u64>>,
    /// Answer [`Answer::Unchanged`] if the server still has this; with a range: the whole file if it has another.
    pub etag: Option<&'a str>,
    /// Ask caches on the way for a fresh copy; set after a corrupt answer.
    pub fresh: bool,
}

impl<'a> Request<'a> {
    /// A plain request for `path`.
    pub fn new(path: &'a str, limit: u64) -> Request<'a> {
        Request { path, content: false, optional: false, limit, range: None, etag: None, fresh: false }
    }
}

/// What the remote said.
#[derive(Debug)]
pub enum Answer {
    /// It has it.
    Found(Body),
    /// It does not have it: HTTP 404 or 410, or no such file.
    Absent,
    /// It is what the ETag names.
    Unchanged,
}

/// A way to fetch; several threads use one at the same time.
pub trait Transport: Send + Sync {
    /// Sends one request and returns when the head of the answer is there.
    fn get(&self, request: &Request<'_>) -> Result<Answer>;

    /// How a place in the remote is called in messages.
    fn name(&self, path: &str) -> String;
}

/// Time-outs and limits of a transport.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest silence while connecting, sending or receiving.
    pub stall: Duration,
    /// The longest time to connect, and again until the head of an answer is complete.
    pub head: Duration,
    /// Bytes a second below which a connection is given up; 0 for no limit.
    pub low_speed_bytes: u64,
    /// The time over which that speed is measured.
    pub low_speed_time: Duration,
    /// How many redirects one request follows.
    pub redirects: u32,
    /// Connections kept alive, and threads that use them.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // stall and low speed are libostree's defaults for curl
        Limits {
            stall: Duration::from_secs(30),
            head: Duration::from_secs(60),
            low_speed_bytes: 1000,
            low_speed_time: Duration::from_secs(30),
            redirects: 5,
            connections: 6,
        }
    }
}

/// The transport for a remote's URL.
pub fn open(remote: &Remote, limits: &Limits, clock: &Clock) -> Result<Arc<dyn Transport>> {
    let content = remote.content_url.as_deref().unwrap_or(&remote.url);
    match (remote.url.strip_prefix("file://"), content.strip_prefix("file://")) {
        (Some(base), Some(content)) => Ok(Arc::new(file::Files::new(base, content))),
        (None, None) => Ok(Arc::new(http::Http::new(remote, limits, clock)?)),
        _ => Err(Error::refused(format_args!(
            "remote {:?}: expected url and contenturl both as file: or both over HTTP, got {} and {content}",
            remote.name, remote.url
        ))),
    }
}

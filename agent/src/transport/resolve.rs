//! Addresses of hosts, asked for once a minute instead of once a request.
//!
//! ureq resolves before it looks for an idle connection, and with a time-out in a thread of its own: for the
//! thousands of small objects of an update that is thousands of look-ups and threads.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long an answer is used.
const LIFE: Duration = Duration::from_secs(60);

/// Remembers the last answers.
#[derive(Debug, Default)]
pub struct Remembering {
    inner: DefaultResolver,
    known: Mutex<Vec<Known>>,
}

#[derive(Debug)]
struct Known {
    /// Scheme and authority.
    host: String,
    addresses: Vec<SocketAddr>,
    since: Instant,
}

impl Resolver for Remembering {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host =
            format!("{}://{}", uri.scheme_str().unwrap_or(""), uri.authority().map_or("", |a| a.as_str()));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|entry| entry.since.elapsed() < LIFE);
        if let Some(entry) = known.iter().find(|entry| entry.host == host) {
            let mut addresses = self.inner.empty();
            entry.addresses.iter().for_each(|address| addresses.push(*address));
            return Ok(addresses);
        }
        let addresses = self.inner.resolve(uri, config, timeout)?;
        known.push(Known { host, addresses: addresses.iter().copied().collect(), since: Instant::now() });
        Ok(addresses)
    }
}

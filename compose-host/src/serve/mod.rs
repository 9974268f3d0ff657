//! A plain static HTTP server, for trying things on one machine.
//!
//! GET and HEAD of files below one folder, with keep-alive, `Range`, `ETag`, `Last-Modified`, `If-None-Match`,
//! `If-Modified-Since` and `If-Range`; one thread for each connection. No TLS, no listings, nothing is written.

mod http_date;
mod request;
mod response;

use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use request::Request;
use response::Response;

/// A connection that says nothing for this long is closed.
const IDLE: Duration = Duration::from_secs(60);

/// One answered request, for a log.
#[derive(Clone, Debug)]
pub struct Access {
    /// `GET` or `HEAD`.
    pub method: String,
    /// The path as it was asked for.
    pub target: String,
    /// The answer's status.
    pub status: u16,
    /// Bytes of head and body that were sent.
    pub bytes: u64,
}

type Log = dyn Fn(&Access) + Send + Sync;

/// A bound server.
pub struct Server {
    listener: TcpListener,
    dir: PathBuf,
    log: Arc<Log>,
}

impl Server {
    /// Binds; port 0 takes a free one.
    pub fn bind(
        dir: &Path,
        address: SocketAddr,
        log: impl Fn(&Access) + Send + Sync + 'static,
    ) -> Result<Server> {
        let dir = dir.canonicalize().with_context(|| format!("{}", dir.display()))?;
        let listener = TcpListener::bind(address).with_context(|| format!("{address}"))?;
        Ok(Server { listener, dir, log: Arc::new(log) })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().context("listening socket")
    }

    /// Serves for ever.
    pub fn run(self) -> Result<()> {
        for stream in self.listener.incoming() {
            // a client that has gone again is no reason to stop
            let Ok(stream) = stream else { continue };
            let (dir, log) = (self.dir.clone(), self.log.clone());
            let _ = std::thread::Builder::new().spawn(move || {
                let _ = talk(stream, &dir, &*log);
            });
        }
        Ok(())
    }
}

fn talk(stream: TcpStream, dir: &Path, log: &Log) -> std::io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(IDLE))?;
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream.try_clone()?);
    let mut output = BufWriter::with_capacity(1 << 16, stream);
    while let Some(request) = Request::read(&mut input)? {
        let (request, response, keep) = match request {
            Ok(request) => {
                let response = response::answer(dir, &request);
                let keep = request.keep_alive;
                (request, response, keep)
            }
            Err(status) => (Request::default(), Response::error(status), false),
        };
        let status = response.status;
        let bytes = send(&mut output, &request, response, keep)?;
        log(&Access { method: request.method, target: request.target, status, bytes });
        if !keep {
            break;
        }
    }
    Ok(())
}

fn send(output: &mut impl Write, request: &Request, response: Response, keep: bool) -> std::io::Result<u64> {
    let head = response.head(keep);
    output.write_all(head.as_bytes())?;
    let mut sent = head.len() as u64;
    if request.method != "HEAD" {
        sent += response.body.len() as u64;
        output.write_all(response.body.as_bytes())?;
        if let Some((mut file, start, length)) = response.file {
            file.seek(SeekFrom::Start(start))?;
            let copied = std::io::copy(&mut file.take(length), output)?;
            if copied != length {
                // the promised length cannot be kept, so the connection must break
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            sent += copied;
        }
    }
    output.flush()?;
    Ok(sent)
}

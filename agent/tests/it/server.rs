//! A small HTTP server on 127.0.0.1 that does as it is told, right or wrong.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// This status and nothing else.
    Status(u16),
    /// 200 and a page.
    Html,
    /// The request is read, and that is all.
    Never,
    /// The head and so many bytes, and then silence.
    Stall(usize),
    /// The head and so many bytes, and then the end.
    Truncate(usize),
    /// One byte at a time, with a pause.
    Drip(Duration),
    /// The right answer, late.
    Late(Duration),
    /// A `Content-Length` that is off by this much; the connection then closes.
    Length(i64),
    /// No `Content-Length`, only the end of the connection.
    Unframed,
    /// To another path.
    Redirect(String),
    /// The right answer, with the promise to keep the connection, which is then broken.
    BreakPromise,
    /// Not HTTP.
    Garbage,
    /// A header that never ends.
    EndlessHead,
    /// One byte of the body is another.
    Flip(usize),
    /// Bytes that do not belong to it follow.
    Longer,
    /// All of it, whatever part was asked for.
    Whole,
    /// These bytes instead.
    Instead(Vec<u8>),
}

#[derive(Debug)]
struct Rule {
    word: String,
    act: Act,
    times: usize,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    seen: Vec<String>,
    heads: Vec<String>,
    connections: usize,
}

/// A server of the files below a folder.
pub struct Server {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub fn start(root: &Path) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, root) = (state.clone(), root.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (shared, root) = (shared.clone(), root.clone());
                shared.lock().unwrap().connections += 1;
                thread::spawn(move || serve(stream.unwrap(), &root, &shared));
            }
        });
        Server { url, state }
    }

    /// Every request whose path contains `word` meets this.
    pub fn always(&self, word: &str, act: Act) {
        self.times(word, act, usize::MAX);
    }

    /// The next `times` requests whose path contains `word` meet this.
    pub fn times(&self, word: &str, act: Act, times: usize) {
        self.state.lock().unwrap().rules.push(Rule { word: word.into(), act, times });
    }

    pub fn behave(&self) {
        self.state.lock().unwrap().rules.clear();
    }

    /// Paths asked for so far.
    pub fn seen(&self) -> Vec<String> {
        self.state.lock().unwrap().seen.clone()
    }

    /// Heads of requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.state.lock().unwrap().heads.clone()
    }

    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    pub fn forget(&self) {
        let mut state = self.state.lock().unwrap();
        (state.seen, state.heads, state.connections) = (Vec::new(), Vec::new(), 0);
    }
}

fn serve(stream: TcpStream, root: &Path, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some((path, range)) = request(&mut reader, state) {
        let act = {
            let mut state = state.lock().unwrap();
            state.seen.push(path.clone());
            let rule = state.rules.iter_mut().find(|rule| rule.times > 0 && path.contains(&rule.word));
            rule.map(|rule| {
                rule.times -= 1;
                rule.act.clone()
            })
        };
        if !answer(&mut stream, root, &path, range, act) {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

fn request(
    reader: &mut BufReader<TcpStream>,
    state: &Mutex<State>,
) -> Option<(String, Option<Range<usize>>)> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let path = head.split(' ').nth(1)?.to_owned();
    let range = head.lines().find_map(|line| {
        let line = line.to_lowercase();
        let (start, last) = line.strip_prefix("range: bytes=")?.split_once('-')?;
        Some(start.parse().ok()?..last.trim().parse::<usize>().ok()? + 1)
    });
    state.lock().unwrap().heads.push(head);
    let path = match path.strip_prefix("http://") {
        Some(absolute) => absolute.split_once('/')?.1.to_owned(),
        None => path.trim_start_matches('/').to_owned(),
    };
    Some((path, range))
}

/// Whether the connection goes on.
fn answer(
    stream: &mut TcpStream,
    root: &Path,
    path: &str,
    range: Option<Range<usize>>,
    act: Option<Act>,
) -> bool {
    let mut body = match fs::read(root.join(path)) {
        Ok(body) => body,
        Err(_) if act.is_none() => return send(stream, 404, "", b"gone"),
        Err(_) => Vec::new(),
    };
    let (mut status, mut part) = (200, String::new());
    if let (Some(range), false) = (range, matches!(act, Some(Act::Whole))) {
        if range.start >= body.len() {
            return send(stream, 416, "", b"");
        }
        let end = range.end.min(body.len());
        part = format!("Content-Range: bytes {}-{}/{}\r\n", range.start, end - 1, body.len());
        (status, body) = (206, body[range.start..end].to_vec());
    }
    let length = |length: usize| format!("Content-Length: {length}\r\n");
    match act {
        None | Some(Act::Whole) => send(stream, status, &part, &body),
        Some(Act::Status(status)) => send(stream, status, "", b"sorry"),
        Some(Act::Html) => send(stream, 200, "Content-Type: text/html\r\n", b"<html>Please log in</html>"),
        Some(Act::Never) => hold(stream),
        Some(Act::Stall(size)) => {
            let part = &body[..size.min(body.len())];
            head(stream, 200, &length(body.len())) && stream.write_all(part).is_ok() && hold(stream)
        }
        Some(Act::Truncate(size)) => {
            let sent = &body[..size.min(body.len())];
            let headers = format!("{part}{}", length(body.len()));
            let _ = head(stream, status, &headers) && stream.write_all(sent).is_ok();
            false
        }
        Some(Act::Drip(pause)) => {
            head(stream, 200, &length(body.len()))
                && body.iter().all(|byte| {
                    thread::sleep(pause);
                    stream.write_all(&[*byte]).is_ok()
                })
        }
        Some(Act::Late(pause)) => {
            thread::sleep(pause);
            send(stream, if body.is_empty() { 404 } else { 200 }, "", &body)
        }
        Some(Act::Length(off)) => {
            let claimed = usize::try_from(body.len() as i64 + off).unwrap();
            let _ = head(stream, 200, &length(claimed)) && stream.write_all(&body).is_ok();
            false
        }
        Some(Act::Unframed) => {
            let _ = head(stream, 200, "Connection: close\r\n") && stream.write_all(&body).is_ok();
            false
        }
        Some(Act::Redirect(to)) => send(stream, 302, &format!("Location: {to}\r\n"), b""),
        Some(Act::BreakPromise) => {
            send(stream, 200, "Connection: keep-alive\r\n", &body);
            false
        }
        Some(Act::Garbage) => {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n");
            false
        }
        Some(Act::EndlessHead) => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
            while stream.write_all(b"X-More: and more and more and more and more\r\n").is_ok() {}
            false
        }
        Some(Act::Flip(index)) => {
            let index = index.min(body.len() - 1);
            body[index] ^= 0x20;
            send(stream, 200, "", &body)
        }
        Some(Act::Longer) => {
            body.extend_from_slice(b"more");
            send(stream, 200, "", &body)
        }
        Some(Act::Instead(bytes)) => send(stream, 200, "", &bytes),
    }
}

fn send(stream: &mut TcpStream, status: u16, headers: &str, body: &[u8]) -> bool {
    head(stream, status, &format!("{headers}Content-Length: {}\r\n", body.len()))
        && stream.write_all(body).is_ok()
}

fn head(stream: &mut TcpStream, status: u16, headers: &str) -> bool {
    stream.write_all(format!("HTTP/1.1 {status} Whatever\r\n{headers}\r\n").as_bytes()).is_ok()
}

/// Waits until the client has had enough.
fn hold(stream: &mut TcpStream) -> bool {
    let _ = stream.read(&mut [0; 1]);
    false
}

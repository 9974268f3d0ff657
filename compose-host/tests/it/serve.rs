//! The static server, spoken to by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use rootling_compose::serve::Server;

fn start(dir: &Path) -> SocketAddr {
    let server = Server::bind(dir, "127.0.0.1:0".parse().unwrap(), |_| {}).unwrap();
    let address = server.address().unwrap();
    std::thread::spawn(move || server.run());
    address
}

struct Client {
    stream: BufReader<TcpStream>,
}

struct Answer {
    status: u16,
    headers: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let line = self.headers.lines().find(|line| line.starts_with(&format!("{name}: ")));
        &line.unwrap_or_else(|| panic!("{name} in {}", self.headers))[name.len() + 2..]
    }
}

impl Client {
    fn new(address: SocketAddr) -> Client {
        Client { stream: BufReader::new(TcpStream::connect(address).unwrap()) }
    }

    fn ask(&mut self, method: &str, path: &str, headers: &str) -> Answer {
        write!(self.stream.get_mut(), "{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.stream.read_line(&mut head).unwrap() > 0, "connection closed");
        }
        let status = head[9..12].parse().unwrap();
        let mut answer = Answer { status, headers: head.replace('\r', ""), body: String::new() };
        if method != "HEAD" && status != 304 {
            let mut body = vec![0; answer.header("Content-Length").parse().unwrap()];
            self.stream.read_exact(&mut body).unwrap();
            answer.body = String::from_utf8(body).unwrap();
        }
        answer
    }
}

#[test]
fn one_connection_answers_many_requests() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    std::fs::write(dir.path().join("sub/f 1"), "0123456789").unwrap();
    std::fs::write(dir.path().join("empty"), "").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("out")).unwrap();
    std::os::unix::fs::symlink("sub/f 1", dir.path().join("in")).unwrap();
    let mut client = Client::new(start(dir.path()));
    let first = client.ask("GET", "/sub/f%201", "");
    assert_eq!((first.status, first.body.as_str()), (200, "0123456789"));
    let (etag, modified) = (first.header("ETag").to_string(), first.header("Last-Modified").to_string());
    for (method, path, headers, status, body) in [
        ("GET", "/sub/f%201", "Range: bytes=2-4\r\n".to_string(), 206, "234"),
        ("GET", "/sub/f%201", "Range: bytes=-2\r\n".to_string(), 206, "89"),
        ("GET", "/sub/f%201", "Range: bytes=10-\r\n".to_string(), 416, "416 Range Not Satisfiable\n"),
        ("GET", "/sub/f%201", format!("Range: bytes=2-4\r\nIf-Range: {etag}\r\n"), 206, "234"),
        ("GET", "/sub/f%201", "Range: bytes=2-4\r\nIf-Range: \"other\"\r\n".to_string(), 200, "0123456789"),
        ("GET", "/sub/f%201", format!("If-None-Match: {etag}\r\n"), 304, ""),
        ("GET", "/sub/f%201", "If-None-Match: \"x\"\r\n".to_string(), 200, "0123456789"),
        ("GET", "/sub/f%201", format!("If-Modified-Since: {modified}\r\n"), 304, ""),
        ("HEAD", "/sub/f%201", String::new(), 200, ""),
        ("GET", "/empty", String::new(), 200, ""),
        ("GET", "/in", String::new(), 200, "0123456789"),
        ("GET", "/sub", String::new(), 404, "404 Not Found\n"),
        ("GET", "/out", String::new(), 404, "404 Not Found\n"),
        ("GET", "/../../../../etc/passwd", String::new(), 404, "404 Not Found\n"),
        ("GET", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", String::new(), 404, "404 Not Found\n"),
        ("GET", "//etc/passwd", String::new(), 404, "404 Not Found\n"),
        ("DELETE", "/empty", String::new(), 405, "405 Method Not Allowed\n"),
    ] {
        let answer = client.ask(method, path, &headers);
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{method} {path} {headers}");
    }
    let partial = client.ask("GET", "/in", "Range: bytes=2-4\r\n");
    assert_eq!(partial.header("Content-Range"), "bytes 2-4/10");
}

#[test]
fn connections_are_answered_beside_each_other() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), "x").unwrap();
    let address = start(dir.path());
    let mut clients: Vec<Client> = (0..20).map(|_| Client::new(address)).collect();
    for _ in 0..3 {
        for client in clients.iter_mut().rev() {
            assert_eq!(client.ask("GET", "/f", "").body, "x");
        }
    }
}

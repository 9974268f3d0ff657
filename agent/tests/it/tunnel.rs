//! HTTPS through a proxy, by CONNECT.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::fixture::{Fixture, text};
use crate::nginx::Nginx;
use crate::tls::certificates;

/// A proxy that knows CONNECT alone, and remembers the heads it got.
struct Tunnel {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Tunnel {
    fn start(answer: &'static str) -> Tunnel {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://user:pass@{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let shared = heads.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = shared.clone();
                thread::spawn(move || forward(stream.unwrap(), answer, &shared));
            }
        });
        Tunnel { url, heads }
    }
}

fn forward(stream: TcpStream, answer: &str, heads: &Mutex<Vec<String>>) -> io::Result<()> {
    let (mut reader, mut client) = (BufReader::new(stream.try_clone()?), stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    heads.lock().unwrap().push(head.clone());
    client.write_all(answer.as_bytes())?;
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    let Some(target) = target.filter(|_| answer.contains(" 200 ")) else { return Ok(()) };
    let mut server = TcpStream::connect(target)?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    let back = thread::spawn(move || io::copy(&mut from_server, &mut to_client));
    let _ = io::copy(&mut reader, &mut server);
    let _ = server.shutdown(std::net::Shutdown::Write);
    let _ = back.join();
    Ok(())
}

#[test]
fn the_proxy_sees_the_name_of_the_host_and_nothing_else() {
    let fixture = Fixture::unsigned();
    let dir = fixture.dir.path();
    certificates(dir);
    let file = |name: &str| text(&dir.join(name)).to_owned();
    let ours = format!("ssl_certificate {}; ssl_certificate_key {};", file("server.pem"), file("server.key"));
    let nginx = Nginx::start(&fixture.remote, "ssl", &ours);
    let url = format!("https://127.0.0.1:{}", nginx.port);
    let configure = |proxy: &str| {
        fixture.configure(&format!("sign-verify=false\ntls-ca-path={}\nproxy={proxy}", file("ca.pem")));
        let path = fixture.repo.path().join("config");
        let config = fs::read_to_string(&path).unwrap();
        fs::write(&path, config.replace(&format!("url={}", fixture.server.url), &format!("url={url}")))
            .unwrap();
    };
    let no = Tunnel::start("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    configure(&no.url);
    let error = fixture.pull().expect_err("the proxy refuses").to_string();
    assert!(error.contains("403"), "{error}");
    assert!(fixture.is_untouched());
    assert_eq!(nginx.log(), [""; 0], "no request went past the proxy");

    let yes = Tunnel::start("HTTP/1.1 200 Connection established\r\n\r\n");
    configure(&yes.url);
    fixture.pull().expect("through the tunnel");
    fixture.check();
    let heads = yes.heads.lock().unwrap().clone();
    assert!(!heads.is_empty() && heads.len() <= 3, "kept-alive connections, got {}", heads.len());
    for head in heads {
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with(&format!("connect 127.0.0.1:{} http/1.", nginx.port)), "{head}");
        assert!(head.contains("proxy-authorization: basic dxnlcjpwyxnz"), "{head}");
        assert!(!head.contains("refs/") && !head.contains("objects/"), "{head}");
    }
    assert!(nginx.log().iter().any(|line| line.contains(".filez")), "{:?}", nginx.log());
}

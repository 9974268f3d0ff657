//! A relay on the loopback that counts what passes: bytes on the wire, whatever either side says about itself.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};

/// What went through so far.
#[derive(Debug, Default)]
pub struct Counts {
    connections: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

/// A relay that runs until the program ends.
#[derive(Debug)]
pub struct Wire {
    /// Where clients connect.
    pub address: SocketAddr,
    counts: Arc<Counts>,
}

/// A reading of the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Connections opened.
    pub connections: u64,
    /// Bytes from client to server, HTTP headers included.
    pub up: u64,
    /// Bytes from server to client, HTTP headers included.
    pub down: u64,
}

impl Wire {
    /// Relays from a free port to `server`.
    pub fn to(server: SocketAddr) -> Result<Wire> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listen on 127.0.0.1")?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                // a connection that fails shows as an error of the client, which we watch
                let _ = relay(client, server, &shared);
            }
        });
        Ok(Wire { address, counts })
    }

    /// What went through since `before`.
    pub fn since(&self, before: Reading) -> Reading {
        let now = |counter: &AtomicU64, before: u64| counter.load(Ordering::Relaxed) - before;
        Reading {
            connections: now(&self.counts.connections, before.connections),
            up: now(&self.counts.up, before.up),
            down: now(&self.counts.down, before.down),
        }
    }
}

fn relay(client: TcpStream, server: SocketAddr, counts: &Arc<Counts>) -> Result<()> {
    let server = TcpStream::connect(server)?;
    // the end of an answer would wait for the receipt of its start, 40 ms each time
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (client2, server2) = (client.try_clone()?, server.try_clone()?);
    let (up, down) = (Arc::clone(counts), Arc::clone(counts));
    std::thread::spawn(move || pass(client, server, &up.up));
    std::thread::spawn(move || pass(server2, client2, &down.down));
    Ok(())
}

fn pass(mut from: TcpStream, mut to: TcpStream, counter: &AtomicU64) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // the other side sees the end as it came
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_both_directions() {
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let wire = Wire::to(server.local_addr().unwrap()).unwrap();
        let answer = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = [0; 5];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(b"answer").unwrap();
        });
        let mut client = TcpStream::connect(wire.address).unwrap();
        client.write_all(b"hello").unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        answer.join().unwrap();
        let first = wire.since(Reading::default());
        assert_eq!((text.as_str(), first), ("answer", Reading { connections: 1, up: 5, down: 6 }));
        assert_eq!(wire.since(first), Reading::default());
    }
}

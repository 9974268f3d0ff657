//! `.repo` files over TLS: the server by its CA, us by our certificate, against `openssl s_server`.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::metadata::load;
use crate::repos;

fn openssl(dir: &Path, line: &str) -> Command {
    let mut command = Command::new("openssl");
    command.args(line.split(' ')).current_dir(dir).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A CA, a certificate by it for the server and one for us, and one by somebody else.
fn certificates(dir: &Path) {
    let run = |line: &str| {
        let ended = openssl(dir, line).status();
        let ended = ended.unwrap_or_else(|error| panic!("openssl (apt-get install openssl): {error}"));
        assert!(ended.success(), "openssl {line}: {ended}");
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    std::fs::write(dir.join("server.ext"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    std::fs::write(dir.join("client.ext"), "extendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    for name in ["ca", "other"] {
        run(&format!("req -x509 {key} -keyout {name}.key -out {name}.pem -days 30 -subj /CN={name}"));
    }
    for name in ["server", "client"] {
        run(&format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        let ca = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 30";
        run(&format!("x509 -req -in {name}.csr {ca} -extfile {name}.ext -out {name}.pem"));
    }
}

/// Serves the folder by HTTPS until it is dropped.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    fn start(dir: &Path, more: &str) -> Served {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let line =
            format!("s_server -quiet -accept 127.0.0.1:{port} -cert server.pem -key server.key -WWW{more}");
        let child = openssl(dir, &line).spawn().unwrap();
        let served = Served { child, url: format!("https://127.0.0.1:{port}/r") };
        let up = (0..400).any(|_| {
            std::thread::sleep(Duration::from_millis(25));
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        assert!(up, "openssl s_server does not answer");
        served
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

#[test]
fn servers_and_clients_are_known_by_their_certificates() {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    repos::write(dir.path(), "r", None, "a-1-1\nb-1-1");
    let open = Served::start(dir.path(), "");
    let strict = Served::start(dir.path(), " -CAfile ca.pem -Verify 1 -verify_return_error");
    let key = |key: &str, file: &str| format!("{key}={}", dir.path().join(file).display());
    let ca = key("sslcacert", "ca.pem");
    let client = format!("{}\n{}", key("sslclientcert", "client.pem"), key("sslclientkey", "client.key"));
    let unknown = format!("{}\n{}", key("sslclientcert", "other.pem"), key("sslclientkey", "other.key"));
    let keyless = key("sslclientkey", "client.key");
    for (served, config, wanted) in [
        (&open, String::new(), Err("certificate")),
        (&open, key("sslcacert", "other.pem"), Err("certificate")),
        (&open, key("sslcacert", "server.ext"), Err("server.ext: no certificate")),
        (&open, key("sslcacert", "nowhere"), Err("nowhere")),
        (&open, format!("{ca}\n{keyless}"), Err("sslclientkey without sslclientcert")),
        (&strict, ca.clone(), Err("https://127.0.0.1")),
        (&strict, format!("{ca}\n{unknown}"), Err("https://127.0.0.1")),
        (&open, "sslverify=0".to_owned(), Ok(2)),
        (&open, ca.clone(), Ok(2)),
        (&strict, format!("{ca}\n{client}"), Ok(2)),
    ] {
        match (load(&format!("baseurl={}\n{config}", served.url)), wanted) {
            (Ok(got), Ok(wanted)) => assert_eq!(got, wanted, "{config}"),
            (Err(error), Err(part)) => assert!(error.contains(part), "{config}: {error}"),
            (got, _) => panic!("{config}: {got:?}"),
        }
    }
}

//! HTTPS against nginx, with certificates made by `openssl`.

use std::fs;
#[cfg(feature = "tls")]
use std::{path::Path, process::Command};

use crate::fixture::Fixture;
#[cfg(feature = "tls")]
use crate::{fixture::text, nginx::Nginx};

#[cfg(feature = "tls")]
fn openssl(dir: &Path, line: &str) {
    let run = Command::new("openssl").args(line.split(' ')).current_dir(dir).output();
    let run = run.unwrap_or_else(|error| panic!("openssl is missing (apt-get install openssl): {error}"));
    assert!(run.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&run.stderr));
}

/// A CA, and a certificate by it for the server and one for the client.
#[cfg(feature = "tls")]
fn certificates(dir: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(dir, &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 30 -subj /CN=ca"));
    openssl(dir, &format!("req -x509 {key} -keyout other.key -out other.pem -days 30 -subj /CN=other"));
    fs::write(dir.join("server.ext"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    fs::write(dir.join("client.ext"), "extendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n").unwrap();
    for name in ["server", "client"] {
        openssl(dir, &format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        let ca = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 30";
        openssl(dir, &format!("x509 -req -in {name}.csr {ca} -extfile {name}.ext -out {name}.pem"));
    }
}

#[test]
#[cfg(feature = "tls")]
fn servers_and_clients_are_known_by_their_certificates() {
    let fixture = Fixture::unsigned();
    let dir = fixture.dir.path();
    certificates(dir);
    let file = |name: &str| text(&dir.join(name)).to_owned();
    let ours = format!("ssl_certificate {}; ssl_certificate_key {};", file("server.pem"), file("server.key"));
    let open = Nginx::start(&fixture.remote, "ssl", &ours);
    let strict = format!("{ours} ssl_verify_client on; ssl_client_certificate {};", file("ca.pem"));
    let strict = Nginx::start(&fixture.remote, "ssl", &strict);
    let ca = format!("tls-ca-path={}", file("ca.pem"));
    let client =
        format!("tls-client-cert-path={}\ntls-client-key-path={}", file("client.pem"), file("client.key"));
    let mixed =
        format!("tls-client-cert-path={}\ntls-client-key-path={}", file("client.pem"), file("server.key"));
    let other = format!("tls-ca-path={}", file("other.pem"));
    let not_pem = format!("tls-ca-path={}", file("server.ext"));
    for (port, keys, wanted) in [
        (open.port, vec![], Err(("untrusted", "certificate"))),
        (open.port, vec![&*other], Err(("untrusted", "certificate"))),
        (open.port, vec![&*not_pem], Err(("failed", "expected root certificates in PEM, got none"))),
        (open.port, vec!["tls-ca-path=/no/such/file"], Err(("failed", "/no/such/file"))),
        (strict.port, vec![&*ca], Err(("failed", "got 400"))),
        (strict.port, vec![&*ca, &*mixed], Err(("failed", "server.key"))),
        (open.port, vec!["tls-permissive=true"], Ok(())),
        (open.port, vec![&*ca], Ok(())),
        (strict.port, vec![&*ca, &*client], Ok(())),
    ] {
        fixture.configure(&format!("sign-verify=false\n{}", keys.join("\n")));
        let path = fixture.repo.path().join("config");
        let config = fs::read_to_string(&path).unwrap();
        fs::write(&path, config.replace(&fixture.server.url, &format!("https://127.0.0.1:{port}"))).unwrap();
        match (fixture.pull(), wanted) {
            (Ok(_), Ok(())) => fixture.check(),
            (Err(error), Err((class, part))) => {
                assert_eq!(error.class(), class, "{keys:?}: {error}");
                assert!(error.to_string().contains(part), "{keys:?}: {error}");
            }
            (got, _) => panic!("{keys:?}: {got:?}"),
        }
    }
}

#[test]
#[cfg(not(feature = "tls"))]
fn a_build_without_tls_says_so() {
    let fixture = Fixture::unsigned();
    let path = fixture.repo.path().join("config");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config.replace("http://", "https://")).unwrap();
    let error = fixture.pull().expect_err("no TLS");
    assert!(error.to_string().contains("feature \"tls\" is off"), "{error}");
}

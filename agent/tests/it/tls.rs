//! HTTPS against nginx, with certificates made by `openssl`.

use std::fs;
#[cfg(feature = "tls")]
use std::{path::Path, process::Command};

use crate::fixture::Fixture;
#[cfg(feature = "tls")]
use crate::{
    fixture::{hasty, text},
    nginx::Nginx,
};
#[cfg(feature = "tls")]
use rootling::{
    clock::{BUILD_TIME, Clock},
    remote::read,
    transport::{self, Answer, Request},
};

#[cfg(feature = "tls")]
pub fn openssl(dir: &Path, line: &str) {
    let run = Command::new("openssl").args(line.split(' ')).current_dir(dir).output();
    let run = run.unwrap_or_else(|error| panic!("openssl is missing (apt-get install openssl): {error}"));
    assert!(run.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&run.stderr));
}

/// A CA, and a certificate by it for the server and one for the client.
#[cfg(feature = "tls")]
pub fn certificates(dir: &Path) {
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

/// A server's certificate by the CA that holds between two moments, in seconds since 1970.
#[cfg(feature = "tls")]
fn valid(dir: &Path, name: &str, from: u64, until: u64) {
    let date = |moment: u64| {
        let run = Command::new("date").args(["-u", "-d", &format!("@{moment}"), "+%Y%m%d%H%M%SZ"]).output();
        String::from_utf8(run.unwrap().stdout).unwrap().trim().to_owned()
    };
    fs::write(dir.join("index"), "").unwrap();
    let config = "[ca]\ndefault_ca=x\n[x]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\npolicy=p\n\
                  default_md=sha256\n[p]\ncommonName=supplied\n";
    fs::write(dir.join("ca.conf"), config).unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(dir, &format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
    let ca = "ca -batch -notext -config ca.conf -cert ca.pem -keyfile ca.key -extfile server.ext";
    let (from, until) = (date(from), date(until));
    openssl(dir, &format!("{ca} -startdate {from} -enddate {until} -in {name}.csr -out {name}.pem"));
}

#[test]
#[cfg(feature = "tls")]
fn a_board_that_wakes_in_1970_judges_certificates_by_the_floor_of_its_clock() {
    let fixture = Fixture::unsigned();
    let dir = fixture.dir.path();
    certificates(dir);
    let (day, wakes) = (86_400, Clock::at(5));
    let read = |name: &str, from: u64, until: u64, clock: &Clock| {
        valid(dir, name, from, until);
        let file = |ending: &str| text(&dir.join(format!("{name}.{ending}"))).to_owned();
        let ours = format!("ssl_certificate {}; ssl_certificate_key {};", file("pem"), file("key"));
        let nginx = Nginx::start(&fixture.remote, "ssl", &ours);
        fixture.configure(&format!("sign-verify=false\ntls-ca-path={}", text(&dir.join("ca.pem"))));
        let mut remote = read::find(fixture.repo.path(), &dir.join("sysroot"), "origin").unwrap();
        remote.url = format!("https://127.0.0.1:{}", nginx.port);
        let transport = transport::open(&remote, &hasty().limits, clock).unwrap();
        transport.get(&Request::new("config", 1000)).map(|answer| matches!(answer, Answer::Found(_)))
    };
    assert_eq!(read("always", BUILD_TIME - 9 * day, BUILD_TIME + 9 * day, &wakes), Ok(true));
    for (name, from, until, clock, reason) in [
        ("past", BUILD_TIME - 9 * day, BUILD_TIME - day, wakes, "expired"),
        ("coming", BUILD_TIME + day, BUILD_TIME + 9 * day, wakes, "not valid yet"),
        ("over", BUILD_TIME - day, BUILD_TIME + day, wakes.not_before(BUILD_TIME + 2 * day), "expired"),
    ] {
        let error = read(name, from, until, &clock).expect_err(name);
        assert_eq!(error.class(), "untrusted", "{name}: {error}");
        assert!(error.to_string().contains(reason), "{name}: {error}");
    }
    let later = wakes.not_before(BUILD_TIME + 2 * day);
    assert_eq!(read("came", BUILD_TIME + day, BUILD_TIME + 9 * day, &later), Ok(true));
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

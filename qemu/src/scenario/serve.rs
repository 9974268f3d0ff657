//! The server of one scenario: nginx with TLS where the guest brings certificates, else the build host's own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rootling_compose::serve::Server;

use crate::host;

/// How this machine is called in a guest.
const HERE: &str = "10.0.2.2";
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; dropping it ends nginx.
#[derive(Debug)]
pub struct Served {
    /// The repo's address, as the guest sees it.
    pub url: String,
    nginx: Option<Child>,
}

/// Serves a folder; `tls` is one with `server.pem` and `server.key`, `work` is for nginx.
pub fn serve(folder: &Path, tls: Option<&Path>, work: &Path) -> Result<Served> {
    let Some(tls) = tls else {
        let server = Server::bind(folder, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), |_| {})?;
        let url = format!("http://{HERE}:{}/", server.address()?.port());
        std::thread::spawn(move || server.run());
        return Ok(Served { url, nginx: None });
    };
    let work = work.join("nginx");
    fs::create_dir_all(&work).with_context(|| format!("create {}", work.display()))?;
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    let address = free.context("listen on 127.0.0.1")?;
    let (config, log) = (work.join("nginx.conf"), work.join("error.log"));
    let text = configuration(folder, tls, &work, address);
    fs::write(&config, text).with_context(|| format!("write {}", config.display()))?;
    let mut command = host::command("nginx");
    command.arg("-p").arg(&work).arg("-c").arg(&config).arg("-e").arg(&log);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().context("start nginx; install it with: apt-get install nginx-light")?;
    let mut served = Served { url: format!("https://{HERE}:{}/", address.port()), nginx: Some(child) };
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        let ended = served.nginx.as_mut().map(Child::try_wait).transpose()?.flatten();
        if ended.is_some() || start.elapsed() > PATIENCE {
            let said = fs::read_to_string(&log).unwrap_or_default();
            bail!("nginx does not listen on {address}:\n{}", said.trim_end());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(served)
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(nginx) = &mut self.nginx {
            let _ = nginx.kill();
            let _ = nginx.wait();
        }
    }
}

/// One process, which a kill ends as a whole.
fn configuration(folder: &Path, tls: &Path, work: &Path, address: SocketAddr) -> String {
    let (folder, tls, work) = (folder.display(), tls.display(), work.display());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {work}/{name};\n"))
        .collect();
    format!(
        "daemon off;\nmaster_process off;\npid {work}/nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
         keepalive_requests 100000;\nserver {{\nlisten {address} ssl;\nssl_certificate {tls}/server.pem;\n\
         ssl_certificate_key {tls}/server.key;\nroot {folder};\n}}\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nginx_keeps_to_the_loopback_and_its_folder() {
        let at = |text| Path::new(text);
        let text = configuration(at("/repo"), at("/tls"), at("/own"), "127.0.0.1:7".parse().unwrap());
        for line in ["listen 127.0.0.1:7 ssl;", "ssl_certificate_key /tls/server.key;", "root /repo;"] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        let places = text.lines().filter(|line| line.contains("_path ") || line.starts_with("pid "));
        assert!(places.clone().count() == 6 && places.clone().all(|line| line.contains(" /own/")), "{text}");
    }

    #[test]
    fn without_certificates_it_is_plain() {
        let dir = tempfile::tempdir().unwrap();
        let served = serve(dir.path(), None, dir.path()).unwrap();
        assert!(served.url.starts_with("http://10.0.2.2:"), "{}", served.url);
    }
}

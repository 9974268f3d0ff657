//! A web server of one's own: nginx on the loopback with a private configuration and folder.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A running nginx; dropping it ends it.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// `https://127.0.0.1:PORT`, where keys were given.
    pub secure: String,
}

impl Nginx {
    /// Serves `root`; configuration, logs and temporary files go to `prefix`. `keys` is a folder with `server.pem` and
    /// `server.key`, for HTTPS as well.
    pub fn start(root: &Path, prefix: &Path, keys: Option<&Path>) -> Result<Nginx> {
        fs::create_dir_all(prefix)?;
        let (address, secure) = (free_port()?, free_port()?);
        let config = prefix.join("nginx.conf");
        let more = keys.map_or(String::new(), |keys| {
            let keys = keys.display();
            format!(" listen {secure} ssl; ssl_certificate {keys}/server.pem; ssl_certificate_key {keys}/server.key;")
        });
        fs::write(&config, configuration(root, prefix, &format!("listen {address};{more}")))?;
        let mut command = Command::new("nginx");
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").arg("-p").arg(prefix).arg("-c").arg(&config);
        command.arg("-e").arg(prefix.join("error.log")).stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().context("start nginx")?;
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = child.try_wait()? {
                bail!(
                    "nginx: {status}\n{}",
                    fs::read_to_string(prefix.join("error.log")).unwrap_or_default()
                );
            }
            if start.elapsed() > Duration::from_secs(10) {
                bail!("nginx does not listen on {address} after 10 s");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Nginx { child, url: format!("http://{address}"), secure: format!("https://{secure}") })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // TERM lets nginx end its workers as well
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0)).context("listen on 127.0.0.1")?.local_addr()?)
}

fn configuration(root: &Path, prefix: &Path, listen: &str) -> String {
    let (root, prefix) = (root.display(), prefix.display());
    let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("    {name}_temp_path {prefix}/{name};\n"))
        .collect();
    format!(
        "daemon off;\nworker_processes 2;\npid {prefix}/nginx.pid;\nuser root;\nevents {{ worker_connections 512; }}\n\
         http {{\n    access_log off;\n    error_log {prefix}/error.log;\n    sendfile on;\n    keepalive_requests 100000;\n\
         {folders}    server {{ {listen} root {root}; }}\n}}\n"
    )
}

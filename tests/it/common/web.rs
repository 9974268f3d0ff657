//! A real web server on loopback.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// nginx, serving one directory until it is dropped.
pub struct Nginx {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub url: String,
}

impl Nginx {
    /// Serves `root`; its own files go to `scratch`.
    pub fn start(root: &Path, scratch: &Path) -> Nginx {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = scratch.join(format!("nginx-{port}"));
        std::fs::create_dir_all(&dir).unwrap();
        let config = format!(
            "daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c;\n\
             uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e; keepalive_requests 100000;\n\
             server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n",
            dir = dir.display(),
            root = root.display(),
        );
        std::fs::write(dir.join("conf"), config).unwrap();
        let child = Command::new("nginx").arg("-c").arg(dir.join("conf")).arg("-p").arg(&dir).spawn();
        let child = child.expect("nginx-light is installed by `cargo xtask test`");
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "nginx does not answer");
            std::thread::yield_now();
        }
        Nginx { child, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

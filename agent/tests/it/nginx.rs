//! A real web server before a folder.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use tempfile::TempDir;

use crate::fixture::text;

/// nginx on a free port; it ends with this value.
pub struct Nginx {
    child: Child,
    pub port: u16,
    dir: TempDir,
}

impl Nginx {
    /// Serves `root`; `listen` follows the port and `more` is put into the server's block.
    pub fn start(root: &Path, listen: &str, more: &str) -> Nginx {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (place, root) = (text(dir.path()), text(root));
        let conf = format!(
            "daemon off; master_process off; pid {place}/pid; error_log {place}/error.log;\nevents {{}}\n\
             http {{ access_log {place}/access.log; client_body_temp_path {place}; server {{\n\
             listen 127.0.0.1:{port} {listen}; root {root}; {more} }} }}\n"
        );
        fs::write(dir.path().join("conf"), conf).unwrap();
        let child = Command::new("nginx")
            .args(["-c", text(&dir.path().join("conf")), "-e", text(&dir.path().join("start.log"))])
            .spawn()
            .unwrap_or_else(|error| panic!("nginx is missing (apt-get install nginx-light): {error}"));
        let nginx = Nginx { child, port, dir };
        let up = (0..400).any(|_| {
            std::thread::sleep(Duration::from_millis(25));
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        assert!(up, "nginx: {}", fs::read_to_string(nginx.dir.path().join("error.log")).unwrap_or_default());
        nginx
    }

    /// Lines of requests and their answers so far.
    pub fn log(&self) -> Vec<String> {
        // a request is logged after its answer was sent, but before the next one is looked at
        let mut marker = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        marker.write_all(b"GET /log-marker HTTP/1.0\r\n\r\n").unwrap();
        marker.read_to_end(&mut Vec::new()).unwrap();
        let path: PathBuf = self.dir.path().join("access.log");
        let text = fs::read_to_string(path).unwrap();
        text.lines().filter(|line| !line.contains("/log-marker")).map(str::to_owned).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

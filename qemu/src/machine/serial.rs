//! The serial port of a machine: all of it goes to a log, and its lines are handed on.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context, Result};

use crate::host;

/// A program, its input, and the lines of its output.
pub type Running = (Child, ChildStdin, Receiver<String>);

/// Starts a program whose output goes to the log and is handed on as lines.
pub fn followed(mut command: Command, file: File) -> Result<Running> {
    let (line, errors) = (host::line(&command), file.try_clone()?);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).spawn();
    let mut child = child.with_context(|| format!("start {line}"))?;
    let (input, output) =
        (child.stdin.take().context("no input")?, child.stdout.take().context("no output")?);
    let (send, lines) = channel();
    std::thread::spawn(move || follow(output, file, &send));
    Ok((child, input, lines))
}

/// Copies the serial port to the log, and hands on its lines.
fn follow(mut port: impl Read, mut log: File, lines: &Sender<String>) {
    let (mut buffer, mut line) = ([0; 4096], Vec::new());
    while let Ok(length @ 1..) = port.read(&mut buffer) {
        let Some(bytes) = buffer.get(..length) else { return };
        let _ = log.write_all(bytes);
        for byte in bytes {
            match byte {
                b'\n' => {
                    let text = String::from_utf8_lossy(&line).into_owned();
                    line.clear();
                    if lines.send(text).is_err() {
                        // nobody listens, and the log goes on
                    }
                }
                b'\r' => {}
                other => line.push(*other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_and_the_log_has_every_byte() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (send, lines) = channel();
        follow(&b"a\r\n\r\nb\xff\n open"[..], File::create(&path).unwrap(), &send);
        drop(send);
        assert_eq!(lines.iter().collect::<Vec<_>>(), ["a", "", "b\u{fffd}"]);
        assert_eq!(std::fs::read(path).unwrap(), b"a\r\n\r\nb\xff\n open");
    }
}

//! Lines of the serial port that mean something.

use anyhow::{Context, Result};

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// The guest's init runs.
    Booted(Booted),
    /// Its health checks are done and a shell waits for commands.
    Ready,
    /// The kernel gives up.
    Panic,
    /// A command has ended: its number and exit code.
    Exit(u32, i32),
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booted {
    /// The deployment's commit.
    pub commit: String,
    /// Its folder's name, COMMIT.SERIAL.
    pub deployment: String,
    /// Whether it has to prove itself.
    pub on_trial: bool,
}

const GUEST: &str = "ROOTLING-GUEST ";
const EXIT: &str = "ROOTLING-EXIT ";

impl Marker {
    /// Finds a marker anywhere in a line: loaders leave codes that move the cursor before it.
    pub fn parse(line: &str) -> Option<Marker> {
        if let Some((_, rest)) = line.split_once(GUEST) {
            let mut words = rest.split_whitespace();
            return match (words.next(), words.next(), words.next(), words.next()) {
                (Some("confirm"), Some("ended"), Some("with"), Some("0")) => Some(Marker::Ready),
                (
                    Some("booted"),
                    Some(commit),
                    Some(deployment),
                    Some(state @ ("on-trial" | "confirmed")),
                ) => {
                    let (commit, deployment) = (commit.into(), deployment.into());
                    Some(Marker::Booted(Booted { commit, deployment, on_trial: state == "on-trial" }))
                }
                _ => None,
            };
        }
        if let Some((_, rest)) = line.split_once(EXIT) {
            let (number, code) = rest.trim().split_once(' ')?;
            return Some(Marker::Exit(number.parse().ok()?, code.parse().ok()?));
        }
        // what the kernel says once more, where it waits for its restart
        let is_end = line.contains("---[ end");
        (line.contains("Kernel panic - not syncing") && !is_end).then_some(Marker::Panic)
    }
}

/// A command for the guest's shell that ends in a marker; the shell's echo of it is none.
pub fn marked(command: &str, number: u32) -> String {
    format!("{command}; echo \"ROOTLING-\"\"EXIT {number} $?\"\n")
}

/// The JSON object in what a command printed.
pub fn json(lines: &[String]) -> Result<serde_json::Value> {
    let found = lines.iter().rev().find_map(|line| line.find('{').map(|at| &line[at..]));
    let text = found.with_context(|| format!("expected a JSON object, got {lines:?}"))?;
    serde_json::from_str(text).with_context(|| format!("JSON of the guest: {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_among_what_loaders_print() {
        let booted = |on_trial| {
            let (commit, deployment) = ("ab".into(), "ab.0".into());
            Some(Marker::Booted(Booted { commit, deployment, on_trial }))
        };
        for (line, want) in [
            ("ROOTLING-GUEST booted ab ab.0 on-trial good-2", booted(true)),
            ("\x1b[2J\x1b[01;01HROOTLING-GUEST booted ab ab.0 confirmed", booted(false)),
            ("ROOTLING-GUEST booted ab ab.0", None),
            ("ROOTLING-GUEST booted ab ab.0 perhaps", None),
            ("ROOTLING-GUEST confirm ended with 0", Some(Marker::Ready)),
            ("ROOTLING-GUEST confirm ended with 127", None),
            ("ROOTLING-EXIT 3 77", Some(Marker::Exit(3, 77))),
            ("ROOTLING-EXIT 3", None),
            ("[    1.2] Kernel panic - not syncing: Attempted to kill init!", Some(Marker::Panic)),
            ("[    1.2] ---[ end Kernel panic - not syncing", None),
            ("", None),
        ] {
            assert_eq!(Marker::parse(line), want, "{line:?}");
        }
    }

    #[test]
    fn an_echo_is_no_marker() {
        let typed = marked("rootling upgrade", 7);
        assert_eq!(Marker::parse(&format!("~ # {typed}")), None);
        let lines = ["x".to_owned(), "\x1b[6n{\"outcome\":\"nothing\"}".to_owned()];
        assert_eq!(json(&lines).unwrap()["outcome"], "nothing");
        assert!(json(&lines[..1]).is_err());
    }
}

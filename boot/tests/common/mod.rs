//! What the oracle tests share: real tools, and a sequence that looks random.
#![allow(dead_code, reason = "each test program uses a part")]
#![allow(clippy::disallowed_types, reason = "the tools are programs")]

use std::process::Command;

/// Runs a tool; a missing one is an error that says how to install it.
pub fn tool(name: &str, package: &str, args: &[&str]) -> Vec<u8> {
    let (bytes, good) = try_tool(name, package, args);
    assert!(good, "{name} {args:?} failed: {}", String::from_utf8_lossy(&bytes));
    bytes
}

/// Runs a tool; answers its output, errors included if it failed, and whether it succeeded.
pub fn try_tool(name: &str, package: &str, args: &[&str]) -> (Vec<u8>, bool) {
    let output = Command::new(name).args(args).output();
    let output = output.unwrap_or_else(|e| panic!("{name}: {e}; install it with: apt-get install {package}"));
    match output.status.success() {
        true => (output.stdout, true),
        false => ([output.stdout, output.stderr].concat(), false),
    }
}

/// Any fixed sequence will do.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit.max(1)
    }

    pub fn text(&mut self, alphabet: &str, most: usize) -> String {
        let chars: Vec<char> = alphabet.chars().collect();
        (0..self.below(most + 1)).map(|_| chars[self.below(chars.len())]).collect()
    }

    /// One to four changes: a bit, a byte, a cut, a piece twice.
    pub fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 if !bytes.is_empty() => bytes[at] = [0, 0xff, b'\n', b'=', b'\\', b'#'][self.below(6)],
                2 => bytes.truncate(at),
                3 => {
                    let piece = bytes[at..(at + self.below(16)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ => bytes.insert(at, self.below(256) as u8),
            }
        }
        bytes
    }
}

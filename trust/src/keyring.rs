//! The keys a remote trusts, and what it asks of a commit.

use crate::{PublicKey, Result};

/// Trusted keys, without those that were revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyring {
    trusted: Vec<PublicKey>,
    revoked: Vec<PublicKey>,
}

/// What a remote asks before something of it is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// A valid signature by one of these keys.
    Keys(Keyring),
    /// Nothing: the remote's configuration says so in words.
    Unsigned {
        /// The remote's name, for the report.
        remote: String,
    },
}

impl Keyring {
    /// A keyring of trusted keys.
    pub fn new(trusted: impl IntoIterator<Item = PublicKey>) -> Keyring {
        Keyring { trusted: trusted.into_iter().collect(), revoked: Vec::new() }
    }

    /// Trusts the keys of a file: base64, one on each line; empty lines and lines that begin with `#` are passed over.
    pub fn trust_lines(&mut self, text: &str) -> Result<()> {
        self.trusted.extend(parse_lines(text)?);
        Ok(())
    }

    /// Revokes the keys of a file of the same form; a revoked key stays so whatever is trusted later.
    pub fn revoke_lines(&mut self, text: &str) -> Result<()> {
        self.revoked.extend(parse_lines(text)?);
        Ok(())
    }

    /// Trusts one key.
    pub fn trust(&mut self, key: PublicKey) {
        self.trusted.push(key);
    }

    /// Revokes one key.
    pub fn revoke(&mut self, key: PublicKey) {
        self.revoked.push(key);
    }

    /// The keys whose signatures count.
    pub fn usable(&self) -> impl Iterator<Item = &PublicKey> {
        self.trusted.iter().filter(|key| !self.revoked.contains(key))
    }

    /// The keys whose signatures never count.
    pub fn revoked(&self) -> impl Iterator<Item = &PublicKey> {
        self.revoked.iter()
    }
}

fn parse_lines(text: &str) -> Result<Vec<PublicKey>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(PublicKey::parse_base64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretKey;

    #[test]
    fn reads_files_and_forgets_revoked_keys() {
        let [a, b] = [1, 2].map(|n| SecretKey::from_seed(&[n; 32]).public());
        let mut keyring = Keyring::default();
        keyring.revoke_lines(&format!("{b}")).unwrap();
        keyring.trust_lines(&format!("# ours\n\n  {a}\r\n{b}\n")).unwrap();
        assert_eq!(keyring.usable().collect::<Vec<_>>(), [&a]);
        assert!(keyring.trust_lines("garbage").is_err());
    }
}

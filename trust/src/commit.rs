//! From commit and summary bytes to verified values, and the signing of both.

use crate::key::SIGNATURE_LEN;
use crate::{By, Error, ErrorKind, Keyring, Policy, Result, SecretKey, Verified};
use rootling_object::commit::key::SIGNATURES;
use rootling_object::{Checksum, Commit, Dict, Summary, Value};

/// The most signatures that are looked at, so that hostile metadata costs no more than this many checks a key.
pub const MAX_SIGNATURES: usize = 32;

/// Reads a commit that has the expected checksum and passes the policy; `detached` is its detached metadata.
pub fn verify_commit(
    commit_bytes: &[u8],
    expected: Checksum,
    detached: Option<&Dict>,
    policy: &Policy,
) -> Result<Verified<Commit>> {
    let got = Checksum::of(commit_bytes);
    if got != expected {
        return Err(ErrorKind::WrongChecksum { expected, got }.into());
    }
    let by = check(&format!("commit {expected}"), commit_bytes, detached, policy)?;
    Ok(Verified::new(Commit::decode(commit_bytes)?, by, expected))
}

/// Reads a summary file that passes the policy; `signatures` is the content of `summary.sig`.
pub fn verify_summary(bytes: &[u8], signatures: Option<&Dict>, policy: &Policy) -> Result<Verified<Summary>> {
    let by = check("summary", bytes, signatures, policy)?;
    Ok(Verified::new(Summary::decode(bytes)?, by, Checksum::of(bytes)))
}

/// Adds a signature over a commit's bytes to its detached metadata, unless it is there.
pub fn sign_commit(commit_bytes: &[u8], key: &SecretKey, detached: &mut Dict) -> Result<()> {
    let what = format!("commit {}", Checksum::of(commit_bytes));
    add_signature(&what, commit_bytes, key, detached)
}

/// Adds a signature over a summary's bytes to the content of `summary.sig`.
pub fn sign_summary(bytes: &[u8], key: &SecretKey, signatures: &mut Dict) -> Result<()> {
    add_signature("summary", bytes, key, signatures)
}

fn check(what: &str, bytes: &[u8], metadata: Option<&Dict>, policy: &Policy) -> Result<By> {
    match policy {
        Policy::Unsigned { remote } => Ok(By::Unsigned { remote: remote.clone() }),
        Policy::Keys(keyring) => check_keys(what, bytes, metadata, keyring),
    }
}

fn check_keys(what: &str, bytes: &[u8], metadata: Option<&Dict>, keyring: &Keyring) -> Result<By> {
    if keyring.usable().next().is_none() {
        return Err(ErrorKind::NoKeys.into());
    }
    let signatures = metadata.map(|dict| signatures(what, dict)).transpose()?.unwrap_or_default();
    if signatures.is_empty() {
        return Err(ErrorKind::Unsigned { what: what.into() }.into());
    }
    let made_by = |key: &&crate::PublicKey| signatures.iter().any(|s| key.check(bytes, s).is_some());
    if let Some(key) = keyring.usable().find(made_by) {
        return Ok(By::Key(*key));
    }
    let revoked = keyring.revoked().find(made_by).map(|key| key.to_string());
    Err(ErrorKind::Refused { what: what.into(), signatures: signatures.len(), revoked }.into())
}

fn signatures(what: &str, metadata: &Dict) -> Result<Vec<[u8; SIGNATURE_LEN]>> {
    let bad = |expected: &str, got: String| {
        Error::from(ErrorKind::BadSignatures { what: what.into(), expected: expected.into(), got })
    };
    let Some(value) = metadata.get(SIGNATURES) else { return Ok(Vec::new()) };
    let arrays = metadata.byte_arrays(SIGNATURES).ok_or_else(|| bad("type aay", value.type_string()))?;
    if arrays.len() > MAX_SIGNATURES {
        return Err(bad(&format!("at most {MAX_SIGNATURES}"), arrays.len().to_string()));
    }
    let fixed =
        arrays.into_iter().map(|s| s.try_into().map_err(|_| bad("64 bytes each", s.len().to_string())));
    fixed.collect()
}

fn add_signature(what: &str, bytes: &[u8], key: &SecretKey, metadata: &mut Dict) -> Result<()> {
    let mut all = signatures(what, metadata)?;
    let signature = key.sign(bytes);
    if !all.contains(&signature) {
        all.push(signature);
        metadata.set(SIGNATURES, Value::byte_arrays(all.iter().map(|s| s.to_vec())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit() -> Vec<u8> {
        let (root_tree, root_meta) = (Checksum::of(b"t"), Checksum::of(b"m"));
        let text = String::new;
        Commit {
            metadata: Dict::new(),
            parent: None,
            subject: text(),
            body: text(),
            timestamp: 1,
            root_tree,
            root_meta,
        }
        .encode()
    }

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed(&[n; 32])
    }

    fn keys(numbers: &[u8]) -> Policy {
        Policy::Keys(Keyring::new(numbers.iter().map(|n| key(*n).public())))
    }

    fn signed(bytes: &[u8], numbers: &[u8]) -> Dict {
        let mut dict = Dict::new();
        numbers.iter().for_each(|n| sign_commit(bytes, &key(*n), &mut dict).unwrap());
        dict
    }

    #[test]
    fn accepts_one_good_signature_among_others() {
        let bytes = commit();
        let dict = signed(&bytes, &[9, 1, 9]);
        assert_eq!(dict.byte_arrays(SIGNATURES).unwrap().len(), 2, "the same signature is kept once");
        let verified = verify_commit(&bytes, Checksum::of(&bytes), Some(&dict), &keys(&[5, 1])).unwrap();
        assert_eq!(verified.by(), &By::Key(key(1).public()));
        assert_eq!((verified.get().timestamp, verified.checksum()), (1, &Checksum::of(&bytes)));
    }

    #[test]
    fn refuses_each_fault_by_its_name() {
        let bytes = commit();
        let expected = Checksum::of(&bytes);
        let dict = signed(&bytes, &[1]);
        let set = |value| {
            let mut dict = Dict::new();
            dict.set(SIGNATURES, value);
            dict
        };
        let mut revoked = Keyring::new([key(1).public(), key(2).public()]);
        revoked.revoke(key(1).public());
        let mut flipped = dict.byte_arrays(SIGNATURES).unwrap()[0].to_vec();
        flipped[10] ^= 1;
        let many = vec![vec![0; 64]; MAX_SIGNATURES + 1];
        let cases: [(Option<Dict>, Policy, &str); 9] = [
            (None, keys(&[1]), "got none"),
            (Some(Dict::new()), keys(&[1]), "got none"),
            (Some(dict.clone()), keys(&[]), "at least one trusted key"),
            (Some(dict.clone()), keys(&[2]), "got 1 without one"),
            (Some(dict), Policy::Keys(revoked), "revoked key"),
            (Some(set(Value::byte_arrays([flipped]))), keys(&[1]), "got 1 without one"),
            (Some(set(Value::byte_arrays([vec![0; 63]]))), keys(&[1]), "64 bytes each"),
            (Some(set(Value::byte_arrays(many))), keys(&[1]), "at most 32"),
            (Some(set(Value::str("x"))), keys(&[1]), "type aay"),
        ];
        for (detached, policy, reason) in cases {
            let error = verify_commit(&bytes, expected, detached.as_ref(), &policy).unwrap_err().to_string();
            assert!(error.contains(reason), "{error} should say {reason}");
        }
    }

    #[test]
    fn refuses_a_signature_of_another_commit() {
        let bytes = commit();
        let mut other = Commit::decode(&bytes).unwrap();
        other.timestamp = 2;
        let dict = signed(&other.encode(), &[1]);
        let error = verify_commit(&bytes, Checksum::of(&bytes), Some(&dict), &keys(&[1])).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Refused { .. }), "{error}");
    }

    #[test]
    fn an_unsigned_policy_still_checks_the_bytes() {
        let bytes = commit();
        let policy = Policy::Unsigned { remote: "r".into() };
        let verified = verify_commit(&bytes, Checksum::of(&bytes), None, &policy).unwrap();
        assert_eq!(verified.by(), &By::Unsigned { remote: "r".into() });
        let wrong = verify_commit(&bytes, Checksum::of(b""), None, &policy).unwrap_err();
        assert!(matches!(wrong.kind(), ErrorKind::WrongChecksum { .. }), "{wrong}");
        let junk = verify_commit(b"junk", Checksum::of(b"junk"), None, &policy).unwrap_err();
        assert!(matches!(junk.kind(), ErrorKind::Malformed(_)), "{junk}");
    }
}

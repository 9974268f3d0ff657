//! Debian versions and relation operators to RPM ones.
//!
//! A Debian version is `[epoch:]upstream[-revision]` (Debian Policy 5.6.12); an RPM version is the triple epoch,
//! version, release. The upstream part may hold `-`, which RPM forbids: it becomes `_`. A version without a
//! revision gets release `0`, because an RPM must have one; a *relation* without a revision stays without a
//! release, so that it matches each release.

use std::fmt;

/// One RPM epoch, version and, where the Debian version had a revision, release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpmVersion {
    /// Debian's epoch; none and 0 compare alike, so 0 is written as none.
    pub epoch: Option<u32>,
    /// Upstream part with RPM's character set.
    pub version: String,
    /// Debian's revision.
    pub release: Option<String>,
}

impl RpmVersion {
    /// Splits a Debian version and replaces what RPM does not allow.
    pub fn parse(debian: &str) -> RpmVersion {
        let (epoch, rest) = match debian.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => (epoch.parse().ok(), rest),
            _ => (None, debian),
        };
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        RpmVersion {
            epoch: epoch.filter(|&number| number != 0),
            version: allowed(version),
            release: release.map(allowed),
        }
    }

    /// The release an RPM of this version carries.
    pub fn release_or_zero(&self) -> &str {
        self.release.as_deref().unwrap_or("0")
    }
}

impl fmt::Display for RpmVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(epoch) = self.epoch {
            write!(f, "{epoch}:")?;
        }
        f.write_str(&self.version)?;
        self.release.as_ref().map_or(Ok(()), |release| write!(f, "-{release}"))
    }
}

fn allowed(part: &str) -> String {
    part.chars().map(|c| if c.is_ascii_alphanumeric() || ".+~".contains(c) { c } else { '_' }).collect()
}

/// RPM's operator for Debian's, given whether the version has a revision.
///
/// `>> 1.2` is true for Debian's `1.2-1`, but RPM compares releases only where both sides have one, so that
/// `> 1.2` is false for `1.2-1`: without a revision `>>` becomes `>=`.
pub fn operator(debian: &str, has_release: bool) -> &'static str {
    match debian {
        "<<" => "<",
        "<=" | "<" => "<=",
        "=" => "=",
        ">>" if has_release => ">",
        _ => ">=",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_versions() {
        for (debian, own, relation) in [
            ("2.36-9+deb12u14", (None, "9+deb12u14"), "2.36-9+deb12u14"),
            ("1:9.2p1-2+deb12u7", (Some(1), "2+deb12u7"), "1:9.2p1-2+deb12u7"),
            ("0:1.0-1", (None, "1"), "1.0-1"),
            ("12.4+deb12u15", (None, "0"), "12.4+deb12u15"),
            ("2022-09-1", (None, "1"), "2022_09-1"),
            ("1.0~rc1-1~bpo", (None, "1~bpo"), "1.0~rc1-1~bpo"),
            ("1:2:3-4", (Some(1), "4"), "1:2_3-4"),
        ] {
            let version = RpmVersion::parse(debian);
            assert_eq!((version.epoch, version.release_or_zero()), own, "{debian}");
            assert_eq!(version.to_string(), relation, "{debian}");
        }
    }

    #[test]
    fn widens_strictly_later_without_a_revision() {
        for (debian, has_release, rpm) in [
            ("<<", true, "<"),
            ("<<", false, "<"),
            ("<=", true, "<="),
            ("=", false, "="),
            (">=", true, ">="),
            (">>", true, ">"),
            (">>", false, ">="),
        ] {
            assert_eq!(operator(debian, has_release), rpm, "{debian} {has_release}");
        }
    }
}

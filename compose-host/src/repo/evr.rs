//! Epoch, version, release: splitting and comparing as rpm does.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

use std::cmp::Ordering;

use rpm_version::Evr;

/// Compares two version or release strings (rpm's `rpmvercmp`).
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    if a == b { Ordering::Equal } else { Evr::new("", a, "").cmp(&Evr::new("", b, "")) }
}

/// Splits `[epoch:]version[-release]`.
pub fn split_evr(text: &str) -> (u32, &str, Option<&str>) {
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => {
            (epoch.parse().unwrap_or(0), rest)
        }
        _ => (0, text),
    };
    match rest.rsplit_once('-') {
        Some((version, release)) => (epoch, version, Some(release)),
        None => (epoch, rest, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_like_rpm() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, expected) in [
            ("1.0", "1.0", Equal),
            ("1.0", "1.1", Less),
            ("10", "9", Greater),
            ("1.0~rc1", "1.0", Less),
            ("1.0^git1", "1.0", Greater),
            ("1.0a", "1.0", Greater),
            ("a", "1", Less),
            ("1.05", "1.5", Equal),
            ("", "1", Less),
            // dashes never occur inside one part, other separators do not count
            ("2_0", "2.0", Equal),
        ] {
            assert_eq!(compare_versions(a, b), expected, "{a} {b}");
            assert_eq!(compare_versions(b, a), expected.reverse(), "{b} {a}");
        }
    }

    #[test]
    fn splits() {
        assert_eq!(split_evr("2:1.0-3.fc9"), (2, "1.0", Some("3.fc9")));
        assert_eq!(split_evr("1.0"), (0, "1.0", None));
        assert_eq!(split_evr("0:1"), (0, "1", None));
        assert_eq!(split_evr("a:1"), (0, "a:1", None));
    }
}

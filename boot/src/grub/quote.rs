//! Words of a GRUB script that mean themselves.

/// Quotes a word unless it needs no quotes.
pub(super) fn quote(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-=:,+%@".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_expand() {
        for (word, want) in [
            ("root=LABEL=x", "root=LABEL=x"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$x;y", "'$x;y'"),
            ("it's", "'it'\\''s'"),
            ("a\\", "'a\\'"),
            ("(hd0)", "'(hd0)'"),
        ] {
            assert_eq!(quote(word), want);
        }
    }
}

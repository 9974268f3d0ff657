//! JSON written by hand: the device needs to write a few objects and never to read any.
//!
//! Escaping is that of RFC 8259 section 7: quote, backslash and everything below U+0020.

/// Builds one JSON text; the caller keeps braces balanced by nesting closures.
#[derive(Debug, Default)]
pub struct Json {
    text: String,
    comma: bool,
}

impl Json {
    /// One object as text.
    pub fn object(fill: impl FnOnce(&mut Json)) -> String {
        let mut json = Json::default();
        json.braces('{', '}', fill);
        json.text
    }

    /// `"key": "value"`.
    pub fn str(&mut self, key: &str, value: &str) {
        self.key(key);
        self.quote(value);
    }

    /// `"key": "value"`, or `null` when there is none.
    pub fn opt(&mut self, key: &str, value: Option<&str>) {
        self.key(key);
        match value {
            Some(value) => self.quote(value),
            None => self.text.push_str("null"),
        }
    }

    /// `"key": 1`.
    pub fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        self.text.push_str(&value.to_string());
    }

    /// `"key": true`.
    pub fn bool(&mut self, key: &str, value: bool) {
        self.key(key);
        self.text.push_str(if value { "true" } else { "false" });
    }

    /// `"key": [...]`; fill it with [`Json::item`].
    pub fn list(&mut self, key: &str, fill: impl FnOnce(&mut Json)) {
        self.key(key);
        self.braces('[', ']', fill);
    }

    /// One object in a list.
    pub fn item(&mut self, fill: impl FnOnce(&mut Json)) {
        self.separate();
        self.braces('{', '}', fill);
    }

    fn braces(&mut self, open: char, close: char, fill: impl FnOnce(&mut Json)) {
        self.text.push(open);
        self.comma = false;
        fill(self);
        self.text.push(close);
        self.comma = true;
    }

    fn separate(&mut self) {
        if self.comma {
            self.text.push(',');
        }
        self.comma = true;
    }

    fn key(&mut self, key: &str) {
        self.separate();
        self.quote(key);
        self.text.push(':');
    }

    fn quote(&mut self, value: &str) {
        self.text.push('"');
        for c in value.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\t' => self.text.push_str("\\t"),
                '\r' => self.text.push_str("\\r"),
                c if c < ' ' || c == '\u{7f}' => self.text.push_str(&format!("\\u{:04x}", c as u32)),
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nests_and_separates() {
        let text = Json::object(|j| {
            j.str("a", "x");
            j.list("b", |j| {
                j.item(|j| j.number("n", 1));
                j.item(|j| j.bool("t", true));
            });
            j.opt("z", None);
        });
        assert_eq!(text, r#"{"a":"x","b":[{"n":1},{"t":true}],"z":null}"#);
    }

    #[test]
    fn escapes_what_must_be_escaped() {
        for (raw, quoted) in [
            ("\"", r#"{"k":"\""}"#),
            ("\\", r#"{"k":"\\"}"#),
            ("\u{1b}[31m", r#"{"k":"\u001b[31m"}"#),
            ("a\nb\tc\r", r#"{"k":"a\nb\tc\r"}"#),
            ("é\u{2028}", "{\"k\":\"é\u{2028}\"}"),
        ] {
            assert_eq!(Json::object(|j| j.str("k", raw)), quoted);
        }
    }
}

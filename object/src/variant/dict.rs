//! `a{sv}`: the metadata of commits, summaries and signatures.

use super::Value;
use super::frame::{self, ArrayWriter, BYTES, VARIANT};
use crate::error::{Error, Result};

/// Keys and values in the order they were written; the order is part of a commit's checksum.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dict(pub Vec<(String, Value)>);

impl Dict {
    /// An empty dictionary.
    pub fn new() -> Dict {
        Dict::default()
    }

    /// Reads an `a{sv}`; a key that comes twice is refused, since readers differ on which one counts.
    pub fn decode(what: &'static str, bytes: &[u8]) -> Result<Dict> {
        let mut entries: Vec<(String, Value)> = Vec::new();
        for entry in frame::array(what, bytes, 8)? {
            let [key, value] = frame::tuple(what, entry?, [BYTES, VARIANT])?;
            let key = frame::string(what, "metadata key", key)?;
            let Value::Variant(value) = Value::decode("v", value)? else {
                return Err(Error::malformed(what, "metadata value", "a variant", "another type"));
            };
            entries.push((key.to_owned(), *value));
        }
        let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        let twice = keys.iter().zip(keys.iter().skip(1)).find(|(key, next)| key == next);
        if let Some((key, _)) = twice {
            return Err(Error::malformed(what, "metadata", "each key once", crate::checksum::quoted(key)));
        }
        Ok(Dict(entries))
    }

    /// The serialised `a{sv}`.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = ArrayWriter::default();
        for (key, value) in &self.0 {
            let mut variant = value.encode();
            variant.push(0);
            variant.extend_from_slice(value.type_string().as_bytes());
            writer.push(8, &frame::join_tuple(&[(BYTES, &frame::string_bytes(key)), (VARIANT, &variant)]));
        }
        writer.finish()
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The text of `key`, if it is an `s`.
    pub fn str(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// The texts of `key`, if it is an `as`.
    pub fn strv(&self, key: &str) -> Option<Vec<&str>> {
        self.get(key)?.items()?.iter().map(Value::as_str).collect()
    }

    /// The byte arrays of `key`, if it is an `aay`.
    pub fn byte_arrays(&self, key: &str) -> Option<Vec<&[u8]>> {
        self.get(key)?.items()?.iter().map(Value::as_bytes).collect()
    }

    /// A `t` that OSTree stored big endian by hand, such as a time in seconds.
    pub fn u64_be(&self, key: &str) -> Option<u64> {
        match self.get(key)? {
            Value::U64(value) => Some(value.swap_bytes()),
            _ => None,
        }
    }

    /// Replaces the value of `key`, or adds it at the end.
    pub fn set(&mut self, key: &str, value: Value) {
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let index = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(index).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_of_keys() {
        let mut dict = Dict::new();
        dict.set("z", Value::U32(1));
        dict.set("a", Value::strv(["x", "y"]));
        dict.set("z", Value::str("replaced"));
        let bytes = dict.encode();
        let back = Dict::decode("test", &bytes).unwrap();
        assert_eq!(back, dict);
        assert_eq!(back.0[0].0, "z");
        assert_eq!(back.encode(), bytes);
    }

    #[test]
    fn refuses_a_key_twice() {
        let dict = Dict(vec![("a".into(), Value::Byte(1)), ("a".into(), Value::Byte(2))]);
        assert!(Dict::decode("test", &dict.encode()).unwrap_err().to_string().contains("each key once"));
    }
}

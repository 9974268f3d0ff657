//! What a commit says about itself.

use anyhow::{Context, Result, bail};
use rootling_object::commit::key;
use rootling_object::{Dict, RefName, Value, pkglist};
use serde_json::Value as Json;

use crate::lock::Lock;
use crate::manifest::{Manifest, next_version};

/// Where commit metadata comes from.
pub(super) struct Inputs<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) lock: &'a Lock,
    pub(super) inputhash: &'a str,
    /// Version of the kernel in the tree.
    pub(super) kernel: Option<&'a str>,
    /// Version of the commit before.
    pub(super) previous_version: Option<&'a str>,
    /// From the command line; has the last word.
    pub(super) more: &'a [(String, String)],
    /// The commit's time.
    pub(super) timestamp: u64,
}

impl Inputs<'_> {
    /// The metadata, always in the same order.
    pub(super) fn metadata(&self) -> Result<Dict> {
        let mut metadata = Dict::new();
        let given = self.more.iter().any(|(name, _)| name == key::VERSION);
        if let Some(prefix) = self.manifest.automatic_version_prefix.as_ref().filter(|_| !given) {
            let version = next_version(prefix, self.previous_version, self.timestamp)?;
            metadata.set(key::VERSION, Value::str(version));
        }
        if let Some(reference) = &self.manifest.reference {
            let name = RefName::parse(reference).context("\"ref\"")?;
            metadata.set(key::REF_BINDING, Value::strv([name.as_str()]));
        }
        if let Some(kernel) = self.kernel {
            metadata.set(key::LINUX, Value::str(kernel));
            metadata.set(key::BOOTABLE, Value::Bool(true));
        }
        metadata.set(key::INPUTHASH, Value::str(self.inputhash));
        let packages: Vec<_> = self.lock.packages.iter().map(|package| package.listed()).collect();
        metadata.set(key::PKGLIST, pkglist::encode(&packages));
        for (name, value) in &self.manifest.add_commit_metadata {
            let value = value_of(value).with_context(|| format!("\"add-commit-metadata\": {name:?}"))?;
            metadata.set(name, value);
        }
        for (name, value) in self.more {
            metadata.set(name, Value::str(value.as_str()));
        }
        Ok(metadata)
    }
}

/// JSON in the variant types that json-glib, and so rpm-ostree, gives it.
fn value_of(json: &Json) -> Result<Value> {
    Ok(match json {
        Json::Null => bail!("a null value cannot be in commit metadata"),
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::I64(whole),
            (None, Some(fraction)) => Value::Double(fraction.to_bits()),
            (None, None) => bail!("number {number} is out of range"),
        },
        Json::String(text) => Value::str(text.as_str()),
        Json::Array(items) => Value::Array { element: "v".into(), items: variants(items)? },
        Json::Object(entries) => {
            let entries = entries.iter().map(|(name, value)| {
                let value = Value::Variant(Box::new(value_of(value)?));
                Ok(Value::DictEntry(Box::new(Value::str(name.as_str())), Box::new(value)))
            });
            Value::Array { element: "{sv}".into(), items: entries.collect::<Result<_>>()? }
        }
    })
}

fn variants(items: &[Json]) -> Result<Vec<Value>> {
    items.iter().map(|item| Ok(Value::Variant(Box::new(value_of(item)?)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_json_glib() {
        let json =
            serde_json::json!({"s": "x", "n": -1, "b": true, "d": 1.5, "l": ["a", 2], "o": {"k": "v"}});
        for (name, expected) in [("s", "s"), ("n", "x"), ("b", "b"), ("d", "d"), ("l", "av"), ("o", "a{sv}")]
        {
            assert_eq!(value_of(&json[name]).unwrap().type_string(), expected, "{name}");
        }
        assert!(value_of(&Json::Null).is_err());
    }

    #[test]
    fn the_command_line_has_the_last_word() {
        let manifest = Manifest {
            reference: Some("os/main".into()),
            automatic_version_prefix: Some("10".into()),
            add_commit_metadata: serde_json::from_str(r#"{"z": "m", "a": "m"}"#).unwrap(),
            ..Manifest::default()
        };
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("l"), r#"{"packages": {}}"#).unwrap();
        let lock = Lock::read(&dir.path().join("l"), &manifest).unwrap();
        let more = [("version".to_string(), "7".to_string()), ("z".to_string(), "c".to_string())];
        let mut inputs = Inputs {
            manifest: &manifest,
            lock: &lock,
            inputhash: "h",
            kernel: Some("6.1"),
            previous_version: Some("10.3"),
            more: &more,
            timestamp: 0,
        };
        let metadata = inputs.metadata().unwrap();
        assert_eq!(
            (metadata.str("version"), metadata.str("z"), metadata.str("a")),
            (Some("7"), Some("c"), Some("m"))
        );
        inputs.more = &[];
        let metadata = inputs.metadata().unwrap();
        assert_eq!((metadata.str("version"), metadata.str("z")), (Some("10.4"), Some("m")));
        let names: Vec<_> = metadata.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "version",
                "ostree.ref-binding",
                "ostree.linux",
                "ostree.bootable",
                "rpmostree.inputhash",
                "rpmostree.rpmdb.pkglist",
                "a",
                "z"
            ]
        );
    }
}

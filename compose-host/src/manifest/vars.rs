//! `${basearch}` and `${releasever}` in manifest values.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// The variables a manifest may use.
pub(crate) struct Vars(BTreeMap<&'static str, String>);

impl Vars {
    pub(crate) fn new(basearch: &str) -> Vars {
        Vars(BTreeMap::from([("basearch", basearch.to_string())]))
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.0.insert(name, value.to_string());
    }

    /// Replaces every `${name}`; a name that is not known is an error.
    pub(crate) fn expand(&self, text: &str) -> Result<String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, tail)) = after.split_once('}') else {
                bail!("variable without an end in {text:?}")
            };
            let Some(value) = self.0.get(name) else {
                let known: Vec<_> = self.0.keys().copied().collect();
                bail!("unknown variable ${{{name}}} in {text:?}, known: {}", known.join(", "))
            };
            out.push_str(before);
            out.push_str(value);
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_known_and_refuses_unknown() {
        let mut vars = Vars::new("x86_64");
        assert!(
            vars.expand("a/${releasever}")
                .unwrap_err()
                .to_string()
                .contains("unknown variable ${releasever}")
        );
        vars.set("releasever", "12");
        assert_eq!(vars.expand("a/${releasever}/${basearch}/x$y").unwrap(), "a/12/x86_64/x$y");
        assert!(vars.expand("${basearch").is_err());
    }
}

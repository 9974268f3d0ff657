//! The kernel argument list, with the changes that `rpm-ostree kargs` knows.
//!
//! An argument is `KEY` or `KEY=VALUE`; a key may come several times (`console=tty0 console=ttyS0`) and the order
//! is kept. A double quote joins words (`dyndbg="file a +p"`, and as GRUB writes it `"dyndbg=file a +p"`) and stays part of the
//! text. Runs of spaces count as one.

use crate::Result;
use crate::error::{Error, KargsReason};
use std::fmt;

/// A list of kernel arguments in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelArgs {
    args: Vec<Arg>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Arg {
    key: String,
    value: Option<String>,
}

impl Arg {
    fn parse(text: &str) -> Arg {
        match text.split_once('=') {
            Some((key, value)) => Arg { key: key.into(), value: Some(value.into()) },
            None => Arg { key: text.into(), value: None },
        }
    }
}

impl KernelArgs {
    /// Reads the text of an `options` line or of `/proc/cmdline`.
    pub fn parse(text: &str) -> KernelArgs {
        KernelArgs { args: words(text).into_iter().map(Arg::parse).collect() }
    }

    /// The last value of a key, which is the one most kernel code uses; `Some("")` for a bare key. Quotes around the value or the
    /// whole argument are none of it, as in the kernel's `next_arg`.
    pub fn last(&self, key: &str) -> Option<&str> {
        let last = self.args.iter().rfind(|a| a.key.trim_matches('"') == key);
        last.map(|a| a.value.as_deref().unwrap_or_default().trim_matches('"'))
    }

    /// Whether any argument has this key.
    pub fn has_key(&self, key: &str) -> bool {
        self.args.iter().any(|a| a.key == key)
    }

    /// Whether the list has no argument.
    pub fn is_empty(&self) -> bool {
        self.args.is_empty()
    }

    /// Adds arguments at the end, beside any with the same key.
    pub fn append(&mut self, text: &str) {
        self.args.extend(words(text).into_iter().map(Arg::parse));
    }

    /// Adds an argument unless its key is present; answers whether the list changed.
    pub fn append_if_missing(&mut self, text: &str) -> bool {
        let mut changed = false;
        for word in words(text) {
            let arg = Arg::parse(word);
            if !self.has_key(&arg.key) {
                self.args.push(arg);
                changed = true;
            }
        }
        changed
    }

    /// Takes one argument out: `KEY=VALUE`, or `KEY` where that names one argument only.
    pub fn delete(&mut self, text: &str) -> Result<()> {
        for word in words(text) {
            let at = self.find(word)?;
            self.args.remove(at);
        }
        Ok(())
    }

    /// As [`delete`](Self::delete), but an absent argument is no error; answers whether the list changed.
    pub fn delete_if_present(&mut self, text: &str) -> Result<bool> {
        let mut changed = false;
        for word in words(text) {
            match self.find(word) {
                Ok(at) => {
                    self.args.remove(at);
                    changed = true;
                }
                Err(Error::Kargs { reason: KargsReason::NoSuchKey | KargsReason::NoSuchValue, .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(changed)
    }

    /// Changes a value: `KEY=NEW` where the key comes once, `KEY=OLD=NEW` where it comes several times.
    pub fn replace(&mut self, text: &str) -> Result<()> {
        for word in words(text) {
            let refuse = |reason| Error::Kargs { arg: word.to_string(), reason };
            let Arg { key, value } = Arg::parse(word);
            let mut with_key = self.args.iter_mut().filter(|a| a.key == key).peekable();
            if with_key.peek().is_none() {
                return Err(refuse(KargsReason::NoSuchKey));
            }
            match value.as_deref().and_then(|v| v.split_once('=')) {
                Some((old, new)) => {
                    let found = with_key.find(|a| a.value.as_deref().unwrap_or_default() == old);
                    found.ok_or_else(|| refuse(KargsReason::NoSuchValue))?.value = Some(new.into());
                }
                None => {
                    let only = with_key.next();
                    match (only, with_key.next()) {
                        (Some(arg), None) => arg.value = value,
                        _ => return Err(refuse(KargsReason::SeveralValues)),
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes `KEY=VALUE` the only argument with this key, in the place of the first such argument or at the end.
    pub fn set(&mut self, key: &str, value: &str) {
        let arg = Arg { key: key.into(), value: Some(value.into()) };
        match self.args.iter().position(|a| a.key == key) {
            Some(at) => {
                self.args.retain(|a| a.key != key);
                self.args.insert(at, arg);
            }
            None => self.args.push(arg),
        }
    }

    /// Takes an argument without a value out, and the one right after it if that is `next`; answers whether it was there.
    pub fn remove_with_next(&mut self, key: &str, next: &str) -> bool {
        let found = self.args.iter().position(|arg| arg.key == key);
        if let Some(at) = found {
            self.args.remove(at);
            if self.args.get(at) == Some(&Arg::parse(next)) {
                self.args.remove(at);
            }
        }
        found.is_some()
    }

    /// Takes every argument with this key out.
    pub fn remove_key(&mut self, key: &str) {
        self.args.retain(|a| a.key != key);
    }

    /// The list without what the loader or this program adds for one boot (`BOOT_IMAGE=`, `initrd=`, `ostree=`).
    pub fn without_boot_args(mut self) -> KernelArgs {
        self.args.retain(|a| !matches!(a.key.as_str(), "BOOT_IMAGE" | "initrd" | "ostree"));
        self
    }

    fn find(&self, word: &str) -> Result<usize> {
        let refuse = |reason| Err(Error::Kargs { arg: word.to_string(), reason });
        let wanted = Arg::parse(word);
        let with_key: Vec<usize> =
            (0..).zip(&self.args).filter(|(_, a)| a.key == wanted.key).map(|(i, _)| i).collect();
        let exact = (0..).zip(&self.args).find(|(_, a)| **a == wanted).map(|(i, _)| i);
        match (with_key.as_slice(), exact, wanted.value) {
            ([], _, _) => refuse(KargsReason::NoSuchKey),
            (_, Some(at), _) => Ok(at),
            ([only], None, None) => Ok(*only),
            (_, None, None) => refuse(KargsReason::SeveralValues),
            (_, None, Some(_)) => refuse(KargsReason::NoSuchValue),
        }
    }
}

impl fmt::Display for KernelArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, arg) in self.args.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(&arg.key)?;
            if let Some(value) = &arg.value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// Splits at spaces and line ends that are not between double quotes; an open quote reaches to the end.
pub(crate) fn words(text: &str) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c: char| {
        quoted ^= c == '"';
        c.is_ascii_whitespace() && !quoted
    })
    .filter(|word| !word.is_empty())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "root=LABEL=x quiet console=tty0 console=ttyS0";

    fn changed(
        change: impl FnOnce(&mut KernelArgs) -> Result<()>,
    ) -> std::result::Result<String, KargsReason> {
        let mut args = KernelArgs::parse(LINE);
        match change(&mut args) {
            Ok(()) => Ok(args.to_string()),
            Err(Error::Kargs { reason, .. }) => Err(reason),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn splits_and_joins() {
        for (text, want) in [
            ("", ""),
            ("  a   b=c \n", "a b=c"),
            ("t=\"1 2\" u", "t=\"1 2\" u"),
            ("t=\"open quote", "t=\"open quote"),
            ("a= b", "a= b"),
        ] {
            assert_eq!(KernelArgs::parse(text).to_string(), want, "{text:?}");
        }
    }

    #[test]
    fn deletes_what_is_named_without_doubt() {
        assert_eq!(changed(|a| a.delete("quiet")).unwrap(), "root=LABEL=x console=tty0 console=ttyS0");
        assert_eq!(changed(|a| a.delete("root")).unwrap(), "quiet console=tty0 console=ttyS0");
        assert_eq!(changed(|a| a.delete("console=tty0")).unwrap(), "root=LABEL=x quiet console=ttyS0");
        assert_eq!(changed(|a| a.delete("console")), Err(KargsReason::SeveralValues));
        assert_eq!(changed(|a| a.delete("root=y")), Err(KargsReason::NoSuchValue));
        assert_eq!(changed(|a| a.delete("nope")), Err(KargsReason::NoSuchKey));
        assert_eq!(changed(|a| a.delete_if_present("nope root=y").map(|c| assert!(!c))).unwrap(), LINE);
        assert_eq!(changed(|a| a.delete_if_present("console").map(drop)), Err(KargsReason::SeveralValues));
    }

    #[test]
    fn replaces_one_value() {
        assert_eq!(
            changed(|a| a.replace("quiet=2")).unwrap(),
            "root=LABEL=x quiet=2 console=tty0 console=ttyS0"
        );
        let serial = changed(|a| a.replace("console=ttyS0=ttyAMA0")).unwrap();
        assert_eq!(serial, "root=LABEL=x quiet console=tty0 console=ttyAMA0");
        assert_eq!(changed(|a| a.replace("console=x")), Err(KargsReason::SeveralValues));
        assert_eq!(changed(|a| a.replace("console=x=y")), Err(KargsReason::NoSuchValue));
        assert_eq!(changed(|a| a.replace("nope=1")), Err(KargsReason::NoSuchKey));
    }

    #[test]
    fn appends_and_sets() {
        let mut args = KernelArgs::parse(LINE);
        assert!(!args.append_if_missing("console=ttyS9"));
        assert!(args.append_if_missing("rw"));
        args.append("console=hvc0 debug");
        args.set("console", "one");
        assert_eq!(args.to_string(), "root=LABEL=x quiet console=one rw debug");
        assert_eq!(args.last("console"), Some("one"));
        assert_eq!(args.last("rw"), Some(""));
        assert_eq!(args.last("ro"), None);
    }

    #[test]
    fn a_value_has_no_quotes() {
        for text in ["t=\"1 2\"", "\"t=1 2\"", "t=\"1 2", "t=0 \"t=1 2\" u=3"] {
            assert_eq!(KernelArgs::parse(text).last("t"), Some("1 2"), "{text}");
        }
        for (text, want) in
            [("\"t\"", Some("")), ("t=\"\"", Some("")), ("t=1\"2", Some("1\"2")), ("\"u t=1\"", None)]
        {
            assert_eq!(KernelArgs::parse(text).last("t"), want, "{text}");
        }
    }

    #[test]
    fn leaves_out_what_belongs_to_one_boot() {
        let args = KernelArgs::parse(
            "BOOT_IMAGE=/vmlinuz initrd=\\x root=/dev/vda ostree=/ostree/boot.0/o/c/0 quiet",
        );
        assert_eq!(args.without_boot_args().to_string(), "root=/dev/vda quiet");
    }
}

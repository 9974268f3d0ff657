//! GRUB's script language, as far as the generated files use it; anything else is a failure of the test.

use crate::disk::Disk;
use rootling_boot::grub::GrubEnv;
use std::collections::BTreeMap;

pub struct Grub<'a> {
    pub disk: &'a mut Disk,
    pub variables: BTreeMap<String, String>,
    pub entries: Vec<MenuEntry>,
    /// `save_env` fails.
    pub read_only: bool,
}

#[derive(Default, Clone)]
pub struct MenuEntry {
    pub linux: Vec<String>,
    pub initrd: Vec<String>,
}

impl Grub<'_> {
    pub fn run(&mut self, text: &str) {
        // one flag for each open `if`: whether this arm runs, and whether an arm has run
        let mut ifs: Vec<(bool, bool)> = Vec::new();
        let mut entry: Option<MenuEntry> = None;
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let outer = ifs.iter().rev().skip(1).all(|(runs, _)| *runs);
            if let Some(condition) = line.strip_prefix("if ").and_then(|l| l.strip_suffix("; then")) {
                let runs = ifs.iter().all(|(runs, _)| *runs) && self.holds(condition);
                ifs.push((runs, runs));
            } else if let Some(condition) = line.strip_prefix("elif ").and_then(|l| l.strip_suffix("; then"))
            {
                let (_, done) = *ifs.last().unwrap();
                let runs = outer && !done && self.holds(condition);
                *ifs.last_mut().unwrap() = (runs, done || runs);
            } else if line == "fi" {
                ifs.pop().unwrap();
            } else if ifs.iter().all(|(runs, _)| *runs) {
                match (self.words(line), &mut entry) {
                    (words, _) if words[0] == "menuentry" => entry = Some(MenuEntry::default()),
                    (words, Some(_)) if words[0] == "}" => self.entries.extend(entry.take()),
                    (words, Some(open)) if words[0] == "linux" => open.linux = words[1..].to_vec(),
                    (words, Some(open)) if words[0] == "initrd" => open.initrd = words[1..].to_vec(),
                    (words, None) => self.command(&words),
                    (words, Some(_)) => panic!("in a menu entry: {words:?}"),
                }
            }
        }
        assert!(ifs.is_empty() && entry.is_none(), "something is still open");
    }

    fn command(&mut self, words: &[String]) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["set", assignment] => {
                let (name, value) = assignment.split_once('=').unwrap();
                self.variables.insert(name.into(), value.into());
            }
            ["load_env", "-f", path] => {
                let Some(bytes) = self.disk.read(path) else { return };
                // GRUB reads what it can of a damaged block; the agent's reader refuses it
                let Some(body) = bytes.strip_prefix(b"# GRUB Environment Block\n".as_slice()) else { return };
                for line in String::from_utf8_lossy(body).lines().filter(|l| !l.starts_with('#')) {
                    if let Some((name, value)) = line.split_once('=') {
                        self.variables.insert(name.into(), value.into());
                    }
                }
            }
            ["source", path] => {
                let text = self.disk.text(path).unwrap_or_else(|| panic!("{path} is not there"));
                self.run(&text);
            }
            other => panic!("unknown command {other:?}"),
        }
    }

    fn holds(&mut self, condition: &str) -> bool {
        let words = self.words(condition);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["[", "-f", path, "]"] => self.disk.read(path).is_some(),
            ["[", "-n", text, "]"] => !text.is_empty(),
            ["[", a, "=", b, "]"] => a == b,
            ["save_env", "-f", path, name] => self.save(path, name),
            other => panic!("unknown condition {other:?}"),
        }
    }

    fn save(&mut self, path: &str, name: &str) -> bool {
        let Some(mut env) = self.disk.read(path).and_then(|bytes| GrubEnv::decode(&bytes).ok()) else {
            return false;
        };
        env.set(name, &self.variables[name]).unwrap();
        if !self.read_only {
            self.disk.put(&self.disk.real(path).unwrap(), env.encode().unwrap());
        }
        !self.read_only
    }

    /// Splits and expands as GRUB does.
    fn words(&self, line: &str) -> Vec<String> {
        let (mut words, mut word, mut open) = (Vec::new(), None::<String>, None);
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match (open, c) {
                (None, ' ') => words.extend(word.take()),
                (None, '\'' | '"') => {
                    open = Some(c);
                    word.get_or_insert_default();
                }
                (Some(quote), _) if c == quote => open = None,
                (None | Some('"'), '$') => {
                    assert_eq!(chars.next(), Some('{'));
                    let name: String = chars.by_ref().take_while(|c| *c != '}').collect();
                    let value = self.variables.get(&name).map(String::as_str).unwrap_or_default();
                    word.get_or_insert_default().push_str(value);
                }
                (None, '\\') => word.get_or_insert_default().push(chars.next().unwrap()),
                _ => word.get_or_insert_default().push(c),
            }
        }
        assert_eq!(open, None, "open quote in {line}");
        words.extend(word);
        words
    }
}

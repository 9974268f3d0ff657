//! Private apt roots: resolve and download without touching the host's package state.
//!
//! Sources, keys and proxies are the machine's own: source entries are read from its apt configuration and kept as
//! they are, only narrowed to the suites a state is made of. Nothing is installed; dpkg's status is an empty file,
//! so apt's solver answers for a system from nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::deb::fields;
use super::{Arch, State};

/// A private apt root of one architecture and state.
pub struct AptRoot {
    config: PathBuf,
    archives: PathBuf,
}

/// A package file that apt named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DebFile {
    /// Where it lies after the download.
    pub path: PathBuf,
    /// SHA-256 of it, hex, from the signed index.
    pub sha256: String,
}

impl AptRoot {
    /// Lays the root out under `dir` and fetches the indexes.
    ///
    /// Downloaded packages of all roots share `archives`.
    pub fn create(dir: &Path, archives: &Path, arch: Arch, state: State) -> Result<AptRoot> {
        for folder in [
            dir.join("lists/partial"),
            dir.join("cache"),
            dir.join("nothing/partial"),
            archives.join("partial"),
        ] {
            fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        }
        let (dir, archives) = (dir.canonicalize()?, archives.canonicalize()?);
        fs::write(dir.join("status"), "")?;
        fs::write(dir.join("testbed.sources"), sources(Path::new("/etc/apt"), &codename()?, state)?)?;
        let config = dir.join("apt.conf");
        fs::write(&config, settings(&dir, &archives, arch))?;
        let root = AptRoot { config, archives };
        root.run(&["-q", "update"])?;
        Ok(root)
    }

    /// The package files that installing `packages` and all they need takes, downloaded.
    pub fn closure(&self, packages: &[String]) -> Result<Vec<DebFile>> {
        let mut args = vec!["-y", "-q", "--no-install-recommends", "install"];
        args.extend(packages.iter().map(String::as_str));
        // apt leaves out of the list what it has already: ask with a place that is always empty
        let nothing = format!("Dir::Cache::Archives={}", self.config.with_file_name("nothing").display());
        let listing = self.run(&[&["-o", &nothing, "--print-uris"], &args[..]].concat())?;
        self.run(&[&["--download-only"], &args[..]].concat())?;
        self.downloaded(&listing)
    }

    /// The kernel image that the meta package `meta` points at, downloaded without its dependencies.
    pub fn kernel(&self, meta: &str) -> Result<DebFile> {
        let shown = self.output("apt-cache", &["show", "--no-all-versions", meta])?;
        let depends = fields(&shown).remove("Depends").unwrap_or_default();
        let image = depends.split([',', ' ']).find(|name| name.starts_with("linux-image-"));
        let image = image.with_context(|| format!("{meta}: depends on no linux-image: {depends:?}"))?;
        self.only(image)
    }

    /// One package without its dependencies, downloaded.
    pub fn only(&self, package: &str) -> Result<DebFile> {
        let listing = self.run(&["-q", "--print-uris", "download", package])?;
        let mut download = self.command("apt-get");
        finish(download.args(["-q", "download", package]).current_dir(&self.archives))?;
        let found = self.downloaded(&listing)?;
        found.into_iter().next().with_context(|| format!("{package}: apt names no file"))
    }

    fn downloaded(&self, listing: &str) -> Result<Vec<DebFile>> {
        let mut files = Vec::new();
        for line in listing.lines().filter(|line| line.starts_with('\'')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, name, _, hash] = words[..] else { bail!("apt's list of files: cannot read {line:?}") };
            let sha256 =
                hash.strip_prefix("SHA256:").with_context(|| format!("{name}: no SHA256 but {hash}"))?;
            let path = self.archives.join(name);
            ensure!(path.is_file(), "{name}: apt did not download it to {}", self.archives.display());
            files.push(DebFile { path, sha256: sha256.to_owned() });
        }
        ensure!(!files.is_empty(), "apt names no files to download");
        Ok(files)
    }

    fn run(&self, args: &[&str]) -> Result<String> {
        self.output("apt-get", args)
    }

    fn output(&self, program: &str, args: &[&str]) -> Result<String> {
        finish(self.command(program).args(args))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(&self.config).env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
        command
    }
}

fn finish(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("run {:?}", command.get_program()))?;
    if !output.status.success() {
        bail!("{command:?} failed, {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn settings(dir: &Path, archives: &Path, arch: Arch) -> String {
    let (root, arch) = (dir.display(), arch.debian());
    format!(
        "Dir::State \"{root}\";\nDir::State::Lists \"{root}/lists\";\nDir::State::status \"{root}/status\";\n\
         Dir::Cache \"{root}/cache\";\nDir::Cache::Archives \"{}\";\n\
         Dir::Etc::SourceList \"{root}/testbed.sources\";\nDir::Etc::SourceParts \"-\";\n\
         APT::Architecture \"{arch}\";\n#clear APT::Architectures;\nAPT::Architectures {{ \"{arch}\"; }};\n\
         APT::Sandbox::User \"root\";\nAPT::Install-Suggests \"false\";\nDebug::NoLocking \"true\";\n\
         Acquire::Languages \"none\";\nAcquire::ForceHash \"SHA256\";\nAcquire::Retries \"3\";\nAPT::Update::Error-Mode \"any\";\n\
         #clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n#clear DPkg::Post-Invoke;\n#clear DPkg::Pre-Install-Pkgs;\n",
        archives.display()
    )
}

fn codename() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("read /etc/os-release")?;
    let value = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(value.context("/etc/os-release: no VERSION_CODENAME")?.trim_matches('"').to_owned())
}

/// The machine's own source entries for the suites of `state`, in deb822 form.
fn sources(etc: &Path, codename: &str, state: State) -> Result<String> {
    let mut wanted = vec![codename.to_owned()];
    if state == State::Sec {
        wanted.extend([format!("{codename}-security"), format!("{codename}-updates")]);
    }
    let mut paths = vec![etc.join("sources.list")];
    if let Ok(parts) = fs::read_dir(etc.join("sources.list.d")) {
        paths.extend(parts.flatten().map(|part| part.path()));
    }
    paths.sort();
    let mut entries = Vec::new();
    for path in paths {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => entries.extend(paragraphs(&text)),
            Some("list") => entries.extend(text.lines().filter_map(one_line)),
            _ => {}
        }
    }
    let mut found = String::new();
    for entry in &entries {
        let field = |name: &str| entry.get(name).map_or("", String::as_str);
        let suites: Vec<&str> = field("Suites").split_whitespace().collect();
        let suites: Vec<&str> =
            suites.into_iter().filter(|suite| wanted.iter().any(|w| w == suite)).collect();
        if suites.is_empty() || !field("Types").split_whitespace().any(|kind| kind == "deb") {
            continue;
        }
        writeln!(found, "Types: deb\nSuites: {}\nComponents: main", suites.join(" "))?;
        for name in ["URIs", "Signed-By", "Trusted"] {
            if let Some(value) = entry.get(name) {
                writeln!(found, "{name}: {}", value.replace('\n', "\n "))?;
            }
        }
        found.push('\n');
        wanted.retain(|suite| !suites.contains(&suite.as_str()));
    }
    ensure!(wanted.is_empty(), "{}: no apt source for {}", etc.display(), wanted.join(", "));
    Ok(found)
}

fn paragraphs(text: &str) -> Vec<BTreeMap<String, String>> {
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let text = text.join("\n");
    let all = text.split("\n\n").map(fields);
    all.filter(|entry| entry.get("Enabled").is_none_or(|value| value != "no")).collect()
}

/// `deb [signed-by=FILE] URI SUITE COMPONENT...` as deb822 fields.
fn one_line(line: &str) -> Option<BTreeMap<String, String>> {
    let rest = line.trim().strip_prefix("deb ")?.trim();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let mut entry = BTreeMap::from([("Types".to_owned(), "deb".to_owned())]);
    entry.insert("URIs".to_owned(), words.next()?.to_owned());
    entry.insert("Suites".to_owned(), words.next()?.to_owned());
    for (name, value) in options.split_whitespace().filter_map(|option| option.split_once('=')) {
        match name {
            "signed-by" => drop(entry.insert("Signed-By".to_owned(), value.to_owned())),
            "trusted" => drop(entry.insert("Trusted".to_owned(), value.to_owned())),
            _ => {}
        }
    }
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn etc(list: &str, deb822: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("temporary folder");
        fs::create_dir(dir.path().join("sources.list.d")).expect("folder");
        fs::write(dir.path().join("sources.list"), list).expect("list");
        fs::write(dir.path().join("sources.list.d/own.sources"), deb822).expect("sources");
        dir
    }

    #[test]
    fn narrows_the_machines_own_sources_to_the_suites_of_a_state() {
        let deb822 = "# why\nTypes: deb deb-src\nURIs: http://a.example/debian\nSuites: one one-updates\n\
                      Components: main contrib\nSigned-By: /keys/a.gpg\n\nTypes: deb\nURIs: http://b.example/other\n\
                      Suites: nodistro\nComponents: main\n";
        let list = "deb [signed-by=/keys/s.gpg] http://s.example/sec one-security main contrib # x\n";
        let dir = etc(list, deb822);
        let base = sources(dir.path(), "one", State::Base).expect("base");
        assert_eq!(
            base,
            "Types: deb\nSuites: one\nComponents: main\nURIs: http://a.example/debian\nSigned-By: /keys/a.gpg\n\n"
        );
        let sec = sources(dir.path(), "one", State::Sec).expect("sec");
        assert!(
            sec.contains("Suites: one-security\nComponents: main\nURIs: http://s.example/sec\n"),
            "{sec}"
        );
        assert!(sec.contains("Suites: one one-updates\n"), "{sec}");
        assert!(!sec.contains("b.example"), "{sec}");
    }

    #[test]
    fn names_the_suite_that_no_source_has() {
        let dir = etc("deb http://a.example/debian one main\n", "");
        let error = sources(dir.path(), "one", State::Sec).expect_err("no security").to_string();
        assert!(error.ends_with("no apt source for one-security, one-updates"), "{error}");
    }
}

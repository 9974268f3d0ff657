//! `.repo` files: where packages come from.
//!
//! An ini file with one section per repository. What can change which bytes are trusted and is not supported
//! (`gpgcheck=1`, `metalink`, passwords) is refused by name; what only tunes dnf (`metadata_expire`) is accepted.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// One repository.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RepoConfig {
    /// The section's name.
    pub id: String,
    /// The file and line it is from, for errors.
    pub origin: String,
    /// URLs to try in turn: `http://`, `https://`, `file://`.
    pub baseurl: Vec<String>,
    /// Whether it is used when the manifest does not name it.
    pub enabled: bool,
    /// Lower is preferred; 99 where it is not set, as in dnf.
    pub priority: i32,
    /// Among equal priorities and versions, lower is preferred; 1000 where it is not set.
    pub cost: i32,
    /// Patterns of packages to leave out.
    pub excludepkgs: Vec<String>,
    /// Patterns of the only packages to take.
    pub includepkgs: Vec<String>,
    /// Where the connection is made through.
    pub proxy: Option<String>,
    /// PEM file of the certificates to trust in place of the built-in ones.
    pub sslcacert: Option<PathBuf>,
    /// PEM file of our certificate.
    pub sslclientcert: Option<PathBuf>,
    /// PEM file of our key.
    pub sslclientkey: Option<PathBuf>,
    /// Whether the server's certificate is checked.
    pub sslverify: bool,
    /// How long a connection may be silent, in seconds; 30 where it is not set, as in dnf.
    pub timeout_s: u64,
    /// Whether the file says `gpgcheck=0`.
    gpgcheck_off: bool,
    /// The first thing in the section that keeps it from being used.
    refused: Option<String>,
}

impl RepoConfig {
    /// Refuses a repository that cannot be used as its file means it; unused ones are never asked.
    pub fn check(&self) -> Result<()> {
        if let Some(refused) = &self.refused {
            bail!("{refused}");
        }
        if !self.gpgcheck_off {
            bail!(
                "{}: repository {:?} does not say gpgcheck=0: GPG signatures cannot be checked yet, gpgcheck=0 \
                 accepts packages by the checksums of the repository alone",
                self.origin,
                self.id
            );
        }
        Ok(())
    }
}

/// Values for `$name` in URLs.
#[derive(Clone, Debug, Default)]
pub struct RepoVars {
    /// `$basearch`.
    pub basearch: String,
    /// `$arch`.
    pub arch: String,
    /// `$releasever`.
    pub releasever: Option<String>,
}

/// Reads all `.repo` files of a folder, in the order of their names.
pub fn read_dir(dir: &Path, vars: &RepoVars) -> Result<Vec<RepoConfig>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("{}", dir.display()))? {
        let path = entry.with_context(|| format!("{}", dir.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "repo") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut repos = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        repos.extend(parse(&path.display().to_string(), &text, vars)?);
    }
    Ok(repos)
}

/// Reads one `.repo` file; what makes a repository unusable comes up in [`RepoConfig::check`].
fn parse(file: &str, text: &str, vars: &RepoVars) -> Result<Vec<RepoConfig>> {
    let mut repos: Vec<Section> = Vec::new();
    let mut last_key: Option<String> = None;
    for (number, line) in text.lines().enumerate() {
        let at = format!("{file}:{}", number + 1);
        let continued = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let (true, Some(key), Some(section)) = (continued, &last_key, repos.last_mut()) {
            section.take(key, line, &at, vars);
        } else if let Some(id) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if let Some(first) = repos.iter().find(|section| section.repo.id == id) {
                bail!("{at}: repository {id:?} a second time, first at {}", first.repo.origin);
            }
            repos.push(Section::new(id, &at));
            last_key = None;
        } else if let Some((key, value)) = line.split_once('=') {
            let Some(section) = repos.last_mut() else { bail!("{at}: {key:?} outside of a section") };
            section.take(key.trim(), value.trim(), &at, vars);
            last_key = Some(key.trim().to_string());
        } else {
            bail!("{at}: expected [section] or key=value, got {line:?}");
        }
    }
    Ok(repos.into_iter().map(|section| section.repo).filter(|repo| repo.id != "main").collect())
}

struct Section {
    repo: RepoConfig,
}

impl Section {
    fn new(id: &str, at: &str) -> Section {
        let repo = RepoConfig {
            id: id.to_string(),
            origin: at.to_string(),
            enabled: true,
            priority: 99,
            cost: 1000,
            sslverify: true,
            timeout_s: 30,
            ..RepoConfig::default()
        };
        Section { repo }
    }

    fn take(&mut self, key: &str, value: &str, at: &str, vars: &RepoVars) {
        if let Err(error) = self.set(key, value, at, vars) {
            self.repo.refused.get_or_insert(format!("{error:#}"));
        }
    }

    fn set(&mut self, key: &str, value: &str, at: &str, vars: &RepoVars) -> Result<()> {
        let repo = &mut self.repo;
        let number =
            || value.parse::<i32>().with_context(|| format!("{at}: {key}: expected a number, got {value:?}"));
        match key {
            "baseurl" => {
                for url in value.split([' ', ',', '\t']).filter(|url| !url.is_empty()) {
                    repo.baseurl.push(vars.expand(url).with_context(|| at.to_string())?);
                }
            }
            "enabled" => repo.enabled = boolean(key, value, at)?,
            "priority" => repo.priority = number()?,
            "cost" => repo.cost = number()?,
            "exclude" | "excludepkgs" => repo.excludepkgs.extend(words(value)),
            "includepkgs" => repo.includepkgs.extend(words(value)),
            "proxy" => repo.proxy = (value != "_none_" && !value.is_empty()).then(|| value.to_string()),
            "sslcacert" => repo.sslcacert = Some(value.into()),
            "sslclientcert" => repo.sslclientcert = Some(value.into()),
            "sslclientkey" => repo.sslclientkey = Some(value.into()),
            "timeout" => {
                repo.timeout_s = match value.parse() {
                    Ok(seconds) if seconds > 0 => seconds,
                    _ => bail!("{at}: timeout: expected a number of seconds, got {value:?}"),
                }
            }
            "sslverify" => repo.sslverify = boolean(key, value, at)?,
            "gpgcheck" | "repo_gpgcheck" => {
                if boolean(key, value, at)? {
                    bail!(
                        "{at}: {key}=1 is not supported in repository {:?}: GPG signatures cannot be checked yet, \
                         {key}=0 accepts packages by the checksums of the repository alone",
                        repo.id
                    );
                }
                repo.gpgcheck_off |= key == "gpgcheck";
            }
            "metalink" | "mirrorlist" => {
                bail!("{at}: {key} is not supported in repository {:?}, expected baseurl", repo.id)
            }
            key if TUNING.contains(&key) => {}
            _ => bail!("{at}: unknown key {key:?} in repository {:?}", repo.id),
        }
        Ok(())
    }
}

/// Keys that change how dnf works but not which packages are taken.
const TUNING: [&str; 26] = [
    "bandwidth",
    "countme",
    "deltarpm",
    "deltarpm_percentage",
    "enablegroups",
    "enabled_metadata",
    "failovermethod",
    "fastestmirror",
    "gpgkey",
    "http_caching",
    "ip_resolve",
    "keepcache",
    "max_parallel_downloads",
    "mdpolicy",
    "metadata_expire",
    "minrate",
    "mirrorlist_expire",
    "module_hotfixes",
    "name",
    "retries",
    "skip_if_unavailable",
    "throttle",
    "type",
    "ui_repoid_vars",
    "user_agent",
    "zchunk",
];

fn boolean(key: &str, value: &str, at: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "on" => Ok(true),
        "0" | "no" | "false" | "off" => Ok(false),
        _ => bail!("{at}: {key}: expected 0 or 1, got {value:?}"),
    }
}

fn words(value: &str) -> impl Iterator<Item = String> {
    value.split([' ', ',', '\t']).filter(|word| !word.is_empty()).map(str::to_string)
}

impl RepoVars {
    fn expand(&self, url: &str) -> Result<String> {
        let mut out = String::new();
        let mut rest = url;
        while let Some((before, after)) = rest.split_once('$') {
            let (name, tail) = match after.strip_prefix('{') {
                Some(braced) => {
                    braced.split_once('}').with_context(|| format!("variable without an end in {url:?}"))?
                }
                None => {
                    let end =
                        after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                    after.split_at(end)
                }
            };
            let value = match name {
                "basearch" => &self.basearch,
                "arch" => &self.arch,
                "releasever" => match &self.releasever {
                    Some(value) => value,
                    None => bail!("{url:?} uses $releasever, but the manifest sets no releasever"),
                },
                _ => bail!("unknown variable ${name} in {url:?}, known: $basearch, $arch, $releasever"),
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

    fn read(text: &str) -> Result<Vec<RepoConfig>> {
        let vars =
            RepoVars { basearch: "x86_64".into(), arch: "x86_64".into(), releasever: Some("12".into()) };
        parse("a.repo", text, &vars)
    }

    #[test]
    fn reads_what_dnf_reads() {
        let text = "# c\n[one]\nname=One $x\nbaseurl=http://a/$releasever/${basearch}/\n   https://b/\nenabled=0\n\
                    gpgcheck=0\npriority=5\ncost = 7\nexcludepkgs=a*, b\nsslverify=False\nmetadata_expire=1h\n\n\
                    [two]\nbaseurl=file:///r\n";
        let repos = read(text).unwrap();
        let one = &repos[0];
        assert_eq!(one.baseurl, ["http://a/12/x86_64/", "https://b/"]);
        assert_eq!((one.enabled, one.priority, one.cost, one.sslverify), (false, 5, 7, false));
        assert_eq!(one.excludepkgs, ["a*", "b"]);
        assert_eq!(one.origin, "a.repo:2");
        assert_eq!((repos[1].id.as_str(), repos[1].priority, repos[1].enabled), ("two", 99, true));
    }

    #[test]
    fn refuses_by_name() {
        for (text, expected) in [
            ("[a]\ngpgcheck=1\n", "a.repo:2: gpgcheck=1 is not supported in repository \"a\""),
            ("[a]\nrepo_gpgcheck=yes\n", "a.repo:2: repo_gpgcheck=1 is not supported"),
            ("[a]\n\nmetalink=http://x\n", "a.repo:3: metalink is not supported"),
            ("[a]\nmirrorlist=http://x\n", "a.repo:2: mirrorlist is not supported"),
            ("[a]\npassword=x\n", "a.repo:2: unknown key \"password\""),
            ("[a]\n[a]\n", "a.repo:2: repository \"a\" a second time, first at a.repo:1"),
            ("x=1\n", "a.repo:1: \"x\" outside of a section"),
            ("[a]\nwhat\n", "a.repo:2: expected [section] or key=value"),
            ("[a]\npriority=x\n", "a.repo:2: priority: expected a number"),
            ("[a]\nbaseurl=http://$infra/\n", "unknown variable $infra"),
            ("[a]\nbaseurl=http://x/\n", "a.repo:1: repository \"a\" does not say gpgcheck=0"),
        ] {
            let result = read(text).and_then(|repos| repos.iter().try_for_each(RepoConfig::check));
            let error = format!("{:#}", result.unwrap_err());
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}

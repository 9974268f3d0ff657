//! Step two: what was meant; contradictions are found here, and nothing is opened yet.

use std::path::PathBuf;

use super::spec::Spec;
use super::typed::Typed;
use crate::error::{Error, Result};
use crate::progress::Style;
use crate::pull::delta::Mode;

/// A command with everything that holds for all commands.
#[derive(Debug)]
pub struct Meant {
    /// Where and how.
    pub global: Global,
    /// What.
    pub command: Command,
}

/// What holds for all commands.
#[derive(Debug, Clone)]
pub struct Global {
    /// The root of the sysroot; `/` on a running system.
    pub sysroot: PathBuf,
    /// A repository other than the sysroot's.
    pub repo: Option<PathBuf>,
    /// How progress is shown; `None` means: a bar if a terminal is there.
    pub progress: Option<Style>,
}

/// What the user wants done.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Command {
    Help(Option<&'static Spec>),
    Version,
    Init {
        stateroot: Option<String>,
    },
    RemoteAdd(RemoteAdd),
    RemoteList {
        urls: bool,
    },
    RemoteDelete {
        name: String,
        if_exists: bool,
    },
    Pull {
        source: String,
        refs: Vec<String>,
        allow_downgrade: bool,
        remote: Option<String>,
        deltas: Mode,
    },
    Deploy {
        os: Option<String>,
        rev: String,
        kargs: Vec<String>,
        tries: Option<u32>,
        reboot: bool,
    },
    Upgrade {
        os: Option<String>,
        until: Until,
        allow_downgrade: bool,
        tries: Option<u32>,
        retry_failed: bool,
        deltas: Mode,
    },
    Switch {
        os: Option<String>,
        refspec: String,
        tries: Option<u32>,
        retry_failed: bool,
        deltas: Mode,
        reboot: bool,
    },
    Rollback {
        os: Option<String>,
        reboot: bool,
    },
    Status {
        json: bool,
    },
    Boot(Boot),
    Finalize,
    Adopt,
    DbDiff {
        os: Option<String>,
        from: Option<String>,
        to: Option<String>,
        json: bool,
    },
    DbList {
        os: Option<String>,
        rev: Option<String>,
    },
    Cleanup {
        os: Option<String>,
        pending: bool,
        rollback: bool,
    },
    Pin {
        index: usize,
        unpin: bool,
    },
    Kargs {
        os: Option<String>,
        edits: Vec<KargEdit>,
        reboot: bool,
    },
    Fsck {
        repair: bool,
    },
    ConfigDiff {
        os: Option<String>,
    },
}

/// What the user wants of the boot loader.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Boot {
    Status { json: bool },
    Install { loader: Option<String>, force: bool },
    Arm { tries: Option<u32>, anyway: bool, reboot: bool },
    Check,
    Confirm { skip_check: bool, reboot: bool },
    FallBack { reboot: bool },
}

/// How far an upgrade goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Say whether there is something new.
    Check,
    /// Fetch it.
    Download,
    /// Deploy it.
    Deploy,
    /// And restart.
    Reboot,
}

/// A remote to be added: keys in the order they are written.
#[derive(Debug, Default)]
pub struct RemoteAdd {
    /// Its name.
    pub name: String,
    /// Keys and values of its group.
    pub keys: Vec<(String, String)>,
    /// What to do if there is one of that name.
    pub exists: Exists,
}

/// What to do if a remote of that name exists.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Exists {
    /// It is an error.
    #[default]
    Refuse,
    /// Leave it as it is.
    Keep,
    /// Replace it.
    Replace,
}

/// One change of the kernel arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum KargEdit {
    Append(String),
    AppendIfMissing(String),
    Delete(String),
    DeleteIfPresent(String),
    Replace(String),
}

/// Turns what was typed into what was meant.
pub fn understand(typed: Typed) -> Result<Meant> {
    let global = Global {
        sysroot: PathBuf::from(typed.value("sysroot").unwrap_or("/")),
        repo: typed.value("repo").map(PathBuf::from),
        progress: style(&typed)?,
    };
    let command = match typed.spec {
        Some(spec) if !typed.has("help") => command(spec, &typed)?,
        spec => Command::Help(spec),
    };
    Ok(Meant { global, command })
}

fn style(typed: &Typed) -> Result<Option<Style>> {
    match typed.value("progress") {
        _ if typed.has("quiet") => Ok(Some(Style::Quiet)),
        None => Ok(None),
        Some("bar") => Ok(Some(Style::Bar)),
        Some("json") => Ok(Some(Style::Json)),
        Some("none") => Ok(Some(Style::Quiet)),
        Some(other) => {
            Err(Error::usage(format_args!("--progress: expected bar, json or none, got {other:?}")))
        }
    }
}

fn command(spec: &Spec, typed: &Typed) -> Result<Command> {
    let os = typed.value("os").map(str::to_owned);
    let word = |index: usize| typed.words.get(index).cloned();
    let need = |index: usize| {
        word(index).ok_or_else(|| Error::usage(format_args!("{} needs {}", spec.name, spec.args)))
    };
    let (reboot, json) = (typed.has("reboot"), typed.has("json"));
    let (tries, retry_failed) = (tries(typed)?, typed.has("retry-failed"));
    Ok(match spec.name {
        "init" => Command::Init { stateroot: word(0) },
        "remote add" => Command::RemoteAdd(remote_add(typed, need(0)?, need(1)?)?),
        "remote list" => Command::RemoteList { urls: typed.has("show-urls") },
        "remote delete" => Command::RemoteDelete { name: need(0)?, if_exists: typed.has("if-exists") },
        "pull" => pull(typed, need(0)?)?,
        "deploy" => Command::Deploy { os, rev: need(0)?, kargs: typed.values("karg"), tries, reboot },
        "upgrade" => {
            let (until, allow_downgrade, deltas) =
                (until(typed)?, typed.has("allow-downgrade"), deltas(typed)?);
            Command::Upgrade { os, until, allow_downgrade, tries, retry_failed, deltas }
        }
        "switch" => {
            Command::Switch { os, refspec: need(0)?, tries, retry_failed, reboot, deltas: deltas(typed)? }
        }
        "rollback" => Command::Rollback { os, reboot },
        "status" => Command::Status { json },
        "finalize" => Command::Finalize,
        "adopt" => Command::Adopt,
        "boot status" => Command::Boot(Boot::Status { json }),
        "boot install" => Command::Boot(Boot::Install { loader: word(0), force: typed.has("force") }),
        "boot arm" => Command::Boot(Boot::Arm { tries, anyway: typed.has("anyway"), reboot }),
        "boot check" => Command::Boot(Boot::Check),
        "boot confirm" => Command::Boot(Boot::Confirm { skip_check: typed.has("no-check"), reboot }),
        "boot fall-back" => Command::Boot(Boot::FallBack { reboot }),
        "db diff" => Command::DbDiff { os, from: word(0), to: word(1), json },
        "db list" => Command::DbList { os, rev: word(0) },
        "cleanup" => Command::Cleanup { os, pending: typed.has("pending"), rollback: typed.has("rollback") },
        "pin" => Command::Pin { index: index(&need(0)?)?, unpin: typed.has("unpin") },
        "kargs" => Command::Kargs { os, edits: edits(typed), reboot },
        "fsck" => Command::Fsck { repair: typed.has("repair") },
        "config-diff" => Command::ConfigDiff { os },
        "version" => Command::Version,
        other => {
            return Err(Error::bug(format_args!("command {other:?} is in the table but not understood")));
        }
    })
}

fn tries(typed: &Typed) -> Result<Option<u32>> {
    let number = |text: &str| {
        text.parse().map_err(|_| Error::usage(format_args!("--tries: expected a whole number, got {text:?}")))
    };
    typed.value("tries").map(number).transpose()
}

fn pull(typed: &Typed, source: String) -> Result<Command> {
    let mut refs: Vec<String> = typed.words.iter().skip(1).cloned().collect();
    let mut source = source;
    // ostree also takes REMOTE:REF as one word
    if let Some((remote, name)) = source.clone().split_once(':').filter(|(remote, _)| !remote.contains('/')) {
        if name.starts_with("//") {
            return Err(Error::usage(format_args!("pull: expected a remote or a path, got {source:?}")));
        }
        refs.insert(0, name.to_owned());
        source = remote.to_owned();
    }
    Ok(Command::Pull {
        source,
        refs,
        allow_downgrade: typed.has("allow-downgrade"),
        remote: typed.value("remote").map(str::to_owned),
        deltas: deltas(typed)?,
    })
}

fn deltas(typed: &Typed) -> Result<Mode> {
    match (typed.has("no-delta"), typed.has("require-delta")) {
        (false, false) => Ok(Mode::Auto),
        (true, false) => Ok(Mode::Never),
        (false, true) => Ok(Mode::Require),
        (true, true) => Err(Error::usage(format_args!("only one of --no-delta, --require-delta"))),
    }
}

fn until(typed: &Typed) -> Result<Until> {
    match (typed.has("check"), typed.has("download-only"), typed.has("reboot")) {
        (false, false, false) => Ok(Until::Deploy),
        (true, false, false) => Ok(Until::Check),
        (false, true, false) => Ok(Until::Download),
        (false, false, true) => Ok(Until::Reboot),
        _ => Err(Error::usage(format_args!("upgrade takes only one of --check, --download-only, --reboot"))),
    }
}

fn remote_add(typed: &Typed, name: String, url: String) -> Result<RemoteAdd> {
    let mut keys = vec![("url".to_owned(), url)];
    let branches: Vec<String> = typed.words.iter().skip(2).map(|branch| format!("{branch};")).collect();
    if !branches.is_empty() {
        keys.push(("branches".into(), branches.concat()));
    }
    // for libostree, whose default is true: GPG is never used here, and a device may go back to it
    keys.push(("gpg-verify".into(), "false".into()));
    if typed.has("no-sign-verify") {
        keys.push(("sign-verify".into(), "false".into()));
    } else {
        keys.push(("sign-verify".into(), "ed25519".into()));
    }
    for method in typed.values("sign-verify") {
        keys.push(sign_verify(&method)?);
    }
    if let Some(file) = typed.value("verification-key") {
        keys.push(("verification-ed25519-file".into(), file.to_owned()));
    }
    for pair in typed.values("set") {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::usage(format_args!("--set: expected KEY=VALUE, got {pair:?}")))?;
        keys.retain(|(known, _)| known != key);
        keys.push((key.to_owned(), value.to_owned()));
    }
    let exists = match (typed.has("if-not-exists"), typed.has("force")) {
        (false, false) => Exists::Refuse,
        (true, false) => Exists::Keep,
        (false, true) => Exists::Replace,
        (true, true) => {
            return Err(Error::usage(format_args!("remote add takes only one of --if-not-exists, --force")));
        }
    };
    Ok(RemoteAdd { name, keys, exists })
}

fn sign_verify(method: &str) -> Result<(String, String)> {
    let wrong = || {
        Error::usage(format_args!(
            "--sign-verify: expected ed25519=inline:KEY or ed25519=file:FILE, got {method:?}"
        ))
    };
    let key = method.strip_prefix("ed25519=").ok_or_else(wrong)?;
    let (how, value) = key.split_once(':').ok_or_else(wrong)?;
    let name = match how {
        "inline" => "verification-ed25519-key",
        "file" => "verification-ed25519-file",
        _ => return Err(wrong()),
    };
    Ok((name.into(), value.into()))
}

fn edits(typed: &Typed) -> Vec<KargEdit> {
    let mut edits = Vec::new();
    for (flag, value) in &typed.flags {
        edits.push(match *flag {
            "append" => KargEdit::Append(value.clone()),
            "append-if-missing" => KargEdit::AppendIfMissing(value.clone()),
            "delete" => KargEdit::Delete(value.clone()),
            "delete-if-present" => KargEdit::DeleteIfPresent(value.clone()),
            "replace" => KargEdit::Replace(value.clone()),
            _ => continue,
        });
    }
    edits
}

fn index(word: &str) -> Result<usize> {
    word.parse().map_err(|_| Error::usage(format_args!("expected the index of a deployment, got {word:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn parse(line: &str) -> Result<Command> {
        crate::cli::parse(line.split_whitespace().map(Into::into)).map(|meant| meant.command)
    }

    #[test]
    fn every_command_of_the_table_is_understood() {
        for spec in crate::cli::spec::COMMANDS {
            let words = ["1"; 64].join(" ");
            let words = &words[..(spec.count.0 * 2).saturating_sub(1).min(words.len())];
            let command = parse(&format!("{} {words}", spec.name)).expect(spec.name);
            assert!(!matches!(command, Command::Help(_)), "{}", spec.name);
            let help = parse(&format!("{} --help", spec.name)).expect(spec.name);
            assert!(matches!(help, Command::Help(Some(found)) if found.name == spec.name));
        }
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for (line, part) in [
            ("frobnicate", "no command"),
            ("remote", "add, list, delete"),
            ("db what", "no command"),
            ("upgrade --check --reboot", "only one of"),
            ("upgrade --no-delta --require-delta", "only one of"),
            ("upgrade now", "takes no arguments"),
            ("status --frob", "no flag --frob"),
            ("pin x", "index"),
            ("pull http://h/r main", "a remote or a path"),
            ("remote add o", "takes NAME URL"),
            ("remote add o u --sign-verify=gpg", "ed25519=inline"),
            ("remote add o u --set=x", "KEY=VALUE"),
            ("--progress=loud status", "bar, json or none"),
            ("status --json=1", "unexpected argument"),
        ] {
            let error = parse(line).expect_err(line);
            assert!(error.exit() == Exit::Usage, "{line}: {error:?}");
            assert!(error.to_string().contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn a_remote_is_added_with_the_keys_ostree_would_write() {
        let Ok(Command::RemoteAdd(add)) = parse(
            "remote add o http://h/r a b --sign-verify=ed25519=inline:KEY= --set=proxy=http://p --set=url=http://x",
        ) else {
            panic!("not a remote add")
        };
        let keys: Vec<_> = add.keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            keys,
            [
                "branches=a;b;",
                "gpg-verify=false",
                "sign-verify=ed25519",
                "verification-ed25519-key=KEY=",
                "proxy=http://p",
                "url=http://x"
            ]
        );
    }

    #[test]
    fn pull_takes_a_refspec_or_a_path() {
        for (line, wanted) in [
            ("pull origin:os/main", ("origin", vec!["os/main"])),
            ("pull origin os/main b", ("origin", vec!["os/main", "b"])),
            ("pull ./repo os/main", ("./repo", vec!["os/main"])),
            ("pull /srv/a:b os/main", ("/srv/a:b", vec!["os/main"])),
        ] {
            let Ok(Command::Pull { source, refs, .. }) = parse(line) else { panic!("{line}") };
            assert_eq!((source.as_str(), refs.iter().map(String::as_str).collect::<Vec<_>>()), wanted);
        }
    }
}

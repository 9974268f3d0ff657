//! The mounts between the physical root and the running system, as data.
//!
//! ```text
//! physical root at SYSROOT, deployment at SYSROOT/ostree/deploy/STATEROOT/deploy/CHECKSUM.SERIAL = D
//!   D on itself, so that it can be moved           (root.transient: an overlay in memory)
//!   D/etc on itself, writable                      (etc.transient: an overlay of usr/etc in memory)
//!   D/usr on itself, read-only                     (unlocked: an overlay on .usr-ovl-*, not with root.transient)
//!   SYSROOT/ostree/deploy/STATEROOT/var on D/var
//!   SYSROOT/boot on D/boot                         where /boot is a folder of the root
//!   D read-only                                    (sysroot.readonly)
//!   the physical root on D/sysroot, D in its place
//! ```
//! With `root.transient` the running `/` has numbers of its own, so `/run/rootling/root` leads to D for the agent.
//! The order is libostree's.

use crate::config::Config;

/// One change of the mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Makes a folder and those above it.
    MakeDir(String),
    /// Makes an empty file.
    Touch(String),
    /// Makes a symlink.
    Link {
        /// Where it leads.
        to: String,
        /// Its own place.
        at: String,
    },
    /// Shows a folder at another place too.
    Bind {
        /// What is shown.
        from: String,
        /// Where.
        to: String,
    },
    /// Makes a mount that was bound read-only.
    ReadOnly(String),
    /// Has changes of a mount not spread to its copies, without which it cannot be moved.
    Private(String),
    /// Moves a mount.
    Move {
        /// Where it is.
        from: String,
        /// Where it goes.
        to: String,
    },
    /// Lays a writable layer over a folder.
    Overlay {
        /// The folder below.
        lower: String,
        /// Holds what is changed.
        upper: String,
        /// An empty folder of the same file system.
        work: String,
        /// Where both are seen.
        to: String,
    },
    /// Tells what is not done.
    Tell(&'static str),
}

/// What the disk says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Where the physical root is mounted.
    pub sysroot: String,
    /// The deployment's folder, below the physical root.
    pub deployment: String,
    /// `/boot` is a folder of the physical root.
    pub boot_in_root: bool,
    /// `ostree admin unlock` left a layer for `/usr`.
    pub unlocked: bool,
    /// The tree has a folder `etc`.
    pub has_etc: bool,
    /// The tree has a folder `boot`.
    pub has_boot: bool,
}

/// Layers that are thrown away at each boot.
const TRANSIENT: &str = "/run/ostree/transient";
/// libostree's sign of a booted deployment.
const BOOTED: &str = "/run/ostree-booted";
/// Where the agent finds the deployment whose folder `/` only covers.
const BELOW: &str = "/run/rootling/root";
const ASIDE: &str = "/sysroot.tmp";

/// All mounts below the deployment.
pub fn mounts(facts: &Facts, config: &Config) -> Vec<Step> {
    let tree = format!("{}/{}", facts.sysroot.trim_end_matches('/'), facts.deployment);
    let at = |name: &str| format!("{tree}/{name}");
    let overlay = |lower: String, layer: String, to: String| {
        let (upper, work) = (format!("{layer}/upper"), format!("{layer}/work"));
        let make = [Step::MakeDir(upper.clone()), Step::MakeDir(work.clone())];
        make.into_iter().chain([Step::Overlay { lower, upper, work, to }])
    };
    let mut steps = vec![Step::Private("/".into()), Step::Private(facts.sysroot.clone())];
    match config.transient_root {
        true => steps.extend(overlay(tree.clone(), format!("{TRANSIENT}-root"), tree.clone())),
        false => steps.push(Step::Bind { from: tree.clone(), to: tree.clone() }),
    }
    steps.push(Step::Private(tree.clone()));
    if config.transient_etc {
        steps.push(Step::MakeDir(at("etc")));
        steps.extend(overlay(at("usr/etc"), format!("{TRANSIENT}-etc"), at("etc")));
    } else if facts.has_etc && config.readonly {
        steps.push(Step::Bind { from: at("etc"), to: at("etc") });
    }
    if facts.unlocked && config.transient_root {
        steps.push(Step::Tell(
            "root.transient: /usr stays as it is, without the changes of ostree admin unlock",
        ));
    }
    // an overlay is no place for the changes of another one
    if facts.unlocked && !config.transient_root {
        let (upper, work) = (at(".usr-ovl-upper"), at(".usr-ovl-work"));
        steps.push(Step::Overlay { lower: at("usr"), upper, work, to: at("usr") });
    } else {
        steps.push(Step::Bind { from: at("usr"), to: at("usr") });
        steps.push(Step::ReadOnly(at("usr")));
    }
    steps.push(Step::Bind { from: at("../../var"), to: at("var") });
    if facts.boot_in_root && facts.has_boot {
        steps.push(Step::Bind {
            from: format!("{}/boot", facts.sysroot.trim_end_matches('/')),
            to: at("boot"),
        });
    }
    if config.readonly && !config.transient_root {
        steps.push(Step::ReadOnly(tree));
    }
    steps.push(Step::Touch(BOOTED.into()));
    if config.transient_root {
        steps.push(Step::MakeDir("/run/rootling".into()));
        steps.push(Step::Link { to: format!("/sysroot/{}", facts.deployment), at: BELOW.into() });
    }
    steps
}

/// Puts the deployment in the place of the physical root, which is then seen at its `sysroot`.
pub fn turn(facts: &Facts, config: &Config) -> Vec<Step> {
    let tree = format!("{}/{}", facts.sysroot, facts.deployment);
    let mut steps = vec![
        Step::MakeDir(ASIDE.into()),
        Step::Move { from: tree, to: ASIDE.into() },
        Step::Move { from: facts.sysroot.clone(), to: format!("{ASIDE}/sysroot") },
        Step::Move { from: ASIDE.into(), to: facts.sysroot.clone() },
    ];
    if config.readonly {
        steps.push(Step::ReadOnly(format!("{}/sysroot", facts.sysroot)));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            sysroot: "/sysroot".into(),
            deployment: "ostree/deploy/os/deploy/a.0".into(),
            boot_in_root: true,
            unlocked: false,
            has_etc: true,
            has_boot: true,
        }
    }

    fn text(steps: &[Step]) -> Vec<String> {
        let short = |path: &str| path.replace("/sysroot/ostree/deploy/os/deploy/a.0", "D");
        let each = steps.iter().map(|step| match step {
            Step::MakeDir(path) => format!("mkdir {}", short(path)),
            Step::Touch(path) => format!("touch {path}"),
            Step::Link { to, at } => format!("link {at} {to}"),
            Step::Bind { from, to } => format!("bind {} {}", short(from), short(to)),
            Step::ReadOnly(path) => format!("ro {}", short(path)),
            Step::Private(path) => format!("private {}", short(path)),
            Step::Move { from, to } => format!("move {} {}", short(from), short(to)),
            Step::Overlay { lower, upper, to, .. } => {
                format!("overlay {} {} {}", short(lower), short(upper), short(to))
            }
            Step::Tell(_) => "tell".into(),
        });
        each.collect()
    }

    #[test]
    fn a_plain_root_and_a_read_only_one() {
        let plain = text(&mounts(&facts(), &Config::default()));
        assert_eq!(
            plain,
            [
                "private /",
                "private /sysroot",
                "bind D D",
                "private D",
                "bind D/usr D/usr",
                "ro D/usr",
                "bind D/../../var D/var",
                "bind /sysroot/boot D/boot",
                "touch /run/ostree-booted",
            ]
        );
        let readonly = text(&mounts(&facts(), &Config { readonly: true, ..Config::default() }));
        let place =
            |what: &str| readonly.iter().position(|step| step == what).unwrap_or_else(|| panic!("no {what}"));
        assert!(place("bind D/etc D/etc") < place("ro D"), "/etc stays writable");
        assert!(place("bind D/../../var D/var") < place("ro D"), "/var stays writable");
    }

    #[test]
    fn layers_that_are_thrown_away() {
        let config = Config { transient_etc: true, transient_root: true, readonly: true };
        let steps = text(&mounts(&facts(), &config));
        assert!(steps.contains(&"overlay D /run/ostree/transient-root/upper D".to_string()), "{steps:?}");
        assert!(
            steps.contains(&"overlay D/usr/etc /run/ostree/transient-etc/upper D/etc".to_string()),
            "{steps:?}"
        );
        assert!(!steps.contains(&"ro D".to_string()));
        let link = "link /run/rootling/root /sysroot/ostree/deploy/os/deploy/a.0";
        assert_eq!(steps.last().map(String::as_str), Some(link), "{steps:?}");
        let unlocked =
            text(&mounts(&Facts { unlocked: true, boot_in_root: false, ..facts() }, &Config::default()));
        assert!(unlocked.contains(&"overlay D/usr D/.usr-ovl-upper D/usr".to_string()), "{unlocked:?}");
        assert!(!unlocked.iter().any(|step| step.contains("boot D/boot")));
    }

    #[test]
    fn turns_the_roots_round() {
        assert_eq!(
            text(&turn(&facts(), &Config { readonly: true, ..Config::default() })),
            [
                "mkdir /sysroot.tmp",
                "move D /sysroot.tmp",
                "move /sysroot /sysroot.tmp/sysroot",
                "move /sysroot.tmp /sysroot",
                "ro /sysroot/sysroot",
            ]
        );
    }
}

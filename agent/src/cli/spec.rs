//! The table of commands: names as ostree and rpm-ostree use them.

/// One command.
#[derive(Debug)]
pub struct Spec {
    /// One or two words.
    pub name: &'static str,
    /// Its positional arguments, as the help text shows them.
    pub args: &'static str,
    /// How many positional arguments it takes, at least and at most.
    pub count: (usize, usize),
    /// One line for the list of commands.
    pub about: &'static str,
    /// What it accepts beside the global flags.
    pub flags: &'static [Flag],
}

/// One flag.
#[derive(Debug)]
pub struct Flag {
    /// Without the two dashes.
    pub long: &'static str,
    /// The letter for the same.
    pub short: Option<char>,
    /// What the value is called, if the flag takes one.
    pub value: Option<&'static str>,
    /// One line for the help text.
    pub about: &'static str,
}

const fn switch(long: &'static str, about: &'static str) -> Flag {
    Flag { long, short: None, value: None, about }
}

const fn letter(long: &'static str, short: char, about: &'static str) -> Flag {
    Flag { long, short: Some(short), value: None, about }
}

const fn value(long: &'static str, name: &'static str, about: &'static str) -> Flag {
    Flag { long, short: None, value: Some(name), about }
}

const OS: Flag = value("os", "NAME", "the stateroot to work on; needed only when there are several");
const REBOOT: Flag = letter("reboot", 'r', "restart the machine when done");
const JSON: Flag = switch("json", "print JSON");
const TRIES: Flag =
    value("tries", "N", "boots that a new system has to prove itself in (default 3); 0: none");
const RETRY: Flag = switch("retry-failed", "also a commit that failed on this device before");
const DOWNGRADE: Flag = switch("allow-downgrade", "accept a commit older than the present one");

const NO_DELTA: Flag = switch("no-delta", "fetch loose objects, no static delta");
const REQUIRE_DELTA: Flag = switch("require-delta", "fail rather than fetch loose objects");

/// Flags every command takes.
pub const GLOBAL: &[Flag] = &[
    value("sysroot", "DIR", "work on this directory instead of the running system"),
    value("repo", "DIR", "use this repository instead of SYSROOT/ostree/repo"),
    value("progress", "HOW", "bar, json (one object a line on standard output) or none"),
    letter("quiet", 'q', "no progress, only results and errors"),
    letter("help", 'h', "show this text"),
];

/// Every command, in the order the help text lists them.
pub const COMMANDS: &[Spec] = &[
    Spec {
        name: "init",
        args: "[STATEROOT]",
        count: (0, 1),
        about: "lay out a sysroot, and a stateroot in it",
        flags: &[],
    },
    Spec {
        name: "remote add",
        args: "NAME URL [BRANCH...]",
        count: (2, 64),
        about: "add a remote to the repo's config",
        flags: &[
            value("set", "KEY=VALUE", "set any key of the remote; may be repeated"),
            switch("no-sign-verify", "accept unsigned commits from this remote"),
            value("sign-verify", "ed25519=inline:KEY|ed25519=file:FILE", "require a signature by this key"),
            value("verification-key", "FILE", "the same as --sign-verify=ed25519=file:FILE"),
            switch("no-gpg-verify", "accepted for ostree's sake; GPG is never used here"),
            switch("if-not-exists", "do nothing if the remote exists"),
            switch("force", "replace the remote if it exists"),
        ],
    },
    Spec {
        name: "remote list",
        args: "",
        count: (0, 0),
        about: "list the remotes",
        flags: &[letter("show-urls", 'u', "and their URLs")],
    },
    Spec {
        name: "remote delete",
        args: "NAME",
        count: (1, 1),
        about: "remove a remote from the repo's config",
        flags: &[switch("if-exists", "do nothing if there is no such remote")],
    },
    Spec {
        name: "pull",
        args: "REMOTE|REPO-PATH [REF...]",
        count: (1, 64),
        about: "fetch refs into the repo, without deploying",
        flags: &[
            DOWNGRADE,
            NO_DELTA,
            REQUIRE_DELTA,
            value("remote", "NAME", "file refs of a REPO-PATH under this remote's name"),
        ],
    },
    Spec {
        name: "deploy",
        args: "REFSPEC|COMMIT|VERSION",
        count: (1, 1),
        about: "deploy a commit of the repo, or an older version of what is followed",
        flags: &[OS, value("karg", "ARG", "a kernel argument to add; may be repeated"), TRIES, REBOOT],
    },
    Spec {
        name: "upgrade",
        args: "",
        count: (0, 0),
        about: "fetch the newest commit of the deployment's ref and deploy it",
        flags: &[
            OS,
            switch("check", "only say whether there is something new"),
            switch("download-only", "fetch, do not deploy"),
            DOWNGRADE,
            NO_DELTA,
            REQUIRE_DELTA,
            TRIES,
            RETRY,
            REBOOT,
        ],
    },
    Spec {
        name: "switch",
        args: "REFSPEC",
        count: (1, 1),
        about: "follow another ref: fetch it, deploy it, keep it as origin",
        flags: &[OS, NO_DELTA, REQUIRE_DELTA, TRIES, RETRY, REBOOT],
    },
    Spec {
        name: "rollback",
        args: "",
        count: (0, 0),
        about: "boot the previous deployment next time",
        flags: &[OS, REBOOT],
    },
    Spec { name: "status", args: "", count: (0, 0), about: "show the deployments", flags: &[JSON] },
    Spec {
        name: "boot status",
        args: "",
        count: (0, 0),
        about: "what the boot loader promises, and what is on trial",
        flags: &[JSON],
    },
    Spec {
        name: "boot install",
        args: "[grub|greenboot|systemd-boot|u-boot|extlinux|efi|raspberry-pi]",
        count: (0, 1),
        about: "take a boot loader into use, so that its files follow the deployments",
        flags: &[switch("force", "replace a grub.cfg that others made")],
    },
    Spec {
        name: "boot arm",
        args: "",
        count: (0, 0),
        about: "put the first deployment on trial",
        flags: &[TRIES, switch("anyway", "also where the boot loader cannot promise it"), REBOOT],
    },
    Spec { name: "boot check", args: "", count: (0, 0), about: "run the health checks", flags: &[] },
    Spec {
        name: "boot confirm",
        args: "",
        count: (0, 0),
        about: "after a boot: check and keep the new system, or note that it failed",
        flags: &[switch("no-check", "without the health checks"), REBOOT],
    },
    Spec {
        name: "boot fall-back",
        args: "",
        count: (0, 0),
        about: "end the trial: the confirmed system boots from now on",
        flags: &[REBOOT],
    },
    Spec {
        name: "finalize",
        args: "",
        count: (0, 0),
        about: "before the reboot: carry over edits of /etc made since the deployment",
        flags: &[],
    },
    Spec {
        name: "adopt",
        args: "",
        count: (0, 0),
        about: "say whether an installation of libostree's can be taken over, and what stands in the way",
        flags: &[switch("check", "all that adopt does: nothing has to be changed")],
    },
    Spec {
        name: "db diff",
        args: "[FROM [TO]]",
        count: (0, 2),
        about: "compare the package lists of two commits",
        flags: &[JSON, OS],
    },
    Spec {
        name: "db list",
        args: "[REV]",
        count: (0, 1),
        about: "print the package list of a commit",
        flags: &[OS],
    },
    Spec {
        name: "cleanup",
        args: "",
        count: (0, 0),
        about: "drop what no deployment needs",
        flags: &[
            letter("pending", 'p', "also drop the pending deployment"),
            letter("rollback", 'b', "also drop the rollback deployment"),
            OS,
        ],
    },
    Spec {
        name: "pin",
        args: "INDEX",
        count: (1, 1),
        about: "never clean up this deployment",
        flags: &[letter("unpin", 'u', "undo that")],
    },
    Spec {
        name: "kargs",
        args: "",
        count: (0, 0),
        about: "show or change the kernel arguments (a change makes a new deployment)",
        flags: &[
            OS,
            value("append", "ARG", "add; may be repeated"),
            value("append-if-missing", "ARG", "add unless it is there"),
            value("delete", "ARG", "remove; an error if it is not there"),
            value("delete-if-present", "ARG", "remove if it is there"),
            value("replace", "KEY=VALUE[=NEW]", "change the value of a key"),
            REBOOT,
        ],
    },
    Spec {
        name: "fsck",
        args: "",
        count: (0, 0),
        about: "verify every object against its checksum",
        flags: &[switch("repair", "fetch again what is broken or missing")],
    },
    Spec {
        name: "config-diff",
        args: "",
        count: (0, 0),
        about: "show how /etc differs from the deployment's defaults (M, D, A)",
        flags: &[OS],
    },
    Spec { name: "version", args: "", count: (0, 0), about: "show the version and features", flags: &[] },
];

//! Scriptlets that a compose does without, because another step does their work or nothing needs it.

/// Package name (a trailing `*` stands for anything) and phase. The list is rpm-ostree's in substance.
const IGNORED: [(&str, &str); 13] = [
    // the kernel step runs depmod and keeps the kernel where OSTree wants it
    ("kernel*", "post"),
    ("kernel*", "posttrans"),
    // %pre and %post of the base system that only matter to a running one
    ("glibc", "pre"),
    ("libgcc", "post"),
    ("setup", "post"),
    ("bash", "post"),
    ("filesystem", "posttrans"),
    ("filesystem", "transfiletriggerin"),
    // the ldconfig step does it
    ("glibc", "transfiletriggerin"),
    ("glibc-common", "transfiletriggerin"),
    ("libc6", "transfiletriggerin"),
    // reloads a manager that does not run; presets are the units step's
    ("systemd", "transfiletriggerin"),
    // a cache that carries times
    ("man-db", "transfiletriggerin"),
];

/// Whether the scriptlet of a package is left out.
pub fn ignored(package: &str, phase: &str) -> bool {
    IGNORED.iter().any(|(name, ignored)| {
        *ignored == phase
            && name.strip_suffix('*').map_or(package == *name, |start| package.starts_with(start))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_whole_names_and_prefixes() {
        assert!(ignored("kernel-core", "posttrans"));
        assert!(ignored("bash", "post"));
        assert!(!ignored("bash-completion", "post"));
        assert!(!ignored("bash", "pre"));
    }
}

//! The whole program on small packages: commit, nothing new, lock file, next version, ordinary user.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rpm::{BuildConfig, FileOptions, PackageBuilder};

/// A repository, a manifest and an OSTree repo in one folder.
pub struct Bench {
    dir: tempfile::TempDir,
}

const MANIFEST: &str = "ref: test/main
repos: [packages]
packages: [app]
automatic-version-prefix: '7'
no-initramfs: true
add-files: [[motd, /etc/motd]]
add-commit-metadata: {origin: test}
";

impl Bench {
    pub fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let bench = Bench { dir };
        std::fs::create_dir(bench.path("rpms")).unwrap();
        bench.package("app", "1.0", "one");
        bench.package("library", "1.0", "lib");
        bench.index();
        let repo = format!("[packages]\nbaseurl=file://{}\ngpgcheck=0\n", bench.path("rpms").display());
        std::fs::write(bench.path("packages.repo"), repo).unwrap();
        std::fs::write(bench.path("m.yaml"), MANIFEST).unwrap();
        std::fs::write(bench.path("motd"), "hello\n").unwrap();
        bench.ok(&["init", "--repo", "repo"]);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn package(&self, name: &str, version: &str, content: &str) {
        let mut builder = PackageBuilder::new(name, version, "MIT", "noarch", "for a test");
        builder.release("1").using_config(BuildConfig::v4().source_date(1_600_000_000u32));
        builder
            .with_file_contents(content, FileOptions::new(format!("/usr/share/{name}/content")).user("root"))
            .unwrap()
            .with_file_contents("default\n", FileOptions::new(format!("/etc/{name}.conf")).user("root"))
            .unwrap();
        if name == "app" {
            builder.requires(rpm::Dependency::any("library"));
        }
        builder.build().unwrap().write_file(self.path(&format!("rpms/{name}-{version}.rpm"))).unwrap();
    }

    pub fn index(&self) {
        let done = Command::new("createrepo_c").args(["-q", "--no-database"]).arg(self.path("rpms")).status();
        assert!(done.expect("createrepo_c is not here, install createrepo-c").success());
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rootling-compose"));
        command.current_dir(self.dir.path()).env_remove("SOURCE_DATE_EPOCH");
        command
    }

    pub fn run(&self, words: &[&str]) -> (i32, String, String) {
        outcome(self.command().args(words).output().unwrap())
    }

    fn ok(&self, words: &[&str]) -> String {
        let (code, text, errors) = self.run(words);
        assert_eq!(code, 0, "{words:?}: {errors}");
        text
    }

    /// Composes, and says which commit it is.
    pub fn tree(&self, more: &[&str]) -> String {
        let text = self.ok(&[&["tree", "m.yaml", "--repo", "repo", "--cachedir", "cache"], more].concat());
        text.lines().find_map(|line| line.strip_prefix("commit:   ")).expect("a commit line").to_string()
    }
}

fn outcome(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

pub fn ostree(repo: &Path, words: &[&str]) -> String {
    let output = Command::new("ostree").args(words).arg("--repo").arg(repo).output();
    let (code, text, errors) = outcome(output.expect("ostree is not here, install ostree"));
    assert_eq!(code, 0, "ostree {words:?}: {errors}");
    text
}

#[test]
fn composes_what_ostree_accepts_and_again_only_what_is_new() {
    let bench = Bench::new();
    let first = bench.tree(&["--write-lockfile-to", "lock.json", "--write-commitid-to", "id"]);
    assert_eq!(std::fs::read_to_string(bench.path("id")).unwrap(), format!("{first}\n"));
    let repo = bench.path("repo");
    ostree(&repo, &["fsck"]);
    assert_eq!(ostree(&repo, &["rev-parse", "test/main"]).trim(), first);
    assert_eq!(ostree(&repo, &["cat", "test/main", "/usr/etc/motd"]), "hello\n");
    for (key, value) in [("version", "'7'"), ("origin", "'test'"), ("ostree.ref-binding", "['test/main']")] {
        assert_eq!(ostree(&repo, &["show", "test/main", "--print-metadata-key", key]).trim(), value);
    }
    let packages = ostree(&repo, &["show", "test/main", "--print-metadata-key", "rpmostree.rpmdb.pkglist"]);
    assert_eq!(
        packages.trim(),
        "[('app', '0', '1.0', '1', 'noarch'), ('library', '0', '1.0', '1', 'noarch')]"
    );

    let (code, text, _) = bench.run(&["tree", "m.yaml", "--repo", "repo", "--cachedir", "cache"]);
    assert_eq!((code, text), (77, format!("{first}\n")));
    let (code, ..) =
        bench.run(&["tree", "m.yaml", "--repo", "repo", "--cachedir", "cache", "--unchanged-ok"]);
    assert_eq!(code, 0);

    bench.package("app", "1.1", "two");
    bench.index();
    let second = bench.tree(&[]);
    assert_eq!(ostree(&repo, &["rev-parse", "test/main^"]).trim(), first);
    assert_eq!(ostree(&repo, &["show", "test/main", "--print-metadata-key", "version"]).trim(), "'7.1'");
    let diff = bench.ok(&["db", "diff", "--repo", "repo", &first, "test/main"]);
    assert!(diff.ends_with("Upgraded:\n  app 1.0-1 -> 1.1-1\n"), "{diff}");
    let list = bench.ok(&["db", "list", "--repo", "repo", "test/main"]);
    assert_eq!(
        list,
        format!("ostree commit: test/main ({second})\n app-1.1-1.noarch\n library-1.0-1.noarch\n")
    );
    std::fs::write(bench.path("motd"), "changed\n").unwrap();
    let third = bench.tree(&[]);
    assert_ne!(second, third, "add-files count as input");
    ostree(&repo, &["fsck"]);
}

#[test]
fn a_lock_file_gives_the_same_commit_anywhere() {
    let bench = Bench::new();
    let first = bench.tree(&["--write-lockfile-to", "lock.json"]);
    // newer packages do not matter, nor does the metadata that would tell of them
    bench.package("library", "2.0", "newer");
    bench.index();
    std::fs::remove_file(bench.path("rpms/repodata/repomd.xml")).unwrap();
    let other = bench.path("other");
    std::fs::create_dir(&other).unwrap();
    bench.ok(&["init", "--repo", "other/repo"]);
    let script = format!(
        "umask 077; exec {} tree m.yaml --repo other/repo --cachedir other/cache --lockfile lock.json -q",
        env!("CARGO_BIN_EXE_rootling-compose")
    );
    let mut shell = Command::new("sh");
    shell
        .current_dir(bench.dir.path())
        .args(["-c", &script])
        .env("TZ", "Asia/Tokyo")
        .env("LANG", "tr_TR.UTF-8");
    let (code, text, errors) = outcome(shell.output().unwrap());
    assert_eq!(code, 0, "{errors}");
    assert!(text.contains(&first), "expected {first}, got {text}");
}

#[test]
fn lock_files_that_cannot_be_honoured_are_refused() {
    let bench = Bench::new();
    bench.ok(&["tree", "m.yaml", "--cachedir", "cache", "--dry-run", "--write-lockfile-to", "lock.json"]);
    let lock = std::fs::read_to_string(bench.path("lock.json")).unwrap();
    let hex = lock.split("sha256:").nth(1).unwrap()[..64].to_string();
    let refused = |lock: &str| {
        std::fs::write(bench.path("bad.json"), lock).unwrap();
        let words = ["tree", "m.yaml", "--repo", "repo", "--cachedir", "cache", "--lockfile", "bad.json"];
        let (code, _, errors) = bench.run(&words);
        assert_eq!(code, 1, "{errors}");
        errors
    };
    let errors = refused(&lock.replace(&hex, &"ab".repeat(32)));
    assert!(
        errors.contains("app-1.0-1.noarch") && errors.contains("sha256 checksum: expected abab"),
        "{errors}"
    );
    let errors = refused(&lock.replace("\"app\"\n", "\"app\",\n\"gone\"\n"));
    assert!(errors.contains("has gained [] and lost [gone]"), "{errors}");
    // a package may be gone from the repository as long as the cache has it
    std::fs::remove_file(bench.path("rpms/library-1.0.rpm")).unwrap();
    std::fs::remove_dir_all(bench.path("cache")).unwrap();
    let errors = refused(&lock);
    assert!(errors.contains("library-1.0-1.noarch") && errors.contains("No such file"), "{errors}");
    let text = ostree(&bench.path("repo"), &["refs"]);
    assert_eq!(text, "", "nothing is visible of a compose that failed");
}

/// Runs the program as user 65534, with a range of subordinate ids or without.
fn as_user(bench: &Bench, ranges: bool, words: &str) -> (i32, String, String) {
    let subid = bench.path("subid");
    // where this program is built, other users need not be able to look
    let program = bench.path("program");
    std::fs::copy(env!("CARGO_BIN_EXE_rootling-compose"), &program).unwrap();
    std::fs::write(&subid, if ranges { "nobody:300000:65536\n" } else { "" }).unwrap();
    let script = format!(
        "for f in subuid subgid; do mount --bind {subid} /etc/$f || exit 9; done; \
         exec setpriv --reuid 65534 --regid 65534 --clear-groups {program} {words}",
        subid = subid.display(),
        program = program.display(),
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &script]).current_dir(bench.dir.path());
    outcome(command.output().expect("unshare is not here, install util-linux"))
}

#[test]
fn an_ordinary_user_makes_the_same_commit_or_is_told_what_is_missing() {
    let bench = Bench::new();
    let first = bench.tree(&["--write-lockfile-to", "lock.json"]);
    let home = bench.path("home");
    std::fs::create_dir(&home).unwrap();
    chown(&home, Some(65534), Some(65534)).unwrap();
    assert_eq!(as_user(&bench, true, "init --repo home/repo").0, 0);
    let words = "tree m.yaml --repo home/repo --cachedir home/cache --lockfile lock.json";
    let (code, _, errors) = as_user(&bench, false, words);
    assert_eq!(code, 1);
    assert!(
        errors.contains("/etc/subuid: expected a range of 65535 or more subordinate ids for user nobody"),
        "{errors}"
    );
    let (code, text, errors) = as_user(&bench, true, words);
    assert_eq!(code, 0, "{errors}");
    assert!(text.contains(&first), "expected {first}, got {text}");
    ostree(&home.join("repo"), &["fsck"]);
    // root of a namespace with one id only
    let words = [
        "-r",
        env!("CARGO_BIN_EXE_rootling-compose"),
        "tree",
        "m.yaml",
        "--repo",
        "repo",
        "--cachedir",
        "cache",
    ];
    let mut command = Command::new("unshare");
    command.args(words).arg("--force-nocache").current_dir(bench.dir.path());
    let (code, _, errors) = outcome(command.output().unwrap());
    assert!(code == 1 && errors.contains("user ids: expected 0 to 65535"), "{errors}");
}

/// An ed25519 key as a SubjectPublicKeyInfo (RFC 8410): 12 bytes, which are 16 letters of base64, then the key.
fn der_base64(key: &str) -> String {
    format!("MCowBQYDK2VwAyEA{key}")
}

#[test]
fn keys_sign_commits_and_summaries() {
    let bench = Bench::new();
    let commit = bench.tree(&[]);
    let public = bench.ok(&["keygen", "--secret", "secret", "--public", "public"]);
    assert_eq!(std::fs::metadata(bench.path("secret")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_ne!(
        bench.run(&["keygen", "--secret", "secret", "--public", "public"]).0,
        0,
        "keys are never overwritten"
    );
    assert_eq!(bench.ok(&["sign", "--repo", "repo", "--key-file", "secret", "test/main"]).trim(), commit);
    assert_eq!(bench.ok(&["summary", "--repo", "repo", "--key-file", "secret"]), "1 refs\n");
    let repo = rootling_store::Repo::open(&bench.path("repo")).unwrap();
    let checksum = repo.resolve("test/main").unwrap();
    let detached = repo.load_detached(&checksum).unwrap().unwrap();
    let signature = detached.byte_arrays("ostree.sign.ed25519").unwrap()[0].to_vec();
    std::fs::write(bench.path("signature"), signature).unwrap();
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", der_base64(public.trim()));
    std::fs::write(bench.path("public.pem"), pem).unwrap();
    let object = format!("repo/objects/{}/{}.commit", &commit[..2], &commit[2..]);
    let words =
        ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "public.pem", "-sigfile", "signature", "-in"];
    let mut openssl = Command::new("openssl");
    openssl.args(words).arg(object).current_dir(bench.dir.path());
    let (code, text, _) = outcome(openssl.output().expect("openssl is not here, install openssl"));
    assert_eq!((code, text.trim()), (0, "Signature Verified Successfully"));
    assert!(bench.path("repo/summary.sig").is_file());
    assert!(ostree(&bench.path("repo"), &["summary", "--view"]).contains("test/main"));
}

#[test]
fn refusals_name_what_and_where() {
    let bench = Bench::new();
    for (manifest, expected) in [
        (
            MANIFEST.replace("packages: [app]", "packages: [app, nope]"),
            "no package, capability or path \"nope\"",
        ),
        (MANIFEST.replace("ref:", "reff:"), "m.yaml:1: unknown key \"reff\""),
        (
            MANIFEST.replace("[packages]", "[other]"),
            "repository \"other\" of the manifest is in no .repo file",
        ),
        (MANIFEST.replace("motd, ", "gone, "), "add-files: gone"),
        (MANIFEST.replace("test/main", "a//b"), "ref"),
    ] {
        std::fs::write(bench.path("m.yaml"), manifest).unwrap();
        let (code, _, errors) = bench.run(&["tree", "m.yaml", "--repo", "repo", "--cachedir", "cache"]);
        assert!(code == 1 && errors.contains(expected), "{expected}: {errors}");
    }
    std::fs::write(bench.path("m.yaml"), MANIFEST).unwrap();
    let (code, _, errors) = bench.run(&["tree", "m.yaml", "--repo", "none", "--cachedir", "cache"]);
    assert!(code == 1 && errors.contains("rootling-compose init"), "{errors}");
}

//! The main job from one end to the other: RPMs, a signed commit, a device that updates and rolls back.
//!
//! Drives the real programs as a person would; every step that must have had an effect is looked at on disk.

mod namespace;
mod scene;
mod wire;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::measure::{disk_usage, file_size, mebibytes};
use crate::run::{cargo, run, step};
use crate::{place, test, tools};
use scene::{Scene, field, shown};

const STATEROOT: &str = "debian";
/// A configuration file that both states bring, each with its own text.
const EDITED: &str = "etc/syn-app.conf";
/// The most resident memory any command of the device program may reach, in bytes.
const MAX_MEMORY: u64 = 12 << 20;
const EDIT: &str = "# changed on the device\nlisten = 192.0.2.7\n";

/// Shows the main job.
pub fn demo() -> Result<()> {
    if !namespace::is_inside() {
        prepare()?;
    }
    if !tools::root() {
        return namespace::again_inside();
    }
    let mut scene = Scene::new(place::root().join("target/demo"), place::program("release", "rootling"))?;
    show(&mut scene)?;
    summary(&scene)
}

/// The same job by another build of the device program, whose peak memory must stay within the budget.
pub fn memory_gate(agent: PathBuf) -> Result<()> {
    let mut scene = Scene::new(place::root().join("target/gate"), agent)?;
    show(&mut scene)?;
    let mut over = Vec::new();
    for (title, bytes) in scene.device_memory() {
        eprintln!("   {:>10} of {} allowed: {title}", mebibytes(bytes), mebibytes(MAX_MEMORY));
        if bytes > MAX_MEMORY {
            over.push(title);
        }
    }
    ensure!(over.is_empty(), "over the memory budget: {}", over.join(", "));
    Ok(())
}

/// Programs and packages; nothing here needs root once the tools are installed.
fn prepare() -> Result<()> {
    step("tools", || tools::ensure(&[tools::BUILD, tools::COMPOSE]))?;
    if !tools::root() {
        // before minutes of building
        namespace::check()?;
    }
    step("programs of the build host, in Rust", || {
        run(&mut cargo("build -p rootling-compose -p rootling-tests --bins"))
    })?;
    step("program of the device, small and optimised", || run(&mut cargo("build --release -p rootling")))?;
    step("RPMs made from Debian's packages, in two states", test::testbed)
}

/// The job itself, step by step.
fn show(scene: &mut Scene) -> Result<()> {
    let manifest = |state: &str| place::testbed().join(format!("amd64/manifest/{state}.yaml"));
    let key = make_key(scene)?;
    let name = compose(scene, "compose state 1", &manifest("base"))?;
    publish(scene, &name)?;
    let server = scene.serve()?;

    scene.device("lay out the device's disk", &["init", STATEROOT])?;
    let signed_by = format!("--sign-verify=ed25519=inline:{key}");
    let url = format!("http://{server}");
    scene.device("name the server and its key", &["remote", "add", "origin", &url, &signed_by])?;
    let refspec = format!("origin:{name}");
    scene.device("fetch all of state 1", &["pull", "origin", &name])?;
    scene.device("deploy it", &["deploy", &refspec, "--karg=root=LABEL=demo", "--karg=rw"])?;
    let first = only(scene)?;
    edit(&first)?;

    compose(scene, "compose state 2", &manifest("sec"))?;
    publish(scene, &name)?;
    scene.device("upgrade: only what changed", &["upgrade"])?;
    let second = newest(scene, &first)?;
    kept(&second)?;
    scene.device("status", &["status"])?;
    boots(scene, &second)?;

    scene.device("roll back", &["rollback"])?;
    boots(scene, &first)?;
    scene.device("verify every object", &["fsck"])?;
    Ok(())
}

/// A fresh key pair; returns the public key.
fn make_key(scene: &mut Scene) -> Result<String> {
    let (secret, public) = (scene.dir.join("secret.key"), scene.dir.join("public.key"));
    let args = ["keygen", "--secret", path(&secret), "--public", path(&public)];
    scene.compose("make a key to sign with", &args)?;
    Ok(fs::read_to_string(public).context("read the public key")?.trim().to_owned())
}

/// Composes into the repo and returns the ref the manifest names.
fn compose(scene: &mut Scene, title: &str, manifest: &Path) -> Result<String> {
    let (repo, cache) = (scene.repo.clone(), scene.dir.join("cache"));
    if !repo.exists() {
        scene.compose("make an empty repo", &["init", "--repo", path(&repo)])?;
    }
    scene.compose(title, &["tree", path(manifest), "--repo", path(&repo), "--cachedir", path(&cache)])?;
    let text = fs::read_to_string(manifest.with_file_name("os.yaml"))?;
    let name = text.lines().find_map(|line| line.strip_prefix("ref: ")).context("os.yaml: no ref")?;
    Ok(name.trim().to_owned())
}

/// Signs the ref's commit and rewrites the summary.
fn publish(scene: &mut Scene, name: &str) -> Result<()> {
    let (repo, key) = (scene.repo.clone(), scene.dir.join("secret.key"));
    scene.compose("sign its commit", &["sign", "--repo", path(&repo), "--key-file", path(&key), name])?;
    scene.compose("write the summary", &["summary", "--repo", path(&repo)])?;
    Ok(())
}

fn path(path: &Path) -> &str {
    path.to_str().expect("folders of the checkout have names in UTF-8")
}

fn only(scene: &Scene) -> Result<PathBuf> {
    let found = scene.deployments(STATEROOT)?;
    ensure!(found.len() == 1, "expected one deployment, got {}", found.len());
    Ok(found.into_iter().next().expect("there is one"))
}

fn newest(scene: &Scene, first: &Path) -> Result<PathBuf> {
    let found = scene.deployments(STATEROOT)?;
    ensure!(found.iter().any(|path| path == first), "the old deployment is gone");
    let mut others = found.into_iter().filter(|path| path != first);
    let (Some(second), None) = (others.next(), others.next()) else { bail!("expected one new deployment") };
    Ok(second)
}

fn edit(deployment: &Path) -> Result<()> {
    let file = deployment.join(EDITED);
    let mut text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    text.push_str(EDIT);
    fs::write(&file, text)?;
    eprintln!("\n== somebody edits /{EDITED} on the device\n   {}", EDIT.trim_end().replace('\n', "\n   "));
    Ok(())
}

fn kept(deployment: &Path) -> Result<()> {
    let text = fs::read_to_string(deployment.join(EDITED))?;
    ensure!(text.ends_with(EDIT), "the edit of /{EDITED} is lost in {}", deployment.display());
    let shipped = fs::read_to_string(deployment.join("usr").join(EDITED))?;
    ensure!(!text.starts_with(&shipped), "state 2 brings the same /{EDITED} as state 1");
    eprintln!(
        "\n== /{EDITED} of the new deployment still has the edit (the new default is in /usr/{EDITED})"
    );
    Ok(())
}

/// Follows the first boot entry to a deployment.
fn boots(scene: &Scene, expected: &Path) -> Result<()> {
    let entries = scene.boot_entries()?;
    eprintln!("\n== boot entries, first to boot first");
    for (name, text) in &entries {
        eprintln!("   {name}: {}", field(text, "title"));
    }
    let options = entries.first().map(|(_, text)| field(text, "options")).context("no boot entry")?;
    let link =
        options.split(' ').find_map(|arg| arg.strip_prefix("ostree=/")).context("no ostree= argument")?;
    let found = fs::canonicalize(scene.sysroot.join(link)).with_context(|| format!("follow /{link}"))?;
    ensure!(
        found == fs::canonicalize(expected)?,
        "expected to boot {}, got {}",
        expected.display(),
        found.display()
    );
    eprintln!("   next boot: {}", shown(expected));
    Ok(())
}

fn summary(scene: &Scene) -> Result<()> {
    let agent = scene.agent();
    eprintln!("\n== what it cost");
    scene.table().iter().for_each(|line| eprintln!("   {line}"));
    let size = |path: &Path| disk_usage(path).map(mebibytes);
    eprintln!("\n== sizes and where to look");
    eprintln!("   {:>10}  {}  the whole device program", mebibytes(file_size(agent)?), shown(agent));
    eprintln!(
        "   {:>10}  {}  what a web server would hand out, two commits",
        size(&scene.repo)?,
        shown(&scene.repo)
    );
    eprintln!(
        "   {:>10}  {}  the device's disk, two deployments",
        size(&scene.sysroot)?,
        shown(&scene.sysroot)
    );
    eprintln!("   {:>10}  {}", "", shown(&scene.sysroot.join("boot/loader/entries")));
    eprintln!("   try: {} --sysroot {} status", shown(agent), shown(&scene.sysroot));
    Ok(())
}

//! What else moves bytes: each made, used again, and what comes out compared with the new tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::figures::{Figures, Spent};
use super::hdiff::Hdiff;
use super::trees::{Scene, equal};
use crate::bench::side;
use crate::measure::file_size;
use crate::run::output;

/// HDiffPatch on both folders, at its best for size.
pub fn hdiffpatch(scene: &Scene, tool: &Hdiff) -> Result<Figures> {
    let (delta, made) = (scene.dir.join("hdiff"), empty(scene, "made")?);
    let mut diff = Command::new(&tool.hdiffz);
    diff.args(["-f", "-m-1", "-SD-256k", "-c-lzma2-9-64m"]).arg(&scene.old).arg(&scene.new).arg(&delta);
    let encode = Spent::of(&mut diff)?;
    let mut patch = Command::new(&tool.hpatchz);
    let decode = Spent::of(patch.arg("-f").arg(&scene.old).arg(&delta).arg(&made))?;
    for file in &scene.changed {
        same(&made.join(file.new.strip_prefix(&scene.new)?), &file.new)?;
    }
    Ok(Figures { method: "HDiffPatch".to_owned(), bytes: file_size(&delta)?, encode, decode })
}

/// `zstd --patch-from` on a tar of each folder.
pub fn zstd(scene: &Scene) -> Result<Figures> {
    let old = tar(scene, "old.tar", &scene.old, &[])?;
    let new = tar(scene, "new.tar", &scene.new, &[])?;
    let (delta, made) = (scene.dir.join("new.tar.zst"), scene.dir.join("made.tar"));
    let from = format!("--patch-from={}", old.display());
    let mut pack = Command::new("zstd");
    let encode =
        Spent::of(pack.args(["-q", "-f", "-19", "--long=31", &from]).arg(&new).arg("-o").arg(&delta))?;
    let mut unpack = Command::new("zstd");
    unpack.args(["-q", "-f", "-d", "--long=31", &from]).arg(&delta).arg("-o").arg(&made);
    let decode = Spent::of(&mut unpack)?;
    same(&made, &new)?;
    Ok(Figures { method: "zstd --patch-from".to_owned(), bytes: file_size(&delta)?, encode, decode })
}

/// `bsdiff` on each changed file; one that is new is made from a file of one byte, since bsdiff takes no empty ones.
pub fn bsdiff(scene: &Scene) -> Result<Figures> {
    let (nothing, delta, made) =
        (scene.dir.join("nothing"), scene.dir.join("bsdiff"), scene.dir.join("made-file"));
    fs::write(&nothing, "\n")?;
    let (mut encode, mut decode, mut bytes) = (Spent::default(), Spent::default(), 0);
    for file in scene.changed.iter().filter(|file| file.size > 0) {
        let old = match &file.old {
            Some(old) if file_size(old)? > 0 => old,
            _ => &nothing,
        };
        encode.run(Command::new("bsdiff").arg(old).arg(&file.new).arg(&delta))?;
        decode.run(Command::new("bspatch").arg(old).arg(&made).arg(&delta))?;
        same(&made, &file.new)?;
        bytes += file_size(&delta)?;
    }
    Ok(Figures { method: "bsdiff, per file".to_owned(), bytes, encode, decode })
}

/// The chunks of the new folder that the store does not have of the old one, and the index.
pub fn casync(scene: &Scene) -> Result<Figures> {
    let store = empty(scene, "store.castr")?;
    let made = empty(scene, "made")?;
    let command = |verb: &str, index: &Path| {
        let mut command = Command::new("casync");
        command.args([verb, "--with=unix", "--chunk-size=65536"]);
        command.arg(format!("--store={}", store.display())).arg(index);
        command
    };
    let (old, new) = (scene.dir.join("old.caidx"), scene.dir.join("new.caidx"));
    output(command("make", &old).arg(&scene.old))?;
    let before = chunks(&store)?;
    let encode = Spent::of(command("make", &new).arg(&scene.new))?;
    let bytes = chunks(&store)? - before + file_size(&new)?;
    let decode = Spent::of(command("extract", &new).arg(&made))?;
    for file in &scene.changed {
        same(&made.join(file.new.strip_prefix(&scene.new)?), &file.new)?;
    }
    Ok(Figures { method: "casync, 64 KiB".to_owned(), bytes, encode, decode })
}

/// The changed files as they are, in one xz.
pub fn xz(scene: &Scene) -> Result<Figures> {
    let names: Vec<&Path> =
        scene.changed.iter().filter_map(|file| file.new.strip_prefix(&scene.new).ok()).collect();
    let files = tar(scene, "files.tar", &scene.new, &names)?;
    let packed = files.with_extension("tar.xz");
    let encode = Spent::of(Command::new("xz").args(["-k", "-f", "--lzma2=preset=6,dict=64MiB"]).arg(&files))?;
    let decode = Spent::of(Command::new("xz").arg("-t").arg(&packed))?;
    Ok(Figures { method: "changed files in xz".to_owned(), bytes: file_size(&packed)?, encode, decode })
}

fn empty(scene: &Scene, name: &str) -> Result<PathBuf> {
    let dir = scene.dir.join(name);
    side::remove(&dir)?;
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// The bytes of all chunks in a store.
fn chunks(store: &Path) -> Result<u64> {
    let listing = output(Command::new("find").arg(store).args(["-type", "f", "-printf", "%s\n"]))?;
    Ok(listing.lines().filter_map(|line| line.parse::<u64>().ok()).sum())
}

fn tar(scene: &Scene, name: &str, tree: &Path, only: &[&Path]) -> Result<PathBuf> {
    let (path, list) = (scene.dir.join(name), scene.dir.join("names"));
    let mut command = Command::new("tar");
    command.args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "-cf"]);
    command.arg(&path).arg("-C").arg(tree);
    if only.is_empty() {
        command.arg(".");
    } else {
        let names: Vec<String> = only.iter().map(|path| path.display().to_string()).collect();
        fs::write(&list, names.join("\n"))?;
        command.arg("-T").arg(&list);
    }
    output(&mut command)?;
    Ok(path)
}

fn same(made: &Path, wanted: &Path) -> Result<()> {
    ensure!(equal(made, wanted)?, "{}: expected {}, got other bytes", made.display(), wanted.display());
    Ok(())
}

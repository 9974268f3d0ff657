//! Static deltas side by side: docs/benchmarks-delta.md.
//!
//! | module | what it does |
//! |---|---|
//! | [`corpus`] | what is compared, and what issue 4 asks |
//! | [`debian`], [`pinned`], [`trees`] | packages in two versions, as two trees |
//! | [`repo`] | our deltas and libostree's, of the same commits behind the same server |
//! | [`others`], [`hdiff`] | what else there is |
//! | [`device`], [`cgroup`] | memory and instructions of the device program |
//! | [`figures`], [`stored`], [`report`], [`plot`] | what it took, as a document |

mod cgroup;
mod corpus;
mod debian;
mod device;
mod figures;
mod hdiff;
mod others;
mod pinned;
mod plot;
mod repo;
mod report;
mod stored;
mod trees;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::machines::recipe;
use crate::run::{cargo, output, run, step};
use crate::{place, ship, tools};
use corpus::{ALL, Content, Corpus};
use hdiff::Hdiff;
use repo::Published;
use report::{FAST, OURS};
use trees::Scene;

/// What this benchmark runs beside what all do.
const TOOLS: &[tools::Tool] = &[
    ("bsdiff", "bsdiff"),
    ("bspatch", "bsdiff"),
    ("casync", "casync"),
    ("valgrind", "valgrind"),
    ("make", "make"),
    ("g++", "g++"),
    ("pip3", "python3-pip"),
];

/// What takes part.
#[derive(Debug)]
struct Programs {
    agent: PathBuf,
    compose: PathBuf,
    hdiff: Hdiff,
}

/// Measures the named corpora, or all, and writes the document with what was measured before of the others. What fails is said at
/// the end, after all others.
pub fn bench(names: &[&str]) -> Result<()> {
    let wanted = wanted(names)?;
    let (dir, programs) = prepare()?;
    let mut faults = Vec::new();
    for corpus in wanted {
        let measured = step(corpus.title, || one(&dir, corpus, &programs));
        match measured.and_then(|result| stored::write(&dir, &result).map(|()| result)) {
            Ok(result) => {
                faults.extend(result.faults());
                println!("{}", report::details(&result));
                println!("{}", report::packages(std::slice::from_ref(&result)));
                publish(&dir, &programs)?;
            }
            Err(error) => faults.push(format!("{}: {error:#}", corpus.name)),
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(())
}

/// Measures packages that no corpus has, in the lowest and the highest version of the archive, and writes no document.
pub fn packages(arch: &str, names: &[&str]) -> Result<()> {
    let (dir, programs) = prepare()?;
    let scene = Scene::make(&dir, "packages", arch, Content::Packages(names))?;
    let published = Published::new(&scene, &programs.agent, &programs.compose)?;
    let rows =
        [published.theirs()?, published.ours(OURS, "lzma")?, others::hdiffpatch(&scene, &programs.hdiff)?];
    for deb in &scene.debs {
        println!("{}  {}", deb.sha256, deb.name);
    }
    println!("{} changed files, {} bytes", scene.changed.len(), place::grouped(scene.bytes()));
    println!("{}", report::table(&rows));
    Ok(())
}

/// Gets what is needed and what takes part, and says where all of it lies.
fn prepare() -> Result<(PathBuf, Programs)> {
    ensure!(tools::root(), "the benchmark deploys files of several owners: it needs root");
    tools::ensure(&[tools::BUILD, tools::ORACLES, recipe::TOOLS, ship::TOOLS, TOOLS])?;
    let dir = place::root().join("target/bench/delta");
    let agent = step("device program", || ship::build_with("delta"))?;
    step("programs of the build host", || run(&mut cargo("build -q --profile host -p rootling-compose")))?;
    let hdiff = step("HDiffPatch", || hdiff::get(&dir.join("hdiff")))?;
    Ok((dir, Programs { agent, compose: place::program("host", "rootling-compose"), hdiff }))
}

/// Writes the document out of all that is stored.
fn publish(dir: &Path, programs: &Programs) -> Result<()> {
    let mut results = Vec::new();
    for corpus in ALL {
        results.extend(stored::read(dir, corpus)?);
    }
    let docs = place::root().join("docs");
    println!("{}\n{}", report::summary(&results), report::devices(&results));
    fs::write(docs.join("benchmarks-delta.md"), document(&results, programs)?)?;
    fs::write(docs.join("benchmarks-delta.svg"), plot::plot(&results))?;
    Ok(())
}

fn wanted(names: &[&str]) -> Result<Vec<&'static Corpus>> {
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let find = |name: &&str| {
        let known: Vec<&str> = ALL.iter().map(|corpus| corpus.name).collect();
        let found = ALL.iter().find(|corpus| corpus.name == *name);
        found.with_context(|| format!("corpus {name:?}: expected one of {}", known.join(", ")))
    };
    names.iter().map(find).collect()
}

fn one(dir: &Path, corpus: &'static Corpus, programs: &Programs) -> Result<report::Result> {
    let scene = Scene::make(dir, corpus.name, corpus.arch, corpus.content)?;
    eprintln!("   {} changed files, {} bytes", scene.changed.len(), place::grouped(scene.bytes()));
    let published = Published::new(&scene, &programs.agent, &programs.compose)?;
    let mut rows = Vec::new();
    let mut push = |name: &str, row: Result<figures::Figures>| {
        let row = row.with_context(|| name.to_owned())?;
        eprintln!("   {name}: {} bytes", place::grouped(row.bytes));
        rows.push(row);
        anyhow::Ok(())
    };
    push(FAST, published.ours(FAST, "deflate"))?;
    push(OURS, published.ours(OURS, "lzma"))?;
    let device = device::measure(&published, &programs.agent)?;
    push("ostree", published.theirs())?;
    push("HDiffPatch", others::hdiffpatch(&scene, &programs.hdiff))?;
    push("bsdiff", others::bsdiff(&scene))?;
    push("zstd", others::zstd(&scene))?;
    push("casync", others::casync(&scene))?;
    push("xz", others::xz(&scene))?;
    // ostree is what all are compared with
    rows[..3].reverse();
    let packages = scene.debs.iter().map(|deb| (deb.name.clone(), deb.sha256.clone())).collect();
    let changed = (scene.changed.len(), scene.bytes());
    Ok(report::Result { corpus, packages, changed, rows, device })
}

fn document(results: &[report::Result], programs: &Programs) -> Result<String> {
    let about = output(Command::new("ostree").arg("--version"))?;
    let ostree = about.lines().find_map(|line| line.trim().strip_prefix("Version: ")).unwrap_or("?");
    let version = results.first().map_or(0, |result| result.device.group_version);
    let missing: Vec<&str> = ALL
        .iter()
        .filter(|corpus| !results.iter().any(|result| result.corpus.name == corpus.name))
        .map(|corpus| corpus.name)
        .collect();
    let missing = match missing.as_slice() {
        [] => String::new(),
        names => format!("**Not measured: {}.**\n", names.join(", ")),
    };
    let details: Vec<String> = results.iter().map(report::details).collect();
    Ok(format!(
        "# Static deltas side by side\n\n\
         Repeat with `cargo xtask bench delta` (as root), or `cargo xtask bench delta CORPUS...` for some of it; `cargo xtask bench delta packages\n\
         ARCH NAME...` compares other packages of your choice with ostree and HDiffPatch. Written by that command; all rows of a corpus come from\n\
         one run. Sizes are exact, times are of one machine with other work on it. A ratio above \"must\" ends the command in an error, as does\n\
         more than {most} of memory or less than 4 MB made in a CPU second.\n{missing}\n\
         Bytes are all that a client fetches of a delta: ours header and groups, libostree's superblock, parts and fallback objects. Both are made\n\
         from the same signed commits in the same archive repo. ostree {ostree}; HDiffPatch {hdiff}.\n\n\
         {summary}\n\
         ![ratios](benchmarks-delta.svg)\n\n\
         ## On the device\n\n\
         The shipping build without TLS, on a deployed sysroot, from nginx on the loopback. `upgrade` is all of it: fetch, decode, verify, deploy and write the\n\
         boot entry. It ran again inside of a memory cgroup (version {version}), where the page cache counts too. Speed and instructions are of `pull`: fetch,\n\
         decode, SHA-256 in software, write. Instructions as valgrind's callgrind counts them on x86_64, where each byte that a string\n\
         instruction (`rep movsb`, the memory copy of this build) moves counts as one more: an upper bound, several times too high. The last column\n\
         takes {assumption} for a Cortex-A53 and as many instructions as here: an estimate from\n\
         below, not a measurement.\n\n\
         {devices}\n\
         ## Every method\n\n\
         Encode and decode are separate processes; a peak is of the largest. Ours decodes each delta again before it offers it, on all cores. Decoding is\n\
         `rootling pull`, `ostree pull` of a bare repo, `hpatchz`, `zstd -d`, `bspatch` for each file, `casync extract`, `xz -t`.\n\n\
         {details}\n\
         ## Packages\n\n\
         The lowest and the highest version in bookworm, bookworm-updates and bookworm-security on the day; kernels one ABI step apart. SHA-256 and name:\n\n\
         ```text\n{packages}```\n",
        most = crate::measure::mebibytes(report::MAX_MEMORY),
        ostree = ostree.trim_matches('\''),
        hdiff = programs.hdiff.version()?,
        summary = report::summary(results),
        assumption = report::assumption(),
        devices = report::devices(results),
        details = details.join("\n"),
        packages = report::packages(results),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corpora_go_by_name() {
        assert_eq!(wanted(&[]).unwrap().len(), ALL.len());
        assert_eq!(wanted(&["programs"]).unwrap()[0].title, "three large programs");
        let error = wanted(&["amd64", "x"]).unwrap_err().to_string();
        assert!(error.starts_with("corpus \"x\": expected one of amd64, arm64, armhf"), "{error}");
    }
}

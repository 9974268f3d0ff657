//! The power is cut at every write: an update's writes are logged, and each state that a cut could leave is judged.
//!
//! ```text
//! scene   a disk right before an upgrade, a confirm, a fall-back, a rollback, a merge at shutdown
//! disk    file systems; `/boot` in the same or on a disk of its own
//! logged  the operation runs natively on them, below them qemu-storage-daemon logs each write and flush (log)
//! states  the disks at each flush, and with any part of what was written to one after its last (image)
//! judge   loader: what GRUB's reader of file systems finds, the journal not replayed; then mounted: the list,
//!         every file of its deployments, `/etc` with the administrator's edits (etc), fsck; of some states also what
//!         follows: confirm, upgrade, fsck
//! ```
//! Here a subset on ext4. `cargo xtask replay` says how the rest is run; it sets `ROOTLING_REPLAY` to `full`, or to the
//! name of what is taken away from the agent or the disk, so that the judge has something to find.

mod disk;
mod etc;
mod judge;
mod loader;
mod logged;
mod mode;
mod scene;
mod tally;

use crate::bootcheck;
use crate::common::device::{Publisher, outcome, rootling};
use disk::{BTRFS, Kind, Layout};
use judge::{Lists, judge, list};
use loader::Loader;
use logged::Logged;
use mode::{Mode, Without};
use rootling_tests::writes::image::BLOCK;
use rootling_tests::writes::states::{Ask, States, states};
use scene::{Op, Scene, scenes};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;
use tally::{Tally, of_each, too_few};

/// How often a state is judged whose disk cannot be mounted because a device is held.
const TRIES: u32 = 3;

#[test]
fn power_is_cut_at_every_write() {
    disk::need();
    let mode = Mode::here();
    let dir = scratch();
    let (mut total, mut of_scenes) = (Tally::default(), Vec::new());
    for kind in &mode.kinds {
        let loaders = mode.loaders.iter().filter(|loader| **loader == Loader::Grub || kind.u_boot_reads);
        for (loader, own_boot) in loaders.flat_map(|l| mode.own_boot.iter().map(move |own| (l, *own))) {
            let (publisher, layout) = (Publisher::new(), Layout { kind, own_boot });
            for scene in scenes(&layout, *loader, &publisher, dir.path()) {
                for busy in mode.plays(&scene, &layout) {
                    let title = format!(
                        "{} {loader:?} {:?}{}",
                        layout.name(),
                        scene.op,
                        if *busy { ", busy" } else { "" }
                    );
                    let start = Instant::now();
                    let tally = replay(&scene, &layout, &mode, *busy, dir.path());
                    println!("{title}: {tally}, {:.1} s", start.elapsed().as_secs_f64());
                    for bad in tally.bad.iter().take(3) {
                        println!("   {bad}");
                    }
                    of_scenes.push((scene.op, tally.states.clone()));
                    total.add(&title, tally);
                }
            }
        }
    }
    let (all, of_each) = (total.states.len(), of_each(&of_scenes));
    let named =
        |kinds: &mut dyn Iterator<Item = &&Kind>| kinds.map(|kind| kind.name).collect::<Vec<_>>().join(", ");
    println!(
        "distinct: {of_each:?}; in all {total}; on {}{}",
        named(&mut mode.kinds.iter()),
        match named(&mut mode.unknown.iter()) {
            none if none.is_empty() => none,
            unknown => format!("; not known to this kernel: {unknown}"),
        }
    );
    match mode.without {
        None => assert!(total.bad.is_empty(), "{} bad states; the first: {}", total.bad.len(), total.bad[0]),
        Some(what) => assert!(!total.bad.is_empty(), "without {what:?} nothing was found bad"),
    }
    assert_eq!(too_few(mode.least, all, &of_each), None);
}

/// The child of the agent thaws also where the agent is gone.
#[test]
fn nothing_stays_frozen_when_the_agent_is_killed() {
    disk::need();
    let kind = &BTRFS;
    assert!(kind.is_known(), "btrfs is missing in /proc/filesystems (modprobe btrfs)");
    let (dir, publisher) = (scratch(), Publisher::new());
    let layout = Layout { kind, own_boot: false };
    let scenes = scenes(&layout, Loader::Grub, &publisher, dir.path());
    let scene = scenes.iter().find(|scene| scene.op == Op::Rollback).unwrap();
    let at = dir.path().join("mounted");
    layout.save(&scene.base, dir.path());
    let _mounted = layout.mount(dir.path(), &at).unwrap();
    let agent = rootling(&at, scene.op.args());
    let mut command = Command::new("strace");
    // nothing else waits for a child
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=wait4:signal=SIGKILL:when=1"]);
    let (code, said) = outcome(command.arg(agent.get_program()).args(agent.get_args()));
    assert_ne!(code, Some(0), "the agent was not killed: {said}");
    let thawed = Command::new("fsfreeze").arg("-u").arg(&at).output().unwrap();
    assert!(!thawed.status.success(), "{} was frozen", at.display());
}

/// In memory where there is room for disks.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

fn replay(scene: &Scene, layout: &Layout, mode: &Mode, busy: bool, folder: &Path) -> Tally {
    let kind = layout.kind;
    let options = if mode.without == Some(Without::Flush) { kind.without_flush } else { "" };
    let logged = Logged::mount(layout, &scene.base, folder, options);
    let at = logged.path();
    let old = list(&bootcheck::check(&at).unwrap());
    let neighbour = busy.then(|| Neighbour::start(&at.join("boot")));
    let (code, said) = outcome(&mut agent(&at, scene.op.args(), mode.without));
    assert_eq!(code, Some(0), "{:?}: {said}", scene.op);
    let new = list(&bootcheck::check(&at).unwrap());
    // another /etc is on no list
    assert_eq!(old == new, scene.op == Op::Finalize, "{:?}", scene.op);
    drop(neighbour);
    let (lists, (base, log)) = (Lists { old, new }, logged.cut());

    let ask = Ask { limit: mode.limit, every_flush: mode.every_flush, block: BLOCK, seed: 20_261_126 };
    let States { states, flushes_left_out } = states(&base, &log, ask);
    let (next, tally) = (AtomicUsize::new(0), Mutex::new(Tally { flushes_left_out, ..Tally::default() }));
    std::thread::scope(|scope| {
        for worker in 0..if kind.one_at_a_time { 1 } else { 2 } {
            let (states, next, tally, lists) = (&states, &next, &tally, &lists);
            let folder = folder.join(format!("worker-{worker}"));
            std::fs::create_dir_all(&folder).unwrap();
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(state) = states.get(at) else { break };
                    let judge = || judge(scene, layout, lists, state, &folder, at % mode.goes_on == 0);
                    let (mut judged, mut tries) = (judge(), 1);
                    // what is wrong with the bytes is wrong at once; only a device that another program holds is not
                    while let Err(why) = &judged
                        && disk::is_held(why)
                        && tries < TRIES
                    {
                        println!("{}: {why}", state.what);
                        (judged, tries) = (judge(), tries + 1);
                    }
                    if let Err(why) = &judged {
                        assert!(!disk::is_held(why), "no verdict on {}: {why}", state.what);
                    }
                    let mut tally = tally.lock().unwrap();
                    tally.states.insert(state.image.checksum());
                    tally.again += usize::from(tries > 1);
                    match judged {
                        Ok(is_new) => tally.new += usize::from(is_new),
                        Err(why) => {
                            let kept = keep(&layout.boot_disk(&folder).0, tally.bad.len(), mode.without);
                            tally.bad.push(format!("{}: {why}{kept}", state.what));
                        }
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    if mode.without.is_none() && tally.bad.is_empty() {
        assert!(tally.new > 0, "{:?}: no state is after it", scene.op);
        assert!(tally.new < tally.states.len(), "{:?}: no state is before it", scene.op);
    }
    tally
}

/// The agent on a sysroot, as it is or with something taken away by strace.
fn agent(at: &Path, args: &[&str], without: Option<Without>) -> Command {
    let agent = rootling(at, args);
    let boot = at.join("boot");
    let refused: &[&OsStr] = match without {
        None | Some(Without::Flush) => return agent,
        Some(Without::Fsync) => &["-e".as_ref(), "inject=fsync,fdatasync,syncfs:retval=0".as_ref()],
        Some(Without::Exchange) => &["-e".as_ref(), "inject=renameat2:error=ENOSYS".as_ref()],
        // of this folder only: a socket is made ready by an ioctl too
        Some(Without::Freeze) => {
            &["-P".as_ref(), boot.as_os_str(), "-e".as_ref(), "inject=ioctl:error=EOPNOTSUPP".as_ref()]
        }
    };
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null"]).args(refused);
    command.arg(agent.get_program()).args(agent.get_args());
    command
}

/// Another program that makes and removes files in a folder until it is dropped.
struct Neighbour {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Neighbour {
    fn start(folder: &Path) -> Neighbour {
        let (stop, file) = (Arc::new(AtomicBool::new(false)), folder.join("neighbour"));
        let told = stop.clone();
        let work = move || {
            while !told.load(Ordering::Relaxed) {
                std::fs::write(&file, "here for a moment").unwrap();
                std::fs::remove_file(&file).unwrap();
            }
        };
        Neighbour { stop, thread: Some(std::thread::spawn(work)) }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) && !std::thread::panicking() {
            panic!("the neighbour could not write");
        }
    }
}

/// Keeps the disk of the first bad state, to be looked at.
fn keep(disk: &Path, earlier: usize, without: Option<Without>) -> String {
    if earlier > 0 || without.is_some() {
        return String::new();
    }
    let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bad-disk");
    match std::fs::copy(disk, &kept) {
        Ok(_) => format!(" (as the judge left it: {})", kept.display()),
        Err(_) => String::new(),
    }
}

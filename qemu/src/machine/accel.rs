//! Whether KVM runs guests here.
//!
//! That `/dev/kvm` opens and makes a machine says little: on hosts that are guests themselves it may do both, and
//! then run ordinary code so slowly that no kernel ever prints a line. So the processor has to have the extension,
//! and a boot sector that stops QEMU has to reach its end.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::command::Accel;
use crate::host;
use crate::path::Arch;

const PROBE: Duration = Duration::from_secs(20);
/// `mov al, 0x2a; out 0xf4, al; hlt`: QEMU exits with 0x2a * 2 + 1.
const CODE: [u8; 5] = [0xb0, 0x2a, 0xe6, 0xf4, 0xf4];

/// KVM where it is proved to run guests of this machine's kind, else QEMU itself.
pub fn choose(arch: Arch) -> Accel {
    let own = arch == Arch::X86_64 && cfg!(target_arch = "x86_64");
    let extension = || has_extension(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default());
    match own && extension() && fs::File::options().read(true).write(true).open("/dev/kvm").is_ok() && runs()
    {
        true => Accel::Kvm,
        false => Accel::Tcg,
    }
}

fn has_extension(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().filter(|line| line.starts_with("flags"));
    flags.flat_map(str::split_whitespace).any(|flag| matches!(flag, "vmx" | "svm"))
}

/// Whether the boot sector reaches its end in time.
fn runs() -> bool {
    let Ok(dir) = tempfile::tempdir() else { return false };
    let mut sector = CODE.to_vec();
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    let path = dir.path().join("sector");
    if fs::write(&path, sector).is_err() {
        return false;
    }
    let mut command = host::command("qemu-system-x86_64");
    command.args(["-accel", "kvm", "-cpu", "host", "-display", "none", "-nodefaults", "-no-reboot"]);
    command.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-drive"]);
    command.arg(format!("if=ide,format=raw,file={}", path.display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return false };
    let until = Instant::now() + PROBE;
    let code = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.code(),
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(50)),
            _ => break None,
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    code == Some(0x2a * 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_is_a_word_among_the_flags() {
        for (text, has) in [
            ("flags\t\t: fpu vmx sse\n", true),
            ("model: x\nflags : svm\n", true),
            ("flags : fpu svm_lock\nbugs : vmx\n", false),
            ("", false),
        ] {
            assert_eq!(has_extension(text), has, "{text:?}");
        }
    }
}

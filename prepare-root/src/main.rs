//! From `ostree=` to the running root.
//!
//! ```text
//! rootling-prepare-root SYSROOT    a step of an initramfs that has mounted the root: prepares it there, and returns
//! as /init of an initramfs         finds and mounts the root, prepares it, frees the memory, starts its init
//! as PID 1 on the root itself      makes it writable, prepares it, makes it /, starts its init
//! ```
//!
//! | file | noun or verb |
//! |---|---|
//! | `cmdline` | what the kernel arguments ask for |
//! | `config` | `prepare-root.conf` |
//! | `plan` | the mounts, as data |
//! | `modules` | what an initramfs of rootling-compose wants loaded first |
//! | `device`, `superblock`, `gpt`, `mbr` | the root device, with no udev |
//! | `apply`, `sys` | performing them |
//! | `console` | what is told, where anybody listens |
//!
//! **Invariant:** as PID 1 no failure ends in a shell or a hanging machine: it reboots, and the loader has one try
//! less. So nothing may panic there: no `eprintln!`, no `std::env::args`.

#![deny(clippy::print_stderr, clippy::print_stdout)]

mod apply;
mod cmdline;
mod config;
mod console;
mod device;
mod error;
mod gpt;
mod mbr;
mod modules;
mod plan;
mod superblock;
mod sys;

use error::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    let is_first = std::process::id() == 1;
    let result = match std::env::args_os().nth(1).filter(|_| !is_first) {
        Some(sysroot) => apply::step(&sysroot.to_string_lossy()),
        None if is_first => apply::start(),
        None => Err(Error::Usage),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    console::tell(error);
    if is_first {
        apply::give_up();
    }
    ExitCode::FAILURE
}

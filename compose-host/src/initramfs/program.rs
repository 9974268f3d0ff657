//! Whether a program can be `init` of an initramfs that holds no library.

use anyhow::{Context as _, Result, ensure};
use elf::ElfBytes;
use elf::abi::{EM_386, EM_AARCH64, EM_ARM, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64, PT_INTERP};
use elf::endian::AnyEndian;

/// A static program for this architecture, or an error that says what else it is.
pub fn check(program: &[u8], basearch: &str) -> Result<()> {
    let file = ElfBytes::<AnyEndian>::minimal_parse(program).context("expected an ELF program")?;
    let machines: &[u16] = match basearch {
        "x86_64" => &[EM_X86_64, EM_386],
        "aarch64" => &[EM_AARCH64],
        "armhfp" => &[EM_ARM],
        "riscv64" => &[EM_RISCV],
        "ppc64le" => &[EM_PPC64],
        "s390x" => &[EM_S390],
        _ => &[],
    };
    let machine = file.ehdr.e_machine;
    ensure!(machines.contains(&machine), "expected a program for {basearch}, got ELF machine {machine}");
    let interpreted =
        file.segments().is_some_and(|segments| segments.iter().any(|one| one.p_type == PT_INTERP));
    ensure!(!interpreted, "expected a static program, got one that needs a dynamic loader");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_libraries_or_of_another_machine_is_refused() {
        // this test is linked to the C library of the machine
        let own = std::fs::read("/proc/self/exe").unwrap();
        let arch = std::env::consts::ARCH;
        let why = |bytes: &[u8], arch: &str| check(bytes, arch).unwrap_err().to_string();
        assert!(why(&own, arch).starts_with("expected a static program"), "{}", why(&own, arch));
        assert!(why(&own, "riscv64").starts_with("expected a program for riscv64"));
        assert!(why(b"#!/bin/sh\n", arch).starts_with("expected an ELF program"));
    }
}

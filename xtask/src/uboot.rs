//! U-Boot for QEMU that counts boots, from Debian's source package, kept in the target folder.
//!
//! The packaged one counts nothing, and its `saveenv` erases the emulated flash before the writing fails. This one has
//! its environment in a file of the FAT partition, where the device program finds it too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::machines::musl;
use crate::run::{output, step};
use crate::{place, tools};

/// What building needs, beside a cross compiler.
const TOOLS: &[tools::Tool] = &[
    ("bison", "bison"),
    ("flex", "flex"),
    ("m4", "m4"),
    ("bc", "bc"),
    ("make", "make"),
    ("xz", "xz-utils"),
    ("/usr/include/openssl/evp.h", "libssl-dev"),
];

/// On top of `qemu_arm64_defconfig` or `qemu_arm_defconfig`.
const FRAGMENT: &str = "\
CONFIG_SYS_FLASH_CFI_WIDTH_32BIT=y
CONFIG_BOOTCOUNT_LIMIT=y
CONFIG_BOOTCOUNT_ENV=y
CONFIG_CMD_BOOTCOUNT=y
# CONFIG_ENV_IS_IN_FLASH is not set
CONFIG_ENV_IS_IN_FAT=y
CONFIG_ENV_FAT_INTERFACE=\"virtio\"
CONFIG_ENV_FAT_DEVICE_AND_PART=\"0:2\"
CONFIG_ENV_FAT_FILE=\"uboot.env\"
CONFIG_ENV_SIZE=0x40000
CONFIG_EXT4_WRITE=y
CONFIG_CMD_EXT4_WRITE=y
CONFIG_BOOTDELAY=0
# CONFIG_TOOLS_MKEFICAPSULE is not set
";

/// Beside that for 32-bit ARM: heap and stack of 16 MiB each leave too little of 64 MiB for a kernel and its initramfs.
const SMALL: &str = "\
CONFIG_SYS_MALLOC_LEN=0x400000
CONFIG_STACK_SIZE=0x100000
";

/// 2023.01 reads the environment before any virtio device was looked for.
const PATCH: &[(&str, &str)] = &[
    ("#include <asm/cache.h>\n", "#include <asm/cache.h>\n\nint virtio_init(void);\n\n"),
    ("\tpart = blk_get_device_part_str(", "\tvirtio_init();\n\tpart = blk_get_device_part_str("),
];

/// What building for Debian's architecture `arch` needs.
pub fn tools(arch: &str) -> Vec<tools::Tool> {
    let compiler = match arch {
        "arm64" => ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
        _ => ("arm-linux-gnueabihf-gcc", "gcc-arm-linux-gnueabihf"),
    };
    tools::BUILD.iter().chain(TOOLS).copied().chain([compiler]).collect()
}

/// Makes it once; answers where it is.
pub fn uboot(arch: &str) -> Result<PathBuf> {
    let (config, compiler, small) = match arch {
        "arm64" => ("qemu_arm64_defconfig", "aarch64-linux-gnu-", ""),
        "arm" => ("qemu_arm_defconfig", "arm-linux-gnueabihf-", SMALL),
        other => bail!("u-boot for {other:?}: expected arm64 or arm"),
    };
    let folder = place::root().join("target/uboot");
    let kept = folder.join(format!("u-boot-{arch}.bin"));
    let fragment = format!("{FRAGMENT}{small}");
    let (recipe, stamp) = (format!("{fragment}{PATCH:?}"), folder.join(format!("recipe-{arch}")));
    if kept.exists() && fs::read_to_string(&stamp).is_ok_and(|old| old == recipe) {
        return Ok(kept);
    }
    step(&format!("U-Boot that counts boots, {arch}"), || {
        tools::ensure(&[&self::tools(arch)])?;
        let (source, build) = (folder.join("source"), folder.join(format!("build-{arch}")));
        unpack(&folder, &source)?;
        patch(&source.join("env/fat.c"))?;
        if build.exists() {
            fs::remove_dir_all(&build).with_context(|| format!("remove {}", build.display()))?;
        }
        fs::create_dir_all(&build)?;
        let make = |target: &str| {
            let mut make = Command::new("make");
            make.arg("-C").arg(&source).arg(format!("O={}", build.display())).arg("-j2").arg("-s");
            output(make.arg(format!("CROSS_COMPILE={compiler}")).arg(target)).map(drop)
        };
        make(config)?;
        let file = build.join(".config");
        fs::write(&file, fs::read_to_string(&file)? + &fragment)?;
        make("olddefconfig")?;
        check(&fragment, &fs::read_to_string(&file)?)?;
        make("u-boot.bin")?;
        fs::copy(build.join("u-boot.bin"), &kept).context("copy u-boot.bin")?;
        fs::remove_dir_all(&build)?;
        fs::write(&stamp, &recipe)?;
        Ok(kept)
    })
}

/// A fresh copy of the source, fetched once.
fn unpack(folder: &Path, source: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let ours = |name: &String| name.starts_with("u-boot_") && name.ends_with(".orig.tar.xz");
    let found = || -> Result<Option<PathBuf>> {
        let names = fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter(ours).max().map(|name| folder.join(name)))
    };
    let archive = match found()? {
        Some(archive) => archive,
        None => {
            musl::download_source("u-boot", folder)?;
            found()?.context("u-boot: no source was downloaded")?
        }
    };
    if source.exists() {
        fs::remove_dir_all(source).with_context(|| format!("remove {}", source.display()))?;
    }
    fs::create_dir_all(source)?;
    let mut tar = Command::new("tar");
    output(tar.arg("-C").arg(source).args(["--strip-components=1", "-xf"]).arg(archive)).map(drop)
}

fn patch(file: &Path) -> Result<()> {
    let mut text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    for (old, new) in PATCH {
        if !text.contains(old) {
            bail!("{}: expected {old:?}, as in U-Boot 2023.01", file.display());
        }
        text = text.replace(old, new);
    }
    fs::write(file, text).with_context(|| format!("write {}", file.display()))
}

/// What olddefconfig does not know it drops without a word.
fn check(fragment: &str, config: &str) -> Result<()> {
    let lost: Vec<&str> = fragment
        .lines()
        .filter(|wanted| wanted.starts_with("CONFIG") && !config.lines().any(|line| line == *wanted))
        .collect();
    if !lost.is_empty() {
        bail!("U-Boot's configuration: expected {}, which this version does not take", lost.join(" "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn settings_that_are_dropped_are_named() {
        let wanted = format!("{}{}", super::FRAGMENT, super::SMALL);
        for (line, other) in [
            ("CONFIG_BOOTCOUNT_ENV=y", "# CONFIG_BOOTCOUNT_ENV is not set"),
            ("CONFIG_STACK_SIZE=0x100000", "CONFIG_STACK_SIZE=0x1000000"),
        ] {
            let config = wanted.replace(&format!("{line}\n"), &format!("{other}\n"));
            let error = super::check(&wanted, &config).unwrap_err().to_string();
            assert!(error.contains(&format!("expected {line}, ")), "{error}");
        }
        assert!(super::check(&wanted, &wanted).is_ok());
    }
}

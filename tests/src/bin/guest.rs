//! Makes a guest system for virtual machines: `guest --target x86_64 --agent FILE --prepare-root FILE --compose FILE
//! --dir target/guest/x86_64`.

use anyhow::{Context, Result, bail};
use rootling_tests::guest::{Options, make};
use rootling_tests::testbed::Arch;

const USAGE: &str =
    "usage: guest --target x86_64|aarch64|armv7 --agent FILE --prepare-root FILE --compose FILE
             --dir DIR [--debs DIR] [--testbed DIR]";

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut options = Options {
        arch: Arch::Amd64,
        target: String::new(),
        agent: "".into(),
        prepare_root: "".into(),
        compose: "".into(),
        dir: "".into(),
        debs: "target/testbed/debs".into(),
        testbed: None,
    };
    while let Some(flag) = args.next() {
        let mut value = || args.next().with_context(|| format!("{flag}: a value is missing\n{USAGE}"));
        match flag.as_str() {
            "--target" => options.target = value()?,
            "--agent" => options.agent = value()?.into(),
            "--prepare-root" => options.prepare_root = value()?.into(),
            "--compose" => options.compose = value()?.into(),
            "--dir" => options.dir = value()?.into(),
            "--debs" => options.debs = value()?.into(),
            "--testbed" => options.testbed = Some(value()?.into()),
            _ => bail!("{flag}: not known\n{USAGE}"),
        }
    }
    options.arch = match options.target.as_str() {
        "x86_64" => Arch::Amd64,
        "aarch64" => Arch::Arm64,
        "armv7" => Arch::Armhf,
        other => bail!("--target {other:?}: not known\n{USAGE}"),
    };
    for (name, checksum) in make(&options)? {
        println!("{name} {checksum}");
    }
    Ok(())
}

//! Guest systems: the device programs of the folder cross, and the maker of `tests/src/guest`.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::machines::recipe::{self, Program, Set};
use crate::machines::targets::{Target, target};
use crate::run::{programs, run, step};
use crate::{place, ship, test, tools};

/// Makes `target/guest/TARGET`, for x86_64, aarch64 or armv7, unless it is made of these very programs already.
pub fn guest(name: &str) -> Result<PathBuf> {
    step("tools", || tools::ensure(&[tools::BUILD, tools::COMPOSE, recipe::TOOLS]))?;
    make(name, target(name)?, Set::Deltas, None)
}

/// Makes `target/guest/debian`: the test bed's Debian for x86_64, and the device program with TLS.
pub fn debian() -> Result<PathBuf> {
    let openssl = [("openssl", "openssl")];
    step("tools", || tools::ensure(&[tools::BUILD, tools::COMPOSE, recipe::TOOLS, ship::TOOLS, &openssl]))?;
    step("RPM test bed", test::testbed)?;
    make("debian", target(ship::TARGET)?, Set::Tls, Some(&place::testbed()))
}

fn make(name: &str, target: &Target, set: Set, testbed: Option<&Path>) -> Result<PathBuf> {
    let program = |package| recipe::build(target, Program { package, set });
    let agent = step(&format!("rootling for {name}"), || program("rootling"))?;
    let prepare = step(&format!("prepare-root for {name}"), || program("rootling-prepare-root"))?;
    step("programs of the build host", programs)?;
    let (dir, compose) =
        (place::root().join("target/guest").join(name), place::program("debug", "rootling-compose"));
    let maker = place::program("debug", "guest");
    let beds = testbed.map(|bed| ["base", "sec"].map(|state| bed.join(format!("amd64/{state}.stamp"))));
    let beds = beds.iter().flatten().map(PathBuf::as_path);
    let made_of = [&agent, &prepare, &compose, &maker].map(PathBuf::as_path);
    let (made_of, stamp) = (sum(made_of.into_iter().chain(beds))?, dir.join("made-of"));
    if fs::read_to_string(&stamp).is_ok_and(|old| old == made_of) {
        eprintln!("\n== guest {name}: made of these programs already");
        return Ok(dir);
    }
    step(&format!("guest {name}"), || {
        let mut make = Command::new(maker);
        make.args(["--target", target.name, "--agent"]).arg(&agent).arg("--prepare-root").arg(&prepare);
        make.arg("--compose").arg(compose).arg("--dir").arg(&dir);
        make.arg("--debs").arg(place::testbed().join("debs")).current_dir(place::root());
        if let Some(testbed) = testbed {
            make.arg("--testbed").arg(testbed);
        }
        if stamp.exists() {
            fs::remove_file(&stamp).with_context(|| format!("remove {}", stamp.display()))?;
        }
        run(&mut make)?;
        fs::write(&stamp, made_of).with_context(|| format!("write {}", stamp.display()))?;
        Ok(dir)
    })
}

/// A number for the bytes of these files: other when one of them is.
fn sum<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<String> {
    let mut sum = DefaultHasher::new();
    for file in files {
        sum.write(&fs::read(file).with_context(|| format!("read {}", file.display()))?);
    }
    Ok(format!("{:016x}\n", sum.finish()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn other_bytes_are_another_sum() {
        let (one, two) = (Path::new("Cargo.toml"), Path::new("src/main.rs"));
        let sum = |path| super::sum([path]).unwrap();
        assert_eq!(sum(one), sum(one));
        assert_ne!(sum(one), sum(two));
        assert!(super::sum([one, Path::new("none")]).unwrap_err().to_string().contains("none"));
    }
}

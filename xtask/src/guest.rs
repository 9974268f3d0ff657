//! Guest systems: the device programs of the folder cross, and the maker of `tests/src/guest`.

use std::process::Command;

use anyhow::Result;

use crate::machines::recipe::{self, Program};
use crate::machines::targets::target;
use crate::run::{cargo, run, step};
use crate::{place, tools};

/// Makes `target/guest/TARGET`, for x86_64, aarch64 or armv7.
pub fn guest(name: &str) -> Result<()> {
    step("tools", || tools::ensure(&[tools::BUILD, tools::COMPOSE, recipe::TOOLS]))?;
    let target = target(name)?;
    let program = |package| recipe::build(target, Program { package, tls: false });
    let agent = step(&format!("rootling for {name}"), || program("rootling"))?;
    let prepare = step(&format!("prepare-root for {name}"), || program("rootling-prepare-root"))?;
    step("programs of the build host", programs)?;
    step(&format!("guest for {name}"), || {
        let mut maker = Command::new(place::program("debug", "guest"));
        maker.args(["--target", name, "--agent"]).arg(&agent).arg("--prepare-root").arg(&prepare);
        maker.arg("--compose").arg(place::program("debug", "rootling-compose"));
        maker.arg("--dir").arg(place::root().join("target/guest").join(name));
        run(maker.arg("--debs").arg(place::testbed().join("debs")).current_dir(place::root()))
    })
}

/// All of the workspace, in the very form that the tests need too: other forms have other features, built anew.
pub fn programs() -> Result<()> {
    run(&mut cargo("build -q --workspace --bins"))
}

//! The power cut at every write of an update, judged by GRUB's reader and mounted; see `tests/it/replay`.

use anyhow::Result;

use crate::run::{cargo, run, step};
use crate::{place, tools};

/// A subset, as `cargo xtask test` runs it, or `full`, or with something taken away that the judge has to find.
pub fn replay(mode: Option<&str>) -> Result<()> {
    step("tools", || tools::ensure(&[tools::BUILD, tools::ORACLES, tools::REPLAY]))?;
    step("the device program", || run(&mut cargo("build -p rootling")))?;
    let mut command = cargo("test -p rootling-tests --test it replay:: -- --nocapture --test-threads=1");
    command.env("ROOTLING_TEST_BED", place::testbed());
    if let Some(mode) = mode {
        command.env("ROOTLING_REPLAY", mode);
    }
    step("power cuts", || run(&mut command))
}

//! Content objects as archive repos store and servers send them.

mod filez;
#[cfg(feature = "make")]
mod make;

pub(crate) use filez::Filez;
#[cfg(feature = "make")]
pub use make::Libdeflate;

use crate::input::Input;
use std::io::{self, Write};

/// Compresses for archive repos; the build host brings one, the device has none.
pub trait Deflate: Send + Sync {
    /// Writes `input` (`size` bytes) to `output` as raw deflate.
    fn deflate(&self, input: &mut dyn Input, size: u64, output: &mut dyn Write) -> io::Result<()>;
}

//! Building for other machines: `#[path = "../../cross/mod.rs"] mod cross;` in xtask.
//!
//! | file | says |
//! |---|---|
//! | `targets` | which machines |
//! | `musl`, `source`, `zig` | their C library: unpacked from Debian's packages, compiled from its source or built by zig |
//! | `recipe` | the flags, and one call that builds a program |
//! | `stock` | the same programs by a stock rustup target |
//! | `small` | what more makes it small: the last compilation, and ring |
//! | `start/sys.rs`, `elf` | where a static PIE starts, and whether a program is one |
//! | `unwind.rs`, `lang.rs` | the stub of libunwind, and what objects without `core` share |
//! | `budget`, `size-budget.toml` | how large a program may be |

pub mod budget;
pub mod elf;
pub mod musl;
pub mod recipe;
pub mod small;
pub mod source;
pub mod stock;
pub mod targets;
pub mod zig;

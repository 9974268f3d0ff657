//! RPM repositories: from `.repo` files to a pool of packages the solver can choose from.
//!
//! ```text
//! *.repo --config--> RepoConfig --load--> repomd.xml --repomd--> primary.xml --primary--> Pool
//!                                                          \--> filelists.xml --filelists--> Pool (only when asked)
//! ```
//!
//! repomd.xml is taken as it comes (its signature is not supported yet); everything else is checked against the
//! checksum and size that repomd.xml or primary.xml gives.

mod config;
mod evr;
mod filelists;
mod load;
mod pool;
mod primary;
mod repomd;
mod rich;
mod strings;
mod xml;

pub use config::{RepoConfig, RepoVars, read_dir};
pub use evr::{compare_versions, split_evr};
pub use load::{Loaded, load, load_filelists};
pub use pool::{Dependency, Evr, Excluded, Package, PackageId, Pool, RelOp, in_primary};
pub use rich::Rich;
pub use strings::{Strings, Sym};

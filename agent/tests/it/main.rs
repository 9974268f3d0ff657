//! The agent against servers that misbehave and against the real `ostree`.

mod boot_bad;
mod boot_bless;
mod boot_confirm;
mod boot_efi;
mod boot_env;
mod boot_finalize;
mod boot_health;
mod boot_kept;
mod boot_lost;
mod boot_pi;
mod boot_trial;
mod boot_units;
mod cli;
mod corrupt;
mod delta;
mod delta_ostree;
mod delta_sources;
mod faulty;
#[path = "../../../store/tests/sysroot/firmware_pi.rs"]
mod firmware_pi;
mod fixture;
mod http;
mod kill;
mod network;
mod nginx;
mod oracle;
mod server;
mod sysroot;
mod tls;
mod trust;
#[cfg(feature = "tls")]
mod tunnel;

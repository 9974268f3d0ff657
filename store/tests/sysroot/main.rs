//! Deployments from the outside, judged by a check that knows nothing of the code.

mod bootcheck;
mod change;
mod crash;
mod crash_loader;
mod deploy;
mod etc;
mod firmware_pi;
mod fixture;
mod loader;
mod loader_efi;
mod loader_fat;
mod loader_pi;
mod loader_uboot;
mod mounts;
mod oracle;

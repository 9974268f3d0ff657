//! The compose program against real repositories, real packages, a real server, and `dnf`, `rpm` and `ostree`.

mod compose;
mod delta;
mod delta_ostree;
mod dnf;
mod dracut;
mod headers;
mod hostile;
mod https;
mod initramfs;
mod metadata;
mod repos;
mod rpmdb;
mod rpms;
mod scriptlets;
mod serve;
mod sets;
mod testbed;
mod tree;
mod unpack;

//! The compose program against real repositories, a real server and `dnf`.

mod dnf;
mod metadata;
mod repos;
mod sets;
mod testbed;
mod hostile;
mod rpmdb;
mod rpms;
mod scriptlets;
mod tree;
mod unpack;

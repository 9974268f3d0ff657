//! The delta crate from outside: whole trees, hostile bytes, predictions that help.

mod arm;
mod arm_program;
mod elf;
mod golden;
mod hostile;
mod many;
mod ostree;
mod postcard;
mod predict;
mod repo;
mod tree;

//! The device program: follows a repository, deploys what it trusts, flips, rolls back.
//!
//! | module | noun |
//! |---|---|
//! | [`cli`] | the command line: typed, then meant |
//! | [`command`] | one file per command |
//! | [`upgrade`] | the job: look, trust, decide, fetch, deploy |
//! | [`trial`] | what a new deployment has to prove |
//! | [`device`] | what is on this device |
//! | [`remote`] | remotes as the configuration describes them |
//! | [`pull`] | from a ref of a remote to a complete commit in the repo |
//! | [`transport`] | how bytes come from a remote |
//! | [`progress`] | what the user sees meanwhile |
//! | [`packages`] | package lists and their difference |
//! | [`clock`] | the time, with a floor |
//! | [`settings`] | `/etc/rootling/agent.conf` |
//! | [`health`] | checks that a new system has to pass |
//! | [`deny`] | commits that failed on this device |
//! | [`error`], [`exit`] | what can go wrong, and what scripts see |
//!
//! It never solves dependencies and knows nothing of RPM but the list a commit carries.

mod child;
pub mod cli;
pub mod clock;
pub mod command;
pub mod deny;
pub mod device;
pub mod error;
pub mod exit;
pub mod health;
mod json;
pub mod packages;
pub mod progress;
pub mod pull;
pub mod remote;
pub mod settings;
pub mod text;
pub mod transport;
pub mod trial;
pub mod upgrade;

//! The command line: what is typed, and what it means.

mod delta;
mod publish;
mod tree;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use rootling_store::{Repo, RepoMode};

use crate::{db, serve};

/// Exit code for "nothing new, so no new commit".
pub const UNCHANGED: u8 = 77;

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// For standard output.
    pub text: String,
    /// Exit code.
    pub code: u8,
}

/// Assembles RPM packages into an OSTree repo.
#[derive(Debug, Parser)]
#[command(name = "rootling-compose", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Composes a tree from a manifest and commits it.
    ///
    /// Exits with 77 if the previous commit of the ref already holds the same inputs.
    Tree(tree::TreeArgs),
    /// Makes an empty repo.
    Init {
        /// The repo's folder.
        #[arg(long)]
        repo: PathBuf,
        /// archive, bare or bare-user.
        #[arg(long, default_value = "archive")]
        mode: String,
    },
    /// Commits a folder as it is.
    Commit(publish::CommitArgs),
    /// Adds an ed25519 signature to a commit.
    Sign {
        /// The repo's folder.
        #[arg(long)]
        repo: PathBuf,
        /// File with the secret key: base64 of seed and public key.
        #[arg(long)]
        key_file: PathBuf,
        /// Ref or checksum.
        revision: String,
    },
    /// Writes the summary, the list of refs that clients read first.
    Summary {
        /// The repo's folder.
        #[arg(long)]
        repo: PathBuf,
        /// Signs the summary with the secret keys in these files.
        #[arg(long)]
        key_file: Vec<PathBuf>,
    },
    /// Makes a new ed25519 key pair.
    Keygen {
        /// File for the secret key; must not exist.
        #[arg(long)]
        secret: PathBuf,
        /// File for the public key; must not exist.
        #[arg(long)]
        public: PathBuf,
    },
    /// Serves a folder over plain HTTP, for trying things.
    Serve {
        /// The folder, a repo for example.
        dir: PathBuf,
        /// Address and port to listen on; port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:8080")]
        bind: SocketAddr,
        /// Writes a line for each request: status, bytes sent, method, path.
        #[arg(long)]
        access_log: Option<PathBuf>,
    },
    /// Shows the packages of commits.
    #[command(subcommand)]
    Db(Db),
    /// Static deltas: small updates for devices.
    #[command(subcommand)]
    Delta(delta::Delta),
}

#[derive(Debug, Subcommand)]
enum Db {
    /// The packages of each commit.
    List {
        #[command(flatten)]
        repo: RepoArg,
        /// Refs or checksums.
        #[arg(required = true)]
        revisions: Vec<String>,
    },
    /// What changes from one commit to another.
    Diff {
        #[command(flatten)]
        repo: RepoArg,
        /// Ref or checksum.
        from: String,
        /// Ref or checksum.
        to: String,
    },
}

#[derive(Debug, Args)]
struct RepoArg {
    /// The repo's folder.
    #[arg(long)]
    repo: PathBuf,
}

/// Does what was typed.
pub fn run(cli: Cli) -> Result<Ended> {
    let text = match cli.command {
        Command::Tree(args) => return tree::run(args),
        Command::Init { repo, mode } => {
            let mode = match mode.as_str() {
                "archive" | "archive-z2" => RepoMode::Archive,
                "bare" => RepoMode::Bare,
                "bare-user" => RepoMode::BareUser,
                other => bail!("--mode: expected archive, bare or bare-user, got {other:?}"),
            };
            Repo::create(&repo, mode)?;
            String::new()
        }
        Command::Commit(args) => publish::commit(args)?,
        Command::Sign { repo, key_file, revision } => publish::sign(&repo, &key_file, &revision)?,
        Command::Summary { repo, key_file } => publish::summary(&repo, &key_file)?,
        Command::Keygen { secret, public } => publish::keygen(&secret, &public)?,
        Command::Serve { dir, bind, access_log } => {
            serve_for_ever(&dir, bind, access_log)?;
            String::new()
        }
        Command::Delta(typed) => delta::run(typed)?,
        Command::Db(Db::List { repo, revisions }) => db::list(&Repo::open(&repo.repo)?, &revisions)?,
        Command::Db(Db::Diff { repo, from, to }) => db::diff(&Repo::open(&repo.repo)?, &from, &to)?,
    };
    Ok(Ended { text, code: 0 })
}

fn serve_for_ever(dir: &std::path::Path, bind: SocketAddr, access_log: Option<PathBuf>) -> Result<()> {
    use std::io::Write;
    let log = match access_log {
        None => None,
        Some(path) => {
            let file = std::fs::File::create(&path).with_context(|| format!("{}", path.display()))?;
            Some(std::sync::Mutex::new(file))
        }
    };
    let server = serve::Server::bind(dir, bind, move |access| {
        if let Some(mut file) = log.as_ref().and_then(|log| log.lock().ok()) {
            // a log that cannot be written is no reason to stop serving
            let _ = writeln!(file, "{} {} {} {}", access.status, access.bytes, access.method, access.target);
        }
    })?;
    println!("serving {} on http://{}/", dir.display(), server.address()?);
    std::io::stdout().flush().context("standard output")?;
    server.run()
}

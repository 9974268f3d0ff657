//! Where the bytes of a delta went: by file, by stream, and against loose objects.

use rootling_delta::make::Made;
use rootling_delta::{Backend, Plan};
use rootling_object::{Checksum, ObjectKind, ObjectName};
use rootling_store::Repo;
use serde_json::{Value, json};

/// The four streams, in their order.
pub const STREAMS: [&str; 4] = ["control", "gaps", "values", "inserts"];

/// What one delta took.
#[derive(Debug, Clone)]
pub struct Report {
    /// Where from.
    pub from: Option<Checksum>,
    /// Where to.
    pub to: Checksum,
    /// Bytes of the whole delta.
    pub total: u64,
    /// Bytes of prelude and packed header.
    pub head: u64,
    /// Number of groups.
    pub groups: usize,
    /// Name of the back end.
    pub backend: &'static str,
    /// Objects that a client without deltas fetches.
    pub loose_objects: u64,
    /// Their bytes as the repo has them.
    pub loose: u64,
    /// By file, the largest first.
    pub files: Vec<FileBytes>,
}

/// What one file took.
#[derive(Debug, Clone)]
pub struct FileBytes {
    /// Its first path in the new tree.
    pub path: String,
    /// Its length.
    pub size: u64,
    /// Number of old files that it is made from.
    pub sources: usize,
    /// Bytes of its object as the repo has it.
    pub loose: u64,
    /// Its share of each packed stream of its group, by the length of its tokens.
    pub streams: [u64; 4],
}

impl FileBytes {
    /// Its share of the groups.
    pub fn bytes(&self) -> u64 {
        self.streams.iter().sum()
    }
}

impl Report {
    /// Adds up what `made` took beside what `plan` brings.
    pub fn new(repo: &Repo, made: &Made, backend: Backend, plan: &Plan) -> Report {
        let stored = |kind, checksum: &Checksum| {
            let path = repo.object_path(&ObjectName::new(kind, *checksum));
            path.symlink_metadata().map_or(0, |metadata| metadata.len())
        };
        let to = Checksum(made.header.to);
        let names = [to].into_iter().map(|commit| (ObjectKind::Commit, commit));
        let names = names.chain(plan.dirtrees.iter().map(|(tree, _)| (ObjectKind::DirTree, *tree)));
        let names = names.chain(plan.dirmetas.iter().map(|(meta, _)| (ObjectKind::DirMeta, *meta)));
        let names = names.chain(plan.objects.iter().map(|object| (ObjectKind::File, object.checksum)));
        let sizes: Vec<u64> = names.map(|(kind, checksum)| stored(kind, &checksum)).collect();
        let groups = made.groups.iter().map(|group| group.len() as u64).sum::<u64>();
        let mut files: Vec<FileBytes> = made
            .files
            .iter()
            .map(|file| {
                let streams = made.header.groups[file.group].streams;
                let share = |at: usize| match streams[at].raw {
                    0 => 0,
                    raw => streams[at].packed * file.tokens[at] as u64 / raw,
                };
                let (path, size, loose) =
                    (file.path.clone(), file.size, stored(ObjectKind::File, &file.checksum));
                FileBytes { path, size, sources: file.sources, loose, streams: [0, 1, 2, 3].map(share) }
            })
            .collect();
        files.sort_by(|one, other| (other.bytes(), &one.path).cmp(&(one.bytes(), &other.path)));
        Report {
            from: made.header.from.map(Checksum),
            to,
            total: made.head.len() as u64 + groups,
            head: made.head.len() as u64,
            groups: made.groups.len(),
            backend: if backend == Backend::Lzma { "lzma" } else { "deflate" },
            loose_objects: sizes.len() as u64,
            loose: sizes.iter().sum(),
            files,
        }
    }

    /// Packed bytes of each stream.
    pub fn streams(&self) -> [u64; 4] {
        [0, 1, 2, 3].map(|at| self.files.iter().map(|file| file.streams[at]).sum())
    }

    /// For a file.
    pub fn to_json(&self) -> Value {
        let by_stream = |streams: [u64; 4]| {
            let named = STREAMS.iter().zip(streams).map(|(name, bytes)| ((*name).to_owned(), json!(bytes)));
            Value::Object(named.collect())
        };
        let files: Vec<Value> = self
            .files
            .iter()
            .map(|file| {
                json!({"path": file.path, "size": file.size, "bytes": file.bytes(), "loose": file.loose,
                   "sources": file.sources, "streams": by_stream(file.streams)})
            })
            .collect();
        json!({
            "from": self.from.map(|from| from.to_string()),
            "to": self.to.to_string(),
            "backend": self.backend,
            "bytes": self.total,
            "header": self.head,
            "groups": self.groups,
            "loose": {"objects": self.loose_objects, "bytes": self.loose},
            "streams": by_stream(self.streams()),
            "files": files,
        })
    }
}

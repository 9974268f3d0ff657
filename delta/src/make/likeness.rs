//! Which old files hold given bytes: by runs of bytes that all files keep by the same rule, so that equal pieces of two files
//! keep the same ones wherever they lie.

/// Bytes of a run.
const RUN: usize = 16;
/// One run of so many is kept, a power of two.
pub(super) const SAMPLE: usize = 64;
/// A run that more files have says nothing of any of them.
const COMMON: usize = 16;

/// The kept runs of a file, as hashes, ascending, each once.
pub(super) fn runs(bytes: &[u8]) -> Vec<u64> {
    let hashes = bytes.windows(RUN).map(|run| {
        let half = |at: usize| u64::from_le_bytes(run[at..at + 8].try_into().expect("8 of 16 bytes"));
        let mixed = half(0).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ half(8).rotate_left(32);
        let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ mixed >> 32
    });
    let mut kept: Vec<u64> = hashes.filter(|hash| hash % SAMPLE as u64 == 0).collect();
    kept.sort_unstable();
    kept.dedup();
    kept
}

/// The kept runs of many files.
pub(super) struct Index {
    /// Each with the number of a file that has it, ascending.
    runs: Vec<(u64, u32)>,
}

impl Index {
    /// Of files in the order of their numbers.
    pub(super) fn new(files: &[Vec<u64>]) -> Index {
        let numbered = files.iter().enumerate();
        let mut runs: Vec<(u64, u32)> =
            numbered.flat_map(|(number, runs)| runs.iter().map(move |run| (*run, number as u32))).collect();
        runs.sort_unstable();
        Index { runs }
    }

    /// About how many of `bytes` each file has that those in `used` have not, the files with the most first; those with none are
    /// left out.
    pub(super) fn alike(&self, bytes: &[u8], used: &[usize]) -> Vec<(usize, usize)> {
        let mut counts = std::collections::BTreeMap::<u32, usize>::new();
        for run in runs(bytes) {
            let start = self.runs.partition_point(|(other, _)| *other < run);
            let same = self.runs[start..].iter().take_while(|(other, _)| *other == run).take(COMMON + 1);
            let files: Vec<u32> = same.map(|(_, file)| *file).collect();
            if files.len() <= COMMON && !files.iter().any(|file| used.contains(&(*file as usize))) {
                files.iter().for_each(|file| *counts.entry(*file).or_default() += SAMPLE);
            }
        }
        let mut alike: Vec<(usize, usize)> =
            counts.into_iter().map(|(file, bytes)| (file as usize, bytes)).collect();
        alike.sort_by_key(|(file, bytes)| (std::cmp::Reverse(*bytes), *file));
        alike
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(mut seed: u64, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) as u8
        })
        .take(count)
        .collect()
    }

    #[test]
    fn pieces_are_known_wherever_they_lie() {
        let files = [noise(1, 20_000), noise(2, 20_000), noise(3, 20_000), vec![0; 50_000], Vec::new()];
        let index = Index::new(&files.each_ref().map(|file| runs(file)));
        let mut wanted = files[1][3001..11_000].to_vec();
        wanted.extend(vec![0; 9000]);
        wanted.extend(&files[0][7..4000]);
        let alike = index.alike(&wanted, &[]);
        let order: Vec<usize> = alike.iter().map(|(file, _)| *file).filter(|file| *file < 3).collect();
        assert_eq!(order, [1, 0], "{alike:?}");
        let bytes = |file| alike.iter().find(|(other, _)| *other == file).map_or(0, |(_, bytes)| *bytes);
        assert!((5000..11_000).contains(&bytes(1)) && (2000..6500).contains(&bytes(0)), "{alike:?}");
        assert!(bytes(3) <= SAMPLE, "zeros count once: {alike:?}");
        let others = index.alike(&wanted, &[1]);
        assert!(others.iter().all(|(file, _)| *file != 1) && others[0] == (0, bytes(0)), "{others:?}");
    }

    #[test]
    fn what_all_files_have_is_no_likeness() {
        let files = vec![runs(&noise(5, 4000)); COMMON + 1];
        assert_eq!(Index::new(&files).alike(&noise(5, 4000), &[]), []);
        assert_eq!(Index::new(&files[1..]).alike(&noise(5, 4000), &[]).len(), COMMON);
    }
}

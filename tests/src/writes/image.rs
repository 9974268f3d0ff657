//! A disk as the blocks that are not zero, so that hundreds of its states fit into memory.

use rootling_object::Checksum;
use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Bytes in a block: what a disk writes as one, here.
pub const BLOCK: usize = 4096;

/// Where each of several disks begins that are kept as one, in bytes: no disk here is as long.
pub const DISK: u64 = 1 << 40;

/// One state of a disk, or of several at multiples of [`DISK`].
#[derive(Debug, Clone)]
pub struct Image {
    size: u64,
    blocks: BTreeMap<u64, Arc<[u8]>>,
    sum: u128,
}

impl Image {
    /// The disk in a file.
    pub fn read(path: &Path) -> Image {
        let mut file = File::open(path).unwrap();
        let mut image = Image { size: file.metadata().unwrap().len(), blocks: BTreeMap::new(), sum: 0 };
        let mut block = [0u8; BLOCK];
        for number in 0..image.size / BLOCK as u64 {
            file.read_exact(&mut block).unwrap();
            image.set(number, &block);
        }
        image
    }

    /// A new file with this disk.
    pub fn save(&self, path: &Path) {
        self.save_one(0, self.size, path);
    }

    /// Several disks as one; the size is that of the first.
    pub fn join(disks: &[Image]) -> Image {
        let mut joined = Image { size: disks[0].size, blocks: BTreeMap::new(), sum: 0 };
        for (at, disk) in (0..).zip(disks) {
            for (number, block) in &disk.blocks {
                joined.set(at * (DISK / BLOCK as u64) + number, block);
            }
        }
        joined
    }

    /// A new file with one of several disks.
    pub fn save_one(&self, disk: u64, size: u64, path: &Path) {
        let file = File::create(path).unwrap();
        file.set_len(size).unwrap();
        let first = disk * (DISK / BLOCK as u64);
        for (number, block) in self.blocks.range(first..first + size / BLOCK as u64) {
            file.write_all_at(block, (number - first) * BLOCK as u64).unwrap();
        }
    }

    /// Writes bytes that begin in any sector.
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        let (mut offset, mut data) = (offset, data);
        while !data.is_empty() {
            let (number, inside) = (offset / BLOCK as u64, (offset % BLOCK as u64) as usize);
            let (now, rest) = data.split_at(data.len().min(BLOCK - inside));
            let mut block = self.blocks.get(&number).map_or_else(|| vec![0; BLOCK], |block| block.to_vec());
            block[inside..inside + now.len()].copy_from_slice(now);
            self.set(number, &block);
            (offset, data) = (offset + now.len() as u64, rest);
        }
    }

    fn set(&mut self, number: u64, block: &[u8]) {
        if let Some(old) = self.blocks.remove(&number) {
            self.sum = self.sum.wrapping_sub(sum(number, &old));
        }
        if block.iter().any(|byte| *byte != 0) {
            self.sum = self.sum.wrapping_add(sum(number, block));
            self.blocks.insert(number, block.into());
        }
    }

    /// The same for two disks with the same bytes, whatever way they were made.
    pub fn checksum(&self) -> u128 {
        self.sum
    }

    /// The same for two disks with the same bytes in a part, which begins and ends with a block.
    pub fn hash_of(&self, start: u64, length: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        let block = BLOCK as u64;
        self.blocks.range(start / block..(start + length) / block).for_each(|block| block.hash(&mut hasher));
        hasher.finish()
    }
}

/// A block's part of the checksum, from SHA-256 of its place and bytes.
fn sum(number: u64, block: &[u8]) -> u128 {
    let bytes = [&number.to_le_bytes()[..], block].concat();
    u128::from_le_bytes(Checksum::of(&bytes).as_bytes()[..16].try_into().unwrap())
}

#[test]
fn equal_disks_have_equal_checksums() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    std::fs::write(&path, vec![0; 4 * BLOCK]).unwrap();
    let empty = Image::read(&path);
    let mut image = empty.clone();
    image.write(BLOCK as u64 - 512, &[7; 1024]);
    assert_ne!(image.checksum(), empty.checksum());
    image.save(&path);
    let read = std::fs::read(&path).unwrap();
    assert_eq!(read.iter().filter(|byte| **byte == 7).count(), 1024);
    assert_eq!((read[BLOCK - 513], read[BLOCK - 512], read[BLOCK + 511]), (0, 7, 7));
    assert_eq!(Image::read(&path).checksum(), image.checksum());
    let part = |image: &Image, at: u64| image.hash_of(at * BLOCK as u64, BLOCK as u64);
    assert_ne!(part(&image, 1), part(&empty, 1));
    assert_eq!(part(&image, 2), part(&empty, 2));
    image.write(BLOCK as u64 - 512, &[0; 1024]);
    assert_eq!(image.checksum(), empty.checksum());
}

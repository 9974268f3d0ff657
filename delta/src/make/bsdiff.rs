//! A patch as libostree's reader wants it: the copies of [`align`](super::align), with differences and new bytes in between.

use super::align::align;

/// Makes `new` from `old`.
pub(super) fn bsdiff(old: &[u8], new: &[u8]) -> Vec<u8> {
    let copies = align(old, new);
    let mut patch = Vec::with_capacity(new.len() + 24 * (copies.len() + 1));
    let (mut made, mut place) = (0usize, 0usize);
    let starts = copies.iter().map(|copy| (copy.at() as usize, copy.from() as usize));
    let first = starts.clone().next().unwrap_or((new.len(), 0));
    if first != (0, 0) {
        control(&mut patch, 0, first.0, first.1 as i64);
        patch.extend_from_slice(&new[..first.0]);
        (made, place) = first;
    }
    let mut nexts = starts.skip(1);
    for copy in &copies {
        let length = copy.length() as usize;
        let next = nexts.next();
        let (end, from) = next.unwrap_or((new.len(), place + length));
        control(&mut patch, length, end - made - length, from as i64 - (place + length) as i64);
        let pairs = new[made..made + length].iter().zip(&old[place..place + length]);
        patch.extend(pairs.map(|(new, old)| new.wrapping_sub(*old)));
        patch.extend_from_slice(&new[made + length..end]);
        (made, place) = (end, from);
    }
    patch
}

fn control(patch: &mut Vec<u8>, add: usize, insert: usize, seek: i64) {
    let seek = seek.unsigned_abs() | if seek < 0 { 1 << 63 } else { 0 };
    [add as u64, insert as u64, seek].iter().for_each(|number| patch.extend(number.to_le_bytes()));
}

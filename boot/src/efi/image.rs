//! A unified kernel image: a kernel and its initramfs in one program for the firmware.
//!
//! ```text
//! 0x00   "MZ"                           0x3c   u32 offset of the PE header
//! PE     "PE\0\0", at 6 u16 sections, at 20 u16 bytes of the optional header, which begins at 24
//! then   40 bytes for each section, its name in the first 8, NULs after it
//! ```
//! All numbers little-endian. Source: PE/COFF specification; the Unified Kernel Image specification for `.initrd`.

/// How many bytes from the start of a file [`has_initrd`] has to see; images of today have their sections in the first 1024.
pub const HEAD: usize = 4096;

/// Whether a kernel brings its initramfs in itself, by the start of its file.
pub fn has_initrd(head: &[u8]) -> bool {
    sections(head).is_some_and(|table| table.chunks(40).any(|section| section.starts_with(b".initrd\0")))
}

fn sections(head: &[u8]) -> Option<&[u8]> {
    let number = |at: usize, length: usize| {
        let bytes = head.get(at..at.checked_add(length)?)?;
        Some(bytes.iter().rev().fold(0usize, |all, byte| all << 8 | usize::from(*byte)))
    };
    let start = number(0x3c, 4)?;
    let pe = head.get(start..)?;
    if !head.starts_with(b"MZ") || !pe.starts_with(b"PE\0\0") {
        return None;
    }
    let (count, optional) = (number(start.checked_add(6)?, 2)?, number(start.checked_add(20)?, 2)?);
    let table = pe.get(optional.checked_add(24)?..)?;
    Some(table.get(..count.checked_mul(40)?).unwrap_or(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(names: &[&str]) -> Vec<u8> {
        let mut image = [&b"MZ"[..], &[0; 0x3a], &[0x40, 0, 0, 0], b"PE\0\0", &[0; 20]].concat();
        (image[0x46], image[0x54]) = (u8::try_from(names.len()).unwrap(), 8);
        image.extend([0; 8]);
        for name in names {
            let mut section = name.as_bytes().to_vec();
            section.resize(40, 0);
            image.extend(section);
        }
        image
    }

    #[test]
    fn finds_the_section_among_others_and_nowhere_else() {
        assert!(has_initrd(&image(&[".text", ".linux", ".initrd"])));
        for names in [&[][..], &[".text"], &[".initrd2"], &["x.initrd"]] {
            assert!(!has_initrd(&image(names)), "{names:?}");
        }
        let (whole, mut fewer) = (image(&[".text", ".initrd"]), image(&[".text", ".initrd"]));
        fewer[0x46] = 1;
        assert!(!has_initrd(&fewer), "behind the table");
        (0..whole.len() - 32).for_each(|length| assert!(!has_initrd(&whole[..length]), "{length}"));
        let mut far = whole.clone();
        far[0x3c..0x40].fill(0xff);
        assert!(!has_initrd(&far) && !has_initrd(&[whole, vec![0; 9]].concat()[1..]));
    }
}

//! GPT-2's map between bytes and printable characters, which vocabularies and merges of byte-level BPE are written in.
//!
//! ```text
//! bytes 33..=126, 161..=172, 174..=255   the character with that code point
//! the other 68, ascending                U+0100, U+0101, ... U+0143
//! ```
//! Source: GPT-2's `bytes_to_unicode`.

/// The code points of the bytes that are not themselves, by rank.
const FIRST_MOVED: u32 = 0x100;

/// The byte that a character of the map stands for.
pub(super) fn byte_of(c: char) -> Option<u8> {
    let code = u32::from(c);
    match code {
        33..=126 | 161..=172 | 174..=255 => u8::try_from(code).ok(),
        _ => {
            let rank = code.checked_sub(FIRST_MOVED)?;
            let byte = match rank {
                0..=32 => rank,
                33..=66 => rank + 127 - 33,
                67 => 173,
                _ => return None,
            };
            u8::try_from(byte).ok()
        }
    }
}

/// Appends the bytes that a piece of the map stands for; `false`, with nothing appended, when it is not of the map.
pub(super) fn unmap(piece: &[u8], out: &mut alloc::vec::Vec<u8>) -> bool {
    let start = out.len();
    let Ok(text) = core::str::from_utf8(piece) else { return false };
    for c in text.chars() {
        match byte_of(c) {
            Some(byte) => out.push(byte),
            None => {
                out.truncate(start);
                return false;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_byte_has_one_character() {
        let mut seen = [false; 256];
        for c in ('\0'..='\u{200}').filter_map(byte_of) {
            assert!(!seen[usize::from(c)], "{c} twice");
            seen[usize::from(c)] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
    }

    #[test]
    fn the_known_ones() {
        // Space is the famous one: every word of GPT-2 begins with U+0120.
        assert_eq!(byte_of('\u{120}'), Some(b' '));
        assert_eq!(byte_of('\u{10a}'), Some(b'\n'));
        assert_eq!(byte_of('\u{143}'), Some(173));
        assert_eq!(byte_of('\u{144}'), None);
        assert_eq!(byte_of('\u{ad}'), None);
        assert_eq!(byte_of(' '), None);
    }
}

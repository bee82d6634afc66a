//! Bits of entropy-coded data, and the Huffman tables that give them meaning.
//!
//! Bits are kept left-aligned in a word of 64. Where the data ends (a marker, or the file) zeros follow, and
//! [`Bits::ends_early`] says whether any of them was used. Source: ITU-T T.81, annexes C and F.2.2.

use alloc::boxed::Box;

use super::Fault;

/// Bits that one look into a table settles.
const LOOK: u32 = 10;

/// Reads entropy-coded data of one scan.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    word: u64,
    /// Bits of `word` that count.
    count: u32,
    /// How many of them, the last ones, lie beyond the end.
    beyond: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, word: 0, count: 0, beyond: 0 }
    }

    /// Where the marker that ends the data is, or bytes that nothing has read before it.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Forgets what is left of the bits and goes on elsewhere.
    pub(super) fn restart(&mut self, at: usize) {
        *self = Self::new(self.bytes, at);
    }

    /// Whether more bits were taken than there are.
    pub(super) fn ends_early(&self) -> bool {
        self.count < self.beyond
    }

    /// Makes at least 32 bits ready: two codes, or a code and its value.
    #[inline(always)]
    pub(super) fn fill(&mut self) {
        if self.count < 32 {
            self.refill();
        }
    }

    #[inline]
    fn refill(&mut self) {
        if let Some(next) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let next = u64::from_be_bytes(*next);
            // No byte of it is FF: none of the inverse is zero.
            let inverse = !next;
            if inverse.wrapping_sub(0x0101_0101_0101_0101) & !inverse & 0x8080_8080_8080_8080 == 0 {
                self.word |= next >> self.count;
                let whole = (63 - self.count) / 8;
                self.at += whole as usize;
                self.count += whole * 8;
                return;
            }
        }
        self.refill_by_bytes();
    }

    #[cold]
    #[inline(never)]
    fn refill_by_bytes(&mut self) {
        // What the fast way left below the bits that count comes again.
        self.word &= !(u64::MAX.checked_shr(self.count).unwrap_or(0));
        while self.count <= 56 {
            let byte = match self.bytes.get(self.at) {
                Some(0xFF) => {
                    let fill = self.bytes.get(self.at..).unwrap_or_default();
                    let fill = fill.iter().take_while(|&&byte| byte == 0xFF).count();
                    if self.bytes.get(self.at + fill) == Some(&0) {
                        self.at += fill + 1;
                        0xFF
                    } else {
                        self.beyond += 8;
                        0
                    }
                }
                Some(&byte) => {
                    self.at += 1;
                    byte
                }
                None => {
                    self.beyond += 8;
                    0
                }
            };
            self.word |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    #[inline(always)]
    fn peek(&self, bits: u32) -> u32 {
        (self.word >> (64 - bits)) as u32
    }

    #[inline(always)]
    fn skip(&mut self, bits: u32) {
        self.word <<= bits;
        self.count = self.count.wrapping_sub(bits);
    }

    /// So many bits, 1 to 16, as a number.
    #[inline(always)]
    pub(super) fn take(&mut self, bits: u32) -> i32 {
        let value = self.peek(bits) as i32;
        self.skip(bits);
        value
    }

    /// One bit; for use without a [`Bits::fill`] before.
    #[inline(always)]
    pub(super) fn bit(&mut self) -> bool {
        self.fill();
        self.take(1) == 1
    }

    /// A value of so many bits, 1 to 16; the lower half of the numbers stands for negative ones.
    #[inline(always)]
    pub(super) fn value(&mut self, bits: u32) -> i32 {
        let value = self.take(bits);
        if value >> (bits - 1) == 0 { value - (1 << bits) + 1 } else { value }
    }
}

/// A Huffman table.
pub(super) struct Table {
    /// By the next [`LOOK`] bits: length of the code << 8 | symbol, 0 where the code is longer.
    symbols: [u16; 1 << LOOK],
    /// By the same: value << 8 | zeros before it << 4 | bits of both, 0 where they do not fit.
    values: [i16; 1 << LOOK],
    /// The largest code of each length, −1 where there is none.
    most: [i32; 17],
    /// From a code of each length to its symbol's place.
    shift: [i32; 17],
    list: [u8; 256],
}

impl Table {
    /// From the number of codes of each length and the symbols.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Box<Self>, Fault> {
        let bad = Fault::Bad("a Huffman table has more codes than fit");
        let mut table = Box::new(Self {
            symbols: [0; 1 << LOOK],
            values: [0; 1 << LOOK],
            most: [-1; 17],
            shift: [0; 17],
            list: [0; 256],
        });
        table.list.get_mut(..symbols.len()).ok_or(bad)?.copy_from_slice(symbols);
        let (mut code, mut next) = (0_u32, 0_usize);
        for (length, &count) in (1_u32..).zip(counts) {
            table.shift[length as usize] = next as i32 - code as i32;
            for _ in 0..count {
                let symbol = *symbols.get(next).ok_or(bad)?;
                if code >> length != 0 {
                    return Err(bad);
                }
                if length <= LOOK {
                    let first = (code << (LOOK - length)) as usize;
                    let entry = (length as u16) << 8 | u16::from(symbol);
                    table.symbols[first..first + (1 << (LOOK - length))].fill(entry);
                }
                table.most[length as usize] = code as i32;
                code += 1;
                next += 1;
            }
            code <<= 1;
        }
        table.look_ahead();
        Ok(table)
    }

    /// Codes of coefficients whose values fit beside them.
    fn look_ahead(&mut self) {
        for (index, (&entry, value)) in self.symbols.iter().zip(&mut self.values).enumerate() {
            let (length, run, size) = (u32::from(entry >> 8), entry >> 4 & 15, u32::from(entry & 15));
            if entry == 0 || size == 0 || length + size > LOOK {
                continue;
            }
            let bits = (index >> (LOOK - length - size)) as i32 & ((1 << size) - 1);
            let number = if bits >> (size - 1) == 0 { bits - (1 << size) + 1 } else { bits };
            if (-128..128).contains(&number) {
                *value = (number << 8) as i16 | (run << 4) as i16 | (length + size) as i16;
            }
        }
    }

    /// The next symbol; bits must be ready.
    #[inline(always)]
    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Result<u32, Fault> {
        let entry = self.symbols[bits.peek(LOOK) as usize];
        if entry != 0 {
            bits.skip(u32::from(entry >> 8));
            return Ok(u32::from(entry & 255));
        }
        self.long_symbol(bits)
    }

    #[cold]
    #[inline(never)]
    fn long_symbol(&self, bits: &mut Bits<'_>) -> Result<u32, Fault> {
        for length in LOOK + 1..=16 {
            let code = bits.peek(length) as i32;
            if code <= self.most[length as usize] {
                bits.skip(length);
                let place = code + self.shift[length as usize];
                return Ok(u32::from(self.list.get(place as usize).copied().unwrap_or_default()));
            }
        }
        Err(if bits.beyond > 0 {
            Fault::Short
        } else {
            Fault::Bad("a Huffman code that its table does not have")
        })
    }

    /// The next coefficient's zeros and value, where one look settles both.
    #[inline(always)]
    pub(super) fn value(&self, bits: &mut Bits<'_>) -> Option<(usize, i16)> {
        let entry = self.values[bits.peek(LOOK) as usize];
        if entry == 0 {
            return None;
        }
        bits.skip(entry as u32 & 15);
        Some(((entry >> 4) as usize & 15, entry >> 8))
    }
}

/// The tables of T.81, K.3.3, which a stream of pictures may leave out: of DC and AC, luminance and chrominance.
pub(super) fn standard(is_ac: bool, is_chroma: bool) -> Result<Box<Table>, Fault> {
    match (is_ac, is_chroma) {
        (false, false) => Table::new(
            &[0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
        ),
        (false, true) => Table::new(
            &[0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
        ),
        (true, false) => Table::new(&[0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D], &AC_LUMA),
        (true, true) => Table::new(&[0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77], &AC_CHROMA),
    }
}

#[rustfmt::skip]
const AC_LUMA: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71,
    0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0, 0x24, 0x33, 0x62, 0x72,
    0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x34, 0x35, 0x36, 0x37,
    0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
    0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83,
    0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3,
    0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3,
    0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2,
    0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA,
];

#[rustfmt::skip]
const AC_CHROMA: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22,
    0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1, 0xC1, 0x09, 0x23, 0x33, 0x52, 0xF0, 0x15, 0x62, 0x72, 0xD1,
    0x0A, 0x16, 0x24, 0x34, 0xE1, 0x25, 0xF1, 0x17, 0x18, 0x19, 0x1A, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x35, 0x36,
    0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58,
    0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A,
    0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A,
    0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA,
    0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA,
    0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA,
];

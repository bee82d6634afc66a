//! Files written byte by byte.

pub(crate) const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// CRC-32 of ISO 3309, as PNG uses it.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// A PNG chunk with its right sum.
pub(crate) fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [&kind[..], data].concat();
    let length = (data.len() as u32).to_be_bytes();
    [&length[..], &body, &crc(&body).to_be_bytes()].concat()
}

pub(crate) fn ihdr(width: u32, height: u32, bits: u8, kind: u8, interlace: u8) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    chunk(b"IHDR", &[&size[..], &[bits, kind, 0, 0, interlace]].concat())
}

/// A zlib stream (RFC 1950) of uncompressed bytes.
pub(crate) fn stored(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16).to_le_bytes();
    let inverse = (!(data.len() as u16)).to_le_bytes();
    let (mut a, mut b) = (1_u32, 0_u32);
    for &byte in data {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    [&[0x78, 0x01, 0x01], &length[..], &inverse, data, &(b << 16 | a).to_be_bytes()].concat()
}

/// A zlib stream of `count` zeros at 1/1032 of their size: one literal, then copies of 258 bytes, in the
/// fixed codes of RFC 1951.
pub(crate) fn zeros(count: usize) -> Vec<u8> {
    let mut bits = Bits { out: vec![0x78, 0x01], held: 0, count: 0 };
    bits.put(0b011, 3);
    let copies = (count - 1) / 258;
    for _ in 0..count - copies * 258 {
        // Literal 0 is 00110000, most significant bit first.
        bits.put(0b0000_1100, 8);
    }
    for _ in 0..copies {
        // Length 258 is 11000101, distance 1 is 00000.
        bits.put(0b1010_0011, 8);
        bits.put(0, 5);
    }
    bits.put(0, 7);
    let mut out = bits.finish();
    // The sum of zeros: a stays 1, b counts them.
    out.extend((((count % 65_521) as u32) << 16 | 1).to_be_bytes());
    out
}

struct Bits {
    out: Vec<u8>,
    held: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, bits: u32) {
        self.held |= value << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.out.push(self.held as u8);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.put(0, (8 - self.count % 8) % 8);
        self.out
    }
}

/// A black image of one bit per pixel.
pub(crate) fn flat_png(width: u32, height: u32) -> Vec<u8> {
    let bytes = (1 + width.div_ceil(8) as usize) * height as usize;
    let chunks = [ihdr(width, height, 1, 0, 0), chunk(b"IDAT", &zeros(bytes)), chunk(b"IEND", &[])];
    [&SIGNATURE[..], &chunks.concat()].concat()
}

/// A WebP container around chunks.
pub(crate) fn riff(chunks: &[u8]) -> Vec<u8> {
    let length = (chunks.len() as u32 + 4).to_le_bytes();
    [b"RIFF", &length[..], b"WEBP", chunks].concat()
}

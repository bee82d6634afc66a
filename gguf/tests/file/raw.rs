//! Files written byte by byte, right or wrong.
#![allow(dead_code, reason = "each test binary uses a part")]

/// Header, metadata and tensor descriptions as `body` has them; no padding, no data.
pub(crate) fn file(n_tensors: u64, n_entries: u64, body: &[Vec<u8>]) -> Vec<u8> {
    let counts = [n_tensors.to_le_bytes(), n_entries.to_le_bytes()].concat();
    [b"GGUF", &3u32.to_le_bytes()[..], &counts, &body.concat()].concat()
}

pub(crate) fn string(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text].concat()
}

pub(crate) fn entry(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [&string(key.as_bytes())[..], &kind.to_le_bytes(), value].concat()
}

pub(crate) fn array(kind: u32, count: u64, elements: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes(), elements].concat()
}

pub(crate) fn tensor(name: &str, dims: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let extents = dims.iter().flat_map(|extent| extent.to_le_bytes()).collect::<Vec<u8>>();
    let n_dims = (dims.len() as u32).to_le_bytes();
    [&string(name.as_bytes())[..], &n_dims, &extents, &kind.to_le_bytes(), &offset.to_le_bytes()].concat()
}

/// Pads the header and appends `len` bytes of data.
pub(crate) fn with_data(mut header: Vec<u8>, alignment: usize, len: usize) -> Vec<u8> {
    header.resize(header.len().next_multiple_of(alignment) + len, 0);
    header
}

/// A correct file: every type of value, two tensors, alignment 64.
pub(crate) fn sample(version: u32) -> Vec<u8> {
    let strings = [string(b"a"), string(b""), string("\u{2581}the".as_bytes())].concat();
    let entries = [
        entry("general.architecture", 8, &string(b"llama")),
        entry("general.alignment", 4, &64u32.to_le_bytes()),
        entry("u8", 0, &[200]),
        entry("i8", 1, &[0xFF]),
        entry("u16", 2, &65535u16.to_le_bytes()),
        entry("i16", 3, &(-2i16).to_le_bytes()),
        entry("u32", 4, &u32::MAX.to_le_bytes()),
        entry("i32", 5, &(-3i32).to_le_bytes()),
        entry("f32", 6, &0.5f32.to_le_bytes()),
        entry("bool", 7, &[1]),
        entry("u64", 10, &u64::MAX.to_le_bytes()),
        entry("i64", 11, &(-4i64).to_le_bytes()),
        entry("f64", 12, &0.25f64.to_le_bytes()),
        entry("strings", 9, &array(8, 3, &strings)),
        entry("i32s", 9, &array(5, 3, &[7i32, -8, 9].map(i32::to_le_bytes).concat())),
        entry("u16s", 9, &array(2, 2, &[1u16, 65535].map(u16::to_le_bytes).concat())),
        entry("bools", 9, &array(7, 2, &[1, 0])),
        entry("empty", 9, &array(6, 0, &[])),
        entry("not utf8", 8, &string(b"ab\xff")),
    ]
    .concat();
    let tensors = [tensor("z", &[3, 2], 0, 0), tensor("a.weight", &[64, 1, 2], 8, 64)].concat();
    let mut out = file(2, 19, &[entries, tensors]);
    out[4..8].copy_from_slice(&version.to_le_bytes());
    out.resize(out.len().next_multiple_of(64), 0);
    out.extend((0..24).collect::<Vec<u8>>());
    out.resize(out.len() + 40, 0);
    out.extend((0..136).collect::<Vec<u8>>());
    out
}

//! Images that lie, break off or explode: each is an error or an image, never a panic, within a few seconds
//! and within the memory that [`probe`] announced. The corpus is built here, so that what is wrong with each
//! file can be read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(unsafe_code)] // A global allocator that counts has to be an unsafe impl.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use ocelli::image::{DecodeOptions, Format, Image, ImageError, Orientation, decode, probe};

mod build;
use build::*;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator unchanged; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Counted as if in place, which is how a shrinking and, for large blocks, a growing one happens.
        PEAK.fetch_max(NOW.fetch_add(size, Relaxed) + size - layout.size(), Relaxed);
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Tests share the counters, so one runs at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

const OPTIONS: DecodeOptions = DecodeOptions { max_pixels: 1 << 20, orientation: Orientation::Exif };

/// The largest message or table that an error may take with it.
const SLACK: usize = 64 << 10;

/// Decodes, and holds time and memory against what was promised.
fn measured(name: &str, bytes: &[u8], options: &DecodeOptions) -> Result<Image, ImageError> {
    let header = probe(bytes, options);
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let start = Instant::now();
    let result = decode(bytes, options);
    let peak = PEAK.load(Relaxed) - before;
    assert!(start.elapsed() < Duration::from_secs(20), "{name}: {:?}", start.elapsed());
    match (&header, &result) {
        (Ok(header), Ok(image)) => {
            assert_eq!((header.width, header.height), (image.width, image.height), "{name}")
        }
        (Err(error), Ok(_)) => panic!("{name}: decoded, although its header was refused: {error}"),
        (Err(_), Err(_)) | (Ok(_), Err(_)) => {}
    }
    // A refused header must not have cost memory beyond a copy of the file and fixed tables.
    let bound = header.map_or(bytes.len() + (5 << 20), |header| header.peak_bytes as usize + SLACK);
    assert!(peak <= bound, "{name}: {peak} bytes at the peak, {bound} announced");
    if let Ok(image) = &result {
        assert_eq!(image.data.len() as u64, u64::from(image.width) * u64::from(image.height) * 3, "{name}");
    }
    result
}

/// What a hostile file must come to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Unknown,
    Truncated,
    Malformed,
    Unsupported,
    TooLarge,
    ZeroSide,
    /// Readers may differ, as long as they end.
    Any,
}

fn fate(result: &Result<Image, ImageError>) -> Fate {
    match result {
        Err(ImageError::UnknownFormat { .. }) => Fate::Unknown,
        Err(ImageError::Truncated { .. }) => Fate::Truncated,
        Err(ImageError::Malformed { .. }) => Fate::Malformed,
        Err(ImageError::Unsupported { .. }) => Fate::Unsupported,
        Err(ImageError::TooLarge { .. }) => Fate::TooLarge,
        Err(ImageError::ZeroSide { .. }) => Fate::ZeroSide,
        Ok(_) | Err(_) => Fate::Any,
    }
}

fn golden(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/golden/images/files/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

#[test]
fn goldens_stay_within_the_announced_memory() {
    let _alone = alone();
    for entry in
        std::fs::read_dir(format!("{}/tests/golden/images/files", env!("CARGO_MANIFEST_DIR"))).unwrap()
    {
        let path = entry.unwrap().path();
        measured(&path.display().to_string(), &std::fs::read(&path).unwrap(), &OPTIONS).unwrap();
    }
}

#[test]
fn every_kind_of_file_stays_within_the_announced_memory() {
    let _alone = alone();
    let packed = std::fs::read(format!("{}/tests/golden/images/variants.zz", env!("CARGO_MANIFEST_DIR")));
    let files = miniz_oxide::inflate::decompress_to_vec_zlib(&packed.unwrap()).unwrap();
    let (mut rest, mut count) = (&files[..], 0);
    while let Some((length, body)) = rest.split_first_chunk::<4>() {
        let (bytes, after) = body.split_at(u32::from_le_bytes(*length) as usize);
        let _ = measured(&format!("variant {count}"), bytes, &OPTIONS);
        (rest, count) = (after, count + 1);
    }
    assert!(count > 1100, "{count}");
}

#[test]
fn every_malformed_image_has_its_fate() {
    let _alone = alone();
    let corpus = corpus();
    assert!(corpus.len() >= 60, "{}", corpus.len());
    let mut wrong = Vec::new();
    for (name, bytes, expected) in &corpus {
        let result = measured(name, bytes, &OPTIONS);
        if *expected != Fate::Any && fate(&result) != *expected {
            wrong.push(format!("{name}: {:?}", result.as_ref().map(|image| (image.width, image.height))));
        }
        if let Err(error) = result {
            assert!(!error.to_string().is_empty(), "{name}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_cut_anywhere_are_refused_or_whole() {
    let _alone = alone();
    for name in
        ["rgb8.png", "plain.gif", "rgb24.bmp", "lossless.webp", "lossy_alpha.webp", "orientation6.jpg"]
    {
        let whole = golden(name);
        let format = probe(&whole, &OPTIONS).unwrap().format;
        for length in 0..whole.len() {
            let result = measured(name, &whole[..length], &OPTIONS);
            match format {
                // The end marker belongs to the image.
                Format::Jpeg => assert!(result.is_err(), "{name} cut to {length}"),
                // Checksums, end markers and padding may be missing; pixels may not.
                _ => assert!(length + 24 > whole.len() || result.is_err(), "{name} cut to {length}"),
            }
        }
    }
}

#[test]
fn files_with_flipped_bytes_end() {
    let _alone = alone();
    for name in
        ["palette.png", "interlaced.gif", "rle8.bmp", "lossless_alpha.webp", "lossy.webp", "progressive.jpg"]
    {
        let whole = golden(name);
        for at in 0..whole.len() {
            for flip in [0xFF, 0x80, 0x01] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                let _ = measured(name, &bytes, &OPTIONS);
            }
        }
    }
}

#[test]
fn ten_thousand_squared_is_decoded_where_allowed() {
    let _alone = alone();
    let bytes = flat_png(10_000, 10_000);
    assert!(bytes.len() < 200_000);
    let allowed = DecodeOptions { max_pixels: 100_000_000, ..OPTIONS };
    let image = measured("10000×10000", &bytes, &allowed).unwrap();
    assert_eq!((image.width, image.height), (10_000, 10_000));
    assert!(image.data.iter().all(|&byte| byte == 0));
    drop(image);
    let refused = DecodeOptions { max_pixels: 99_999_999, ..OPTIONS };
    let error = ImageError::TooLarge { width: 10_000, height: 10_000, most: 99_999_999 };
    assert_eq!(measured("10000×10000", &bytes, &refused), Err(error));
}

fn corpus() -> Vec<(&'static str, Vec<u8>, Fate)> {
    let mut corpus = anything();
    corpus.extend(pngs());
    corpus.extend(jpegs());
    corpus.extend(gifs());
    corpus.extend(bmps());
    corpus.extend(webps());
    corpus
}

fn anything() -> Vec<(&'static str, Vec<u8>, Fate)> {
    use Fate::*;
    vec![
        ("empty", vec![], Unknown),
        ("one byte", vec![0xFF], Unknown),
        ("text", b"hello, this is no image at all".to_vec(), Unknown),
        ("zeros", vec![0; 4096], Unknown),
        ("a RIFF that is sound", b"RIFF\x24\0\0\0WAVEfmt ".to_vec(), Unknown),
        ("PNG signature with line ends converted", b"\x89PNG\n\x1a\n\0\0\0\0\0".to_vec(), Unknown),
        ("PNG signature alone", SIGNATURE.to_vec(), Truncated),
        ("JPEG start alone", vec![0xFF, 0xD8, 0xFF], Truncated),
        ("GIF name alone", b"GIF89a".to_vec(), Truncated),
        ("BMP name alone", b"BM".to_vec(), Truncated),
        ("WebP name alone", b"RIFF\x04\0\0\0WEBP".to_vec(), Any),
    ]
}

fn pngs() -> Vec<(&'static str, Vec<u8>, Fate)> {
    use Fate::*;
    let one = zeros(2);
    let header = |width, height, bits, kind| ihdr(width, height, bits, kind, 0);
    let with = |chunks: &[Vec<u8>]| [&SIGNATURE[..], &chunks.concat()].concat();
    let end = || chunk(b"IEND", &[]);
    let grey = |width, height| with(&[header(width, height, 8, 0), chunk(b"IDAT", &one), end()]);
    let mut bad_header_sum = grey(1, 1);
    bad_header_sum[29] ^= 1;
    let mut bad_data_sum = grey(1, 1);
    let at = bad_data_sum.len() - 13;
    bad_data_sum[at] ^= 1;
    let mut long_chunk = grey(1, 1);
    long_chunk[33..37].copy_from_slice(&[0xFF; 4]);
    let palette = |indices: &[u8]| {
        with(&[header(2, 1, 8, 3), chunk(b"PLTE", &[1, 2, 3]), chunk(b"IDAT", &stored(indices)), end()])
    };
    let profile = [b"x\0\0".to_vec(), zeros(64 << 20)].concat();
    vec![
        ("PNG 65535×65535 of two bytes", grey(65_535, 65_535), TooLarge),
        ("PNG 2^31−1 wide", grey(0x7FFF_FFFF, 1), TooLarge),
        ("PNG 2^31−1 squared", grey(0x7FFF_FFFF, 0x7FFF_FFFF), TooLarge),
        ("PNG 2^32−1 wide", grey(u32::MAX, 1), TooLarge),
        ("PNG without width", grey(0, 1), ZeroSide),
        ("PNG without height", grey(1, 0), ZeroSide),
        ("PNG larger than its data", grey(1000, 1000), Any),
        ("PNG with a wrong header sum", bad_header_sum, Malformed),
        ("PNG with a wrong data sum", bad_data_sum, Malformed),
        ("PNG chunk of 4 GiB", long_chunk, Any),
        ("PNG without data", with(&[header(1, 1, 8, 0), end()]), Any),
        ("PNG without an end", with(&[header(4, 4, 8, 0), chunk(b"IDAT", &one[..3])]), Truncated),
        (
            "PNG whose data is no zlib stream",
            with(&[header(1, 1, 8, 0), chunk(b"IDAT", b"nonsense"), end()]),
            Malformed,
        ),
        ("PNG that begins with its data", with(&[chunk(b"IDAT", &one), end()]), Malformed),
        (
            "PNG with two headers",
            with(&[header(1, 1, 8, 0), header(9, 9, 8, 0), chunk(b"IDAT", &one), end()]),
            Any,
        ),
        ("PNG of 3 bits", with(&[header(1, 1, 3, 0), chunk(b"IDAT", &one), end()]), Malformed),
        ("PNG of colour type 5", with(&[header(1, 1, 8, 5), chunk(b"IDAT", &one), end()]), Malformed),
        ("PNG palette of 16 bits", with(&[header(1, 1, 16, 3), chunk(b"IDAT", &one), end()]), Malformed),
        ("PNG of interlace 9", with(&[ihdr(1, 1, 8, 0, 9), chunk(b"IDAT", &one), end()]), Malformed),
        ("PNG filter 9", with(&[header(1, 1, 8, 0), chunk(b"IDAT", &stored(&[9, 0])), end()]), Malformed),
        ("PNG palette missing", with(&[header(1, 1, 8, 3), chunk(b"IDAT", &one), end()]), Malformed),
        ("PNG palette index out of range", palette(&[0, 0, 200]), Any),
        (
            "PNG palette of 2 bytes",
            with(&[header(1, 1, 8, 3), chunk(b"PLTE", &[1, 2]), chunk(b"IDAT", &one), end()]),
            Any,
        ),
        (
            "PNG bomb: one pixel, 64 MiB of data",
            with(&[header(1, 1, 8, 0), chunk(b"IDAT", &zeros(64 << 20)), end()]),
            Any,
        ),
        (
            "PNG bomb: a profile of 64 MiB",
            with(&[header(1, 1, 8, 0), chunk(b"iCCP", &profile), chunk(b"IDAT", &one), end()]),
            Any,
        ),
        (
            "PNG bomb: a text of 64 MiB",
            with(&[header(1, 1, 8, 0), chunk(b"zTXt", &profile), chunk(b"IDAT", &one), end()]),
            Any,
        ),
        (
            "PNG with an orientation that points nowhere",
            with(&[
                header(1, 1, 8, 0),
                chunk(b"eXIf", b"II*\0\xFF\xFF\xFF\xFF"),
                chunk(b"IDAT", &one),
                end(),
            ]),
            Any,
        ),
    ]
}

fn jpegs() -> Vec<(&'static str, Vec<u8>, Fate)> {
    use Fate::*;
    let good = golden("grey.jpg");
    let patched = |marker: u8, offset: usize, bytes: &[u8]| {
        let mut file = good.clone();
        let at = file.windows(2).position(|pair| pair == [0xFF, marker]).unwrap() + offset;
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let size =
        |width: u16, height: u16| patched(0xC0, 5, &[height.to_be_bytes(), width.to_be_bytes()].concat());
    let without = |marker: u8| patched(marker, 1, &[0xEF]);
    let only = |segments: &[&[u8]]| [&[0xFF, 0xD8], &segments.concat()[..], &[0xFF, 0xD9]].concat();
    let lying_exif = only(&[b"\xFF\xE1\0\x12Exif\0\0II*\0\xFF\xFF\xFF\x7F", &good[2..]]);
    vec![
        ("JPEG 65535×65535 of 96×64", size(65_535, 65_535), TooLarge),
        ("JPEG larger than its data", size(1000, 1000), Any),
        ("JPEG without width", size(0, 64), ZeroSide),
        ("JPEG without height", size(96, 0), ZeroSide),
        ("JPEG of nothing", vec![0xFF, 0xD8, 0xFF, 0xD9], Malformed),
        ("JPEG without a frame", without(0xC0), Malformed),
        ("JPEG without Huffman tables", without(0xC4), Any),
        ("JPEG without quantization tables", without(0xDB), Malformed),
        ("JPEG of 12 bits", patched(0xC0, 4, &[12]), Any),
        ("JPEG of 5 components", patched(0xC0, 9, &[5]), Malformed),
        ("JPEG of 0 components", patched(0xC0, 9, &[0]), Malformed),
        ("JPEG sampled 15 times", patched(0xC0, 11, &[0xFF]), Any),
        ("JPEG sampled 0 times", patched(0xC0, 11, &[0]), Any),
        ("JPEG quantization table 9", patched(0xC0, 12, &[9]), Any),
        ("JPEG segment of length 0", patched(0xC4, 2, &[0, 0]), Any),
        ("JPEG frame header of 3 bytes", patched(0xC0, 2, &[0, 5]), Any),
        ("JPEG, lossless", patched(0xC0, 1, &[0xC3]), Any),
        ("JPEG, arithmetic coding", patched(0xC0, 1, &[0xC9]), Any),
        ("JPEG that claims to be progressive", patched(0xC0, 1, &[0xC2]), Any),
        ("JPEG scan before the frame", only(&[b"\xFF\xDA\0\x08\x01\x01\0\0\x3F\0"]), Malformed),
        ("JPEG of end markers", [0xFF, 0xD8, 0xFF, 0xD9].repeat(1000), Malformed),
        ("JPEG of fill bytes", [vec![0xFF, 0xD8], vec![0xFF; 100_000]].concat(), Truncated),
        ("JPEG whose orientation points nowhere", lying_exif, Any),
    ]
}

fn gifs() -> Vec<(&'static str, Vec<u8>, Fate)> {
    use Fate::*;
    let good = golden("plain.gif");
    let at = good.windows(5).position(|bytes| bytes == [0x2C, 0, 0, 0, 0]).unwrap();
    let patched = |offset: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[offset..offset + bytes.len()].copy_from_slice(bytes);
        file
    };
    let table = 3 << ((good[10] & 7) + 1);
    vec![
        ("GIF without a frame", [&good[..at], b";"].concat(), Malformed),
        ("GIF without anything", [&good[..13], b";"].concat(), Any),
        ("GIF screen of 65535×65535", patched(6, &[0xFF; 4]), TooLarge),
        ("GIF frame of 65535×65535", patched(at + 5, &[0xFF; 4]), TooLarge),
        ("GIF frame at 65535, 65535", patched(at + 1, &[0xFF; 4]), TooLarge),
        ("GIF frame of 0×0", patched(at + 5, &[0; 4]), ZeroSide),
        ("GIF frame larger than its data", patched(at + 5, &[0, 1, 0, 1]), Any),
        ("GIF code size 0", patched(at + 10, &[0]), Any),
        ("GIF code size 13", patched(at + 10, &[13]), Any),
        ("GIF block of unknown kind", patched(at, &[0x77]), Any),
        ("GIF of extensions", [&good[..13 + table], &b"\x21\xFE\x01x\0".repeat(10_000)].concat(), Any),
    ]
}

fn bmps() -> Vec<(&'static str, Vec<u8>, Fate)> {
    use Fate::*;
    let good = golden("rgb24.bmp");
    let patched = |offset: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[offset..offset + bytes.len()].copy_from_slice(bytes);
        file
    };
    let rle = |body: &[u8]| {
        let mut file = golden("rle8.bmp");
        let start = u32::from_le_bytes(file[10..14].try_into().unwrap()) as usize;
        file.truncate(start);
        [&file, body].concat()
    };
    vec![
        ("BMP 65535×65535", patched(18, &[0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0, 0]), TooLarge),
        ("BMP of negative width", patched(18, &(-17_i32).to_le_bytes()), Any),
        ("BMP 2^31−1 squared", patched(18, &[0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0x7F]), TooLarge),
        ("BMP of height −2^31", patched(22, &i32::MIN.to_le_bytes()), TooLarge),
        ("BMP without width", patched(18, &[0; 4]), ZeroSide),
        ("BMP without height", patched(22, &[0; 4]), ZeroSide),
        ("BMP of 7 bits", patched(28, &[7, 0]), Any),
        ("BMP of compression 9", patched(30, &[9]), Any),
        ("BMP whose pixels lie beyond the file", patched(10, &[0xFF, 0xFF, 0xFF, 0x7F]), Any),
        ("BMP of 2^32−1 colours", patched(46, &[0xFF; 4]), Any),
        ("BMP header of 3 bytes", patched(14, &[3]), Any),
        ("BMP run beyond its line", rle(&[0xFF, 1, 0xFF, 1, 0, 1]), Any),
        ("BMP jump beyond its end", rle(&[0, 2, 0xFF, 0xFF, 5, 1, 0, 1]), Any),
        ("BMP runs without end", rle(&[0, 0].repeat(10_000)), Any),
        ("BMP absolute run cut", rle(&[0, 200, 1, 2]), Any),
    ]
}

fn webps() -> Vec<(&'static str, Vec<u8>, Fate)> {
    use Fate::*;
    let good = golden("lossless.webp");
    let patched = |offset: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[offset..offset + bytes.len()].copy_from_slice(bytes);
        file
    };
    let extended = |flags: u8, side: u32, rest: &[u8]| {
        let canvas = [&[flags, 0, 0, 0], &side.to_le_bytes()[..3], &side.to_le_bytes()[..3]].concat();
        riff(&[&b"VP8X\x0A\0\0\0"[..], &canvas, rest].concat())
    };
    vec![
        ("WebP that says 4 GiB", patched(4, &[0xFF; 4]), Any),
        ("WebP that says nothing", patched(4, &[0; 4]), Any),
        ("WebP chunk of 4 GiB", patched(16, &[0xFF; 4]), Any),
        ("WebP 16384×16384 of 17×11", patched(21, &[0xFF, 0xFF, 0xFF, 0x0F]), TooLarge),
        ("WebP of unknown chunks", riff(b"ABCD\x04\0\0\0zzzz"), Any),
        ("WebP canvas without an image", extended(0, 100, &[]), Any),
        ("WebP canvas of 2^24 squared", extended(0, 0xFF_FFFF, &[]), TooLarge),
        ("WebP animation without frames", extended(2, 10, b"ANIM\x06\0\0\0\0\0\0\0\0\0"), Any),
        ("WebP canvas that is not its image's", extended(0, 500, &good[12..]), Any),
    ]
}

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::fs;
use std::path::PathBuf;

use ocelli_kernels::Machine;
use ocelli_kernels::cpu::{ISAS, choose};
use ocelli_kernels::ops::resize::{Filter, FrameRows, ResizeError, Rows, Window};
use ocelli_kernels::pool::{Interrupt, Never, Pool};
use ocelli_models::recipe::{Geometry, ImageRecipe};

use super::*;

/// The noise of `tests/golden/make_images.py`.
fn noise(i: u32) -> u8 {
    let mut x = i.wrapping_mul(0x9E37_79B1);
    x ^= x >> 15;
    x = x.wrapping_mul(0x85EB_CA77);
    x ^= x >> 13;
    (x >> 24) as u8
}

fn noise_image(width: u32, height: u32) -> Vec<u8> {
    (0..width * height * 3).map(noise).collect()
}

fn fnv(data: impl IntoIterator<Item = u8>) -> u64 {
    data.into_iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

fn hash(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap()
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/images").join(name)
}

fn file(name: &str) -> Vec<u8> {
    fs::read(golden("files").join(name)).unwrap()
}

struct Made {
    views: Vec<u8>,
    values: Vec<f32>,
}

/// So many cells that hold something.
fn cells(bytes: usize) -> Vec<f32> {
    assert_eq!(bytes % 4, 0);
    vec![f32::from_bits(0xAAAA_AAAA); bytes / 4]
}

fn machine<'a>(isa: Option<&str>, pool: &'a Pool) -> Machine<'a> {
    Machine { kernels: choose(isa).unwrap(), pool }
}

/// The whole way on one thread, in memory of exactly the size that was announced.
fn make(way: &Preprocessor, rgb: &[u8]) -> Made {
    let (width, height) = way.plan().source;
    let pool = Pool::new(1);
    make_on(machine(None, &pool), way, &Frame::rgb(rgb, width, height).unwrap())
}

fn make_on(machine: Machine<'_>, way: &Preprocessor, frame: &Frame<'_>) -> Made {
    let memory = way.memory(machine.pool.threads()).unwrap();
    let (mut sheets, mut scratch) = (cells(memory.sheets), cells(memory.scratch));
    way.make_sheets(machine, frame, &mut sheets, &mut scratch, &Never).unwrap();
    let mut made = Made { views: Vec::new(), values: Vec::new() };
    for index in 0..way.plan().views() {
        let mut values = vec![f32::NAN; memory.view / 4];
        way.write_view(machine, &sheets, index, &mut values, &Never).unwrap();
        made.values.extend(values);
        made.views.extend(view_bytes(way, bytemuck::cast_slice(&sheets), index));
    }
    made
}

fn view_bytes(way: &Preprocessor, sheets: &[u8], index: u32) -> Vec<u8> {
    let (view, side) = (way.plan().view(index).unwrap(), way.plan().tile as usize);
    let widths: Vec<_> = way.plan().sheets().map(|sheet| sheet.window).collect();
    // Whole groups of four rows.
    let before = |window: &Window| (window.width * window.height.next_multiple_of(4) * 3) as usize;
    let start: usize = widths[..view.sheet].iter().map(before).sum();
    let stride = widths[view.sheet].width as usize * 3;
    let corner = start + view.y as usize * stride + view.x as usize * 3;
    (0..side).flat_map(|y| sheets[corner + y * stride..][..side * 3].to_vec()).collect()
}

fn recipe(geometry: &str, tile: u32, patch: u32, edge: u32) -> ImageRecipe {
    let clip = ([0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_6, 0.275_777_1]);
    let (geometry, filter, (mean, std)) = match geometry {
        "stretch" => (Geometry::Stretch, Filter::Bicubic, clip),
        "crop" => (Geometry::ShortestEdgeCrop { edge }, Filter::Bicubic, clip),
        "pad" => (Geometry::PadSquare { color: [122, 116, 104] }, Filter::Bicubic, clip),
        "tiles" => (Geometry::Tiles { longest_edge: edge }, Filter::Lanczos, ([0.5; 3], [0.5; 3])),
        other => panic!("unknown geometry {other}"),
    };
    ImageRecipe { mean, std, filter, tile, patch, tokens_per_view: 4, geometry }
}

#[test]
fn views_are_the_processors_to_the_bit() {
    let text = include_str!("../../tests/golden/images/preprocess.txt");
    assert!(text.lines().count() > 250);
    for line in text.lines() {
        let f: Vec<&str> = line.split_whitespace().collect();
        let n = |i: usize| f[i].parse::<u32>().unwrap();
        let (width, height) = (n(4), n(5));
        let way = Preprocessor::new(&recipe(f[0], n(1), n(2), n(3)), width, height, None).unwrap();
        let plan = way.plan();
        assert_eq!((plan.rows, plan.columns, plan.views()), (n(6), n(7), n(8)), "{line}");
        let made = make(&way, &noise_image(width, height));
        assert_eq!(fnv(made.views), hash(f[9]), "u8 of {line}");
        let bits = made.values.iter().flat_map(|value| value.to_le_bytes());
        assert_eq!(fnv(bits), hash(f[10]), "f32 of {line}");
    }
}

/// Decodes, and holds what the header said against it.
fn decoded(name: &str, bytes: &[u8]) -> Result<Image, ImageError> {
    let image = decode(bytes, &DecodeOptions::default())?;
    let header = probe(bytes, &DecodeOptions::default()).unwrap();
    assert_eq!((header.width, header.height), (image.width, image.height), "{name}");
    assert_eq!(image.data.len(), (image.width * image.height * 3) as usize, "{name}");
    Ok(image)
}

/// Width, height and hash of an image as goldens state them.
fn stated(image: Image) -> String {
    format!("{} {} {:016x}", image.width, image.height, fnv(image.data))
}

#[test]
fn files_are_decoded_as_pillow_does() {
    let text = include_str!("../../tests/golden/images/files.txt");
    assert!(text.lines().count() > 60);
    for line in text.lines() {
        let (name, expected) = line.split_once(' ').unwrap();
        assert_eq!(stated(decoded(name, &file(name)).unwrap()), expected, "{name}");
    }
}

/// Files of every kind (`tests/golden/make_image_variants.py`): Pillow's pixels, or an error where it is said.
#[test]
fn variants_are_decoded_as_pillow_does_or_refused() {
    let text = include_str!("../../tests/golden/images/variants.txt");
    let files = include_bytes!("../../tests/golden/images/variants.zz");
    let files = miniz_oxide::inflate::decompress_to_vec_zlib(files).unwrap();
    let (mut rest, mut wrong, mut count) = (&files[..], Vec::new(), 0);
    for line in text.lines() {
        let (length, body) = rest.split_first_chunk::<4>().unwrap();
        let (bytes, after) = body.split_at(u32::from_le_bytes(*length) as usize);
        let (name, expected) = line.split_once(' ').unwrap();
        let made = decoded(name, bytes);
        let said = made.as_ref().map_or_else(|error| format!("{error}"), |_| String::new());
        let is = made.map_or_else(|_| String::from("refused"), stated);
        if is != expected {
            wrong.push(format!("{name}: {is} {said}, expected {expected}"));
        }
        (rest, count) = (after, count + 1);
    }
    assert!(rest.is_empty() && count > 1100, "{count}");
    assert!(wrong.is_empty(), "{} of {count}: {wrong:#?}", wrong.len());
}

/// Panics inside a decoder and outside of one.
fn panics_of_both_kinds() {
    let inside = decode::guarded::<()>(Format::Png, || panic!("inside a decoder"));
    assert!(matches!(inside, Err(ImageError::Malformed { format: Format::Png, .. })));
    let beside = || std::thread::spawn(|| panic!("beside a decoder")).join().is_err();
    assert_eq!(decode::guarded(Format::Png, || Ok(beside())), Ok(true));
    assert!(std::panic::catch_unwind(|| panic!("after a decoder")).is_err());
}

/// What is written is seen from outside only, so the test starts itself in a process of its own.
#[test]
fn a_decoders_panic_is_an_error_and_silent() {
    const WITHIN: &str = "OCELLI_TEST_WITHIN";
    if std::env::var_os(WITHIN).is_some() {
        return panics_of_both_kinds();
    }
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &name, "--nocapture", "--test-threads", "1"]).env(WITHIN, "1");
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && String::from_utf8_lossy(&ran.stdout).contains("1 passed"), "{said}");
    assert!(!said.contains("inside a decoder"), "{said}");
    assert!(said.contains("beside a decoder") && said.contains("after a decoder"), "{said}");
}

/// What is around a picture one pixel wide is a million times as large, and costs no more than the picture.
#[test]
fn thin_images_take_time_by_their_pixels() {
    for (width, height) in [(1, 200_000), (2, 100_000), (200_000, 1)] {
        for geometry in ["stretch", "pad", "crop", "tiles"] {
            let way = Preprocessor::new(&recipe(geometry, 32, 8, 96), width, height, None).unwrap();
            let start = std::time::Instant::now();
            make(&way, &noise_image(width, height));
            // 200 000 rows of as many columns would be 40 gigapixels: minutes on any machine.
            let took = start.elapsed().as_secs();
            assert!(took < 30, "{geometry} of {width}×{height}: {took} s");
        }
    }
}

#[test]
fn orientation_can_be_left_alone() {
    let stored = DecodeOptions { orientation: Orientation::Turned(Turn::NONE), ..DecodeOptions::default() };
    for name in ["orientation6.jpg", "orientation6.png", "orientation8.webp"] {
        let bytes = file(name);
        let header = probe(&bytes, &stored).unwrap();
        assert_eq!((header.width, header.height), (17, 11), "{name}");
        let image = decode(&bytes, &stored).unwrap();
        assert_eq!((image.width, image.height), (17, 11), "{name}");
        let upright = decode(&bytes, &DecodeOptions::default()).unwrap();
        assert_eq!((upright.width, upright.height), (11, 17), "{name}");
    }
}

#[test]
fn a_caller_turns_any_image() {
    let read = |name: &str, orientation| {
        let options = DecodeOptions { orientation, ..DecodeOptions::default() };
        let (header, image) = (probe(&file(name), &options).unwrap(), decode(&file(name), &options).unwrap());
        assert_eq!((header.width, header.height), (image.width, image.height), "{name}");
        image
    };
    for number in 1..=8 {
        let turn = Turn::from_exif(number).unwrap();
        let name = std::format!("orientation{number}.jpg");
        assert_eq!(read(&name, Orientation::Turned(turn)), read(&name, Orientation::Exif), "{name}");
        for name in ["plain.gif", "rgb24.bmp", "rgb8.png"] {
            let turned = read(name, Orientation::Turned(turn));
            let sides = if number >= 5 { (11, 17) } else { (17, 11) };
            assert_eq!((turned.width, turned.height), sides, "{name} {number}");
        }
    }
    let quarter = read("plain.gif", Orientation::Turned(Turn::from_exif(6).unwrap()));
    let plain = read("plain.gif", Orientation::Exif);
    // Clockwise: the first row of the result is the first column of the stored image, from below.
    let column: Vec<u8> = (0..11).rev().flat_map(|y| plain.data[y * 51..y * 51 + 3].to_vec()).collect();
    assert_eq!(quarter.data[..33], column);
    assert_eq!((Turn::from_exif(0), Turn::from_exif(9)), (None, None));
}

#[test]
fn the_pixel_limit_says_both_numbers() {
    let limit = |max_pixels| DecodeOptions { max_pixels, ..DecodeOptions::default() };
    for name in ["rgb8.png", "plain.gif", "rgb24.bmp", "lossless.webp", "orientation1.jpg"] {
        let bytes = file(name);
        assert!(decode(&bytes, &limit(187)).is_ok(), "{name}");
        let refused = ImageError::TooLarge { width: 17, height: 11, most: 186 };
        assert_eq!(decode(&bytes, &limit(186)).unwrap_err(), refused, "{name}");
        assert_eq!(probe(&bytes, &limit(186)).unwrap_err(), refused, "{name}");
    }
    let error = ImageError::TooLarge { width: 17, height: 11, most: 186 };
    assert_eq!(String::from("the image has 17×11 = 187 pixels, 186 are allowed"), std::format!("{error}"));
}

#[test]
fn memory_is_exact() {
    for (threads, (geometry, width, height)) in
        [("stretch", 9, 5), ("crop", 50, 33), ("pad", 33, 50), ("tiles", 100, 37)].into_iter().enumerate()
    {
        let way = Preprocessor::new(&recipe(geometry, 32, 8, 96), width, height, None).unwrap();
        let pool = Pool::new(threads + 1);
        let on = machine(None, &pool);
        let memory = way.memory(threads + 1).unwrap();
        let rgb = noise_image(width, height);
        let frame = Frame::rgb(&rgb, width, height).unwrap();
        let run = |sheets: usize, scratch: usize| {
            way.make_sheets(on, &frame, &mut cells(sheets), &mut cells(scratch), &Never)
        };
        run(memory.sheets, memory.scratch).unwrap();
        let short = |result| matches!(result, Err(ImageError::TooShort { .. }));
        assert!(short(run(memory.sheets - 4, memory.scratch)), "{geometry}");
        assert!(short(run(memory.sheets, memory.scratch - 4)), "{geometry}");
        let sheets = cells(memory.sheets);
        let view = |sheets: &[f32], view: u32, bytes: usize| {
            way.write_view(on, sheets, view, &mut cells(bytes), &Never)
        };
        assert!(short(view(&sheets, 0, memory.view - 4)), "{geometry}");
        let last = way.plan().views() - 1;
        assert!(short(view(&sheets[1..], last, memory.view)), "{geometry}");
        let beyond = ImageError::View { view: last + 1, views: last + 1 };
        assert_eq!(view(&sheets, last + 1, memory.view), Err(beyond));
    }
}

#[test]
fn threads_and_instruction_sets_change_no_bit() {
    for (geometry, width, height) in [
        ("stretch", 61, 90),
        ("crop", 130, 50),
        ("pad", 40, 301),
        ("pad", 301, 40),
        ("tiles", 400, 131),
        ("tiles", 40, 31),
    ] {
        let way = Preprocessor::new(&recipe(geometry, 30, 7, 95), width, height, None).unwrap();
        let rgb = noise_image(width, height);
        let expected = make(&way, &rgb);
        for threads in [1, 2, 3, 7] {
            let pool = Pool::new(threads);
            for isa in ISAS.iter().filter(|isa| (isa.detect)().is_some()) {
                let frame = Frame::rgb(&rgb, width, height).unwrap();
                let made = make_on(machine(Some(isa.name), &pool), &way, &frame);
                assert_eq!(made.views, expected.views, "{geometry} {} × {threads}", isa.name);
                let bits = |made: &Made| made.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&made), bits(&expected), "{geometry} {} × {threads}", isa.name);
            }
        }
    }
}

#[test]
fn a_frame_is_shown_as_its_rgb_would_be() {
    for format in PixelFormat::ALL {
        let (width, height, stride) = (62_usize, 48_usize, 251);
        let memory: Vec<u8> = (0..(stride * height) as u32).map(noise).collect();
        let second = &memory[stride * height / 2 - 13..];
        let planes = [Plane { data: &memory, stride }, Plane { data: second, stride }];
        let planes = &planes[..format.planes()];
        let frame = Frame::new(format, Colors::ALL[3], (width as u32, height as u32), planes).unwrap();
        let rgb = rgb_of(&frame);
        for geometry in ["stretch", "crop", "pad", "tiles"] {
            let way = Preprocessor::new(&recipe(geometry, 32, 8, 96), 62, 48, None).unwrap();
            let pool = Pool::new(2);
            let made = make_on(machine(None, &pool), &way, &frame);
            assert_eq!(made.views, make(&way, &rgb).views, "{format} {geometry}");
        }
    }
}

/// A frame's pixels, row by row.
fn rgb_of(frame: &Frame<'_>) -> Vec<u8> {
    let mut line = vec![0; FrameRows::scratch_bytes(frame)];
    let mut rows = FrameRows::new(choose(Some("scalar")).unwrap(), *frame, &mut line).unwrap();
    (0..frame.height()).flat_map(|y| rows.row(y).unwrap().to_vec()).collect()
}

#[test]
fn large_images_take_little_beside_their_pixels() {
    let smolvlm = ImageRecipe { tile: 512, patch: 16, ..recipe("tiles", 512, 16, 2048) };
    let way = Preprocessor::new(&smolvlm, 10_000, 10_000, None).unwrap();
    let memory = way.memory(1).unwrap();
    assert_eq!(memory.sheets, (2048 * 2048 + 512 * 512) * 3);
    // Sixteen of its rows are 480 kB, the taps of 2048 columns another 500.
    assert!(memory.scratch < 1 << 21, "{}", memory.scratch);
    // A line of pixels: the padded square and the enlarged original exist only row by row.
    for geometry in ["pad", "crop"] {
        let way = Preprocessor::new(&recipe(geometry, 336, 14, 336), 10_000, 1, None).unwrap();
        assert!(way.memory(1).unwrap().scratch < 1 << 21, "{geometry}");
        make(&way, &noise_image(10_000, 1));
    }
}

/// Stops after so many questions.
struct After {
    asked: AtomicUsize,
    most: usize,
}

impl Interrupt for After {
    fn stopped(&self) -> bool {
        self.asked.fetch_add(1, Relaxed) >= self.most
    }
}

#[test]
fn stop_is_heard_in_every_step() {
    for geometry in ["stretch", "crop", "pad", "tiles"] {
        let way = Preprocessor::new(&recipe(geometry, 32, 8, 96), 60, 45, None).unwrap();
        let memory = way.memory(1).unwrap();
        let rgb = noise_image(60, 45);
        let pool = Pool::new(1);
        let run = |most: usize| {
            let stop = After { asked: AtomicUsize::new(0), most };
            let frame = Frame::rgb(&rgb, 60, 45).unwrap();
            let (mut sheets, mut scratch) = (cells(memory.sheets), cells(memory.scratch));
            let result = way.make_sheets(machine(None, &pool), &frame, &mut sheets, &mut scratch, &stop);
            (result, stop.asked.into_inner())
        };
        let (done, all) = run(usize::MAX);
        assert_eq!(done, Ok(()));
        assert!(all > 4, "{geometry}: asked {all} times");
        for most in [0, 1, all / 2, all - 1] {
            let cancelled = Err(ImageError::Resize(ResizeError::Cancelled));
            assert_eq!(run(most), (cancelled, most + 1), "{geometry} after {most}");
        }
    }
}

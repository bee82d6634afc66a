#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;

use super::*;
use crate::cpu::{ISAS, choose};
use crate::ops::Kernels;

/// The fastest instruction set there is.
fn kernels() -> &'static dyn Kernels {
    choose(None).unwrap()
}

/// Byte `i` of the noise that `tests/golden/make_images.py` also makes.
fn noise(i: u64) -> u8 {
    let mut x = (i as u32).wrapping_mul(0x9E37_79B1);
    x ^= x >> 15;
    x = x.wrapping_mul(0x85EB_CA77);
    x ^= x >> 13;
    (x >> 24) as u8
}

/// Noise that is made row by row: a large source that takes no memory.
struct Noise {
    width: u32,
    height: u32,
    channels: usize,
    line: Vec<u8>,
}

impl Noise {
    fn new(width: u32, height: u32, channels: usize) -> Self {
        Self { width, height, channels, line: vec![0; width as usize * channels] }
    }

    fn all(&mut self) -> Vec<u8> {
        let mut out = vec![0; self.line.len() * self.height as usize];
        copy_rows(self, &mut out, &|| false).unwrap();
        out
    }
}

impl Rows for Noise {
    fn width(&self) -> u32 {
        self.width
    }
    fn height(&self) -> u32 {
        self.height
    }
    fn channels(&self) -> usize {
        self.channels
    }
    fn row(&mut self, y: u32) -> Result<&[u8], ResizeError> {
        let start = u64::from(y) * self.line.len() as u64;
        for (i, byte) in (start..).zip(self.line.iter_mut()) {
            *byte = noise(i);
        }
        Ok(&self.line)
    }
}

fn fnv(data: &[u8]) -> u64 {
    data.iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

/// Resized on every instruction set of this CPU, which must agree.
fn run(plan: &Resample, source: &mut dyn Rows) -> Vec<u8> {
    let mut scratch = vec![0xAA; plan.scratch_bytes().unwrap()];
    let mut made: Option<Vec<u8>> = None;
    for kernels in ISAS.iter().filter_map(|isa| (isa.detect)()) {
        let mut out = vec![0; plan.output_bytes().unwrap()];
        resize(kernels, plan, source, &mut out, &mut scratch, &|| false).unwrap();
        match &made {
            Some(made) => assert!(*made == out, "{} makes other bytes of {plan:?}", kernels.name()),
            None => made = Some(out),
        }
    }
    made.unwrap()
}

struct Case {
    filter: Filter,
    source: (u32, u32),
    target: (u32, u32),
    channels: usize,
    hash: u64,
}

fn goldens() -> Vec<Case> {
    let text = include_str!("../../../../tests/golden/images/resize.txt");
    text.lines()
        .map(|line| {
            let f: Vec<&str> = line.split_whitespace().collect();
            let n = |i: usize| f[i].parse().unwrap();
            let filter = match f[0] {
                "bilinear" => Filter::Bilinear,
                "bicubic" => Filter::Bicubic,
                "lanczos" => Filter::Lanczos,
                other => panic!("unknown filter {other}"),
            };
            let hash = u64::from_str_radix(f[6], 16).unwrap();
            Case { filter, source: (n(1), n(2)), target: (n(3), n(4)), channels: n(5) as usize, hash }
        })
        .collect()
}

#[test]
fn bytes_are_pillows() {
    let cases = goldens();
    assert!(cases.len() >= 100);
    for Case { filter, source, target, channels, hash } in cases {
        let plan = Resample::new(filter, channels, source, target).unwrap();
        let out = run(&plan, &mut Noise::new(source.0, source.1, channels));
        assert_eq!(fnv(&out), hash, "{filter:?} {source:?} -> {target:?} × {channels}");
    }
}

#[test]
fn a_large_photo_takes_little_memory() {
    let plan = Resample::new(Filter::Lanczos, 3, (10_000, 10_000), (512, 512)).unwrap();
    // 512 columns of 119 taps, as many rows of 512 pixels, sixteen rows of the source: under a MiB, against 300 MB.
    assert!(plan.scratch_bytes().unwrap() < 1 << 20, "{}", plan.scratch_bytes().unwrap());
}

#[test]
fn windows_and_bands_are_parts_of_the_whole() {
    for filter in Filter::ALL {
        for (source, target) in
            [((37, 53), (64, 41)), ((37, 53), (20, 53)), ((37, 53), (37, 90)), ((9, 9), (9, 9))]
        {
            let plan = Resample::new(filter, 3, source, target).unwrap();
            let mut noise = Noise::new(source.0, source.1, 3);
            let whole = run(&plan, &mut noise);
            for window in [
                Window { x: 0, y: 0, width: target.0, height: 1 },
                Window { x: 3, y: 2, width: 5, height: 7 },
                Window { x: target.0 - 1, y: target.1 - 1, width: 1, height: 1 },
                Window { x: 0, y: target.1 / 2, width: target.0, height: target.1 - target.1 / 2 },
            ] {
                let part = run(&plan.windowed(window).unwrap(), &mut noise);
                let row = window.width as usize * 3;
                for (y, got) in part.chunks_exact(row).enumerate() {
                    let start = ((window.y as usize + y) * target.0 as usize + window.x as usize) * 3;
                    assert_eq!(got, &whole[start..start + row], "{filter:?} {target:?} {window:?} row {y}");
                }
            }
        }
    }
}

#[test]
fn any_order_of_rows_is_right() {
    let plan = Resample::new(Filter::Bicubic, 3, (20, 90), (11, 30)).unwrap();
    let mut noise = Noise::new(20, 90, 3);
    let whole = run(&plan, &mut noise);
    let mut scratch = vec![0; plan.scratch_bytes().unwrap()];
    let mut sampler = plan.sampler(kernels(), &mut noise, &mut scratch).unwrap();
    for y in [29, 0, 15, 14, 16, 3, 28, 29, 1] {
        assert_eq!(sampler.row(y).unwrap(), &whole[y as usize * 33..][..33], "row {y}");
    }
    assert_eq!(sampler.row(30), Err(ResizeError::Row { row: 30, height: 30 }));
}

#[test]
fn a_chain_equals_its_steps() {
    let first = Resample::new(Filter::Lanczos, 3, (50, 40), (96, 72)).unwrap();
    let second = Resample::new(Filter::Lanczos, 3, (96, 72), (96, 96)).unwrap();
    let mut noise = Noise::new(50, 40, 3);
    let middle = run(&first, &mut noise);
    let apart = run(&second, &mut Pixels::rgb(&middle, 96, 72).unwrap());
    let mut scratch = vec![0; first.scratch_bytes().unwrap()];
    let mut sampler = first.sampler(kernels(), &mut noise, &mut scratch).unwrap();
    assert_eq!(run(&second, &mut sampler), apart);
}

#[test]
fn a_canvas_is_the_padded_image() {
    let mut noise = Noise::new(6, 3, 3);
    let inside = noise.all();
    let mut scratch = vec![0; Canvas::scratch_bytes(10, 3).unwrap()];
    let mut canvas = Canvas::new(&mut noise, (10, 7), (2, 3), [122, 116, 104], &mut scratch).unwrap();
    let mut out = vec![0; 210];
    copy_rows(&mut canvas, &mut out, &|| false).unwrap();
    for (i, pixel) in out.chunks_exact(3).enumerate() {
        let (x, y) = (i % 10, i / 10);
        let expected = if (2..8).contains(&x) && (3..6).contains(&y) {
            &inside[((y - 3) * 6 + x - 2) * 3..][..3]
        } else {
            &[122, 116, 104]
        };
        assert_eq!(pixel, expected, "({x}, {y})");
    }
}

/// A source whose ground is not known.
struct Plain<'a>(&'a mut dyn Rows);

impl Rows for Plain<'_> {
    fn width(&self) -> u32 {
        self.0.width()
    }
    fn height(&self) -> u32 {
        self.0.height()
    }
    fn channels(&self) -> usize {
        self.0.channels()
    }
    fn row(&mut self, y: u32) -> Result<&[u8], ResizeError> {
        self.0.row(y)
    }
}

#[test]
fn a_ground_is_filtered_as_its_pixels_would_be() {
    for filter in Filter::ALL {
        for (width, height, side, at) in [(9, 40, 40, (15, 0)), (40, 9, 40, (0, 15)), (3, 3, 50, (47, 1))] {
            for target in [(7, 7), (64, 40), (40, 11), (13, 90)] {
                let plan = Resample::new(filter, 3, (side, side), target).unwrap();
                let mut noise = Noise::new(width, height, 3);
                let mut scratch = vec![0; Canvas::scratch_bytes(side, 3).unwrap()];
                let mut canvas =
                    Canvas::new(&mut noise, (side, side), at, [122, 116, 104], &mut scratch).unwrap();
                let known = run(&plan, &mut canvas);
                assert_eq!(
                    known,
                    run(&plan, &mut Plain(&mut canvas)),
                    "{filter:?} {width}×{height} {target:?}"
                );
            }
        }
    }
}

#[test]
fn a_thin_image_on_a_square_costs_its_own_pixels() {
    // The square has 3.6 · 10^9 pixels, the image 60 000.
    for (width, height) in [(60_000, 1), (1, 60_000)] {
        let mut noise = Noise::new(width, height, 3);
        let mut scratch = vec![0; Canvas::scratch_bytes(60_000, 3).unwrap()];
        let at = ((60_000 - width) / 2, (60_000 - height) / 2);
        let mut canvas =
            Canvas::new(&mut noise, (60_000, 60_000), at, [122, 116, 104], &mut scratch).unwrap();
        let plan = Resample::new(Filter::Bicubic, 3, (60_000, 60_000), (32, 32)).unwrap();
        assert_eq!(run(&plan, &mut canvas).len(), 32 * 32 * 3);
    }
}

#[test]
fn stride_is_skipped() {
    let bytes: Vec<u8> = (0..40).map(noise).collect();
    let mut pixels = Pixels::new(&bytes, 4, 3, 3, 14).unwrap();
    assert_eq!(pixels.row(2).unwrap(), &bytes[28..40]);
    let short = ResizeError::TooShort { what: "source", needed: 40, given: 39 };
    assert_eq!(Pixels::new(&bytes[..39], 4, 3, 3, 14).unwrap_err(), short);
    let narrow = ResizeError::TooShort { what: "source row", needed: 12, given: 11 };
    assert_eq!(Pixels::new(&bytes, 4, 3, 3, 11).unwrap_err(), narrow);
}

#[test]
fn stop_ends_it_within_a_row() {
    // One output row needs all thousand source rows: the question must be asked below it.
    for (source, target) in [((3, 1000), (3, 1)), ((1, 1), (3, 1000))] {
        let plan = Resample::new(Filter::Bicubic, 3, source, target).unwrap();
        let mut scratch = vec![0; plan.scratch_bytes().unwrap()];
        let mut out = vec![0; plan.output_bytes().unwrap()];
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() > 10
        };
        let result =
            resize(kernels(), &plan, &mut Noise::new(source.0, source.1, 3), &mut out, &mut scratch, &stop);
        assert_eq!(result, Err(ResizeError::Cancelled));
        assert_eq!(asked.get(), 11);
    }
}

#[test]
fn refusals_name_their_operands() {
    let new = |channels, source, target| Resample::new(Filter::Bicubic, channels, source, target).map(|_| ());
    assert_eq!(new(3, (0, 5), (2, 2)), Err(ResizeError::ZeroSide { width: 0, height: 5 }));
    assert_eq!(new(3, (5, 5), (2, 0)), Err(ResizeError::ZeroSide { width: 2, height: 0 }));
    assert_eq!(new(2, (5, 5), (2, 2)), Err(ResizeError::Channels { channels: 2 }));
    let side = (1 << 24) + 1;
    assert_eq!(new(3, (1, side), (2, 2)), Err(ResizeError::SideTooLong { side, most: 1 << 24 }));

    let plan = Resample::new(Filter::Bicubic, 3, (5, 5), (8, 8)).unwrap();
    for (x, width) in [(8, 1), (7, 2), (0, 0), (u32::MAX, 2)] {
        let window = Window { x, y: 0, width, height: 1 };
        let refused = ResizeError::Window { start: x, length: width, side: 8 };
        assert_eq!(plan.windowed(window).unwrap_err(), refused);
    }
    let mut scratch = vec![0; plan.scratch_bytes().unwrap() - 1];
    let (needed, given) = (scratch.len() + 1, scratch.len());
    let short = ResizeError::TooShort { what: "scratch", needed, given };
    assert_eq!(plan.sampler(kernels(), &mut Noise::new(5, 5, 3), &mut scratch).err(), Some(short));
    let other = ResizeError::Source { planned: (5, 5), given: (5, 6) };
    assert_eq!(plan.sampler(kernels(), &mut Noise::new(5, 6, 3), &mut scratch).err(), Some(other));
}

#[test]
fn the_ground_of_a_canvas_is_not_painted_for_every_row() {
    let (picture, side, left) = (3_usize, 1000_usize, 498_usize);
    let expected = Noise::new(picture as u32, 40, 3).all();
    let mut source = Noise::new(picture as u32, 40, 3);
    let mut line = vec![0; side * 3];
    let mut canvas =
        Canvas::new(&mut source, (side as u32, 40), (left as u32, 0), [1, 2, 3], &mut line).unwrap();
    let mut room = vec![0xA5; side * 3 * 16];
    let rows = canvas.block(16, 16, &mut room).unwrap();
    let inside = left * 3..(left + picture) * 3;
    for (row, expected) in rows.iter().zip(expected.chunks(picture * 3).skip(16)) {
        assert_eq!(row.len(), side * 3);
        assert_eq!(&row[inside.clone()], expected);
        let around = row[..inside.start].iter().chain(&row[inside.end..]);
        assert!(around.copied().all(|byte| byte == 0xA5), "a byte of the ground was written");
    }
}

#[test]
fn extreme_shapes_stay_finite() {
    for (source, target) in
        [((1, 1), (1, 5000)), ((1, 4000), (3, 1)), ((1 << 24, 1), (1, 1)), ((1, 1), (2000, 1))]
    {
        let plan = Resample::new(Filter::Lanczos, 1, source, target).unwrap();
        let out = run(&plan, &mut Noise::new(source.0, source.1, 1));
        assert_eq!(out.len(), (target.0 * target.1) as usize);
    }
    // A window of an output that would not fit any memory.
    let plan = Resample::new(Filter::Bicubic, 3, (10_000, 1), (3_360_000, 336)).unwrap();
    let window = Window { x: 1_679_832, y: 0, width: 336, height: 336 };
    assert_eq!(run(&plan.windowed(window).unwrap(), &mut Noise::new(10_000, 1, 3)).len(), 336 * 336 * 3);
    assert!(plan.scratch_bytes().is_ok());
}

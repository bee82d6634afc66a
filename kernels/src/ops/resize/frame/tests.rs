#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::super::{FrameRows, ResizeError, Rows};
use super::*;
use crate::cpu::{ISAS, choose};
use crate::ops::Kernels;

fn scalar() -> &'static dyn Kernels {
    choose(Some("scalar")).unwrap()
}

/// Bytes that look random and are the same in every run.
fn noise(length: usize) -> Vec<u8> {
    (0..length as u32)
        .map(|i| (i.wrapping_mul(0x9E37_79B1) ^ 0x5bd1_e995).wrapping_mul(0x85EB_CA77).to_le_bytes()[3])
        .collect()
}

/// Planes with gaps of `gap` bytes between the rows, and what they must become.
fn planes(format: PixelFormat, width: u32, height: u32, gap: usize) -> Vec<(Vec<u8>, usize)> {
    let stride = format.row_bytes(width) + gap;
    (0..format.planes()).map(|plane| (noise(stride * format.rows(plane, height) - gap), stride)).collect()
}

fn frame<'a>(
    format: PixelFormat,
    colors: Colors,
    size: (u32, u32),
    memory: &'a [(Vec<u8>, usize)],
) -> Result<Frame<'a>, FrameError> {
    let planes: Vec<Plane<'_>> =
        memory.iter().map(|(data, stride)| Plane { data, stride: *stride }).collect();
    Frame::new(format, colors, size, &planes)
}

/// Pixel by pixel from the definition of each format.
fn pixel(format: PixelFormat, colors: Colors, memory: &[(Vec<u8>, usize)], x: usize, y: usize) -> [u8; 3] {
    let at = |plane: usize, x: usize, y: usize| memory[plane].0[y * memory[plane].1 + x];
    let widened = |v: u16, bits: u32| {
        let most = f64::from((1 << bits) - 1);
        (f64::from(v) * 255.0 / most + 0.5) as u8
    };
    let ycc = |y, cb, cr| colors.conversion().rgb(y, cb, cr);
    match format {
        PixelFormat::Rgb => [0, 1, 2].map(|c| at(0, 3 * x + c, y)),
        PixelFormat::Bgr => [2, 1, 0].map(|c| at(0, 3 * x + c, y)),
        PixelFormat::Rgba => [0, 1, 2].map(|c| at(0, 4 * x + c, y)),
        PixelFormat::Grey8 => [at(0, x, y); 3],
        PixelFormat::Rgb565 => {
            let word = u16::from(at(0, 2 * x + 1, y)) << 8 | u16::from(at(0, 2 * x, y));
            [widened(word >> 11, 5), widened(word >> 5 & 63, 6), widened(word & 31, 5)]
        }
        PixelFormat::Yuyv => {
            let pair = x / 2 * 4;
            ycc(at(0, 2 * x, y), at(0, pair + 1, y), at(0, pair + 3, y))
        }
        PixelFormat::Nv12 => ycc(at(0, x, y), at(1, x / 2 * 2, y / 2), at(1, x / 2 * 2 + 1, y / 2)),
        PixelFormat::Nv21 => ycc(at(0, x, y), at(1, x / 2 * 2 + 1, y / 2), at(1, x / 2 * 2, y / 2)),
    }
}

#[test]
fn every_format_is_its_definition() {
    for format in PixelFormat::ALL {
        for colors in Colors::ALL {
            for (width, height, gap) in [(2, 2, 0), (34, 6, 0), (50, 4, 13), (258, 2, 1)] {
                let memory = planes(format, width, height, gap);
                let frame = frame(format, colors, (width, height), &memory).unwrap();
                let mut scratch = vec![0xAA; FrameRows::scratch_bytes(&frame)];
                for kernels in ISAS.iter().filter_map(|isa| (isa.detect)()) {
                    let mut rows = FrameRows::new(kernels, frame, &mut scratch).unwrap();
                    for y in 0..height {
                        let row = rows.row(y).unwrap();
                        assert_eq!(row.len(), width as usize * 3);
                        for (x, got) in row.chunks_exact(3).enumerate() {
                            let expected = pixel(format, colors, &memory, x, y as usize);
                            let isa = kernels.name();
                            assert_eq!(
                                got, expected,
                                "{isa} {format} {colors:?} {width}×{height} ({x}, {y})"
                            );
                        }
                    }
                    assert_eq!(rows.row(height).err(), Some(ResizeError::Row { row: height, height }));
                }
            }
        }
    }
}

#[test]
fn an_rgb_frame_is_lent_and_not_copied() {
    let memory = planes(PixelFormat::Rgb, 5, 3, 4);
    let frame = frame(PixelFormat::Rgb, Colors::default(), (5, 3), &memory).unwrap();
    assert_eq!(FrameRows::scratch_bytes(&frame), 0);
    let mut rows = FrameRows::new(scalar(), frame, &mut []).unwrap();
    assert_eq!(rows.row(2).unwrap().as_ptr(), memory[0].0[2 * 19..].as_ptr());
    assert_eq!(rows.block(1, 2, &mut []).unwrap()[1].as_ptr(), memory[0].0[2 * 19..].as_ptr());
}

#[test]
fn the_bytes_of_a_frame_are_its_pixels_without_gaps() {
    let memory = planes(PixelFormat::Nv12, 6, 4, 5);
    let frame = frame(PixelFormat::Nv12, Colors::default(), (6, 4), &memory).unwrap();
    let rows: Vec<&[u8]> = frame.bytes().collect();
    assert_eq!(rows.len(), 4 + 2);
    assert!(rows.iter().all(|row| row.len() == 6));
    assert_eq!(rows[3], &memory[0].0[33..39]);
    assert_eq!(rows[5], &memory[1].0[11..17]);
}

#[test]
fn refusals_name_their_operands() {
    let data = [0_u8; 64];
    let new = |format, size, planes: &[(usize, usize)]| {
        let planes: Vec<Plane<'_>> =
            planes.iter().map(|(length, stride)| Plane { data: &data[..*length], stride: *stride }).collect();
        Frame::new(format, Colors::default(), size, &planes).map(|_| ()).unwrap_err()
    };
    use PixelFormat::{Grey8, Nv12, Nv21, Rgb, Rgba, Yuyv};
    assert_eq!(new(Rgb, (0, 5), &[(64, 15)]), FrameError::ZeroSide { width: 0, height: 5 });
    assert_eq!(new(Rgb, (5, 0), &[(64, 15)]), FrameError::ZeroSide { width: 5, height: 0 });
    let most = 1 << 24;
    assert_eq!(new(Grey8, (1, most + 1), &[(64, 1)]), FrameError::SideTooLong { side: most + 1, most });
    for (format, width, height) in [(Yuyv, 3, 2), (Nv12, 3, 2), (Nv12, 2, 3), (Nv21, 5, 5)] {
        assert_eq!(new(format, (width, height), &[(64, 8)]), FrameError::OddSide { format, width, height });
    }
    assert_eq!(new(Nv12, (4, 4), &[(64, 4)]), FrameError::Planes { format: Nv12, needed: 2, given: 1 });
    assert_eq!(new(Rgb, (4, 4), &[]), FrameError::Planes { format: Rgb, needed: 1, given: 0 });
    assert_eq!(new(Rgba, (4, 1), &[(64, 15)]), FrameError::Stride { plane: 0, needed: 16, given: 15 });
    assert_eq!(new(Nv12, (4, 4), &[(16, 4), (8, 3)]), FrameError::Stride { plane: 1, needed: 4, given: 3 });
    assert_eq!(new(Rgb, (4, 3), &[(37, 13)]), FrameError::TooShort { plane: 0, needed: 38, given: 37 });
    assert_eq!(new(Nv21, (4, 4), &[(16, 4), (7, 4)]), FrameError::TooShort { plane: 1, needed: 8, given: 7 });
    let stride = usize::MAX / 2;
    assert_eq!(new(Grey8, (4, 4), &[(64, stride)]), FrameError::TooLarge { plane: 0, stride, rows: 4 });
    assert!(Frame::rgb(&data, u32::MAX, 1).is_err());
    let odd = format!("{}", FrameError::OddSide { format: Nv12, width: 3, height: 2 });
    assert_eq!(odd, "NV12 shares colour among 2×2 pixels, which 3×2 cuts");
}

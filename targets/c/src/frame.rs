//! Frames of a camera, where they are.
#![allow(unsafe_code, reason = "entry points")]

use crate::block::Block;
use crate::session::{Session, with};
use crate::status::{Failure, OK, Status, fail};
use crate::text;
use core::ffi::c_void;
use ocelli::image::{Colors, Frame, Matrix, PixelFormat, Plane, Range};

/// `ocelli_frame`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "the header's")]
pub struct CFrame {
    pub size: usize,
    pub width: u32,
    pub height: u32,
    pub format: i32,
    pub colors: i32,
    pub plane: *const c_void,
    pub plane_length: usize,
    pub plane_stride: usize,
    pub chroma: *const c_void,
    pub chroma_length: usize,
    pub chroma_stride: usize,
}

/// Formats, with the header's names, in the order of their numbers.
pub const FORMATS: [(&str, PixelFormat); 8] = [
    ("OCELLI_RGB", PixelFormat::Rgb),
    ("OCELLI_BGR", PixelFormat::Bgr),
    ("OCELLI_RGBA", PixelFormat::Rgba),
    ("OCELLI_GREY8", PixelFormat::Grey8),
    ("OCELLI_RGB565", PixelFormat::Rgb565),
    ("OCELLI_YUYV", PixelFormat::Yuyv),
    ("OCELLI_NV12", PixelFormat::Nv12),
    ("OCELLI_NV21", PixelFormat::Nv21),
];

/// What luma and chroma mean, likewise.
pub const COLORS: [(&str, Colors); 4] = [
    ("OCELLI_BT601_LIMITED", Colors { matrix: Matrix::Bt601, range: Range::Limited }),
    ("OCELLI_BT601_FULL", Colors { matrix: Matrix::Bt601, range: Range::Full }),
    ("OCELLI_BT709_LIMITED", Colors { matrix: Matrix::Bt709, range: Range::Limited }),
    ("OCELLI_BT709_FULL", Colors { matrix: Matrix::Bt709, range: Range::Full }),
];

fn of<T: Copy, const N: usize>(what: &str, list: &[(&str, T); N], number: i32) -> Result<T, Failure> {
    let found = usize::try_from(number).ok().and_then(|number| list.get(number));
    found.map(|(_, found)| *found).ok_or_else(|| fail!(BAD_ARGUMENT, "there is no {what} {number}"))
}

/// # Safety
/// What the header asks of a frame; its planes live as long as the caller says, which is what `'a` stands for.
unsafe fn checked<'a>(frame: *const CFrame) -> Result<Frame<'a>, Failure> {
    // SAFETY: as promised.
    let given = unsafe { text::sized("the frame", frame) }?;
    let format = of("pixel format", &FORMATS, given.format)?;
    let colors = of("meaning of colours", &COLORS, given.colors)?;
    let plane = |what, at, length, stride| -> Result<Plane<'a>, Failure> {
        // SAFETY: as promised.
        Ok(Plane { data: unsafe { text::bytes(what, at, length) }?, stride })
    };
    let first = plane("the plane", given.plane, given.plane_length, given.plane_stride)?;
    let mut planes = [first, Plane { data: &[], stride: 0 }];
    if format.planes() == 2 {
        planes[1] = plane("the plane of chroma", given.chroma, given.chroma_length, given.chroma_stride)?;
    } else if !given.chroma.is_null() {
        return Err(fail!(BAD_ARGUMENT, "{format} has no plane of chroma"));
    }
    let planes = planes.get(..format.planes()).unwrap_or(&planes);
    Frame::new(format, colors, (given.width, given.height), planes)
        .map_err(|error| fail!(BAD_IMAGE, "{error}"))
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_add_frame(session: *mut Block<Session>, frame: *const CFrame) -> Status {
    // SAFETY: the caller's promise; the frame's pixels stay until the turn was read or taken back.
    unsafe { with(session, |talk| talk.add_frame(checked(frame)?).map(|()| OK)) }
}

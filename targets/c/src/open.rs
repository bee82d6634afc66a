//! Versions, errors, and the model.
#![allow(unsafe_code, reason = "entry points")]

use crate::block::{Block, Given, Kind, Room};
use crate::entry::{entry, keep};
use crate::session::Session;
use crate::status::{self, BAD_VERSION, Failure, OK, Status, fail};
use crate::text;
use crate::{measure, system};
use core::ffi::{c_char, c_void};
use ocelli::Model;
use ocelli::chat::Template;
#[cfg(feature = "std")]
use ocelli::{Load, Mmproj};
#[cfg(feature = "std")]
use std::path::Path;

/// `OCELLI_ABI`: the number before the point, and the one after it.
pub const ABI: u32 = 3;

/// `OCELLI_NO_TOWER`.
pub const NO_TOWER: u32 = 1;
/// `OCELLI_READ`.
pub const READ: u32 = 2;

/// `ocelli_source`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "the header's")]
pub struct Source {
    pub size: usize,
    pub text_path: *const c_char,
    pub text_path_length: usize,
    pub vision_path: *const c_char,
    pub vision_path_length: usize,
    pub text: *const c_void,
    pub text_length: usize,
    pub vision: *const c_void,
    pub vision_length: usize,
    pub flags: u32,
    pub reserved: u32,
}

/// `ocelli_model`.
pub struct Opened {
    /// The model.
    pub model: Model<'static>,
    /// Its way to write conversations, or why there is none.
    pub template: Result<Template, Failure>,
}

impl Kind for Opened {
    const MAGIC: u32 = u32::from_le_bytes(*b"OceM");
    const NAME: &'static str = "the model";
    const SHARED: bool = true;
}

/// A source, checked. What it refers to is alive for as long as the model is, as the caller has promised.
#[derive(Clone, Copy)]
enum Checked {
    #[cfg(feature = "std")]
    Paths {
        text: &'static Path,
        vision: Mmproj<'static>,
        load: Load,
    },
    Bytes {
        text: &'static [u8],
        vision: Option<&'static [u8]>,
    },
}

impl Checked {
    /// # Safety
    /// What the header asks of a source.
    unsafe fn new(source: *const Source) -> Result<Checked, Failure> {
        // SAFETY: as promised.
        let source = unsafe { text::sized("the source", source) }?;
        if source.flags & !(NO_TOWER | READ) != 0 || source.reserved != 0 {
            return Err(fail!(BAD_ARGUMENT, "the source has flags that this version does not know"));
        }
        let none = source.flags & NO_TOWER != 0;
        if none && !(source.vision_path.is_null() && source.vision.is_null()) {
            return Err(fail!(BAD_ARGUMENT, "the source names a vision tower and says that there is none"));
        }
        match (source.text_path.is_null(), source.text.is_null()) {
            // SAFETY: as promised.
            (false, true) if source.vision.is_null() => unsafe { Checked::paths(&source, none) },
            // SAFETY: as promised.
            (true, false) if source.vision_path.is_null() => unsafe { Checked::bytes(&source) },
            (true, true) => Err(fail!(BAD_ARGUMENT, "the source names no model: neither a path nor memory")),
            _ => Err(fail!(BAD_ARGUMENT, "the source names paths and memory: one of them is meant")),
        }
    }

    /// # Safety
    /// As [`new`](Checked::new).
    #[cfg(not(feature = "std"))]
    unsafe fn paths(_: &Source, _: bool) -> Result<Checked, Failure> {
        Err(fail!(UNSUPPORTED, "without an operating system there are no files: give the model in memory"))
    }

    /// # Safety
    /// As [`new`](Checked::new).
    #[cfg(feature = "std")]
    unsafe fn paths(source: &Source, none: bool) -> Result<Checked, Failure> {
        // SAFETY: as promised.
        let path = |what, at, length| unsafe { text::text(what, at, length) }.map(Path::new);
        let vision = match source.vision_path.is_null() {
            true if none => Mmproj::None,
            true => Mmproj::Beside,
            false => Mmproj::File(path("vision_path", source.vision_path, source.vision_path_length)?),
        };
        let load = if source.flags & READ == 0 { Load::Map } else { Load::Read };
        Ok(Checked::Paths {
            text: path("text_path", source.text_path, source.text_path_length)?,
            vision,
            load,
        })
    }

    /// # Safety
    /// As [`new`](Checked::new).
    unsafe fn bytes(source: &Source) -> Result<Checked, Failure> {
        // SAFETY: as promised.
        let bytes = |what, at, length| unsafe { text::bytes(what, at, length) };
        let vision = match source.vision.is_null() {
            true => None,
            false => Some(bytes("vision", source.vision, source.vision_length)?),
        };
        Ok(Checked::Bytes { text: bytes("text", source.text, source.text_length)?, vision })
    }

    fn open(self) -> Result<Opened, Failure> {
        let model = match self {
            #[cfg(feature = "std")]
            Checked::Paths { text, vision, load } => Model::open(text, vision, load),
            Checked::Bytes { text, vision } => Model::from_bytes(text, vision),
        }?;
        let template = Template::of(&model).map_err(Failure::from);
        Ok(Opened { model, template })
    }

    /// Bytes of heap that `open` takes. Nothing that it makes lives longer than the model.
    fn heap_bytes(self) -> Result<usize, Failure> {
        measure::peak(|| self.open().map(drop))
    }
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn ocelli_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn ocelli_check(abi: u32) -> Status {
    // Before version 1 a minor version may change anything.
    if abi == ABI { OK } else { BAD_VERSION }
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn ocelli_status_text(status: Status) -> *const c_char {
    status::words(status).as_ptr()
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_error(session: *mut Block<Session>) -> *const c_char {
    if session.is_null() {
        return system::last();
    }
    // SAFETY: the caller's promise.
    match unsafe { Block::from_ptr(session) } {
        // What the call that is in it has to say is being written.
        Ok(block) if block.is_used() => c"the session is in another call".as_ptr(),
        Ok(block) => block.content().last_error(),
        Err(failure) => {
            keep(failure);
            system::last()
        }
    }
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_model_need(source: *const Source, bytes: *mut usize) -> Status {
    entry(|| {
        // SAFETY: the caller's promise.
        let source = unsafe { Checked::new(source) }?;
        // SAFETY: the caller's promise.
        let bytes = unsafe { text::place("bytes", bytes) }?;
        let heap = source.heap_bytes()?;
        // SAFETY: checked; the caller's promise.
        unsafe { bytes.write(Block::<Opened>::bytes(heap)) };
        Ok(OK)
    })
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_model_open(
    source: *const Source,
    memory: *mut c_void,
    bytes: usize,
    model: *mut *mut Block<Opened>,
) -> Status {
    entry(|| {
        // SAFETY: the caller's promise.
        let (source, given) = unsafe { (Checked::new(source)?, Given::new(memory, bytes)?) };
        // SAFETY: the caller's promise.
        let model = unsafe { text::place("model", model) }?;
        let room = match given {
            #[cfg(feature = "std")]
            Some(_) => Room::Inside(source.heap_bytes()?),
            #[cfg(not(feature = "std"))]
            Some(_) => Room::Whole,
            None => Room::Malloc,
        };
        let made = Block::create(given, room, |_| source.open())?;
        // SAFETY: checked; the caller's promise.
        unsafe { model.write(made) };
        Ok(OK)
    })
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_model_free(model: *mut Block<Opened>) -> Status {
    // SAFETY: the caller's promise.
    entry(|| unsafe { Block::free(model) }.map(|()| OK))
}

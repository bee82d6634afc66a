//! Every entry point as one call with everything right but the order.
#![allow(dead_code, reason = "no test uses all of it")]

use crate::golden::{Files, Z};
use ocelli_c::frame::{CFrame, ocelli_add_frame};
use ocelli_c::open::*;
use ocelli_c::platform::ocelli_use_platform;
use ocelli_c::session::*;
use ocelli_c::status::*;
use ocelli_c::turn::*;
use ocelli_c::{Model, Session};
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

/// Small, so that thousands of sessions are made in seconds.
pub const SMALL: &CStr = c"context=192 image=16x16 threads=1 batch=16 max_tokens=2";

/// An entry point, and where what it makes is to live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    Words,
    LastError,
    Error,
    Platform,
    Need,
    Open,
    OpenInBlock,
    ModelFree,
    Plan,
    New,
    NewInBlock,
    SessionFree,
    Set,
    AddText,
    AddImage,
    AddFrame,
    Embed,
    Next,
    Answer,
    Cancel,
    ResetAll,
    ResetTurn,
    GetStats,
}

pub const ALL: [Op; 23] = {
    use Op::*;
    [
        Words,
        LastError,
        Error,
        Platform,
        Need,
        Open,
        OpenInBlock,
        ModelFree,
        Plan,
        New,
        NewInBlock,
        SessionFree,
        Set,
        AddText,
        AddImage,
        AddFrame,
        Embed,
        Next,
        Answer,
        Cancel,
        ResetAll,
        ResetTurn,
        GetStats,
    ]
};

/// Those that work with a session and leave it.
pub const SESSION: [Op; 12] = {
    use Op::*;
    [Error, Set, AddText, AddImage, AddFrame, Embed, Next, Answer, Cancel, ResetAll, ResetTurn, GetStats]
};

/// A handle, and the block it is in, where that is the caller's.
pub struct Handle<T> {
    pub at: *mut T,
    pub block: Option<Vec<u8>>,
}

impl<T> Handle<T> {
    pub const NONE: Handle<T> = Handle { at: null_mut(), block: None };

    /// The caller has its block back and uses it for something else.
    pub fn overwrite(&mut self) {
        if let Some(block) = &mut self.block {
            block.fill(0xee);
        }
    }
}

/// What an answer's callback does with its first piece.
pub struct During<'a> {
    pub work: &'a mut dyn FnMut(),
    pub pieces: usize,
}

unsafe extern "C" fn sink(user: *mut c_void, text: *const c_char, length: usize) -> c_int {
    assert_eq!(unsafe { text.add(length).read() }, 0);
    if !user.is_null() {
        let during = unsafe { &mut *user.cast::<During<'_>>() };
        during.pieces += 1;
        if during.pieces == 1 {
            (during.work)();
        }
    }
    0
}

/// What calls are made with.
pub struct Caller<'a> {
    pub files: &'a Files,
    pub picture: &'a [u8],
    pub model: Cell<*mut Model>,
    pub session: Cell<*mut Session>,
    /// What was made.
    pub models: RefCell<Vec<Handle<Model>>>,
    pub sessions: RefCell<Vec<Handle<Session>>>,
}

static PIXELS: [u8; 48] = [99; 48];

impl<'a> Caller<'a> {
    pub fn new(files: &'a Files, picture: &'a [u8]) -> Caller<'a> {
        Caller {
            files,
            picture,
            model: Cell::new(null_mut()),
            session: Cell::new(null_mut()),
            models: RefCell::default(),
            sessions: RefCell::default(),
        }
    }

    /// Makes the call; gives its status, 0 where it has none.
    pub fn call(&self, op: Op, during: Option<&mut During<'_>>) -> Status {
        let (model, session) = (self.model.get(), self.session.get());
        let text = |text: &str| -> Status {
            unsafe { ocelli_add_text(session, 1, text.as_ptr().cast(), text.len()) }
        };
        match op {
            Op::Words => unsafe {
                let words = [ocelli_version(), ocelli_status_text(BUSY), ocelli_status_text(77)];
                assert!(words.iter().all(|words| CStr::from_ptr(*words).count_bytes() > 1));
                ocelli_check(ABI)
            },
            Op::LastError => {
                assert!(!unsafe { ocelli_error(null_mut()) }.is_null());
                OK
            }
            Op::Error => {
                assert!(!unsafe { ocelli_error(session) }.is_null());
                OK
            }
            Op::Platform => unsafe { ocelli_use_platform(null()) },
            Op::Need => {
                let mut bytes = 0;
                unsafe { ocelli_model_need(&self.files.source(), &mut bytes) }
            }
            Op::Open => self.open(0),
            Op::OpenInBlock => {
                let mut bytes = 0;
                match unsafe { ocelli_model_need(&self.files.source(), &mut bytes) } {
                    OK => self.open(bytes),
                    status => status,
                }
            }
            Op::ModelFree => unsafe { ocelli_model_free(model) },
            Op::Plan => self.plan().map_or_else(|status| status, |_| OK),
            Op::New => self.make(0),
            Op::NewInBlock => match self.plan() {
                Ok(bytes) => self.make(bytes),
                Err(status) => status,
            },
            Op::SessionFree => unsafe { ocelli_session_free(session) },
            Op::Set => unsafe { ocelli_set(session, c"seed".as_ptr(), Z, c"7".as_ptr(), Z) },
            Op::AddText => text("What?"),
            Op::AddImage => {
                let picture = self.picture;
                unsafe { ocelli_add_image(session, picture.as_ptr().cast(), picture.len()) }
            }
            Op::AddFrame => {
                let frame = CFrame {
                    size: size_of::<CFrame>(),
                    width: 4,
                    height: 4,
                    format: 0,
                    colors: 0,
                    plane: PIXELS.as_ptr().cast(),
                    plane_length: 48,
                    plane_stride: 12,
                    chroma: null(),
                    chroma_length: 0,
                    chroma_stride: 0,
                };
                unsafe { ocelli_add_frame(session, &frame) }
            }
            Op::Embed => {
                let (mut values, mut rows, mut width) = (null(), 0, 0);
                unsafe { ocelli_embed(session, &mut values, &mut rows, &mut width) }
            }
            Op::Next => {
                let (mut room, mut length) = ([0 as c_char; 16], usize::MAX);
                let status = unsafe { ocelli_next(session, room.as_mut_ptr(), room.len(), &mut length) };
                assert_eq!(status == OK, length < room.len(), "an output without success, or none with it");
                status
            }
            Op::Answer => {
                let user = during.map_or(null_mut(), |during| std::ptr::from_mut(during).cast());
                unsafe { ocelli_answer(session, Some(sink), user) }
            }
            Op::Cancel => unsafe { ocelli_cancel(session) },
            Op::ResetAll => unsafe { ocelli_reset(session, RESET_ALL) },
            Op::ResetTurn => unsafe { ocelli_reset(session, RESET_TURN) },
            Op::GetStats => {
                let mut stats = Stats { size: size_of::<Stats>(), ..Stats::default() };
                let status = unsafe { ocelli_get_stats(session, &mut stats) };
                assert!(status != OK || stats.beyond == 0, "{} bytes beyond the block", stats.beyond);
                status
            }
        }
    }

    fn plan(&self) -> Result<usize, Status> {
        let mut need = Need { size: size_of::<Need>(), ..Need::default() };
        match unsafe { ocelli_plan(self.model.get(), SMALL.as_ptr(), Z, &mut need) } {
            OK => Ok(need.session as usize),
            status => Err(status),
        }
    }

    /// A model in a block of so many bytes, or in malloc.
    fn open(&self, bytes: usize) -> Status {
        let mut made = Handle { at: null_mut(), block: (bytes > 0).then(|| vec![0xdd; bytes]) };
        let at = made.block.as_mut().map_or(null_mut(), Vec::as_mut_ptr).cast();
        let status = unsafe { ocelli_model_open(&self.files.source(), at, bytes, &mut made.at) };
        if status == OK {
            self.models.borrow_mut().push(made);
        }
        status
    }

    /// A session, likewise.
    fn make(&self, bytes: usize) -> Status {
        let mut made = Handle { at: null_mut(), block: (bytes > 0).then(|| vec![0xdd; bytes]) };
        let at = made.block.as_mut().map_or(null_mut(), Vec::as_mut_ptr).cast();
        let status =
            unsafe { ocelli_session_new(self.model.get(), SMALL.as_ptr(), Z, at, bytes, &mut made.at) };
        if status == OK {
            self.sessions.borrow_mut().push(made);
        }
        status
    }
}

//! The golden models and pictures, and calls with everything right.
#![allow(dead_code, reason = "no test uses all of it")]

use ocelli_c::open::{Source, ocelli_error, ocelli_model_open};
use ocelli_c::session::ocelli_session_new;
use ocelli_c::status::{END, OK, Status};
use ocelli_c::turn::{ocelli_add_image, ocelli_add_text, ocelli_next};
use ocelli_c::{Model, Session};
use std::ffi::{CStr, c_char};
use std::path::PathBuf;
use std::ptr::{null, null_mut};

/// `OCELLI_Z`.
pub const Z: usize = usize::MAX;
/// Options that fit the golden models.
pub const OPTIONS: &CStr = c"context=512 image=128x128 threads=2 max_tokens=12";

pub fn file(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/models")).join(name)
}

pub fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(file(name)).unwrap()
}

/// A source that names nothing.
pub fn nothing() -> Source {
    Source {
        size: size_of::<Source>(),
        text_path: null(),
        text_path_length: 0,
        vision_path: null(),
        vision_path_length: 0,
        text: null(),
        text_length: 0,
        vision: null(),
        vision_length: 0,
        flags: 0,
        reserved: 0,
    }
}

/// Files in memory.
pub fn in_memory(text: &[u8], vision: Option<&[u8]>) -> Source {
    Source {
        text: text.as_ptr().cast(),
        text_length: text.len(),
        vision: vision.map_or(null(), |bytes| bytes.as_ptr().cast()),
        vision_length: vision.map_or(0, <[u8]>::len),
        ..nothing()
    }
}

/// The files of the golden SmolVLM.
pub struct Files {
    pub text: Vec<u8>,
    pub vision: Vec<u8>,
}

impl Files {
    pub fn read() -> Files {
        Files { text: bytes("smolvlm.gguf"), vision: bytes("mmproj-smolvlm-x2.gguf") }
    }

    pub fn source(&self) -> Source {
        in_memory(&self.text, Some(&self.vision))
    }

    pub fn open(&self) -> *mut Model {
        let mut model = null_mut();
        assert_eq!(unsafe { ocelli_model_open(&self.source(), null_mut(), 0, &mut model) }, OK);
        model
    }
}

pub fn session(model: *const Model, options: &CStr) -> *mut Session {
    let mut session = null_mut();
    let status = unsafe { ocelli_session_new(model, options.as_ptr(), Z, null_mut(), 0, &mut session) };
    assert_eq!(status, OK, "{}", error(null_mut()));
    session
}

/// What `ocelli_error` says.
pub fn error(session: *mut Session) -> String {
    unsafe { CStr::from_ptr(ocelli_error(session)) }.to_str().unwrap().into()
}

pub fn say(session: *mut Session, role: i32, text: &str) -> Status {
    unsafe { ocelli_add_text(session, role, text.as_ptr().cast(), text.len()) }
}

pub fn show(session: *mut Session, image: &[u8]) -> Status {
    unsafe { ocelli_add_image(session, image.as_ptr().cast(), image.len()) }
}

/// The whole answer, through a buffer of this size, and what the last call said.
pub fn listen(session: *mut Session, room: usize) -> (String, Status) {
    let (mut text, mut buffer) = (String::new(), vec![0xffu8; room]);
    loop {
        let mut length = usize::MAX;
        let status = unsafe { ocelli_next(session, buffer.as_mut_ptr().cast::<c_char>(), room, &mut length) };
        if status != OK {
            assert_eq!(length, usize::MAX, "an output without success");
            return (text, status);
        }
        assert_eq!(buffer[length], 0);
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
}

/// The answer to a picture and a question.
pub fn ask(session: *mut Session, image: &str, question: &str) -> String {
    assert_eq!(show(session, &bytes(image)), OK, "{}", error(session));
    assert_eq!(say(session, 1, question), OK, "{}", error(session));
    let (text, status) = listen(session, 64);
    assert_eq!(status, END, "{}", error(session));
    text
}

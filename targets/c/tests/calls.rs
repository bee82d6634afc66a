//! Every entry point with everything wrong: an error, its words, and nothing written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code, missing_docs)]
#![allow(clippy::undocumented_unsafe_blocks, reason = "a caller who tests the header's rules")]

mod golden;

use golden::{Files, OPTIONS, Z, ask, bytes, error, file, in_memory, listen, nothing, say, session, show};
use ocelli_c::frame::*;
use ocelli_c::open::*;
use ocelli_c::platform::*;
use ocelli_c::session::*;
use ocelli_c::status::*;
use ocelli_c::turn::*;
use ocelli_c::{Model, Session};
use std::ffi::{CStr, c_char};
use std::ptr::{dangling_mut, null, null_mut};

const NOT_UTF8: &[u8] = b"lamp \xff\xfe";

fn words(status: Status) -> &'static str {
    unsafe { CStr::from_ptr(ocelli_status_text(status)) }.to_str().unwrap()
}

/// A status, and that the thread's error says something with this in it.
#[track_caller]
fn refused(status: Status, expected: Status, says: &str) {
    let said = error(null_mut());
    assert_eq!(status, expected, "{said}");
    assert!(said.contains(says), "{said:?} does not say {says:?}");
}

/// The same for an error of a session.
#[track_caller]
fn refused_by(session: *mut Session, status: Status, expected: Status, says: &str) {
    let said = error(session);
    assert_eq!(status, expected, "{said}");
    assert!(said.contains(says), "{said:?} does not say {says:?}");
}

#[test]
fn versions_and_words() {
    assert_eq!(unsafe { CStr::from_ptr(ocelli_version()) }.to_str().unwrap(), env!("CARGO_PKG_VERSION"));
    assert_eq!((ocelli_check(ABI), ocelli_check(0), ocelli_check(u32::MAX)), (OK, BAD_VERSION, BAD_VERSION));
    for (name, status) in ALL {
        assert!(words(*status).len() > 3, "{name}");
        assert_ne!(words(*status), words(99), "{name}");
    }
    assert_eq!(words(i32::MIN), words(99));
}

#[test]
fn a_platform_is_for_other_builds() {
    let mut memory = [0u64; 64];
    let memory = memory.as_mut_ptr().cast();
    let given =
        Platform { size: size_of::<Platform>(), memory, bytes: 512, clock_ms: None, user: null_mut() };
    refused(unsafe { ocelli_use_platform(&given) }, UNSUPPORTED, "operating system");
    refused(unsafe { ocelli_use_platform(null()) }, BAD_ARGUMENT, "the platform is NULL");
    refused(unsafe { ocelli_use_platform(&Platform { size: 8, ..given }) }, BAD_ARGUMENT, "sizeof");
}

#[test]
fn sources_that_make_no_sense() {
    let mut model = dangling_mut();
    let untouched = model;
    let mut open = |source: *const Source| {
        let mut need = 77;
        let status = unsafe { ocelli_model_need(source, &mut need) };
        assert_eq!((unsafe { ocelli_model_open(source, null_mut(), 0, &mut model) }, need), (status, 77));
        assert_eq!(model, untouched);
        status
    };
    let (text, name) = (bytes("smolvlm.gguf"), c"nowhere.gguf");
    let whole = in_memory(&text, None);
    let path = Source { text_path: name.as_ptr(), text_path_length: Z, ..nothing() };
    refused(open(null()), BAD_ARGUMENT, "NULL");
    let odd = (&raw const whole).cast::<u8>().wrapping_add(1).cast();
    refused(open(odd), BAD_ARGUMENT, "aligned");
    refused(open(&Source { size: 8, ..whole }), BAD_ARGUMENT, "size");
    refused(open(&Source { size: 0, ..whole }), BAD_ARGUMENT, "size");
    refused(open(&nothing()), BAD_ARGUMENT, "no model");
    refused(open(&Source { flags: 64, ..whole }), BAD_ARGUMENT, "flags");
    refused(open(&Source { reserved: 1, ..whole }), BAD_ARGUMENT, "flags");
    refused(open(&Source { text_path: name.as_ptr(), ..whole }), BAD_ARGUMENT, "paths and memory");
    refused(open(&Source { vision: text.as_ptr().cast(), ..path }), BAD_ARGUMENT, "paths and memory");
    let none = Source { flags: NO_TOWER, vision: text.as_ptr().cast(), vision_length: 9, ..whole };
    refused(open(&none), BAD_ARGUMENT, "says that there is none");
    refused(open(&Source { text_length: Z - 1, ..whole }), BAD_ARGUMENT, "length");
    refused(open(&Source { text_length: 0, ..whole }), BAD_FILE, "the model");
    refused(open(&Source { text_length: 1000, ..whole }), BAD_FILE, "the model");
    refused(open(&path), BAD_FILE, "nowhere.gguf");
    refused(open(&Source { text_path_length: 0, ..path }), BAD_FILE, "");
    refused(open(&Source { text_path_length: isize::MAX as usize + 1, ..path }), BAD_ARGUMENT, "length");
    let path = Source { text_path: NOT_UTF8.as_ptr().cast(), text_path_length: NOT_UTF8.len(), ..nothing() };
    refused(open(&path), BAD_TEXT, "text_path");
    let tower = bytes("../../../models/pocket/mmproj-pocket.gguf");
    refused(open(&in_memory(&text, Some(&tower))), BAD_MODEL, "belong");
    refused(open(&in_memory(&tower, None)), BAD_MODEL, "clip");
    // Cut off anywhere, it is an error.
    for cut in (0..text.len()).step_by(4999) {
        assert!([BAD_FILE, BAD_MODEL].contains(&open(&in_memory(&text[..cut], None))), "{cut}");
    }
}

#[test]
fn places_for_results_that_make_no_sense() {
    let files = Files::read();
    let source = files.source();
    refused(unsafe { ocelli_model_need(&source, null_mut()) }, BAD_ARGUMENT, "bytes is NULL");
    refused(unsafe { ocelli_model_open(&source, null_mut(), 0, null_mut()) }, BAD_ARGUMENT, "model is NULL");
    let odd = null_mut::<*mut Model>().wrapping_byte_add(9);
    refused(unsafe { ocelli_model_open(&source, null_mut(), 0, odd) }, BAD_ARGUMENT, "aligned");
    let mut model = null_mut();
    refused(unsafe { ocelli_model_open(&source, null_mut(), 5, &mut model) }, BAD_ARGUMENT, "malloc");
    let mut little = [0u8; 64];
    let at = little.as_mut_ptr().cast();
    refused(unsafe { ocelli_model_open(&source, at, 64, &mut model) }, NO_MEMORY, "64");
    refused(unsafe { ocelli_model_open(&source, at, Z, &mut model) }, BAD_ARGUMENT, "no memory has");
    assert!(model.is_null());
    assert_eq!(little, [0; 64]);
    refused(unsafe { ocelli_model_free(null_mut()) }, BAD_ARGUMENT, "the model is NULL");
    refused(unsafe { ocelli_model_free(null_mut::<Model>().wrapping_byte_add(3)) }, BAD_HANDLE, "odd");
}

#[test]
fn sessions_that_cannot_be_made() {
    let files = Files::read();
    let model = files.open();
    let make = |options: &[u8], length: usize, says: &str, expected: Status| {
        let mut need = Need { size: size_of::<Need>(), ..Need::default() };
        let (options, mut made) = (options.as_ptr().cast(), null_mut());
        refused(unsafe { ocelli_plan(model, options, length, &mut need) }, expected, says);
        let status = unsafe { ocelli_session_new(model, options, length, null_mut(), 0, &mut made) };
        refused(status, expected, says);
        assert!(made.is_null() && need.session == 0);
    };
    for (options, says) in [
        ("context", "key=value"),
        ("context=", "whole number"),
        ("context=-1", "whole number"),
        ("context=99999999999999999999", "whole number"),
        ("context=0", "context"),
        ("context=99999999", "context"),
        ("threads=0", "threads"),
        ("batch=0", "batch"),
        ("kv=f15", "f16, f32 or q8_0"),
        ("image=12", "WxH"),
        ("image=0x5", "WxH"),
        ("image=70000x5", "WxH"),
        ("fit=2", "0 or 1"),
        ("square=pad,crop", "pad or crop"),
        ("isa=z80", "instruction set"),
        ("temperature=-1", "0 or more"),
        ("temperature=nan", "0 or more"),
        ("top_p=0", "above 0"),
        ("colour=red", "no option \"colour\""),
        ("=1", "no option"),
    ] {
        make(options.as_bytes(), options.len(), says, BAD_OPTION);
    }
    make(NOT_UTF8, NOT_UTF8.len(), "the options", BAD_TEXT);
    make(b"limit=1000", 10, "1000 allowed", NO_MEMORY);
    make(b"", Z - 1, "length", BAD_ARGUMENT);
    let mut need = Need::default();
    refused(unsafe { ocelli_plan(model, null(), 0, &mut need) }, BAD_ARGUMENT, "the options is NULL");
    refused(unsafe { ocelli_plan(model, null(), Z, &mut need) }, BAD_ARGUMENT, "the options is NULL");
    let options = OPTIONS.as_ptr();
    refused(unsafe { ocelli_plan(null(), options, Z, &mut need) }, BAD_ARGUMENT, "the model is NULL");
    refused(unsafe { ocelli_plan(model, options, Z, null_mut()) }, BAD_ARGUMENT, "need is NULL");
    refused(unsafe { ocelli_plan(model, options, Z, &mut need) }, BAD_ARGUMENT, "size of need");
    let new = |out| unsafe { ocelli_session_new(model, options, Z, null_mut(), 0, out) };
    refused(new(null_mut()), BAD_ARGUMENT, "session is NULL");
    let mut made = null_mut();
    let mut block = vec![0u8; 4096];
    let at = block.as_mut_ptr().cast();
    refused(unsafe { ocelli_session_new(model, options, Z, at, 4096, &mut made) }, NO_MEMORY, "4096");
    assert_eq!(unsafe { ocelli_model_free(model) }, OK);
}

#[test]
fn calls_with_a_session_that_make_no_sense() {
    let files = Files::read();
    let model = files.open();
    let talk = session(model, OPTIONS);
    let (key, value) = (c"seed".as_ptr(), c"1".as_ptr());
    let set = |key: &str, value: &str| unsafe {
        ocelli_set(talk, key.as_ptr().cast(), key.len(), value.as_ptr().cast(), value.len())
    };
    refused_by(talk, unsafe { ocelli_set(talk, null(), 0, value, Z) }, BAD_ARGUMENT, "the key is NULL");
    refused_by(talk, unsafe { ocelli_set(talk, key, Z, null(), 0) }, BAD_ARGUMENT, "the value is NULL");
    refused_by(talk, unsafe { ocelli_set(talk, key, Z - 1, value, Z) }, BAD_ARGUMENT, "length");
    refused_by(talk, set("context", "5"), BAD_OPTION, "fixed");
    refused_by(talk, set("seeds", "5"), BAD_OPTION, "no option");
    refused_by(talk, set("", ""), BAD_OPTION, "no option");
    refused_by(talk, set("seed", "\u{0}"), BAD_OPTION, "\\0");
    refused_by(talk, set("min_p", "1.5"), BAD_OPTION, "0 to 1");
    refused_by(talk, set("stop", &"x".repeat(257)), BAD_OPTION, "256");
    for _ in 0..8 {
        assert_eq!(set("stop", "never to be said"), OK);
    }
    refused_by(talk, set("stop", "x"), BAD_OPTION, "eight");
    assert_eq!(set("stop", ""), OK);

    let text = c"text".as_ptr();
    for role in [-1, 3, i32::MAX, i32::MIN] {
        refused_by(talk, unsafe { ocelli_add_text(talk, role, text, Z) }, BAD_ARGUMENT, "role");
    }
    refused_by(talk, unsafe { ocelli_add_text(talk, 1, null(), 0) }, BAD_ARGUMENT, "the text is NULL");
    refused_by(talk, unsafe { ocelli_add_text(talk, 1, null(), Z) }, BAD_ARGUMENT, "the text is NULL");
    refused_by(talk, unsafe { ocelli_add_text(talk, 1, text, Z - 1) }, BAD_ARGUMENT, "length");
    let status = unsafe { ocelli_add_text(talk, 1, NOT_UTF8.as_ptr().cast(), NOT_UTF8.len()) };
    refused_by(talk, status, BAD_TEXT, "5");
    refused_by(talk, unsafe { ocelli_add_image(talk, null(), 0) }, BAD_ARGUMENT, "the image is NULL");
    refused_by(talk, unsafe { ocelli_add_image(talk, text.cast(), 0) }, BAD_IMAGE, "");
    refused_by(talk, unsafe { ocelli_add_image(talk, text.cast(), Z) }, BAD_ARGUMENT, "length");

    let (mut buffer, mut length) = ([7 as c_char; 8], 77);
    let at = buffer.as_mut_ptr();
    refused_by(talk, unsafe { ocelli_next(talk, at, 8, &mut length) }, BAD_ORDER, "nothing");
    let (mut values, mut rows, mut width) = (at.cast_const().cast::<f32>(), 78, 79);
    let (v, r, w): (*mut *const f32, *mut usize, *mut usize) = (&mut values, &mut rows, &mut width);
    for (v, r, w, status, says) in [
        (null_mut(), r, w, BAD_ARGUMENT, "values"),
        (v, null_mut(), w, BAD_ARGUMENT, "rows"),
        (v, r, null_mut(), BAD_ARGUMENT, "width"),
        (v, r, w, BAD_ORDER, "no image was added"),
    ] {
        refused_by(talk, unsafe { ocelli_embed(talk, v, r, w) }, status, says);
    }
    assert_eq!((values.cast(), rows, width), (at.cast_const(), 78, 79), "no output without success");
    assert_eq!(say(talk, 1, "What?"), OK);
    refused_by(talk, unsafe { ocelli_next(talk, null_mut(), 8, &mut length) }, BAD_ARGUMENT, "text is NULL");
    refused_by(talk, unsafe { ocelli_next(talk, at, 8, null_mut()) }, BAD_ARGUMENT, "length is NULL");
    for room in 0..5 {
        refused_by(talk, unsafe { ocelli_next(talk, at, room, &mut length) }, NO_ROOM, "5");
    }
    assert_eq!((buffer, length), ([7; 8], 77), "no output without success");
    refused_by(talk, unsafe { ocelli_answer(talk, None, null_mut()) }, BAD_ARGUMENT, "callback");
    for what in [-1, 2, i32::MAX] {
        refused_by(talk, unsafe { ocelli_reset(talk, what) }, BAD_ARGUMENT, "reset");
    }
    refused_by(talk, unsafe { ocelli_get_stats(talk, null_mut()) }, BAD_ARGUMENT, "stats is NULL");
    let mut stats = Stats { size: 4, beyond: 7, ..Stats::default() };
    refused_by(talk, unsafe { ocelli_get_stats(talk, &mut stats) }, BAD_ARGUMENT, "size");
    assert_eq!(stats.beyond, 7);
    assert_eq!(listen(talk, 64).1, END);
    assert_eq!(listen(talk, 64), (String::new(), END));
    refused(unsafe { ocelli_model_free(model) }, BUSY, "still used by 1");
    assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
    assert_eq!(unsafe { ocelli_model_free(model) }, OK);
}

/// A frame of 4x4 grey pixels.
fn grey(pixels: &[u8]) -> CFrame {
    CFrame {
        size: size_of::<CFrame>(),
        width: 4,
        height: 4,
        format: 3,
        colors: 0,
        plane: pixels.as_ptr().cast(),
        plane_length: pixels.len(),
        plane_stride: 4,
        chroma: null(),
        chroma_length: 0,
        chroma_stride: 0,
    }
}

#[test]
fn frames_that_make_no_sense() {
    let files = Files::read();
    let model = files.open();
    let talk = session(model, OPTIONS);
    let pixels = [7; 64];
    let good = grey(&pixels[..16]);
    let chroma = pixels.as_ptr().cast();
    for (frame, status, says) in [
        (CFrame { size: 8, ..good }, BAD_ARGUMENT, "size"),
        (CFrame { format: 8, ..good }, BAD_ARGUMENT, "pixel format 8"),
        (CFrame { format: -1, ..good }, BAD_ARGUMENT, "pixel format -1"),
        (CFrame { colors: 4, ..good }, BAD_ARGUMENT, "colours 4"),
        (CFrame { plane: null(), ..good }, BAD_ARGUMENT, "the plane is NULL"),
        (CFrame { plane_length: Z - 1, ..good }, BAD_ARGUMENT, "length"),
        (CFrame { chroma, ..good }, BAD_ARGUMENT, "no plane of chroma"),
        (CFrame { format: 6, ..good }, BAD_ARGUMENT, "chroma is NULL"),
        (CFrame { format: 6, chroma, chroma_length: 7, chroma_stride: 4, ..good }, BAD_IMAGE, "8"),
        (CFrame { plane_length: 15, ..good }, BAD_IMAGE, "16"),
        (CFrame { plane_stride: 3, ..good }, BAD_IMAGE, "stride"),
        (CFrame { plane_stride: Z / 2, ..good }, BAD_IMAGE, ""),
        (CFrame { width: 0, ..good }, BAD_IMAGE, "0"),
        (CFrame { width: u32::MAX, height: u32::MAX, ..good }, BAD_IMAGE, ""),
        (CFrame { width: 3, format: 5, ..good }, BAD_IMAGE, "YUYV"),
        (CFrame { width: 1, height: 129, plane_length: 64, plane_stride: 0, ..good }, BAD_IMAGE, ""),
    ] {
        refused_by(talk, unsafe { ocelli_add_frame(talk, &frame) }, status, says);
    }
    refused_by(talk, unsafe { ocelli_add_frame(talk, null()) }, BAD_ARGUMENT, "the frame is NULL");
    let odd = (&raw const good).cast::<u8>().wrapping_add(1).cast();
    refused_by(talk, unsafe { ocelli_add_frame(talk, odd) }, BAD_ARGUMENT, "aligned");
    assert_eq!(unsafe { ocelli_add_frame(talk, &good) }, OK);
    assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
    assert_eq!(unsafe { ocelli_model_free(model) }, OK);
}

/// Every call with this for a session.
fn every_call(talk: *mut Session) -> Vec<Status> {
    let (text, mut buffer, mut length) = (c"seed".as_ptr(), [0 as c_char; 8], 0);
    let (mut values, mut rows, mut width) = (null(), 0, 0);
    let mut stats = Stats { size: size_of::<Stats>(), ..Stats::default() };
    unsafe extern "C" fn sink(_: *mut std::ffi::c_void, _: *const c_char, _: usize) -> i32 {
        0
    }
    unsafe {
        vec![
            ocelli_set(talk, text, Z, text, Z),
            ocelli_add_text(talk, 1, text, Z),
            ocelli_add_image(talk, text.cast(), 4),
            ocelli_add_frame(talk, &grey(&[7; 16])),
            ocelli_embed(talk, &mut values, &mut rows, &mut width),
            ocelli_next(talk, buffer.as_mut_ptr(), 8, &mut length),
            ocelli_answer(talk, Some(sink), null_mut()),
            ocelli_cancel(talk),
            ocelli_reset(talk, 0),
            ocelli_get_stats(talk, &mut stats),
            ocelli_session_free(talk),
        ]
    }
}

#[test]
fn handles_that_are_none() {
    assert!(every_call(null_mut()).iter().all(|status| *status == BAD_ARGUMENT));
    assert!(error(null_mut()).contains("the session is NULL"));
    assert!(every_call(null_mut::<Session>().wrapping_byte_add(17)).iter().all(|s| *s == BAD_HANDLE));
    let mut zeros = vec![0u64; 4096];
    let at = zeros.as_mut_ptr();
    let at = at.wrapping_byte_add(at.align_offset(64));
    assert!(every_call(at.cast()).iter().all(|status| *status == BAD_HANDLE));
    assert!(error(at.cast()).contains("not a handle"));
    // A model is no session.
    let files = Files::read();
    let model = files.open();
    assert!(every_call(model.cast()).iter().all(|status| *status == BAD_HANDLE));
    let talk = session(model, OPTIONS);
    assert_eq!(unsafe { ocelli_model_free(talk.cast()) }, BAD_HANDLE);
    assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
    assert_eq!(unsafe { ocelli_model_free(model) }, OK);
}

#[test]
fn freed_handles_in_memory_of_the_callers() {
    let files = Files::read();
    let mut bytes = 0;
    assert_eq!(unsafe { ocelli_model_need(&files.source(), &mut bytes) }, OK);
    let mut block = vec![0u8; bytes];
    let mut model = null_mut();
    let status = unsafe { ocelli_model_open(&files.source(), block.as_mut_ptr().cast(), bytes, &mut model) };
    assert_eq!(status, OK);
    let mut need = Need { size: size_of::<Need>(), ..Need::default() };
    assert_eq!(unsafe { ocelli_plan(model, OPTIONS.as_ptr(), Z, &mut need) }, OK);
    let mut room = vec![0u8; need.session as usize];
    let (at, size) = (room.as_mut_ptr().cast(), room.len());
    let mut talk = null_mut();
    assert_eq!(unsafe { ocelli_session_new(model, OPTIONS.as_ptr(), Z, at, size, &mut talk) }, OK);
    assert_eq!(say(talk, 1, "What?"), OK);
    assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
    assert!(every_call(talk).iter().all(|status| *status == BAD_HANDLE));
    assert_eq!(unsafe { ocelli_model_free(model) }, OK);
    assert_eq!(unsafe { ocelli_model_free(model) }, BAD_HANDLE);
    let status = unsafe { ocelli_session_new(model, OPTIONS.as_ptr(), Z, null_mut(), 0, &mut talk) };
    refused(status, BAD_HANDLE, "freed");
}

#[test]
fn one_call_at_a_time_and_cancel_at_any() {
    let files = Files::read();
    let model = files.open();
    let talk = session(model, OPTIONS);
    let expected = ask(talk, "photo.png", "What?");
    let address = talk as usize;
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    let talk = address as *mut Session;
                    let mut busy = 0;
                    for _ in 0..2000 {
                        let mut stats = Stats { size: size_of::<Stats>(), ..Stats::default() };
                        match unsafe { ocelli_get_stats(talk, &mut stats) } {
                            OK => {}
                            BUSY => busy += 1,
                            other => panic!("{other}"),
                        }
                        std::hint::spin_loop();
                    }
                    busy
                })
            })
            .collect();
        while others.iter().any(|other| !other.is_finished()) {
            // Calls that find the session busy are made again.
            while unsafe { ocelli_reset(talk, 0) } == BUSY {}
            while show(talk, &bytes("photo.png")) == BUSY {}
            while say(talk, 1, "What?") == BUSY {}
            let mut text = String::new();
            loop {
                let (piece, status) = listen(talk, 64);
                text.push_str(&piece);
                if status == END {
                    break;
                }
                assert_eq!(status, BUSY);
            }
            assert_eq!(text, expected);
        }
        let busy: i32 = others.into_iter().map(|other| other.join().unwrap()).sum();
        println!("{busy} of 4000 calls found the session busy");
    });
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..50 {
                assert_eq!(unsafe { ocelli_cancel(address as *const Session) }, OK);
                std::thread::sleep(std::time::Duration::from_micros(300));
            }
        });
        for _ in 0..5 {
            unsafe { ocelli_reset(talk, 0) };
            show(talk, &bytes("photo.png"));
            say(talk, 1, "What?");
            let mut text = String::new();
            loop {
                let (piece, status) = listen(talk, 64);
                text.push_str(&piece);
                if status == END {
                    break;
                }
                assert_eq!(status, CANCELLED);
            }
            assert_eq!(text, expected);
        }
    });
    assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
    assert_eq!(unsafe { ocelli_model_free(model) }, OK);
}

#[test]
fn one_model_serves_threads() {
    let files = Files::read();
    let model = files.open();
    let expected = {
        let talk = session(model, OPTIONS);
        let text = ask(talk, "photo.png", "What?");
        assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
        text
    };
    let address = model as usize;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let expected = &expected;
            scope.spawn(move || {
                for _ in 0..2 {
                    let talk = session(address as *const Model, OPTIONS);
                    assert_eq!(&ask(talk, "photo.png", "What?"), expected);
                    assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
                }
            });
        }
    });
    assert_eq!(unsafe { ocelli_model_free(model) }, OK);
}

#[test]
fn a_language_model_alone_takes_no_images() {
    let path = file("llama-tied.gguf");
    let path = path.to_str().unwrap();
    let source = Source {
        text_path: path.as_ptr().cast(),
        text_path_length: path.len(),
        flags: NO_TOWER,
        ..nothing()
    };
    let mut model = null_mut();
    assert_eq!(unsafe { ocelli_model_open(&source, null_mut(), 0, &mut model) }, OK);
    let talk = session(model, OPTIONS);
    assert_eq!(show(talk, &bytes("photo.png")), NO_VISION);
    assert_eq!(say(talk, 1, "What?"), OK);
    assert_eq!(listen(talk, 64).1, END);
    assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
    assert_eq!(unsafe { ocelli_model_free(model) }, OK);
}

//! What enters is bounded: texts by their bytes and their number, images by the context and by what decoding may take.
//! What no longer fits is refused with the figure, nothing is taken beyond the block, and the session lives on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code, missing_docs)]
#![allow(clippy::undocumented_unsafe_blocks, reason = "a caller who keeps the header's rules")]

mod golden;

use golden::{Files, Z, bytes, error, in_memory, listen, say, session, show};
use ocelli_c::frame::{CFrame, ocelli_add_frame};
use ocelli_c::open::*;
use ocelli_c::session::*;
use ocelli_c::status::*;
use ocelli_c::turn::*;
use ocelli_c::{Model, Session};
use std::ffi::{CStr, CString};
use std::ptr::{null, null_mut};

fn stats(session: *mut Session) -> Stats {
    let mut stats = Stats { size: size_of::<Stats>(), ..Stats::default() };
    assert_eq!(unsafe { ocelli_get_stats(session, &mut stats) }, OK);
    stats
}

fn need(model: *const Model, options: &CStr) -> Need {
    let mut need = Need { size: size_of::<Need>(), ..Need::default() };
    assert_eq!(unsafe { ocelli_plan(model, options.as_ptr(), Z, &mut need) }, OK);
    need
}

fn reset(session: *mut Session, what: i32) {
    assert_eq!(unsafe { ocelli_reset(session, what) }, OK);
}

/// A grey frame of 4x4 pixels: no memory but what it takes in the conversation.
fn frame(session: *mut Session) -> Status {
    static PIXELS: [u8; 16] = [7; 16];
    let frame = CFrame {
        size: size_of::<CFrame>(),
        width: 4,
        height: 4,
        format: 3,
        colors: 0,
        plane: PIXELS.as_ptr().cast(),
        plane_length: 16,
        plane_stride: 4,
        chroma: null(),
        chroma_length: 0,
        chroma_stride: 0,
    };
    unsafe { ocelli_add_frame(session, &frame) }
}

/// What is added, part by part.
type Way = fn(*mut Session, usize) -> Status;

const WAYS: [(&str, Way); 12] = [
    ("empty texts", |s, _| say(s, 1, "")),
    ("empty texts, roles in turn", |s, i| say(s, (i % 3) as i32, "")),
    ("empty texts, two roles", |s, i| say(s, 1 + (i % 2) as i32, "")),
    ("letters", |s, _| say(s, 1, "a")),
    ("letters, roles in turn", |s, i| say(s, (i % 3) as i32, "a")),
    ("letters, two roles", |s, i| say(s, 1 + (i % 2) as i32, "a")),
    ("control tokens, two roles", |s, i| say(s, 1 + (i % 2) as i32, "</s>")),
    // All the bytes that there may be, in all the messages that there may be: 4 for each position, a message for every six.
    ("short texts, two roles", |s, i| say(s, 1 + (i % 2) as i32, "x;9~x;9~x;9~x;9~x;9~x;9")),
    ("short texts", |s, _| say(s, 1, "x;9~x;9~x;9")),
    ("foreign words, two roles", |s, i| {
        say(s, 1 + (i % 2) as i32, "\u{4e16}\u{e9}\u{4e16}\u{e9}\u{4e16}\u{e9}")
    }),
    ("texts and frames", |s, i| if i % 2 == 0 { frame(s) } else { say(s, 1, "b") }),
    ("blanks and line feeds", |s, i| say(s, (i / 2 % 3) as i32, if i % 2 == 0 { " " } else { "\n" })),
];

const MODELS: [(&str, Option<&str>); 4] = [
    ("smolvlm.gguf", Some("mmproj-smolvlm-x2.gguf")),
    ("llama-tied.gguf", None),
    ("qwen2.gguf", None),
    ("../../../models/pocket/pocket.gguf", Some("../../../models/pocket/mmproj-pocket.gguf")),
];

/// The constants of a plan, `PER_POSITION` and `PER_TEXT`, by what is measured: the longest conversations of small texts take
/// them for every position, and no more. (What every conversation takes counts for nothing where there are so many positions.)
#[test]
fn what_is_planned_for_a_position_is_enough() {
    let files = Files::read();
    let model = files.open();
    let plan = |context: usize, bytes: &str| {
        let options = format!("context={context} image=none threads=1 max_tokens=1 {bytes}");
        let options = CString::new(options).unwrap();
        let need = need(model, &options);
        (options, need)
    };
    // Without a byte of text it is `PER_POSITION` alone; else `PER_TEXT` for each of four bytes, too. What grows by doubling
    // has just done so in these contexts.
    for (bytes, way) in [("text=1", WAYS[2]), ("", WAYS[5]), ("", WAYS[7])] {
        for context in [6126, 12270] {
            let (options, need) = plan(context, bytes);
            let per_position = (plan(2 * context, bytes).1.text - need.text) / context as u64;
            let talk = session(model, &options);
            let mut count = 0;
            while way.1(talk, count) == OK {
                count += 1;
            }
            listen(talk, 64);
            let stats = stats(talk);
            let taken = (stats.heap_peak - (need.session - need.text)) / context as u64;
            println!(
                "{} of {bytes}: of {context} positions each takes {taken} of {per_position} bytes",
                way.0
            );
            assert_eq!(stats.beyond, 0, "{options:?} {}", way.0);
            assert!(taken <= per_position, "{options:?} {}: {taken} of {per_position}", way.0);
            assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
        }
    }
    assert_eq!(unsafe { ocelli_model_free(model) }, OK);
}

#[test]
fn many_small_texts_stay_within_the_block() {
    for (name, tower) in MODELS {
        let (text, vision) = (bytes(name), tower.map(bytes));
        let mut model = null_mut();
        let source = in_memory(&text, vision.as_deref());
        assert_eq!(unsafe { ocelli_model_open(&source, null_mut(), 0, &mut model) }, OK);
        for (context, options) in [
            (64, c"context=64 image=128x128 threads=1 max_tokens=2"),
            (512, c"context=512 image=128x128 threads=1 max_tokens=2"),
            (2048, c"context=2048 image=128x128 threads=1 max_tokens=2"),
            // Bytes without end: the number of texts is still bounded.
            (256, c"context=256 image=none threads=1 max_tokens=2 text=1000000"),
        ] {
            let planned = need(model, options);
            let talk = session(model, options);
            let base = stats(talk).heap_peak;
            let mut report = String::new();
            for (way, add) in WAYS {
                if options.to_bytes().ends_with(b"000") && way.contains("frames") {
                    continue;
                }
                for template in ["model", "none"] {
                    let value = template.as_ptr().cast();
                    assert_eq!(
                        unsafe { ocelli_set(talk, c"template".as_ptr(), Z, value, template.len()) },
                        OK
                    );
                    reset(talk, RESET_ALL);
                    let mut count = 0;
                    let refused = loop {
                        match add(talk, count) {
                            OK => count += 1,
                            status => break status,
                        }
                        assert!(count <= 4 * context, "{name} {options:?} {way}: no bound");
                    };
                    let without_vision = refused == NO_VISION && way.contains("frames");
                    assert!(refused == NO_CONTEXT || without_vision, "{way}: {refused} {}", error(talk));
                    assert!(count >= context / 8 || way.contains("frames"), "{way}: {count}");
                    assert_eq!(stats(talk).beyond, 0, "{name} {options:?} {way}: {count} added");
                    // Refused, nothing has happened: once more the same.
                    assert_eq!(add(talk, count), refused);
                    let (_, status) = listen(talk, 64);
                    // A template may refuse an order of roles; the context is often too short for all of it.
                    let answered = [END, NO_CONTEXT, BAD_MODEL, BAD_ORDER].contains(&status);
                    assert!(answered, "{name} {options:?} {way}: {status} {}", error(talk));
                    let after = stats(talk);
                    assert_eq!(after.beyond, 0, "{name} {options:?} {way}, read: {status} {}", error(talk));
                    report += &format!(
                        "  {way} ({template}): {count}, {} bytes so far, {status}\n",
                        after.heap_peak - base
                    );
                }
            }
            println!("{name} {options:?}: {} of {}\n{report}", stats(talk).heap_peak, planned.session);
            // It lives on.
            reset(talk, RESET_ALL);
            assert_eq!(say(talk, 1, "What?"), OK);
            assert_eq!(listen(talk, 64).1, END, "{}", error(talk));
            assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
        }
        assert_eq!(unsafe { ocelli_model_free(model) }, OK);
    }
}

/// Answers are texts too: turn after turn, until there is no room.
#[test]
fn many_turns_stay_within_the_block() {
    let files = Files::read();
    let model = files.open();
    for text in ["", "a", "What is the number?"] {
        let talk = session(model, c"context=512 image=128x128 threads=1 max_tokens=1");
        let (mut turns, mut status) = (0, OK);
        while turns < 600 {
            status = say(talk, 1, text);
            if status == OK {
                status = listen(talk, 64).1;
            }
            if status != END {
                break;
            }
            turns += 1;
        }
        assert_eq!(status, NO_CONTEXT, "{turns} turns: {}", error(talk));
        assert!(turns >= 12, "{turns} turns");
        assert_eq!(stats(talk).beyond, 0);
        println!("{turns} turns of {text:?}: {}", error(talk));
        reset(talk, RESET_ALL);
        assert_eq!(say(talk, 1, "What?"), OK);
        assert_eq!(listen(talk, 64).1, END);
        assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
    }
    assert_eq!(unsafe { ocelli_model_free(model) }, OK);
}

#[test]
fn images_beyond_the_context_are_refused_when_they_are_added() {
    let files = Files::read();
    let model = files.open();
    let picture = bytes("photo.png");
    // Each takes 20 positions.
    for (options, most) in [
        (c"context=512 image=128x128 threads=1 max_tokens=2", 25),
        (c"context=160 image=128x128 threads=1 max_tokens=2", 8),
    ] {
        let talk = session(model, options);
        for add in [(|s, p| show(s, p)) as fn(*mut Session, &[u8]) -> Status, |s, _| frame(s)] {
            for before in [false, true] {
                reset(talk, RESET_ALL);
                let mut count = 0;
                if before {
                    // Those of turns before count: they stay in the context.
                    assert_eq!(add(talk, &picture), OK);
                    assert_eq!(listen(talk, 64).1, END, "{}", error(talk));
                    count = 1;
                }
                while add(talk, &picture) == OK {
                    count += 1;
                    assert!(count <= most + 1, "no bound");
                }
                let said = error(talk);
                assert_eq!(add(talk, &picture), NO_CONTEXT, "{said}");
                assert!(said.contains("images take") && said.contains("positions"), "{said}");
                println!("{options:?}: {count}: {said}");
                // Only the turn is lost.
                reset(talk, RESET_TURN);
                assert_eq!(add(talk, &picture), OK, "{}", error(talk));
                assert_eq!(listen(talk, 64).1, END, "{}", error(talk));
                assert_eq!(stats(talk).beyond, 0);
            }
        }
        assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
    }
    assert_eq!(unsafe { ocelli_model_free(model) }, OK);
}

/// Decoded images wait in malloc for their turn: no more of them than `decode` allows.
#[test]
fn images_beyond_the_memory_to_decode_are_refused() {
    let files = Files::read();
    let model = files.open();
    // The decoder of a PNG asks for 4 MiB, most of it for texts that may say which way the picture is turned.
    let picture = bytes("photo.png");
    let few = session(model, c"context=2000 image=128x128 threads=1 max_tokens=2 decode=4500000");
    let mut count = 0;
    while show(few, &picture) == OK {
        count += 1;
        assert!(count < 100, "no bound");
    }
    let said = error(few);
    assert_eq!(show(few, &picture), NO_MEMORY, "{said}");
    assert!(said.contains("4500000") && said.contains("option decode"), "{said}");
    assert!(count > 0);
    println!("{count} images: {said}");
    // Frames are the caller's: they take none of it.
    assert_eq!(frame(few), OK, "{}", error(few));
    // What was added is read, and then there is room again.
    assert_eq!(listen(few, 64).1, END, "{}", error(few));
    for _ in 0..count {
        assert_eq!(show(few, &picture), OK, "{}", error(few));
    }
    assert_eq!(show(few, &picture), NO_MEMORY);
    reset(few, RESET_TURN);
    assert_eq!(show(few, &picture), OK, "{}", error(few));
    assert_eq!(stats(few).beyond, 0);
    assert_eq!(unsafe { ocelli_session_free(few) }, OK);

    let none = session(model, c"context=512 image=128x128 threads=1 decode=1000");
    assert_eq!(show(none, &picture), BAD_IMAGE, "not one fits");
    assert!(error(none).contains("1000 are allowed"), "{}", error(none));
    assert_eq!(unsafe { ocelli_session_free(none) }, OK);
    assert_eq!(unsafe { ocelli_model_free(model) }, OK);
}

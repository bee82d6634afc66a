//! What is announced is enough, to the byte; conversations of all lengths stay within it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code, missing_docs)]
#![allow(clippy::undocumented_unsafe_blocks, reason = "a caller who keeps the header's rules")]

mod golden;

use golden::{Files, OPTIONS, Z, ask, bytes, error, file, in_memory, listen, say, session};
use ocelli_c::Model;
use ocelli_c::open::*;
use ocelli_c::session::*;
use ocelli_c::status::*;
use ocelli_c::turn::*;
use std::ffi::CStr;
use std::ptr::null_mut;

fn plan(model: *const Model, options: &CStr) -> Need {
    let mut need = Need { size: size_of::<Need>(), ..Need::default() };
    assert_eq!(unsafe { ocelli_plan(model, options.as_ptr(), Z, &mut need) }, OK, "{}", error(null_mut()));
    need
}

fn stats(session: *mut ocelli_c::Session) -> Stats {
    let mut stats = Stats { size: size_of::<Stats>(), ..Stats::default() };
    assert_eq!(unsafe { ocelli_get_stats(session, &mut stats) }, OK);
    stats
}

#[test]
fn both_blocks_are_enough_and_a_byte_less_is_not() {
    let files = Files::read();
    let mut needed = 0;
    assert_eq!(unsafe { ocelli_model_need(&files.source(), &mut needed) }, OK);
    let expected = {
        let model = files.open();
        let talk = session(model, OPTIONS);
        let text = ask(talk, "photo.png", "What?");
        assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
        assert_eq!(unsafe { ocelli_model_free(model) }, OK);
        text
    };
    // Whatever is around the block, and wherever it begins, stays as it is.
    for offset in [0, 1, 8, 63] {
        let mut around = vec![0xa5u8; offset + needed + 64];
        let mut model = null_mut();
        let at = around[offset..].as_mut_ptr().cast();
        assert_eq!(unsafe { ocelli_model_open(&files.source(), at, needed - 1, &mut model) }, NO_MEMORY);
        assert_eq!(unsafe { ocelli_model_open(&files.source(), at, needed, &mut model) }, OK);
        let need = plan(model, OPTIONS);
        let parts = [need.arena, need.kv, need.images, need.text, need.tables];
        assert_eq!(need.session, parts.iter().sum::<u64>());
        assert_eq!(need.weights, (files.text.len() + files.vision.len()) as u64);
        let size = need.session as usize;
        let mut room = vec![0xa5u8; offset + size + 64];
        let mut talk = null_mut();
        let at = room[offset..].as_mut_ptr().cast();
        let new =
            |size, talk: &mut _| unsafe { ocelli_session_new(model, OPTIONS.as_ptr(), Z, at, size, talk) };
        assert_eq!(new(size - 1, &mut talk), NO_MEMORY);
        assert_eq!(new(size, &mut talk), OK);
        for _ in 0..3 {
            assert_eq!(ask(talk, "photo.png", "What?"), expected);
            assert_eq!(unsafe { ocelli_reset(talk, RESET_ALL) }, OK);
        }
        assert_eq!(stats(talk).beyond, 0);
        assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
        assert_eq!(unsafe { ocelli_model_free(model) }, OK);
        let outside = |block: &[u8], used: usize| {
            block[..offset].iter().chain(&block[offset + used..]).all(|byte| *byte == 0xa5)
        };
        assert!(outside(&around, needed) && outside(&room, size), "at {offset}");
    }
}

/// A text of so many bytes in `words` words, which is tokenized as badly as can be if it is one of signs.
fn text_of(bytes: usize, kind: usize) -> String {
    let words = ["What does the panel say? ", "x;9~", "<|im_start|>", "{{ m }}{% x %}", "\u{e9}\u{4e16} "];
    let mut text = words[kind % words.len()].repeat(bytes / words[kind % words.len()].len() + 1);
    text.truncate(text.floor_char_boundary(bytes));
    text
}

#[test]
fn the_longest_conversations_stay_within_the_block() {
    let files = [
        ("smolvlm.gguf", Some("mmproj-smolvlm-x2.gguf")),
        ("llama-tied.gguf", None),
        ("qwen2.gguf", None),
        ("../../../models/pocket/pocket.gguf", Some("../../../models/pocket/mmproj-pocket.gguf")),
    ];
    for (name, tower) in files {
        let (text, vision) = (bytes(name), tower.map(bytes));
        let mut model = null_mut();
        let source = in_memory(&text, vision.as_deref());
        assert_eq!(unsafe { ocelli_model_open(&source, null_mut(), 0, &mut model) }, OK);
        for (context, options) in [
            (64, c"context=64 image=128x128 threads=1"),
            (512, c"context=512 image=128x128 threads=2"),
            (2048, c"context=2048 image=128x128 threads=1 text=40000 batch=64"),
        ] {
            let need = plan(model, options);
            let talk = session(model, options);
            let base = stats(talk).heap_peak;
            let most = if context == 2048 { 40000 } else { context * 4 };
            let mut worst = 0;
            for kind in 0..5 {
                assert_eq!(unsafe { ocelli_reset(talk, RESET_ALL) }, OK);
                let mut told = 0;
                for share in [most / 10, most / 3, most / 2] {
                    let text = text_of(share, kind);
                    told += text.len();
                    if told > most {
                        // Answers have taken the room.
                        assert_eq!(say(talk, 1, &text), NO_CONTEXT, "{told} bytes");
                        break;
                    }
                    assert_eq!(say(talk, 1, &text), OK, "{}", error(talk));
                    let (answer, status) = listen(talk, 64);
                    told += answer.len();
                    assert!([END, NO_CONTEXT].contains(&status), "{}", error(talk));
                    worst = worst.max(stats(talk).heap_peak);
                    assert_eq!(stats(talk).beyond, 0, "{name} {context} {kind} {share}");
                    if status == NO_CONTEXT {
                        break;
                    }
                }
            }
            // As many messages as there can be, each of a letter.
            assert_eq!(unsafe { ocelli_reset(talk, RESET_ALL) }, OK);
            for number in 0..context / 6 {
                assert_eq!(say(talk, 1 + number as i32 % 2, "a"), OK, "{}", error(talk));
            }
            assert!([END, NO_CONTEXT].contains(&listen(talk, 64).1), "{}", error(talk));
            worst = worst.max(stats(talk).heap_peak);
            assert_eq!(stats(talk).beyond, 0, "{name} {context}, many messages");
            let room = need.session - base;
            println!(
                "{name} context {context}: {} of {room} bytes of room, {} a byte of text",
                worst - base,
                (worst - base) / most as u64
            );
            assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
        }
        assert_eq!(unsafe { ocelli_model_free(model) }, OK);
    }
    assert!(file("photo.png").exists());
}

//! Conversations through the C interface give what the engine's own interface gives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code, missing_docs)]
#![allow(clippy::undocumented_unsafe_blocks, reason = "a caller who keeps the header's rules")]

mod golden;

use golden::{Files, OPTIONS, ask, bytes, error, file, listen, nothing, say, session, show};
use ocelli::chat::{Content, Message, Template};
use ocelli::generate::AnswerOptions;
use ocelli::image::{DecodeOptions, Frame, Image, decode};
use ocelli::{ImageSizes, Load, Mmproj, Options, Segment};
use ocelli_c::frame::{CFrame, ocelli_add_frame};
use ocelli_c::open::{ocelli_model_free, ocelli_model_open};
use ocelli_c::session::{ocelli_cancel, ocelli_session_free, ocelli_set};
use ocelli_c::status::{BAD_IMAGE, BAD_ORDER, CANCELLED, END, LATE, NO_CONTEXT, OK};
use ocelli_c::turn::{Stats, ocelli_answer, ocelli_embed, ocelli_get_stats, ocelli_next, ocelli_reset};
use ocelli_c::{Model, Session};
use std::ffi::{c_char, c_int, c_void};
use std::ptr::{null, null_mut};

const QUESTION: &str = "What is the number?";

/// The engine's answer to a conversation; `None` among the contents is the next picture.
fn engine(pictures: &[&str], messages: &[(&str, &[Option<&str>])]) -> String {
    let tower = file("mmproj-smolvlm-x2.gguf");
    let model = ocelli::Model::open(&file("smolvlm.gguf"), Mmproj::File(&tower), Load::Map).unwrap();
    let mut options = Options::default();
    (options.context, options.threads) = (Some(512), Some(2));
    options.images = ImageSizes::UpTo(128, 128);
    let mut session = model.session(&options).unwrap();
    let images: Vec<Image> =
        pictures.iter().map(|name| decode(&bytes(name), &DecodeOptions::default()).unwrap()).collect();
    let mut next = 0..;
    let messages: Vec<Message> = messages
        .iter()
        .map(|(role, content)| {
            let content = content.iter().map(|part| match part {
                Some(text) => Content::Text((*text).into()),
                None => Content::Image(next.next().unwrap()),
            });
            Message { role: (*role).into(), content: content.collect() }
        })
        .collect();
    let parts = Template::of(&model).unwrap().render(&messages).unwrap();
    let segments: Vec<Segment<'_>> = parts.iter().map(|part| part.segment(&images)).collect();
    session.read(&segments, &mut |_| ()).unwrap();
    let mut wishes = AnswerOptions::default();
    wishes.max_tokens = 12;
    let (mut answer, mut text) = (session.answer(&wishes).unwrap(), String::new());
    while let Some(piece) = answer.next().unwrap() {
        text.push_str(piece);
    }
    text.trim_start().into()
}

fn close(model: *mut Model, talk: *mut Session) {
    assert_eq!(unsafe { ocelli_session_free(talk) }, OK);
    assert_eq!(unsafe { ocelli_model_free(model) }, OK);
}

fn stats(session: *mut Session) -> Stats {
    let mut stats = Stats { size: size_of::<Stats>(), ..Stats::default() };
    assert_eq!(unsafe { ocelli_get_stats(session, &mut stats) }, OK);
    stats
}

fn set(session: *mut Session, key: &str, value: &str) {
    let status =
        unsafe { ocelli_set(session, key.as_ptr().cast(), key.len(), value.as_ptr().cast(), value.len()) };
    assert_eq!(status, OK, "{}", error(session));
}

#[test]
fn three_turns_with_pictures_are_the_engines() {
    let files = Files::read();
    let model = files.open();
    let talk = session(model, OPTIONS);
    assert_eq!(say(talk, 0, "You read panels."), OK);
    let first = ask(talk, "photo.png", QUESTION);
    let system: (&str, &[Option<&str>]) = ("system", &[Some("You read panels.")]);
    let user: (&str, &[Option<&str>]) = ("user", &[None, Some(QUESTION)]);
    assert_eq!(first, engine(&["photo.png"], &[system, user]));
    let one = stats(talk);
    assert_eq!((one.image_tokens, one.reused_tokens, one.answer_tokens, one.ended), (20, 0, 12, 3));
    assert!(one.encode_us > 0 && one.prefill_us > 0 && one.generate_us > 0 && one.decode_us > 0);

    // The second turn brings another picture, the third none: what was read is not read again.
    let second = ask(talk, "tall.png", "And now?");
    let said: (&str, &[Option<&str>]) = ("assistant", &[Some(&first)]);
    let again: (&str, &[Option<&str>]) = ("user", &[None, Some("And now?")]);
    assert_eq!(second, engine(&["photo.png", "tall.png"], &[system, user, said, again]));
    assert!(stats(talk).reused_tokens + 3 >= one.prompt_tokens);
    assert_eq!(say(talk, 1, "Which was larger?"), OK);
    let third = listen(talk, 5);
    let both: (&str, &[Option<&str>]) = ("assistant", &[Some(&second)]);
    let which: (&str, &[Option<&str>]) = ("user", &[Some("Which was larger?")]);
    let expected = engine(&["photo.png", "tall.png"], &[system, user, said, again, both, which]);
    assert_eq!(third, (expected, END));
    assert_eq!(stats(talk).encode_us, 0, "both pictures were known");
    assert_eq!(stats(talk).beyond, 0);

    assert_eq!(unsafe { ocelli_reset(talk, 0) }, OK);
    assert_eq!(say(talk, 0, "You read panels."), OK);
    assert_eq!(ask(talk, "photo.png", QUESTION), first);
    close(model, talk);
}

#[test]
fn a_model_may_come_from_paths() {
    let files = Files::read();
    let (model, talk) = (files.open(), 0);
    let expected = ask(session_of(model, talk), "photo.png", QUESTION);
    let (text, vision) = (file("smolvlm.gguf"), file("mmproj-smolvlm-x2.gguf"));
    let (text, vision) = (text.to_str().unwrap(), vision.to_str().unwrap());
    for flags in [0, ocelli_c::open::READ] {
        let source = ocelli_c::open::Source {
            text_path: text.as_ptr().cast(),
            text_path_length: text.len(),
            vision_path: vision.as_ptr().cast(),
            vision_path_length: vision.len(),
            flags,
            ..nothing()
        };
        let mut model = null_mut();
        assert_eq!(unsafe { ocelli_model_open(&source, null_mut(), 0, &mut model) }, OK);
        let talk = session(model, OPTIONS);
        assert_eq!(ask(talk, "photo.png", QUESTION), expected);
        close(model, talk);
    }
}

/// A session that lives until the test ends.
fn session_of(model: *mut Model, _: i32) -> *mut Session {
    session(model, OPTIONS)
}

unsafe extern "C" fn gather(user: *mut c_void, text: *const c_char, length: usize) -> c_int {
    let (gathered, most) = unsafe { &mut *user.cast::<(Vec<u8>, usize)>() };
    gathered.extend_from_slice(unsafe { std::slice::from_raw_parts(text.cast(), length) });
    assert_eq!(unsafe { text.add(length).read() }, 0);
    c_int::from(gathered.len() > *most)
}

#[test]
fn a_callback_gets_the_same_and_may_stop() {
    let files = Files::read();
    let model = files.open();
    let talk = session(model, OPTIONS);
    let expected = ask(talk, "photo.png", QUESTION);
    for most in [usize::MAX, 3] {
        assert_eq!(unsafe { ocelli_reset(talk, 0) }, OK);
        assert_eq!(show(talk, &bytes("photo.png")), OK);
        assert_eq!(say(talk, 1, QUESTION), OK);
        let mut all = (Vec::new(), most);
        let status = unsafe { ocelli_answer(talk, Some(gather), (&raw mut all).cast()) };
        if most == 3 {
            assert_eq!(status, CANCELLED);
            assert!(all.0.len() < expected.len());
            // The rest comes with the next call.
            all.1 = usize::MAX;
            assert_eq!(unsafe { ocelli_answer(talk, Some(gather), (&raw mut all).cast()) }, OK);
        } else {
            assert_eq!(status, OK);
        }
        assert_eq!(String::from_utf8(all.0).unwrap(), expected);
    }
    close(model, talk);
}

#[test]
fn a_cancelled_call_goes_on_and_so_does_a_late_one() {
    let files = Files::read();
    let model = files.open();
    let talk = session(model, OPTIONS);
    let expected = ask(talk, "photo.png", QUESTION);
    assert_eq!(unsafe { ocelli_reset(talk, 0) }, OK);
    assert_eq!(show(talk, &bytes("photo.png")), OK);
    assert_eq!(say(talk, 1, QUESTION), OK);
    assert_eq!(unsafe { ocelli_cancel(talk) }, OK);
    assert_eq!(listen(talk, 64), (String::new(), CANCELLED));
    assert_eq!(listen(talk, 64), (expected.clone(), END));

    assert_eq!(unsafe { ocelli_reset(talk, 0) }, OK);
    set(talk, "deadline_ms", "1");
    assert_eq!(show(talk, &bytes("photo.png")), OK);
    assert_eq!(say(talk, 1, QUESTION), OK);
    // The turn begins here; a fast machine has the first piece in time, and none has the second.
    let (mut room, mut length) = ([0u8; 64], 0);
    let begun = unsafe { ocelli_next(talk, room.as_mut_ptr().cast(), room.len(), &raw mut length) };
    assert!([OK, LATE].contains(&begun), "{begun}");
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(listen(talk, 64).1, LATE);
    assert_eq!(listen(talk, 64).1, LATE);
    assert_eq!(error(talk), "the deadline has passed");
    set(talk, "deadline_ms", "3600000");
    let (rest, status) = listen(talk, 64);
    assert_eq!(status, END);
    assert!(expected.ends_with(&rest));
    close(model, talk);
}

#[test]
fn a_turn_may_be_taken_back() {
    let files = Files::read();
    let model = files.open();
    let talk = session(model, OPTIONS);
    assert_eq!(listen(talk, 64), (String::new(), BAD_ORDER));
    let expected = ask(talk, "photo.png", QUESTION);
    assert_eq!(unsafe { ocelli_reset(talk, 0) }, OK);
    assert_eq!(show(talk, &bytes("tall.png")), OK);
    assert_eq!(say(talk, 1, "Something else"), OK);
    assert_eq!(unsafe { ocelli_reset(talk, 1) }, OK);
    assert_eq!(ask(talk, "photo.png", QUESTION), expected);
    close(model, talk);
}

#[test]
fn options_change_answers() {
    let files = Files::read();
    let model = files.open();
    let talk = session(model, OPTIONS);
    let expected = ask(talk, "photo.png", QUESTION);
    let stop: String = expected.chars().skip(3).take(4).collect();
    set(talk, "stop", &stop);
    assert_eq!(unsafe { ocelli_reset(talk, 0) }, OK);
    let stopped = ask(talk, "photo.png", QUESTION);
    assert_eq!(stopped, expected[..expected.find(&stop).unwrap()]);
    assert_eq!(stats(talk).ended, 2);
    set(talk, "stop", "");
    set(talk, "max_tokens", "3");
    assert_eq!(unsafe { ocelli_reset(talk, 0) }, OK);
    assert!(expected.starts_with(&ask(talk, "photo.png", QUESTION)));
    assert_eq!((stats(talk).ended, stats(talk).answer_tokens), (3, 3));
    set(talk, "max_tokens", "12");
    set(talk, "temperature", "4");
    set(talk, "seed", "7");
    assert_eq!(unsafe { ocelli_reset(talk, 0) }, OK);
    let wild = ask(talk, "photo.png", QUESTION);
    assert_ne!(wild, expected);
    close(model, talk);
}

fn embed(session: *mut Session) -> (Vec<f32>, usize) {
    let (mut values, mut rows, mut width) = (null(), 0, 0);
    let status = unsafe { ocelli_embed(session, &mut values, &mut rows, &mut width) };
    assert_eq!(status, OK, "{}", error(session));
    (unsafe { std::slice::from_raw_parts(values, rows * width) }.to_vec(), width)
}

#[test]
fn rows_of_an_image_are_the_engines_and_change_no_answer() {
    let files = Files::read();
    let model = files.open();
    let talk = session(model, OPTIONS);
    let first = ask(talk, "photo.png", QUESTION);
    let second = ask(talk, "tall.png", "And now?");
    assert_eq!(unsafe { ocelli_reset(talk, 0) }, OK);

    let engine = ocelli::Model::from_bytes(&files.text, Some(&files.vision)).unwrap();
    let mut options = Options::default();
    options.images = ImageSizes::UpTo(128, 128);
    let mut expected = engine.session(&options).unwrap();
    for (picture, question, answer) in [("photo.png", QUESTION, &first), ("tall.png", "And now?", &second)] {
        let image = decode(&bytes(picture), &DecodeOptions::default()).unwrap();
        let frame = Frame::rgb(&image.data, image.width, image.height).unwrap();
        let expected = expected.embed(frame, &mut |_| ()).unwrap();
        assert_eq!(show(talk, &bytes(picture)), OK);
        let (values, width) = embed(talk);
        assert_eq!((values.as_slice(), width), (expected.rows, expected.width), "{picture}");
        assert!(!values.is_empty());
        assert_eq!(embed(talk).0, values, "once more");
        // A text between changes nothing.
        assert_eq!(say(talk, 1, question), OK);
        assert_eq!(embed(talk).0, values, "after the question");
        assert_eq!(listen(talk, 64), (answer.clone(), END), "{picture}");
        let (mut values, mut rows, mut width) = (null(), 0, 0);
        assert_eq!(unsafe { ocelli_embed(talk, &mut values, &mut rows, &mut width) }, BAD_ORDER);
    }
    assert_eq!(stats(talk).beyond, 0);
    close(model, talk);
}

#[test]
fn what_does_not_fit_is_refused_and_the_session_lives_on() {
    let files = Files::read();
    let model = files.open();
    let talk = session(model, OPTIONS);
    let expected = ask(talk, "photo.png", QUESTION);
    assert_eq!(unsafe { ocelli_reset(talk, 0) }, OK);
    assert_eq!(show(talk, &bytes("strip.png")), BAD_IMAGE, "200 pixels wide");
    assert!(error(talk).contains("200"), "{}", error(talk));
    assert_eq!(show(talk, b"no picture"), BAD_IMAGE);
    assert_eq!(say(talk, 1, &"lamp ".repeat(410)), NO_CONTEXT, "2050 bytes, 2048 planned for");
    assert_eq!(say(talk, 1, &"x;9~".repeat(500)), OK);
    assert_eq!(listen(talk, 64).1, NO_CONTEXT);
    assert!(error(talk).contains("512"), "{}", error(talk));
    assert_eq!(unsafe { ocelli_reset(talk, 1) }, OK);
    assert_eq!(ask(talk, "photo.png", QUESTION), expected);
    close(model, talk);
}

#[test]
fn a_frame_is_the_picture_and_is_needed_no_longer_than_its_turn() {
    let files = Files::read();
    let model = files.open();
    let talk = session(model, OPTIONS);
    let first = ask(talk, "photo.png", QUESTION);
    let second = ask(talk, "tall.png", "And now?");
    assert_eq!(unsafe { ocelli_reset(talk, 0) }, OK);
    // The same pixels, blue first, in rows that lie apart.
    let image = decode(&bytes("photo.png"), &DecodeOptions::default()).unwrap();
    let (row, stride) = (image.width as usize * 3, image.width as usize * 3 + 7);
    let mut pixels = vec![0xee; stride * image.height as usize];
    for (to, from) in pixels.chunks_mut(stride).zip(image.data.chunks(row)) {
        for (to, from) in to.chunks_exact_mut(3).zip(from.chunks_exact(3)) {
            to.copy_from_slice(&[from[2], from[1], from[0]]);
        }
    }
    let frame = CFrame {
        size: size_of::<CFrame>(),
        width: image.width,
        height: image.height,
        format: 1,
        colors: 0,
        plane: pixels.as_ptr().cast(),
        plane_length: pixels.len(),
        plane_stride: stride,
        chroma: null(),
        chroma_length: 0,
        chroma_stride: 0,
    };
    assert_eq!(unsafe { ocelli_add_frame(talk, &frame) }, OK, "{}", error(talk));
    assert_eq!(say(talk, 1, QUESTION), OK);
    assert_eq!(listen(talk, 64), (first, END));
    // The camera writes the next frame to the same place.
    pixels.fill(0);
    drop(pixels);
    assert_eq!(ask(talk, "tall.png", "And now?"), second);
    assert_eq!(stats(talk).beyond, 0);
    close(model, talk);
}

//! The library as programs use it: stopped and continued, shared, borrowed, and asked again, it gives the same bytes.
#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use ocelli::generate::{AnswerOptions, Answered, Reason};
use ocelli::image::{DecodeOptions, Frame, Image, decode};
use ocelli::{
    Error, ImageSizes, Load, Mmproj, Model, Options, Photo, Progress, Reading, Seen, Segment, Session,
    Stopper,
};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/models").join(name)
}

fn smolvlm() -> Model<'static> {
    let tower = golden("mmproj-smolvlm-x2.gguf");
    Model::open(&golden("smolvlm.gguf"), Mmproj::File(&tower), Load::Map).unwrap()
}

fn picture(name: &str) -> Image {
    decode(&std::fs::read(golden(name)).unwrap(), &DecodeOptions::default()).unwrap()
}

fn photo(image: &Image) -> Segment<'_> {
    Segment::Image(Photo { width: image.width, height: image.height, rgb: &image.data })
}

fn options() -> Options {
    let mut options = Options::default();
    options.threads = Some(2);
    options.context = Some(512);
    options.images = ImageSizes::UpTo(128, 128);
    options
}

fn read(session: &mut Session<'_>, segments: &[Segment<'_>]) -> Reading {
    session.read(segments, &mut |_| ()).unwrap()
}

fn wishes(tokens: usize) -> AnswerOptions {
    let mut wishes = AnswerOptions::default();
    (wishes.max_tokens, wishes.logprobs) = (tokens, 5);
    wishes
}

fn answer(session: &mut Session<'_>, tokens: usize) -> Answered {
    let mut answer = session.answer(&wishes(tokens)).unwrap();
    while answer.next().unwrap().is_some() {}
    answer.finish()
}

/// What an undisturbed session answers.
fn undisturbed(model: &Model<'_>, segments: &[Segment<'_>]) -> Answered {
    let mut session = model.session(&options()).unwrap();
    read(&mut session, segments);
    answer(&mut session, 12)
}

/// Stops a session from another thread, and returns when it has.
fn stop_elsewhere(stopper: &Stopper) {
    let stopper = stopper.clone();
    std::thread::spawn(move || stopper.stop()).join().unwrap();
}

const QUESTION: Segment<'static> = Segment::Text("What is the number, and is the lamp on the panel lit?");

#[test]
fn reading_stopped_anywhere_goes_on_to_the_same_answer() {
    let model = smolvlm();
    let (first, second) = (picture("photo.png"), picture("tall.png"));
    let segments = [Segment::Control("<|im_start|>User:"), photo(&first), QUESTION, photo(&second)];
    let expected = undisturbed(&model, &segments);
    let mut small = options();
    small.batch = 8;
    let mut all = 0;
    let mut session = model.session(&small).unwrap();
    session.read(&segments, &mut |_| all += 1).unwrap();
    assert_eq!(answer(&mut session, 12), expected);
    assert!(all > 12, "{all} reports");
    let mut reused = 0;
    for at in 1..all {
        let mut session = model.session(&small).unwrap();
        let (stopper, mut seen, mut encoding) = (session.stopper().clone(), 0, false);
        let stopped = session.read(&segments, &mut |progress| {
            seen += 1;
            if seen == at {
                encoding = matches!(progress, Progress::Encode { .. });
                stop_elsewhere(&stopper);
            }
        });
        assert!(matches!(stopped, Err(Error::Stopped)), "at report {at}: {stopped:?}");
        assert_eq!(seen, at, "nothing is done after that (encoding: {encoding})");
        assert!(
            matches!(session.read(&segments, &mut |_| ()), Err(Error::Stopped)),
            "until it is taken back"
        );
        session.stopper().clear();
        reused = reused.max(read(&mut session, &segments).reused);
        assert_eq!(answer(&mut session, 12), expected, "stopped at report {at}");
    }
    assert!(reused > 40, "what was complete stays: {reused}");
}

/// A pass reads all weights: text before an image waits for it, and only another image's rows end a batch early.
#[test]
fn as_few_passes_as_images_allow() {
    let model = smolvlm();
    let (first, second) = (picture("photo.png"), picture("tall.png"));
    let begin = Segment::Control("<|im_start|>User:");
    let passes = |segments: &[Segment<'_>]| {
        let mut session = model.session(&options()).unwrap();
        session.start_profile(|| 0);
        read(&mut session, segments);
        session.take_profile().unwrap().prefill.runs()
    };
    assert_eq!(passes(&[begin, photo(&first), QUESTION]), 1);
    assert_eq!(passes(&[begin, photo(&first), QUESTION, photo(&second), QUESTION]), 2);
}

#[test]
fn a_stop_at_any_moment_leaves_a_session_whole() {
    let model = smolvlm();
    let image = picture("photo.png");
    let segments = [photo(&image), QUESTION];
    let expected = undisturbed(&model, &segments);
    let mut session = model.session(&options()).unwrap();
    let (go, gone) = mpsc::channel::<u64>();
    let stopper = session.stopper().clone();
    let other = std::thread::spawn(move || {
        for wait in gone {
            let start = std::time::Instant::now();
            while start.elapsed() < Duration::from_micros(wait) {
                std::hint::spin_loop();
            }
            stopper.stop();
        }
    });
    let mut stopped = 0;
    for i in 0..40 {
        session.reset();
        go.send(i * 150).unwrap();
        match session.read(&segments, &mut |_| ()) {
            Ok(_) => {}
            Err(Error::Stopped) => stopped += 1,
            Err(error) => panic!("{error}"),
        }
        while !session.stopper().is_stopped() {
            std::thread::yield_now();
        }
        session.stopper().clear();
        read(&mut session, &segments);
        assert_eq!(answer(&mut session, 12), expected, "after {} µs", i * 150);
    }
    drop(go);
    other.join().unwrap();
    println!("{stopped} of 40 readings were stopped");
    assert!(stopped > 0);
}

#[test]
fn an_answer_stopped_between_or_in_tokens_goes_on() {
    let model = smolvlm();
    let image = picture("photo.png");
    let segments = [photo(&image), QUESTION];
    let expected = undisturbed(&model, &segments);
    for at in 0..11 {
        let mut session = model.session(&options()).unwrap();
        read(&mut session, &segments);
        let stopper = session.stopper().clone();
        let mut answer = session.answer(&wishes(12)).unwrap();
        let mut tokens = 0;
        loop {
            if tokens == at + 1 {
                stop_elsewhere(&stopper);
                assert!(matches!(answer.next(), Err(Error::Stopped)));
                assert!(matches!(answer.next(), Err(Error::Stopped)));
                stopper.clear();
            }
            if answer.next().unwrap().is_none() {
                break;
            }
            tokens += 1;
        }
        assert_eq!(answer.finish(), expected, "stopped after {at}");
    }
}

#[test]
fn a_deadline_stops_and_can_be_lifted() {
    let model = smolvlm();
    let image = picture("photo.png");
    let segments = [photo(&image), QUESTION];
    let expected = undisturbed(&model, &segments);
    let mut session = model.session(&options()).unwrap();
    session.stopper().set_deadline(Some(Duration::ZERO));
    assert!(matches!(session.read(&segments, &mut |_| ()), Err(Error::Deadline)));
    let stopper = session.stopper().clone();
    stopper.set_deadline(None);
    let late = session.read(&segments, &mut |progress| {
        if matches!(progress, Progress::Encode { done: 2, .. }) {
            stopper.set_deadline(Some(Duration::ZERO));
        }
    });
    assert!(matches!(late, Err(Error::Deadline)), "while it is encoded");
    stopper.set_deadline(Some(Duration::from_secs(3600)));
    read(&mut session, &segments);
    let mut answer = session.answer(&wishes(12)).unwrap();
    answer.next().unwrap();
    stopper.set_deadline(Some(Duration::ZERO));
    assert!(matches!(answer.next(), Err(Error::Deadline)));
    stopper.set_deadline(None);
    while answer.next().unwrap().is_some() {}
    assert_eq!(answer.finish(), expected);
}

#[test]
fn one_model_serves_sessions_on_two_threads() {
    let model = smolvlm();
    let images = [picture("photo.png"), picture("tall.png")];
    let expected = images.each_ref().map(|image| undisturbed(&model, &[photo(image), QUESTION]));
    assert_ne!(expected[0].ids, expected[1].ids);
    std::thread::scope(|scope| {
        for (image, expected) in images.iter().zip(&expected) {
            let model = &model;
            scope.spawn(move || {
                for _ in 0..4 {
                    assert_eq!(&undisturbed(model, &[photo(image), QUESTION]), expected);
                }
            });
        }
    });
}

#[test]
fn a_session_may_move_to_another_thread() {
    let model = smolvlm();
    let image = picture("photo.png");
    let expected = undisturbed(&model, &[photo(&image), QUESTION]);
    let mut session = model.session(&options()).unwrap();
    read(&mut session, &[photo(&image), QUESTION]);
    std::thread::scope(|scope| {
        let found = scope.spawn(move || answer(&mut session, 12)).join().unwrap();
        assert_eq!(found, expected);
    });
}

#[test]
fn bytes_may_be_borrowed_at_any_address() {
    let image = picture("photo.png");
    let mapped = smolvlm();
    let expected = undisturbed(&mapped, &[photo(&image), QUESTION]);
    let files = ["smolvlm.gguf", "mmproj-smolvlm-x2.gguf"].map(|name| std::fs::read(golden(name)).unwrap());
    for offset in [1, 2, 3, 13] {
        let moved = files.each_ref().map(|file| [&vec![0xff; offset][..], file].concat());
        let model = Model::from_bytes(&moved[0][offset..], Some(&moved[1][offset..])).unwrap();
        assert_eq!(undisturbed(&model, &[photo(&image), QUESTION]), expected, "{offset} bytes further");
    }
    let quantized = std::fs::read(golden("every-format-llama.gguf")).unwrap();
    let moved = [&[0; 5], &quantized[..]].concat();
    let words = [Segment::Text("The lamp is lit.")];
    let models = [&quantized[..], &moved[5..]].map(|bytes| Model::from_bytes(bytes, None).unwrap());
    let [one, other] = models.each_ref().map(|model| undisturbed(model, &words));
    assert_eq!(one, other);
}

#[test]
fn an_image_may_come_first_last_or_twice() {
    let model = smolvlm();
    let image = picture("photo.png");
    let mut session = model.session(&options()).unwrap();
    let mut answers = Vec::new();
    for segments in [
        &[photo(&image), QUESTION][..],
        &[QUESTION, photo(&image)],
        &[photo(&image), QUESTION, photo(&image)],
    ] {
        let reading = read(&mut session, segments);
        let images = segments.iter().filter(|s| matches!(s, Segment::Image(_))).count();
        assert_eq!((reading.images.len(), reading.image_tokens), (images, 20 * images));
        assert_eq!(reading.prompt_tokens, session.len());
        assert_eq!(session.positions().filter(Option::is_none).count(), reading.image_tokens);
        let found = answer(&mut session, 12);
        assert_eq!(found, undisturbed(&model, segments));
        answers.push(found.ids);
    }
    assert!(answers[0] != answers[1] && answers[0] != answers[2]);
}

#[test]
fn what_was_read_before_is_not_read_again_and_changes_nothing() {
    let model = smolvlm();
    let image = picture("photo.png");
    let turn =
        [Segment::Control("<|im_start|>User:"), photo(&image), QUESTION, Segment::Control("\nAssistant:")];
    let mut session = model.session(&options()).unwrap();
    let first = read(&mut session, &turn);
    assert_eq!(first.reused, 0);
    answer(&mut session, 7);
    let next = [&turn[..], &[Segment::Text(" It reads 42."), Segment::Control("\nUser: And now?")]].concat();
    let second = read(&mut session, &next);
    assert!(second.reused + 2 >= first.prompt_tokens, "{second:?}");
    assert_eq!(answer(&mut session, 12), undisturbed(&model, &next));
    // Another picture at the same place is another picture.
    let other = picture("tall.png");
    let swapped = [turn[0], photo(&other), turn[2], turn[3]];
    assert!(read(&mut session, &swapped).reused < 20);
    assert_eq!(answer(&mut session, 12), undisturbed(&model, &swapped));
    // The same again: only the last position is computed.
    let again = read(&mut session, &swapped);
    assert_eq!(again.reused, again.prompt_tokens - 1);
    assert_eq!(answer(&mut session, 12), undisturbed(&model, &swapped));
    session.reset();
    assert!(session.is_empty());
    assert_eq!(read(&mut session, &swapped).reused, 0);
    assert_eq!(answer(&mut session, 12), undisturbed(&model, &swapped));
}

#[test]
fn an_image_that_was_read_needs_no_pixels() {
    let model = smolvlm();
    let image = picture("photo.png");
    let later = [Segment::Text(" It reads 42."), Segment::Control("\nUser: And now?")];
    let whole = [&[photo(&image), QUESTION][..], &later].concat();
    let expected = undisturbed(&model, &whole);
    let mut session = model.session(&options()).unwrap();
    read(&mut session, &[photo(&image), QUESTION]);
    let frame = Frame::rgb(&image.data, image.width, image.height).unwrap();
    let seen = Segment::Seen(Seen::of(&frame));
    let reading = read(&mut session, &[&[seen, QUESTION][..], &later].concat());
    assert_eq!(reading.image_tokens, 20);
    assert_eq!(answer(&mut session, 12), expected);
    // At another place it would have to be computed again; then nothing is lost but the wish.
    let moved = [QUESTION, Segment::Control("\n"), seen, QUESTION, seen];
    read(&mut session, &[photo(&picture("tall.png")), QUESTION]);
    assert!(matches!(session.read(&moved, &mut |_| ()), Err(Error::PixelsGone { image: 0 })));
    // With its pixels in one place it is there for the other.
    let half = [QUESTION, Segment::Control("\n"), photo(&image), QUESTION, seen];
    assert_eq!(read(&mut session, &half).image_tokens, 40);
    read(&mut session, &whole);
    assert_eq!(answer(&mut session, 12), expected);
}

#[test]
fn a_draft_says_what_an_answer_says() {
    let model = smolvlm();
    let image = picture("photo.png");
    let expected = undisturbed(&model, &[photo(&image), QUESTION]);
    let mut session = model.session(&options()).unwrap();
    read(&mut session, &[photo(&image), QUESTION]);
    let mut draft = session.draft(&wishes(12)).unwrap();
    while draft.next(&mut session).unwrap().is_some() {}
    assert_eq!((draft.tokens(), draft.reason()), (expected.ids.len(), expected.reason));
    assert_eq!(draft.finish(), expected);
}

#[test]
fn a_prompt_read_token_by_token_gives_the_same() {
    let model = smolvlm();
    let image = picture("photo.png");
    let segments = [QUESTION, photo(&image), QUESTION];
    let expected = undisturbed(&model, &segments);
    for batch in [1, 3, 16, 1000] {
        let mut options = options();
        options.batch = batch;
        let mut session = model.session(&options).unwrap();
        read(&mut session, &segments);
        assert_eq!(answer(&mut session, 12), expected, "{batch} rows at a time");
    }
    // Word by word, each reading what the one before has left.
    let words = "What is the number, and is the lamp on the panel lit?";
    let mut session = model.session(&options()).unwrap();
    for (end, _) in words.char_indices().skip(1) {
        read(&mut session, &[Segment::Text(&words[..end])]);
    }
    assert!(read(&mut session, &[Segment::Text(words)]).reused > 0);
    assert_eq!(answer(&mut session, 12), undisturbed(&model, &[Segment::Text(words)]));
}

#[test]
fn what_cannot_be_done_is_a_typed_error_and_the_session_lives_on() {
    let model = smolvlm();
    let image = picture("photo.png");
    let expected = undisturbed(&model, &[photo(&image), QUESTION]);
    let mut session = model.session(&options()).unwrap();
    assert!(
        matches!(session.answer(&wishes(1)).unwrap().next(), Err(Error::EmptyPrompt)),
        "nothing was read"
    );
    assert!(matches!(session.read(&[], &mut |_| ()), Err(Error::EmptyPrompt)));
    let long = "lamp ".repeat(600);
    match session.read(&[Segment::Text(&long)], &mut |_| ()) {
        Err(Error::Context { needed, context: 512 }) => assert!(needed > 512),
        other => panic!("{other:?}"),
    }
    let short = Photo { width: 10, height: 10, rgb: &[0; 299] };
    assert!(matches!(session.read(&[Segment::Image(short)], &mut |_| ()), Err(Error::Image(_))));
    let empty = Photo { width: 0, height: 0, rgb: &[] };
    assert!(matches!(session.read(&[Segment::Image(empty)], &mut |_| ()), Err(Error::Image(_))));
    let pixels = vec![9; 3000 * 2000 * 3];
    let large = Photo { width: 3000, height: 2000, rgb: &pixels };
    assert!(matches!(session.read(&[Segment::Image(large)], &mut |_| ()), Err(Error::ImageMemory { .. })));
    read(&mut session, &[photo(&image), QUESTION]);
    assert_eq!(answer(&mut session, 12), expected);

    let mut tight = options();
    tight.context = Some(expected.ids.len() + 70);
    let mut session = model.session(&tight).unwrap();
    let reading = read(&mut session, &[photo(&image), QUESTION]);
    let full = answer(&mut session, 400);
    assert_eq!(full.reason, Reason::Context);
    assert_eq!(full.ids.len(), session.plan().context() - reading.prompt_tokens + 1);
    read(&mut session, &[photo(&image), QUESTION]);
    assert_eq!(answer(&mut session, 12).ids, expected.ids[..expected.ids.len().min(full.ids.len())]);

    let blind = Model::open(&golden("smolvlm.gguf"), Mmproj::None, Load::Read).unwrap();
    let mut session = blind.session(&options()).unwrap();
    assert!(matches!(session.read(&[photo(&image)], &mut |_| ()), Err(Error::NoVision)));
    assert!(matches!(Model::from_bytes(b"GGUF", None), Err(Error::File { .. })));
    let tower = std::fs::read(golden("mmproj-smolvlm-x2.gguf")).unwrap();
    assert!(matches!(Model::from_bytes(&tower, None), Err(Error::Model { .. })));
}

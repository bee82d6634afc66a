//! The model inside the program answers the questions of its sample folder, and to the letter what its trained weights
//! answer in the reference implementation (`said`, written by `models/pocket/eval.py`).
//!
//! The reference computes with activations as they are and the engine with 8-bit ones, which move a logit by some hundredths:
//! where the reference's best token was less than a tenth `ahead` of its second, either answer is right.
#![cfg(all(feature = "pocket", feature = "images", feature = "jinja"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use ocelli::chat::{Content, Message, Template};
use ocelli::generate::AnswerOptions;
use ocelli::image::{DecodeOptions, decode};
use ocelli::{ImageSizes, Options, Segment};
use std::path::Path;

#[test]
fn the_sample_is_answered_as_the_reference_answers_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pocket/sample");
    let rows: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("questions.json")).unwrap()).unwrap();
    let model = ocelli::pocket::model().unwrap();
    let template = Template::of(&model).unwrap();
    let mut options = Options::default();
    options.images = ImageSizes::UpTo(640, 640);
    let mut session = model.session(&options).unwrap();
    let (mut asked, mut different) = (0, Vec::new());
    for row in rows.as_array().unwrap() {
        let text = |key: &str| row[key].as_str().unwrap();
        let images =
            [decode(&std::fs::read(folder.join(text("image"))).unwrap(), &DecodeOptions::default()).unwrap()];
        let content = vec![Content::Image(0), Content::Text(text("question").into())];
        let parts = template.render(&[Message { role: "user".into(), content }]).unwrap();
        let segments: Vec<Segment<'_>> = parts.iter().map(|part| part.segment(&images)).collect();
        session.read(&segments, &mut |_| ()).unwrap();
        let (mut answer, mut said) = (session.answer(&AnswerOptions::default()).unwrap(), String::new());
        while let Some(piece) = answer.next().unwrap() {
            said.push_str(piece);
        }
        if row["ahead"].as_f64().unwrap() < 0.1 {
            continue;
        }
        asked += 1;
        if said.trim() != text("said") {
            different.push(format!(
                "{} {}: {said:?}, not {:?}",
                text("image"),
                text("question"),
                text("said")
            ));
        }
    }
    assert!(asked >= 20, "{asked} questions");
    assert!(different.is_empty(), "{different:#?}");
}

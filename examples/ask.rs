//! A question about a picture, to the model inside the library.
//!
//!     cargo run --release -p ocelli --example ask --features pocket
use ocelli::chat::{Content, Message, Template};
use ocelli::generate::AnswerOptions;
use ocelli::image::{DecodeOptions, decode};
use ocelli::{Options, Segment, pocket};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/models/pocket/sample/panel.png");
    let model = pocket::model()?; // or Model::open(path, Mmproj::Beside, Load::Map)
    let mut session = model.session(&Options::default())?; // all memory is taken here

    let images = [decode(&std::fs::read(picture)?, &DecodeOptions::default())?];
    let question = Content::Text("What does the display read?".into());
    let message = Message { role: "user".into(), content: vec![Content::Image(0), question] };
    let parts = Template::of(&model)?.render(&[message])?;
    let segments: Vec<Segment<'_>> = parts.iter().map(|part| part.segment(&images)).collect();
    session.read(&segments, &mut |_progress| ())?;

    let mut text = String::new();
    let mut answer = session.answer(&AnswerOptions::default())?;
    while let Some(piece) = answer.next()? {
        text.push_str(piece);
    }
    println!("{}", text.trim());
    Ok(())
}

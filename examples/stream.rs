//! An answer printed as it is made, with a deadline; then a second question, for which only what is new is computed.
//!
//!     cargo run --release -p ocelli --example stream --features pocket
use ocelli::chat::{Content, Message, Template};
use ocelli::generate::AnswerOptions;
use ocelli::image::{DecodeOptions, decode};
use ocelli::{Options, Segment, pocket};
use std::{io::Write, time::Duration};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/models/pocket/sample/panel.png");
    let model = pocket::model()?;
    let template = Template::of(&model)?;
    let mut session = model.session(&Options::default())?;
    let images = [decode(&std::fs::read(picture)?, &DecodeOptions::default())?];

    let mut talk: Vec<Message> = Vec::new();
    for question in ["What does the label say?", "How many lamps are on?"] {
        let mut content = vec![Content::Text(question.into())];
        if talk.is_empty() {
            content.insert(0, Content::Image(0));
        }
        talk.push(Message { role: "user".into(), content });
        // `session.stopper().clone().stop()` ends the work too, from any thread.
        session.stopper().set_deadline(Some(Duration::from_secs(60)));
        let parts = template.render(&talk)?;
        let segments: Vec<Segment<'_>> = parts.iter().map(|part| part.segment(&images)).collect();
        let reading = session.read(&segments, &mut |_| ())?;

        let (mut answer, mut said) = (session.answer(&AnswerOptions::default())?, String::new());
        while let Some(piece) = answer.next()? {
            print!("{piece}");
            std::io::stdout().flush()?;
            said.push_str(piece);
        }
        println!(" ({} of {} positions were there)", reading.reused, reading.prompt_tokens);
        talk.push(Message::text("assistant", said.trim()));
    }
    Ok(())
}

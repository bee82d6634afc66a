//! Logits in your hands: the answer can be nothing but a number.
//!
//!     cargo run --release -p ocelli --example logits --features pocket
use ocelli::chat::{Content, Message, Template};
use ocelli::image::{DecodeOptions, decode};
use ocelli::low_level::SessionSteps;
use ocelli::{Options, Segment, pocket};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/models/pocket/sample/panel.png");
    let model = pocket::model()?;
    let mut session = model.session(&Options::default())?;
    let images = [decode(&std::fs::read(picture)?, &DecodeOptions::default())?];
    let content = vec![Content::Image(0), Content::Text("What does the display read?".into())];
    let parts = Template::of(&model)?.render(&[Message { role: "user".into(), content }])?;
    let segments: Vec<Segment<'_>> = parts.iter().map(|part| part.segment(&images)).collect();
    session.read(&segments, &mut |_| ())?;

    let tokenizer = model.tokenizer();
    let is_number =
        |piece: &[u8]| !piece.is_empty() && piece.iter().all(|byte| b" .0123456789".contains(byte));
    let allowed = |id: &u32| tokenizer.is_end(*id) || is_number(tokenizer.piece(*id));
    let mut answer = Vec::new();
    while answer.len() < 16 {
        let logits = session.logits()?; // one for each token, after what was read
        let above = |a: &u32, b: &u32| logits[*a as usize].total_cmp(&logits[*b as usize]);
        let best = (0..logits.len() as u32).filter(allowed).max_by(above);
        let Some(id) = best.filter(|id| !tokenizer.is_end(*id)) else { break };
        answer.extend_from_slice(tokenizer.piece(id));
        session.step(id)?;
    }
    println!("{}", String::from_utf8(answer)?.trim());
    Ok(())
}

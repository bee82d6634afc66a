//! The engine without `std`, as in a firmware: models and pixels from memory, one thread, an allocator.
//!
//!     cargo run --release -p ocelli --example no_std --no-default-features --features pocket
#![no_std]
extern crate alloc;
extern crate std; // on this computer it is the allocator, the panic handler and the serial line

use alloc::{vec, vec::Vec};
use ocelli::chat::{Content, Message, Part, Template};
use ocelli::generate::AnswerOptions;
use ocelli::{Error, ImageSizes, Model, Options, Photo, Segment, pocket};

fn main() -> Result<(), Error> {
    let model = Model::from_bytes(pocket::TEXT, Some(pocket::VISION))?; // flash: borrowed, never copied
    let mut options = Options::default();
    (options.context, options.batch) = (Some(256), 32);
    options.images = ImageSizes::Exactly(vec![(320, 320)]);
    let mut session = model.session(&options)?;
    std::print!("{} bytes in one block:", session.plan().session_bytes());
    // A blue square on black, three bytes a pixel.
    let inside = |at: usize| (100..220).contains(&at);
    let pixel = |i: usize| if inside(i % 320) && inside(i / 320) { [20, 60, 230] } else { [40; 3] };
    let pixels: Vec<u8> = (0..320 * 320).flat_map(pixel).collect();
    let photo = Photo { width: 320, height: 320, rgb: &pixels };

    let content = vec![Content::Image(0), Content::Text("What shape is it?".into())];
    let parts = Template::of(&model)?.render(&[Message { role: "user".into(), content }])?;
    let segment = |part| match part {
        &Part::Image(_) => Segment::Image(photo),
        Part::Control(text) => Segment::Control(text),
        Part::Text(text) => Segment::Text(text),
    };
    session.read(&parts.iter().map(segment).collect::<Vec<_>>(), &mut |_| ())?;
    let mut answer = session.answer(&AnswerOptions::default())?;
    while let Some(piece) = answer.next()? {
        std::print!("{piece}");
    }
    Ok(())
}

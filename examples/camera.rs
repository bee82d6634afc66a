//! A camera's frame in RGB565, read where the camera has put it: no copy, no file, no decoder.
//!
//!     cargo run --release -p ocelli --example camera --features pocket
use ocelli::chat::{Content, Message, Part, Template};
use ocelli::generate::AnswerOptions;
use ocelli::image::{Colors, Frame, PixelFormat, Plane};
use ocelli::{ImageSizes, Options, Segment, pocket};

/// Width and height of the frames.
const SIDE: u32 = 320;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = pocket::model()?;
    let mut options = Options::default();
    options.images = ImageSizes::Exactly(vec![(SIDE, SIDE)]); // memory for frames of this size
    options.image_bytes = Some(0); // and for no encoded image
    let mut session = model.session(&options)?;

    // What a driver gives: here a blue square on black, two bytes a pixel, the lower first.
    let inside = |at: u32| (100..220).contains(&at);
    let pixel = |i: u32| if inside(i % SIDE) && inside(i / SIDE) { 0x11fcu16 } else { 0x2945 };
    let buffer: Vec<u8> = (0..SIDE * SIDE).flat_map(|i| pixel(i).to_le_bytes()).collect();
    let plane = Plane { data: &buffer, stride: 2 * SIDE as usize };
    let frame = Frame::new(PixelFormat::Rgb565, Colors::default(), (SIDE, SIDE), &[plane])?;

    let content = vec![Content::Image(0), Content::Text("What shape is it?".into())];
    let parts = Template::of(&model)?.render(&[Message { role: "user".into(), content }])?;
    let segment = |part| match part {
        &Part::Image(_) => Segment::Frame(frame),
        Part::Control(text) => Segment::Control(text),
        Part::Text(text) => Segment::Text(text),
    };
    session.read(&parts.iter().map(segment).collect::<Vec<_>>(), &mut |_| ())?;
    let mut answer = session.answer(&AnswerOptions::default())?;
    while let Some(piece) = answer.next()? {
        print!("{piece}");
    }
    println!();
    Ok(())
}

//! Any bytes as an image: decoding must keep to its limits and to the memory that its header announced, our own decoders must
//! not panic (those of others may: that is caught and a refusal), and what is decoded must come out of every geometry as rows,
//! in memory of the size that was announced.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocelli::image::{DecodeOptions, Frame, Orientation, Preprocessor, decode, probe};
use ocelli_fuzz::{guarded, heap};
use ocelli_kernels::cpu::choose;
use ocelli_kernels::ops::resize::Filter;
use ocelli_kernels::pool::{Never, Pool};
use ocelli_kernels::Machine;
use ocelli_models::recipe::{Geometry, ImageRecipe};

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

const OPTIONS: DecodeOptions = DecodeOptions { max_pixels: 1 << 20, orientation: Orientation::Exif };

/// What is said of an image whose decoder panicked.
const PANIC: &str = "its decoder found parts of it that contradict each other";

fuzz_target!(|bytes: &[u8]| guarded(|| look(bytes)));

fn look(bytes: &[u8]) {
    let header = probe(bytes, &OPTIONS);
    let (image, peak) = heap::peak(|| decode(bytes, &OPTIONS));
    // A thousand bytes for the words of an error.
    let announced = header.as_ref().map_or(1 << 20, |header| header.peak_bytes as usize);
    assert!(peak <= announced + 1024, "{peak} bytes taken, {announced} announced");
    let image = match image {
        Ok(image) => image,
        Err(error) => {
            let words = error.to_string();
            assert!(!words.is_empty());
            let ours = [&[0xff, 0xd8][..], b"BM", b"GIF"].iter().any(|start| bytes.starts_with(start));
            assert!(!(ours && words.contains(PANIC)), "{words}");
            return;
        }
    };
    let header = header.expect("what is decoded has a header");
    assert_eq!((header.width, header.height), (image.width, image.height));
    assert_eq!(image.data.len(), image.width as usize * image.height as usize * 3);
    assert!(image.data.len() <= 3 << 20);
    // The last byte picks the way, so that an input stays one file.
    let geometry = match bytes.last().map_or(0, |last| last % 4) {
        0 => Geometry::Stretch,
        1 => Geometry::ShortestEdgeCrop { edge: 33 },
        2 => Geometry::PadSquare { color: [122, 116, 104] },
        _ => Geometry::Tiles { longest_edge: 128 },
    };
    let filter = Filter::ALL[bytes.len() % Filter::ALL.len()];
    let (mean, std) = ([0.5; 3], [0.5; 3]);
    let recipe = ImageRecipe { mean, std, filter, tile: 32, patch: 8, tokens_per_view: 4, geometry };
    let way = Preprocessor::new(&recipe, image.width, image.height, None).expect("a sound recipe");
    let memory = way.memory(1).expect("a megapixel fits");
    let mut sheets = vec![0.0; memory.sheets / 4];
    let pool = Pool::new(1);
    let machine = Machine { kernels: choose(None).expect("scalar at least"), pool: &pool };
    let frame = Frame::rgb(&image.data, image.width, image.height).expect("packed rows");
    let mut scratch = vec![0.0; memory.scratch / 4];
    way.make_sheets(machine, &frame, &mut sheets, &mut scratch, &Never).expect("enough memory");
    let mut values = vec![f32::NAN; memory.view / 4];
    for view in 0..way.plan().views() {
        way.write_view(machine, &sheets, view, &mut values, &Never).expect("a view of the plan");
        assert!(values.iter().all(|value| (-1.0..=1.0).contains(value)));
    }
}

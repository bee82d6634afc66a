//! The vision tower of a checkpoint and its projector: keys and tensors of the mmproj file.
//!
//! Keys of ours stand beside the peer's: `clip.vision.activation` says which of three functions the two flags mean, and
//! `clip.preproc.mode` how an image becomes square. The peer does not look at them.

use crate::error::Error;
use crate::hyper::{self, Hyper};
use crate::json::Json;
use crate::layout::{Named, Placed, Sizes};
use crate::model::{ACTIVATIONS, Activation, Dim, Join, PREPARED, Tower};
use ocelli_gguf::Outline;
use serde_json::Value;

/// A vision tower.
#[derive(Debug)]
pub(crate) struct Vision {
    tower: &'static Tower,
    hyper: Hyper,
    activation: &'static Activation,
    mean: [f32; 3],
    std: [f32; 3],
    /// The width of the language model's rows.
    text: usize,
    join: Joined,
    pub(crate) tensors: Vec<Placed>,
}

/// The numbers of a [`Join`].
#[derive(Clone, Copy, Debug)]
enum Joined {
    /// The block whose output is taken, counted from 1.
    Layer(usize),
    /// How many patches along a side become one row, and the longest edge of an image.
    Shuffle { factor: usize, longest: usize },
}

impl Vision {
    /// Reads what the configurations say of it and finds its tensors.
    pub(crate) fn read(
        tower: &'static Tower,
        config: &Json,
        processor: &Json,
        text: usize,
        named: &mut Named,
    ) -> Result<Vision, Error> {
        let own =
            config.object("vision_config")?.ok_or_else(|| config.missing("vision_config", "an object"))?;
        hyper::check(&own, tower.musts)?;
        let mut hyper = Hyper::read(&own, tower.keys)?;
        let name = own.string("hidden_act")?.unwrap_or(tower.activation);
        let Some(activation) = ACTIVATIONS.iter().find(|known| known.from == name) else {
            let found = format!("vision_config.hidden_act is {name:?}");
            return Err(Error::Unsupported { what: "this activation of a tower", found });
        };
        let (image, patch) = (hyper.size("image_size"), hyper.size("patch_size"));
        if patch > image || image > 8192 {
            return Err(own.range("image_size", image, "must be patch_size to 8192"));
        }
        hyper::check(processor, PREPARED)?;
        hyper::check(processor, tower.prepared)?;
        for key in tower.sides {
            side(processor, key, image)?;
        }
        let (width, heads) = (hyper.size("embedding_length"), hyper.size("attention.head_count"));
        if !width.is_multiple_of(heads) {
            return Err(own.range("num_attention_heads", heads, "must divide hidden_size"));
        }
        let (grid, blocks) = (image / patch, hyper.size("block_count"));
        let join = Joined::read(tower.join, config, processor, blocks, grid, image)?;
        let joined = match join {
            Joined::Layer(layer) => {
                hyper.set("block_count", layer);
                width
            }
            Joined::Shuffle { factor, .. } => width.saturating_mul(factor * factor),
        };
        let sizes = Sizes(vec![
            (Dim::Width, width),
            (Dim::Hidden, hyper.size("feed_forward_length")),
            (Dim::Colors, 3),
            (Dim::Patch, patch),
            (Dim::Positions, grid * grid + tower.classes),
            (Dim::Text, text),
            (Dim::Joined, joined),
        ]);
        let tensors = named.take(&tower.tensors.concat(), &sizes, blocks, hyper.size("block_count"))?;
        let colors =
            |key: &str| processor.colors(key)?.ok_or_else(|| processor.missing(key, "three numbers"));
        let (mean, std) = (colors("image_mean")?, colors("image_std")?);
        Ok(Vision { tower, hyper, activation, mean, std, text, join, tensors })
    }

    /// Writes its keys.
    pub(crate) fn write(&self, outline: &mut Outline) {
        outline
            .metadata("clip.has_vision_encoder", true)
            .metadata("clip.projector_type", self.tower.projector)
            .metadata("clip.vision.projection_dim", self.text as u32)
            .metadata("clip.vision.image_mean", &self.mean)
            .metadata("clip.vision.image_std", &self.std);
        self.hyper.write("clip.vision", outline);
        if let Some(flag) = self.activation.use_gelu {
            outline.metadata("clip.use_gelu", flag);
        }
        outline.metadata("clip.vision.activation", self.activation.name);
        match self.join {
            Joined::Layer(layer) => outline
                .metadata("clip.vision.feature_layer", &[layer as i32])
                .metadata("clip.preproc.mode", "pad_square"),
            Joined::Shuffle { factor, longest } => outline
                .metadata("clip.vision.projector.scale_factor", factor as u32)
                .metadata("clip.vision.preproc_image_size", longest as u32)
                .metadata("clip.preproc.mode", "tiles_idefics3"),
        };
    }
}

impl Joined {
    fn read(
        join: Join,
        config: &Json,
        processor: &Json,
        blocks: usize,
        grid: usize,
        image: usize,
    ) -> Result<Joined, Error> {
        match join {
            Join::Patches => layer(config, blocks).map(Joined::Layer),
            Join::Shuffle => {
                let factor = config.size("scale_factor")?.unwrap_or(2);
                if factor == 0 || factor > grid || !grid.is_multiple_of(factor) {
                    let rule = "must divide the patches along a side of an image";
                    return Err(config.range("scale_factor", factor, rule));
                }
                let size = processor.object("size")?;
                let longest =
                    size.map(|size| size.size("longest_edge")).transpose()?.flatten().unwrap_or(image);
                Ok(Joined::Shuffle { factor, longest })
            }
        }
    }
}

/// An image processor that makes images of another size than the tower takes is that of another model.
fn side(processor: &Json, key: &str, image: usize) -> Result<(), Error> {
    const RULE: &str = "must be image_size of vision_config";
    if processor.get(key).is_some_and(Value::is_number) {
        return match processor.size(key)? {
            Some(side) if side != image => Err(processor.range(key, side, RULE)),
            _ => Ok(()),
        };
    }
    let Some(sides) = processor.object(key)? else { return Ok(()) };
    for part in ["shortest_edge", "longest_edge", "height", "width"] {
        if let Some(side) = sides.size(part)?.filter(|side| *side != image) {
            return Err(sides.range(part, side, RULE));
        }
    }
    Ok(())
}

/// `vision_feature_layer`, -2 where it is left out: output 0 is that of the embedding, and -1 the last block's.
fn layer(config: &Json, blocks: usize) -> Result<usize, Error> {
    const KEY: &str = "vision_feature_layer";
    let said = match config.get(KEY) {
        None => -2,
        Some(value) => value.as_i64().ok_or_else(|| config.entry(KEY, "one layer", value))?,
    };
    let from_end = (blocks as i64 + 1).saturating_add(said);
    let layer = if said < 0 { from_end } else { said };
    let fits = usize::try_from(layer).ok().filter(|layer| (1..=blocks).contains(layer));
    fits.ok_or_else(|| config.range(KEY, said, "must be a block of the tower"))
}

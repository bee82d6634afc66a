//! A checkpoint: everything that can be wrong with it is found before a byte is written.

use crate::error::Error;
use crate::folder::Folder;
use crate::hyper;
use crate::json::Json;
use crate::layout::{Named, Placed};
use crate::model::{FAMILIES, Family};
use crate::naming::{sampling, title};
use crate::plan::{Plan, Tensor};
use crate::text::Text;
use crate::tokenizer::Tokenizer;
use crate::tower::Vision;
use crate::weights::Weights;
use ocelli_gguf::{Outline, TensorType};
use ocelli_quantize::Recipe;

const CONFIG: &str = "config.json";

/// The version of the formats of quantized numbers.
const QUANTIZATION: u32 = 2;

/// A checkpoint in a folder.
pub struct Checkpoint<'f> {
    folder: &'f dyn Folder,
    config: Json,
    class: String,
    files: Vec<String>,
    text: Text,
    vision: Option<Vision>,
}

impl<'f> Checkpoint<'f> {
    /// Reads the configurations and the headers of the weights, and finds every tensor's place.
    ///
    /// # Errors
    /// A file is missing, broken or contradicts another; the architecture, or something about it, is not converted.
    pub fn open(folder: &'f dyn Folder) -> Result<Checkpoint<'f>, Error> {
        let config = Json::read(folder, CONFIG)?;
        let config = config.ok_or(Error::NoFile { file: CONFIG, what: "what the model is" })?;
        let (class, family) = family(&config)?;
        if let Some(how) = config.object("quantization_config")? {
            let found = how.string("quant_method")?.unwrap_or("quantization_config").into();
            return Err(Error::Unsupported { what: "a checkpoint that is quantized already", found });
        }
        hyper::check(&config, family.musts)?;
        let weights = Weights::read(folder)?;
        let mut named = Named::new(&weights, family)?;
        let text = Text::read(&config, family, &mut named)?;
        let vision = match family.tower {
            Some(tower) => Some(Vision::read(tower, &config, &processor(folder)?, text.width, &mut named)?),
            None => None,
        };
        named.finish(&weights, family)?;
        Ok(Checkpoint { folder, config, class, files: weights.files, text, vision })
    }

    /// The class of the model, as `config.json` says it.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// Whether there is a vision tower.
    pub fn sees(&self) -> bool {
        self.vision.is_some()
    }

    /// What the weights are stored as without loss: `F32`, `BF16` or `F16`, by the first matrix.
    pub fn kind(&self) -> TensorType {
        let first = self.text.tensors.iter().find(|placed| placed.stored.shape.len() > 1);
        first.map_or(TensorType::F16, |placed| placed.stored.kind)
    }

    /// A name for people: what the checkpoint was called where it came from, or its folder.
    ///
    /// # Errors
    /// `config.json` gives something else than a text.
    pub fn name(&self) -> Result<String, Error> {
        let said = self.config.string("_name_or_path")?;
        // A path on the machine of whoever wrote it is no name.
        let said = said.filter(|said| !said.is_empty() && said.matches('/').count() <= 1);
        Ok(said.map_or_else(|| title(&self.folder.name()), title))
    }

    /// The file of the language model.
    ///
    /// # Errors
    /// The tokenizer is missing, broken, or of a kind that is not converted.
    pub fn text(&self, recipe: &Recipe, name: &str) -> Result<Plan, Error> {
        let mut outline = Outline::new();
        outline.metadata("general.architecture", self.text.decoder.name).metadata("general.type", "model");
        if let Some(generation) = Json::read(self.folder, "generation_config.json")? {
            sampling(&generation, &mut outline)?;
        }
        common(&mut outline, recipe, name);
        self.text.write(&mut outline);
        let Text { vocabulary, decoder, .. } = &self.text;
        let without_bos = decoder.without_bos;
        let tokenizer = Tokenizer::read(self.folder, &self.config, *vocabulary, without_bos, self.sees())?;
        let tokens = tokenizer.file;
        tokenizer.write(&mut outline);
        let mut tensors = Vec::new();
        if let Some(factors) = &self.text.rope.factors {
            tensors.push(Tensor::made("rope_freqs.weight", factors.clone()));
        }
        Ok(Plan { tokens, ..self.plan(outline, tensors, &self.text.tensors, recipe)? })
    }

    /// The file of the vision tower, if there is one.
    ///
    /// # Errors
    /// A key of the file breaks a rule of the format.
    pub fn vision(&self, recipe: &Recipe, name: &str) -> Result<Option<Plan>, Error> {
        let Some(vision) = &self.vision else { return Ok(None) };
        let mut outline = Outline::new();
        outline.metadata("general.architecture", "clip").metadata("general.type", "mmproj");
        common(&mut outline, recipe, name);
        vision.write(&mut outline);
        self.plan(outline, Vec::new(), &vision.tensors, recipe).map(Some)
    }

    fn plan(
        &self,
        outline: Outline,
        made: Vec<Tensor>,
        placed: &[Placed],
        recipe: &Recipe,
    ) -> Result<Plan, Error> {
        let plan = Plan::new(outline, made, placed, recipe)?;
        Ok(Plan { files: self.files.clone(), head: self.text.head, ..plan })
    }
}

/// Keys of both files.
fn common(outline: &mut Outline, recipe: &Recipe, name: &str) {
    outline
        .metadata("general.name", name)
        .metadata("general.file_type", recipe.number)
        .metadata("general.quantization_version", QUANTIZATION);
}

/// The first class that is known.
fn family(config: &Json) -> Result<(String, &'static Family), Error> {
    const KEY: &str = "architectures";
    let classes = config.list(KEY)?.ok_or_else(|| config.missing(KEY, "a list of classes"))?;
    let names: Vec<&str> = classes.iter().filter_map(serde_json::Value::as_str).collect();
    let of = |class: &&str| FAMILIES.iter().find(|family| family.classes.contains(class));
    match names.iter().find_map(|class| Some((class.to_string(), *of(class)?))) {
        Some(found) => Ok(found),
        None => {
            let known: Vec<&str> = FAMILIES.iter().flat_map(|family| family.classes).copied().collect();
            Err(Error::Architecture { found: names.join(", "), known: known.join(", ") })
        }
    }
}

/// How images are prepared: `preprocessor_config.json`, or the image processor in `processor_config.json`.
fn processor(folder: &dyn Folder) -> Result<Json, Error> {
    const OWN: &str = "preprocessor_config.json";
    if let Some(whole) = Json::read(folder, "processor_config.json")?
        && let Some(inner) = whole.object("image_processor")?
    {
        return Ok(inner);
    }
    Json::read(folder, OWN)?.ok_or(Error::NoFile { file: OWN, what: "how images are prepared" })
}

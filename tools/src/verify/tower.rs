//! The image's way: the preprocessing byte by byte, and the tower on the reference's pixels.

use super::{Array, Difference, Dump, Failure, Marks, Stage, gather, missing};
use ocelli::Error;
use ocelli::Model;
use ocelli::Options;
use ocelli::image::{Frame, Preprocessor};
use ocelli::low_level::{ModelParts, default_threads, prepare, zeroed};
use ocelli_kernels::{Cpu, Machine, cpu};
use ocelli_models::recipe::ImageRecipe;
use ocelli_tape::{Backend, Call, Memory, Never, StateOptions, Watch, Weights};

/// Every stage of the tower that the dump has.
pub fn verify(model: &Model<'_>, dump: &Dump, options: &Options) -> Result<Vec<Stage>, Failure> {
    let Some(pixels) = dump.get("pixels") else { return Ok(Vec::new()) };
    let encoder = model.encoder().ok_or(Error::NoVision)?;
    let recipe = encoder
        .recipe(options.preprocess)
        .map_err(|error| Error::Model { name: "the mmproj".into(), error })?;
    let side = recipe.tile as usize;
    let [views, height, width, 3] = *pixels.shape.as_slice() else {
        return Err(Failure::Extents {
            array: "pixels",
            found: pixels.shape.clone(),
            expected: "[views, side, side, 3]",
        });
    };
    let mut stages = Vec::new();
    if (height, width) != (side, side) {
        let (expected, found) = (format!("views of {width}×{height}"), format!("views of {side}×{side}"));
        stages.push(Stage { name: "pixels".into(), found: Difference::Shape { expected, found } });
        return Ok(stages);
    }
    let kernels = cpu::choose(options.isa.as_deref()).map_err(Error::from)?;
    let cpu = Cpu::new(kernels, options.threads.unwrap_or_else(default_threads));
    if let Some(image) = dump.get("image") {
        let found = preprocessed(cpu.machine(), &recipe, image, pixels, options.image_tokens)?;
        stages.push(Stage { name: "pixels".into(), found });
    }
    let kept = dump.numbers("views")?.unwrap_or_else(|| (0..views as u32).collect());
    if let Some(view) = kept.iter().find(|view| **view as usize >= views) {
        return Err(Failure::Beyond { array: "views", index: *view, of: views });
    }
    let (marks, rows) = run(&cpu, model, &recipe, pixels, &kept)?;
    let stage = |name: &str, mark: (&'static str, usize)| {
        let expected = dump.get(name)?;
        let found =
            marks.get(&mark).map_or_else(|| missing(expected), |all| Difference::of(all, &expected.values));
        Some(Stage { name: name.into(), found })
    };
    stages.extend(stage("v.embed", ("v.embed", 0)));
    stages.extend(stage("v.pre_ln", ("v.pre_ln", 0)));
    stages.extend(dump.numbered("v.block.").filter_map(|(name, index)| stage(name, ("v.block", index))));
    stages.extend(stage("v.post_ln", ("v.post_ln", 0)));
    if let Some(expected) = dump.get("image_rows") {
        let found = Difference::of(&rows, &expected.values);
        stages.push(Stage { name: "image_rows".into(), found });
    }
    Ok(stages)
}

/// Marks of the kept views, and the rows of all.
fn run(
    backend: &dyn Backend,
    model: &Model<'_>,
    recipe: &ImageRecipe,
    pixels: &Array,
    kept: &[u32],
) -> Result<(Marks, Vec<f32>), Failure> {
    let tape = model.encoder_tape()?.ok_or(Error::NoVision)?;
    let mut program = prepare(backend, &tape, &StateOptions::NONE, || "the mmproj".into())?;
    let (need, files) = (program.need(), model.files());
    program.load(&Weights::of(&files)).map_err(Error::from)?;
    let (mut arena, mut scratch) = (zeroed(need.arena)?, zeroed(need.scratch)?);
    let (mut marks, mut rows) = (Marks::new(), Vec::new());
    let side = recipe.tile as usize;
    for (view, bytes) in pixels.values.chunks_exact(side * side * 3).enumerate() {
        let input = normalised(bytes, recipe);
        let mut see = gather(&mut marks);
        let keep = kept.contains(&(view as u32));
        let watch = Watch { observer: if keep { Some(&mut see) } else { None }, ..Watch::default() };
        let mut memory = Memory { arena: &mut arena, scratch: &mut scratch, state: &mut [] };
        let call = Call { items: 1, rows: &input, ..Call::of(Weights::of(&files)) };
        program.run(&call, &mut memory, watch, &Never).map_err(Error::from)?;
        rows.extend_from_slice(program.output(&arena, 1));
    }
    Ok((marks, rows))
}

/// A view's patches in raster order, each (channel, y, x), as the tower takes them.
fn normalised(view: &[f32], recipe: &ImageRecipe) -> Vec<f32> {
    let (side, patch) = (recipe.tile as usize, recipe.patch as usize);
    let grid = side / patch.max(1);
    let mut out = Vec::with_capacity(view.len());
    for corner in (0..grid * grid).map(|at| (at / grid * patch * side + at % grid * patch) * 3) {
        for ((mean, std), channel) in recipe.mean.iter().zip(&recipe.std).zip(0..) {
            for at in (0..patch * patch).map(|at| corner + (at / patch * side + at % patch) * 3 + channel) {
                let byte = view.get(at).copied().unwrap_or(0.0);
                out.push(((f64::from(byte) * (1.0 / 255.0)) as f32 - mean) / std);
            }
        }
    }
    out
}

/// The picture through our own way. Equal bytes are equal when normalised, and others are not.
fn preprocessed(
    machine: Machine<'_>,
    recipe: &ImageRecipe,
    image: &Array,
    pixels: &Array,
    tokens: Option<u32>,
) -> Result<Difference, Failure> {
    let [height, width, 3] = *image.shape.as_slice() else {
        return Err(Failure::Extents {
            array: "image",
            found: image.shape.clone(),
            expected: "[height, width, 3]",
        });
    };
    let rgb: Vec<u8> = image.values.iter().map(|value| *value as u8).collect();
    let long = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let frame = Frame::rgb(&rgb, long(width), long(height)).map_err(|error| Error::Image(error.into()))?;
    let way = Preprocessor::new(recipe, long(width), long(height), tokens).map_err(Error::from)?;
    let memory = way.memory(machine.pool.threads()).map_err(Error::from)?;
    let (mut sheets, mut scratch) = (zeroed(memory.sheets / 4)?, zeroed(memory.scratch / 4)?);
    way.make_sheets(machine, &frame, &mut sheets, &mut scratch, &Never).map_err(Error::from)?;
    let views = way.plan().views();
    let given = pixels.shape.first().copied().unwrap_or(0);
    if views as usize != given {
        return Ok(Difference::Shape { expected: format!("{given} views"), found: format!("{views} views") });
    }
    let side = recipe.tile as usize;
    let mut found = zeroed(memory.view / 4)?;
    let (mut apart, mut largest, mut values) = (0usize, 0.0f64, 0);
    for (view, bytes) in (0..views).zip(pixels.values.chunks_exact(side * side * 3)) {
        way.write_view(machine, &sheets, view, &mut found, &Never).map_err(Error::from)?;
        let expected = normalised(bytes, recipe);
        for (at, (x, y)) in found.iter().zip(&expected).enumerate() {
            let std = recipe.std.get(at / (recipe.patch * recipe.patch) as usize % 3).copied().unwrap_or(1.0);
            let by = (f64::from(x - y) * f64::from(std) * 255.0).abs().round();
            (apart, largest) = (apart + usize::from(x != y), largest.max(by));
        }
        values += expected.len();
    }
    Ok(Difference::Numbers { values, relative: apart as f64 / values.max(1) as f64, largest })
}

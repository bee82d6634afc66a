#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::vec::Vec;

use super::*;

fn tiles(tile: u32, longest_edge: u32) -> ImageRecipe {
    ImageRecipe {
        mean: [0.5; 3],
        std: [0.5; 3],
        filter: Filter::Lanczos,
        tile,
        patch: 16.min(tile),
        tokens_per_view: 64,
        geometry: Geometry::Tiles { longest_edge },
    }
}

fn with(geometry: Geometry) -> ImageRecipe {
    ImageRecipe { filter: Filter::Bicubic, geometry, ..tiles(336, 336) }
}

/// A line of grids.txt: tile longest width height | via | size | rows columns.
fn grids() -> impl Iterator<Item = [u32; 10]> {
    include_str!("../../../tests/golden/images/grids.txt").lines().map(|line| {
        let numbers: Vec<u32> = line.split_whitespace().map(|n| n.parse().unwrap()).collect();
        numbers.try_into().unwrap()
    })
}

#[test]
fn grids_are_the_references() {
    assert!(grids().count() > 250);
    for [tile, longest, width, height, via_w, via_h, size_w, size_h, rows, columns] in grids() {
        let plan = tiles(tile, longest).plan(width, height, None).unwrap();
        let first = plan.sheets().next().unwrap();
        let what = format_args!("{width}×{height} at L {longest}, T {tile}");
        assert_eq!(first.via, Some((via_w, via_h)), "{what}");
        assert_eq!(first.size, (size_w, size_h), "{what}");
        assert_eq!((plan.rows, plan.columns), (rows, columns), "{what}");
        assert_eq!(plan.views(), if rows == 0 { 1 } else { rows * columns + 1 }, "{what}");
    }
}

#[test]
fn views_are_in_the_order_of_the_text() {
    let plan = tiles(512, 2048).plan(4000, 3000, None).unwrap();
    assert_eq!((plan.rows, plan.columns, plan.views(), plan.tokens()), (3, 4, 13, 13 * 64));
    assert_eq!(plan.view(0), Some(View { sheet: 0, x: 0, y: 0 }));
    assert_eq!(plan.view(5), Some(View { sheet: 0, x: 512, y: 512 }));
    assert_eq!(plan.view(12), Some(View { sheet: 1, x: 0, y: 0 }));
    assert_eq!(plan.view(13), None);
    assert_eq!(plan.sheets().nth(1).unwrap().origin, Origin::FirstSheet);

    let single = tiles(512, 512).plan(4000, 3000, None).unwrap();
    assert_eq!((single.rows, single.columns, single.views()), (0, 0, 1));
    assert_eq!(single.view(0), Some(View { sheet: 0, x: 0, y: 0 }));
    assert_eq!(single.view(1), None);
}

#[test]
fn a_cap_lowers_the_longest_edge_step_by_step() {
    let recipe = tiles(512, 2048);
    // Square: 17, 10, 5 and 1 views at 4, 3, 2 and 1 tiles along the longest edge.
    for (most, tokens) in
        [(u32::MAX, 1088), (1088, 1088), (1087, 640), (640, 640), (639, 320), (320, 320), (319, 64), (64, 64)]
    {
        assert_eq!(recipe.plan(700, 700, Some(most)).unwrap().tokens(), tokens, "at most {most}");
    }
    assert_eq!(recipe.plan(700, 700, Some(63)), Err(RecipeError::TokenCap { most: 63, least: 64 }));
    // The capped plan is the plan of a recipe with that longest edge.
    for [tile, longest, width, height, ..] in grids() {
        let recipe = tiles(tile, longest);
        for most in [64, 200, 400, 640, 1000] {
            let capped = recipe.plan(width, height, Some(most)).unwrap();
            assert!(capped.tokens() <= most);
            let fits = |longest| {
                Some(tiles(tile, longest).plan(width, height, None).unwrap()).filter(|p| p.tokens() <= most)
            };
            let best = fits(longest).or_else(|| (1..=longest / tile).rev().find_map(|k| fits(k * tile)));
            assert_eq!(Some(capped), best, "{width}×{height} at L {longest}, T {tile}, most {most}");
        }
    }
    for geometry in
        [Geometry::Stretch, Geometry::PadSquare { color: [0; 3] }, Geometry::ShortestEdgeCrop { edge: 336 }]
    {
        assert_eq!(with(geometry).plan(5, 9, Some(64)).unwrap().tokens(), 64);
        let refused = Err(RecipeError::TokenCap { most: 10, least: 64 });
        assert_eq!(with(geometry).plan(5, 9, Some(10)), refused);
    }
}

#[test]
fn crop_and_pad_are_centred() {
    let crop = |width, height| {
        let plan = with(Geometry::ShortestEdgeCrop { edge: 336 }).plan(width, height, None).unwrap();
        let sheet = plan.sheets().next().unwrap();
        (sheet.size, sheet.window.x, sheet.window.y)
    };
    assert_eq!(crop(640, 480), ((448, 336), 56, 0));
    assert_eq!(crop(480, 641), ((336, 448), 0, 56));
    assert_eq!(crop(1, 9), ((336, 3024), 0, 1344));
    assert_eq!(crop(336, 339), ((336, 339), 0, 1));

    let pad = |width, height| {
        let plan = with(Geometry::PadSquare { color: [122, 116, 104] }).plan(width, height, None).unwrap();
        plan.sheets().next().unwrap().pad.map(|pad| (pad.size, pad.at))
    };
    assert_eq!(pad(10, 7), Some(((10, 10), (0, 1))));
    assert_eq!(pad(4, 7), Some(((7, 7), (1, 0))));
    assert_eq!(pad(7, 7), None);
}

#[test]
fn transforms_lead_back_to_the_image() {
    // Corners of the views together are the corners of the image.
    let plan = tiles(512, 2048).plan(4000, 3000, None).unwrap();
    let last = plan.transform(11).unwrap();
    let corner = (512.0 * last.scale.0 + last.offset.0, 512.0 * last.scale.1 + last.offset.1);
    assert!((corner.0 - 4000.0).abs() < 1e-9 && (corner.1 - 3000.0).abs() < 1e-9);
    let global = plan.transform(12).unwrap();
    assert_eq!(global.offset, (0.0, 0.0));
    assert!((512.0 * global.scale.0 - 4000.0).abs() < 1e-9 && (512.0 * global.scale.1 - 3000.0).abs() < 1e-9);
    assert_eq!(plan.transform(13), None);

    let plan = with(Geometry::PadSquare { color: [0; 3] }).plan(672, 100, None).unwrap();
    let padded = plan.transform(0).unwrap();
    assert_eq!(padded, Transform { scale: (2.0, 2.0), offset: (0.0, -286.0) });

    let plan = with(Geometry::ShortestEdgeCrop { edge: 336 }).plan(1344, 672, None).unwrap();
    let cropped = plan.transform(0).unwrap();
    assert_eq!(cropped, Transform { scale: (2.0, 2.0), offset: (336.0, 0.0) });
}

#[test]
fn nonsense_is_refused() {
    let refused = |recipe: ImageRecipe| matches!(recipe.plan(5, 5, None), Err(RecipeError::Recipe { .. }));
    let good = tiles(512, 2048);
    assert!(!refused(good));
    assert!(refused(ImageRecipe { tile: 0, ..good }));
    assert!(refused(ImageRecipe { tile: 1 << 15, ..good }));
    assert!(refused(ImageRecipe { patch: 0, ..good }));
    assert!(refused(ImageRecipe { patch: 513, ..good }));
    for colors in [
        ImageRecipe { std: [0.5, 0.0, 0.5], ..good },
        ImageRecipe { std: [0.5, f32::NAN, 0.5], ..good },
        ImageRecipe { mean: [f32::INFINITY, 0.5, 0.5], ..good },
    ] {
        assert_eq!(colors.plan(5, 5, None), Err(RecipeError::Colors));
    }
    assert!(refused(tiles(512, 0)));
    assert!(refused(with(Geometry::ShortestEdgeCrop { edge: 335 })));

    assert_eq!(good.plan(0, 7, None), Err(RecipeError::ZeroSide { width: 0, height: 7 }));
    let thin = with(Geometry::ShortestEdgeCrop { edge: 336 }).plan(1, 1 << 24, None);
    assert_eq!(thin, Err(RecipeError::TooThin { width: 1, height: 1 << 24 }));
}

#[test]
fn any_size_has_a_plan() {
    let sides = [1, 2, 3, 511, 513, 4095, 4097, 65_535, 1 << 24, u32::MAX];
    for tile in [1, 3, 512, 1 << 14] {
        for longest in [1, 2, 33, 2048, 4096, 5000, u32::MAX] {
            for width in sides {
                for height in sides {
                    let plan = tiles(tile, longest).plan(width, height, Some(u32::MAX)).unwrap();
                    let last = plan.views() - 1;
                    assert!(plan.view(last).is_some() && plan.view(last + 1).is_none());
                    assert!(plan.sheets().all(|sheet| sheet.size.0 % tile == 0 && sheet.size.1 % tile == 0));
                }
            }
        }
    }
}

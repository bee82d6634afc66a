//! A build that is without most features says which one brings what it is asked for:
//! `cargo test -p ocelli --no-default-features --features std --test left_out`.
#![cfg(all(feature = "std", not(any(feature = "kv-q8", feature = "tower-int8", feature = "formats"))))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use ocelli::{Error, Load, Mmproj, Model, Options, Stored};
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/models").join(name)
}

fn model() -> Model<'static> {
    Model::open(&golden("llama-tied.gguf"), Mmproj::None, Load::Map).unwrap()
}

/// The feature that the error names, which its text has too.
fn left_out(error: Error) -> &'static str {
    let text = error.to_string();
    let Error::LeftOut { feature, .. } = error else { panic!("{error:?}") };
    assert!(text.starts_with(&format!("this library was built without {feature}: ")), "{text}");
    feature
}

#[test]
fn options_say_what_they_need() {
    let model = model();
    let (mut kv, mut tower) = (Options::default(), Options::default());
    kv.kv = Some(Stored::Q8_0);
    tower.tower_int8 = true;
    assert_eq!(left_out(model.plan(&kv).err().unwrap()), "kv-q8");
    assert_eq!(left_out(model.plan(&tower).err().unwrap()), "tower-int8");
    assert!(model.plan(&Options::default()).is_ok());
}

#[test]
fn weights_say_what_they_need() {
    let name = golden("every-format-llama.gguf");
    let error = Model::open(&name, Mmproj::None, Load::Map).err().unwrap().to_string();
    assert!(
        error.contains("this library was built without ") && error.contains("-quants; here are F32"),
        "{error}"
    );
}

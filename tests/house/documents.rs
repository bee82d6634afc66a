//! What the documents say about the repository itself: the map is short, links lead somewhere, files that are named are there,
//! and the README's program is the example that runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};

/// Folders that a document may leave out in front of a path.
const UNDER: [&str; 8] = [
    "",
    "src",
    "kernels/src",
    "kernels/src/ops",
    "models/src",
    "quantize/src",
    "convert/src",
    "targets/c/src",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents of the whole repository.
fn documents() -> Vec<PathBuf> {
    let folders = [
        "",
        "docs",
        "tests",
        "fuzz",
        "quantize",
        "targets/c",
        "targets/devices",
        "targets/firmware",
        "targets/hal",
    ];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(root().join(folder)).unwrap());
    let found: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    found.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// What stands between two different marks, however often.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| Some(rest.split_once(close)?.0))
}

/// A heading as a link names it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-")
}

#[test]
fn the_map_is_short() {
    assert!(text(&root().join("ARCHITECTURE.md")).len() <= 8 * 1024);
}

#[test]
fn links_lead_somewhere() {
    let mut links = 0;
    for document in documents() {
        for link in between(&text(&document), "](", ")").filter(|link| !link.contains("://")) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let to = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            assert!(to.exists(), "{}: {link}", document.display());
            let found =
                heading.is_empty() || text(&to).lines().any(|l| l.starts_with('#') && anchor(l) == heading);
            assert!(found, "{}: {link}: no such heading", document.display());
            links += 1;
        }
    }
    assert!(links > 40, "{links}");
}

#[test]
fn files_that_are_named_are_there() {
    let mut named = 0;
    for document in documents() {
        let is_path = |word: &&str| {
            let kind = word
                .rsplit_once('.')
                .is_some_and(|(_, kind)| ["rs", "md", "py", "toml", "h", "hpp"].contains(&kind));
            kind && word.contains('/')
                && !word.contains(['<', '*', '{', ' ', '\n'])
                && !word.starts_with("../shared")
        };
        for word in text(&document).split('`').skip(1).step_by(2).filter(is_path) {
            let beside = document.parent().unwrap().join(word);
            let there = beside.exists() || UNDER.iter().any(|folder| root().join(folder).join(word).exists());
            assert!(there, "{} names {word}", document.display());
            named += 1;
        }
    }
    assert!(named > 100, "{named}");
}

#[test]
fn the_program_of_the_readme_is_the_example() {
    let example = text(&root().join("examples/ask.rs"));
    let readme = text(&root().join("README.md"));
    let program = between(&readme, "```rust\n", "```").next().expect("a program in Rust");
    let lines = |text: &str| text.lines().map(|line| line.trim().to_string()).collect::<Vec<_>>();
    let (example, program) = (lines(&example), lines(program));
    assert!(example.windows(program.len()).any(|part| part == program));
}

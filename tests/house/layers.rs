//! Who may import whom: no crate and no room imports what lies above it, and files do not import each other in circles, but
//! for those that are listed here. A line that is no longer needed is to be taken out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Crates by folder, lowest first, and the crates of ours that each may name.
const CRATES: [(&str, &str); 11] = [
    ("gguf", ""),
    ("tape", ""),
    ("kernels", "ocelli_tape"),
    ("targets/hal", ""),
    ("models", "ocelli_gguf ocelli_tape"),
    ("quantize", "ocelli_gguf ocelli_kernels"),
    ("convert", "ocelli_gguf ocelli_kernels ocelli_quantize"),
    (".", "ocelli_gguf ocelli_tape ocelli_kernels ocelli_models ocelli_quantize"),
    ("tools", "ocelli_gguf ocelli_tape ocelli_kernels ocelli_models ocelli_quantize ocelli_convert"),
    ("targets/cli", "ocelli_gguf ocelli_tape ocelli_kernels ocelli_models ocelli_quantize ocelli_tools"),
    ("targets/c", ""),
];

/// Rooms of the engine, lowest first.
const ROOMS: [&str; 6] = ["image", "tokenizer", "model", "session", "generate", "chat"];

/// Arrows up that are there. A session chooses tokens, so it knows the sampler, which knows nobody. The error of the engine
/// names the errors of all rooms.
const UP: [(&str, &str); 2] = [("session", "generate::sampler"), ("error", "")];

/// Circles that are there: files that import each other, by crate.
const CIRCLES: [(&str, &str); 12] = [
    ("gguf", "asked reader"),
    ("kernels", "ops::attention ops::memory"),
    ("kernels", "cpu formats ops"),
    ("kernels", "ops::resize::convert ops::resize::pass"),
    ("kernels", "ops::linear::integer ops::linear::row"),
    ("models", "account error"),
    ("quantize", "pieces write"),
    (
        "quantize",
        "encode::iq4_nl encode::iq4_xs encode::q2_k encode::q3_k encode::q4_0 encode::q4_1 encode::q4_k encode::q5_0 \
         encode::q5_1 encode::q5_k encode::q6_k encode::weighted",
    ),
    (
        ".",
        "chat::template::jinja::access chat::template::jinja::filters chat::template::jinja::filters_texts \
           chat::template::jinja::strings",
    ),
    (".", "image::jpeg image::metadata image::webp"),
    (".", "chat::template::jinja::loops chat::template::jinja::run"),
    ("targets/c", "open session talk"),
];

/// A crate's files by their module's path, without tests and comments.
fn files(folder: &Path, module: &str, into: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let below = if module.is_empty() { name.clone() } else { format!("{module}::{name}") };
        if path.is_dir() {
            files(&path, &below, into);
        } else if path.extension().is_some_and(|kind| kind == "rs") && name != "tests" {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("\n#[cfg(test)]").next().unwrap().split("\n#[cfg(all(test").next().unwrap();
            let code =
                text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n");
            let place = if ["lib", "mod", "main"].contains(&name.as_str()) { module } else { &below };
            into.entry(place.to_owned()).or_default().push_str(&code);
        }
    }
}

/// Every path in a file that begins with `crate` or `super`, from the crate's root on. Of a list in braces each item.
fn paths(module: &str, code: &str) -> Vec<String> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    for (at, root) in ["crate::", "super::"].iter().flat_map(|root| code.match_indices(root)) {
        if code[..at].ends_with(word) {
            continue;
        }
        let rest = &code[at..];
        let path = &rest[..rest.find(|c| !word(c)).unwrap_or(rest.len())];
        let mut from: Vec<&str> = if root == "crate::" { Vec::new() } else { module.split("::").collect() };
        let mut names: Vec<&str> = path.split("::").filter(|name| !name.is_empty()).collect();
        while names.first().is_some_and(|name| ["crate", "super"].contains(name)) {
            if names.remove(0) == "super" {
                from.pop();
            }
        }
        let from: Vec<&str> = from.into_iter().chain(names).collect();
        let list = rest[path.len()..].strip_prefix('{').and_then(|list| Some(list.split_once('}')?.0));
        for item in list.unwrap_or("").split(',') {
            let item = item.split_whitespace().next().unwrap_or("").trim_matches('{');
            found.push([&from[..], &[item]].concat().join("::").trim_end_matches("::").to_owned());
        }
    }
    found
}

/// Which files each file of a crate imports. What is above it, of which it is a part, does not count.
fn imports(files: &BTreeMap<String, String>) -> BTreeMap<&str, BTreeSet<&str>> {
    let known = |path: &str| {
        let mut path = path;
        while !files.contains_key(path) {
            path = path.rsplit_once("::")?.0;
        }
        files.get_key_value(path).map(|(module, _)| module.as_str())
    };
    let of = |(module, code): (&'_ String, &String)| -> BTreeSet<&str> {
        let all = paths(module, code).into_iter().filter_map(|path| known(&path)).collect::<Vec<_>>();
        all.into_iter().filter(|to| *to != module && !module.starts_with(&format!("{to}::"))).collect()
    };
    files.iter().map(|file| (file.0.as_str(), of(file))).collect()
}

/// All that a file imports, and what that imports, and so on.
fn reached<'a>(imports: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &'a str) -> BTreeSet<&'a str> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(next) = open.pop() {
        open.extend(imports[next].iter().copied().filter(|to| seen.insert(*to)));
    }
    seen
}

fn of_crate(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join("src"), "", &mut found);
    assert!(found.len() > 3, "{folder}: {found:?}");
    found
}

#[test]
fn crates_name_only_what_is_below() {
    let name = |folder: &str| format!("ocelli_{}", folder.rsplit('/').next().unwrap());
    for (folder, below) in CRATES {
        // What a program and its library are called is one name.
        let known = |named: &str| named == name(folder) || below.split(' ').any(|below| below == named);
        for (module, code) in of_crate(folder) {
            let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
            for named in words.filter(|word| CRATES.iter().any(|(other, _)| *word == name(other))) {
                assert!(known(named), "{folder}: {module} names {named}");
            }
        }
    }
}

#[test]
fn rooms_import_only_what_is_below() {
    let (files, mut seen) = (of_crate("."), 0);
    let room = |module: &str| module.split("::").next().unwrap_or("").to_owned();
    let floor = |module: &str| ROOMS.iter().position(|name| *name == room(module));
    for (from, all) in imports(&files) {
        for to in all.into_iter().filter(|to| room(to) != room(from)) {
            let up = floor(to).is_some() && floor(from).is_none_or(|from| Some(from) < floor(to));
            let known = UP.iter().any(|(a, b)| *a == room(from) && (b.is_empty() || *b == to));
            assert!(from.is_empty() || !up || known, "{from} imports {to}, which lies above it");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn files_import_each_other_in_no_new_circle() {
    for (folder, _) in CRATES {
        let files = of_crate(folder);
        let imports = imports(&files);
        let reach: BTreeMap<&str, BTreeSet<&str>> =
            imports.keys().map(|module| (*module, reached(&imports, module))).collect();
        for module in imports.keys().filter(|module| reach[**module].contains(**module)) {
            let circle: Vec<&str> =
                reach[module].iter().filter(|other| reach[**other].contains(module)).copied().collect();
            let listed = |(of, names): &(&str, &str)| {
                *of == folder && circle.iter().all(|m| names.split_whitespace().any(|n| n == *m))
            };
            assert!(CIRCLES.iter().any(listed), "{folder}: a circle of {circle:?}");
        }
    }
}

//! C and C++ programs, compiled by every compiler there is and linked with the static library, give the engine's answer.
#![cfg(feature = "toolchain")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-g"];

/// What a model is asked, and what it answers.
struct Case {
    model: &'static str,
    tower: &'static str,
    picture: &'static str,
    question: &'static str,
    /// Others, for programs that take them.
    pictures: &'static [&'static str],
    answer: Option<&'static str>,
}

const GOLDEN: Case = Case {
    model: "../../tests/golden/models/smolvlm.gguf",
    tower: "../../tests/golden/models/mmproj-smolvlm-x2.gguf",
    picture: "../../tests/golden/models/photo.png",
    question: "What is the number?",
    pictures: &[],
    answer: None,
};

/// Pictures of every format, and of each way that a decoder goes.
const PICTURES: Case = Case {
    pictures: &[
        "../../tests/golden/images/files/rgba16.png",
        "../../tests/golden/images/files/interlaced.png",
        "../../tests/golden/images/files/420.jpg",
        "../../tests/golden/images/files/progressive.jpg",
        "../../tests/golden/images/files/cmyk.jpg",
        "../../tests/golden/images/files/lossy_alpha.webp",
        "../../tests/golden/images/files/lossless_alpha.webp",
        "../../tests/golden/images/files/animated.gif",
        "../../tests/golden/images/files/rle8.bmp",
    ],
    ..GOLDEN
};

const POCKET: Case = Case {
    model: "../../models/pocket/pocket.gguf",
    tower: "../../models/pocket/mmproj-pocket.gguf",
    picture: "../../models/pocket/sample/panel.png",
    question: "What does the display read?",
    pictures: &[],
    answer: Some("5.26"),
};

/// The static library that was built with this test.
fn library() -> PathBuf {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
    let built = |folder: &Path| {
        let files = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
        let ours = files.filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("libocelli_c") && name.ends_with(".a")
        });
        ours.max_by_key(|path| path.metadata().unwrap().modified().unwrap())
    };
    built(deps.parent().unwrap()).or_else(|| built(&deps)).expect("the static library")
}

/// Compiles a program of its own for each test: they run side by side.
fn build(test: &str, compiler: &str, standard: &str, source: &str) -> PathBuf {
    build_with(test, compiler, standard, source, &[])
}

fn build_with(test: &str, compiler: &str, standard: &str, source: &str, flags: &[&str]) -> PathBuf {
    let name = format!("{test}-{compiler}-{standard}-{}", source.replace(['.', '/'], "-"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let out = Command::new(compiler)
        .current_dir(HERE)
        .arg(format!("-std={standard}"))
        .args(STRICT)
        .args(flags)
        .args(["-I", "."])
        .arg(Path::new("tests/c").join(source))
        .arg(library())
        .args(["-lpthread", "-ldl", "-lm", "-o"])
        .arg(&program)
        .output()
        .unwrap();
    assert!(out.status.success(), "{compiler} {standard} {source}: {}", String::from_utf8_lossy(&out.stderr));
    program
}

fn run(program: &mut Command, case: &Case) -> Output {
    let arguments = [case.model, case.tower, case.picture, case.question];
    let out = program.current_dir(HERE).args(arguments).args(case.pictures).output().unwrap();
    assert!(out.status.success(), "{program:?}: {}", String::from_utf8_lossy(&out.stderr));
    out
}

fn answer(program: &mut Command, case: &Case) -> String {
    let out = run(program, case);
    eprint!("{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim_end_matches('\n').into()
}

/// The golden model's answer by the engine's own interface.
fn expected() -> String {
    use ocelli::chat::{Content, Message, Template};
    use ocelli::generate::AnswerOptions;
    use ocelli::{ImageSizes, Load, Mmproj, Model, Options, Segment};
    let at = |name: &str| Path::new(HERE).join(name);
    let tower = at(GOLDEN.tower);
    let model = Model::open(&at(GOLDEN.model), Mmproj::File(&tower), Load::Map).unwrap();
    let mut options = Options::default();
    (options.context, options.images) = (Some(512), ImageSizes::UpTo(128, 128));
    let mut session = model.session(&options).unwrap();
    let picture = std::fs::read(at(GOLDEN.picture)).unwrap();
    let images = [ocelli::image::decode(&picture, &Default::default()).unwrap()];
    let content = vec![Content::Image(0), Content::Text(GOLDEN.question.into())];
    let message = Message { role: "user".into(), content };
    let parts = Template::of(&model).unwrap().render(&[message]).unwrap();
    let segments: Vec<Segment<'_>> = parts.iter().map(|part| part.segment(&images)).collect();
    session.read(&segments, &mut |_| ()).unwrap();
    let mut wishes = AnswerOptions::default();
    wishes.max_tokens = 12;
    let (mut answer, mut text) = (session.answer(&wishes).unwrap(), String::new());
    while let Some(piece) = answer.next().unwrap() {
        text.push_str(piece);
    }
    text.trim_start().into()
}

#[test]
fn every_compiler_and_standard_gives_the_answer() {
    let expected = expected();
    for (compilers, standards, source) in [
        (["gcc", "clang"], &["c89", "c99", "c11"][..], "smoke.c"),
        (["gcc", "clang"], &["c99", "c11"], "whole.c"),
        (["g++", "clang++"], &["c++17"], "objects.cpp"),
    ] {
        for compiler in compilers {
            for standard in standards {
                let program = build("plain", compiler, standard, source);
                assert_eq!(answer(&mut Command::new(&program), &GOLDEN), expected, "{compiler} {standard}");
                assert_eq!(answer(&mut Command::new(&program), &POCKET), POCKET.answer.unwrap());
            }
        }
    }
}

/// Programs that look at what they get, the case they are given, and the compilers' standard.
const LOOKING: [(&str, &str, &Case); 4] = [
    ("c99", "smoke.c", &GOLDEN),
    ("c++17", "objects.cpp", &GOLDEN),
    ("c89", "callbacks.c", &GOLDEN),
    ("c99", "whole.c", &PICTURES),
];

/// The compiler of a kind for a program.
fn of_kind(compilers: [&'static str; 2], source: &str) -> &'static str {
    compilers[usize::from(source.ends_with(".cpp"))]
}

/// `whole.c` is what its first line says: no name of the header is missing.
#[test]
fn one_program_uses_every_name_of_the_header() {
    fn names(text: &str) -> BTreeSet<&str> {
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| word.starts_with("ocelli_") || word.starts_with("OCELLI_"))
            .collect()
    }
    // Without what it says in comments.
    let mut code = String::new();
    for part in include_str!("../ocelli.h").split("/*") {
        code += part.split_once("*/").map_or(part, |(_, code)| code);
    }
    let (all, used) = (names(&code), names(include_str!("c/whole.c")));
    let missing: Vec<&&str> =
        all.iter().filter(|name| **name != "OCELLI_H" && !used.contains(**name)).collect();
    assert!(all.len() > 70 && missing.is_empty(), "{} names, without {missing:?}", all.len());
}

#[test]
fn valgrind_finds_nothing() {
    for (standard, source, case) in LOOKING {
        let compiler = of_kind(["gcc", "g++"], source);
        let program = build("valgrind", compiler, standard, source);
        let mut valgrind = Command::new("valgrind");
        // What the process keeps (a hook that keeps decoders quiet) is reached by pointers into pieces, which valgrind calls
        // "possibly lost".
        valgrind.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]);
        valgrind.args(["--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"]);
        let plain = answer(&mut Command::new(&program), case);
        assert_eq!(answer(valgrind.arg(&program), case), plain);
    }
}

#[test]
fn nothing_is_allocated_but_for_decoding() {
    let program = build("allocations", "gcc", "c99", "allocations.c");
    for case in [&GOLDEN, &POCKET] {
        let out = answer(&mut Command::new(&program), case);
        println!("{out}");
        assert!(out.ends_with("others 0"), "{out}");
        assert!(!out.starts_with("decoding 0 "), "the count counts: {out}");
    }
}

/// What gcc's sanitizers see: the programs themselves, every piece of memory that the library passes to the C library's
/// functions or gives back, and what is left at the end; and what clang calls undefined, which is other things (without the
/// library of its own that Debian has elsewhere, a finding is an illegal instruction). The library's own code under
/// sanitizers: `targets/c/sanitize`.
#[test]
fn sanitizers_of_c_find_nothing() {
    let expected = expected();
    for (compilers, flags) in [
        (["gcc", "g++"], ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]),
        (["clang", "clang++"], ["-fsanitize=undefined", "-fsanitize-trap=undefined"]),
    ] {
        for (standard, source, case) in LOOKING {
            let compiler = of_kind(compilers, source);
            let program = build_with("sanitized", compiler, standard, source, &flags);
            assert_eq!(answer(&mut Command::new(&program), case), expected, "{compiler}, {source}");
        }
    }
}

#[test]
fn calls_from_a_callback_and_what_they_make() {
    let program = build("plain", "gcc", "c99", "callbacks.c");
    assert_eq!(answer(&mut Command::new(&program), &GOLDEN), expected());
    assert_eq!(answer(&mut Command::new(&program), &POCKET), POCKET.answer.unwrap());
}

#[test]
fn images_take_no_more_from_malloc_than_was_planned() {
    let program = build("plain", "gcc", "c99", "images.c");
    let folder = Path::new(HERE).join("../../tests/golden/images/files");
    let mut pictures = vec![PathBuf::from(POCKET.picture)];
    for name in [
        "rgb8.png",
        "rgba16.png",
        "interlaced.png",
        "420.jpg",
        "progressive.jpg",
        "orientation6.jpg",
        "cmyk.jpg",
    ] {
        pictures.push(folder.join(name));
    }
    for name in
        ["lossy_alpha.webp", "lossless_alpha.webp", "animated.webp", "animated.gif", "rgb32.bmp", "rle8.bmp"]
    {
        pictures.push(folder.join(name));
    }
    let out = Command::new(program)
        .current_dir(HERE)
        .args([POCKET.model, POCKET.tower])
        .args(pictures)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    println!("{said}");
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    assert!(said.contains("then -11") && said.contains("then -13"), "both ends are met: {said}");
}

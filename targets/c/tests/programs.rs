//! C and C++ programs, compiled by every compiler there is and linked with the static library, give the engine's answer.
#![cfg(feature = "toolchain")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

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
    answer: Option<&'static str>,
}

const GOLDEN: Case = Case {
    model: "../../tests/golden/models/smolvlm.gguf",
    tower: "../../tests/golden/models/mmproj-smolvlm-x2.gguf",
    picture: "../../tests/golden/models/photo.png",
    question: "What is the number?",
    answer: None,
};

const POCKET: Case = Case {
    model: "../../models/pocket/pocket.gguf",
    tower: "../../models/pocket/mmproj-pocket.gguf",
    picture: "../../models/pocket/sample/panel.png",
    question: "What does the display read?",
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
    let out = program.current_dir(HERE).args(arguments).output().unwrap();
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

#[test]
fn valgrind_finds_nothing() {
    for (compiler, standard, source) in
        [("gcc", "c99", "smoke.c"), ("g++", "c++17", "objects.cpp"), ("gcc", "c89", "callbacks.c")]
    {
        let program = build("valgrind", compiler, standard, source);
        let mut valgrind = Command::new("valgrind");
        // The template interpreter's tables, 16 kB once, live as long as the process, and are reached by pointers into
        // pieces, which valgrind calls "possibly lost".
        valgrind.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]);
        valgrind.args(["--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"]);
        let plain = answer(&mut Command::new(&program), &GOLDEN);
        assert_eq!(answer(valgrind.arg(&program), &GOLDEN), plain);
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
/// functions or gives back, and what is left at the end. (The library's own code under sanitizers: `targets/c/check`.)
#[test]
fn sanitizers_of_c_find_nothing() {
    let expected = expected();
    let flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    for (compiler, standard, source) in
        [("gcc", "c99", "smoke.c"), ("g++", "c++17", "objects.cpp"), ("gcc", "c89", "callbacks.c")]
    {
        let program = build_with("sanitized", compiler, standard, source, &flags);
        assert_eq!(answer(&mut Command::new(&program), &GOLDEN), expected, "{source}");
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

//! The header and the library are one: every function, type and number of `ocelli.h` is the Rust side's.
//!
//! From the Rust functions' own types their C declarations are written down again, below `#include "ocelli.h"`: two
//! declarations of one function that differ in anything do not compile. The same is done for members of structs, and for
//! numbers. On a 32-bit target `size_t` and `uint64_t` differ, so it is checked for one, too.
#![cfg(feature = "toolchain")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use ocelli_c::frame::*;
use ocelli_c::open::*;
use ocelli_c::platform::*;
use ocelli_c::session::*;
use ocelli_c::status;
use ocelli_c::turn::*;
use ocelli_c::{Model, Session};
use std::collections::BTreeSet;
use std::ffi::{c_char, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;

const HEADER: &str = include_str!("../ocelli.h");

/// A type's name in C.
trait C {
    const NAME: &'static str;
}

macro_rules! names {
    ($($type:ty => $name:literal),* $(,)?) => { $(impl C for $type { const NAME: &'static str = $name; })* };
}

names! {
    u32 => "uint32_t", i32 => "int32_t", u64 => "uint64_t", usize => "size_t",
    *mut usize => "size_t *", *mut *const f32 => "const float **",
    *const c_char => "const char *", *mut c_char => "char *",
    *const c_void => "const void *", *mut c_void => "void *",
    *const Source => "const ocelli_source *", *mut Need => "ocelli_need *", *mut Stats => "ocelli_stats *",
    *const Model => "const ocelli_model *", *mut Model => "ocelli_model *", *mut *mut Model => "ocelli_model **",
    *const Session => "const ocelli_session *", *mut Session => "ocelli_session *",
    *mut *mut Session => "ocelli_session **",
    *const Platform => "const ocelli_platform *", ClockMs => "ocelli_clock", Sink => "ocelli_sink", *const CFrame => "const ocelli_frame *",
}

/// A function whose C declaration is known by its type.
trait Declared {
    fn declared(&self, name: &str) -> String;
}

macro_rules! functions_of {
    ($($argument:ident)*) => {
        functions_of!(@ extern "C" fn($($argument),*) -> R, $($argument)*);
        functions_of!(@ unsafe extern "C" fn($($argument),*) -> R, $($argument)*);
    };
    (@ $type:ty, $($argument:ident)*) => {
        impl<R: C, $($argument: C),*> Declared for $type {
            fn declared(&self, name: &str) -> String {
                let arguments: &[&str] = &[$($argument::NAME),*];
                let arguments = if arguments.is_empty() { "void".into() } else { arguments.join(", ") };
                format!("{} {name}({arguments});", R::NAME)
            }
        }
    };
}

functions_of!();
functions_of!(A0);
functions_of!(A0 A1);
functions_of!(A0 A1 A2);
functions_of!(A0 A1 A2 A3);
functions_of!(A0 A1 A2 A3 A4);
functions_of!(A0 A1 A2 A3 A4 A5);

macro_rules! functions {
    ($($name:ident($($argument:tt)*);)*) => {
        vec![$((stringify!($name), {
            let function: &dyn Declared = &($name as functions!(@ $($argument)*));
            function.declared(stringify!($name))
        })),*]
    };
    (@ safe $($hole:tt)*) => { extern "C" fn($($hole),*) -> _ };
    (@ $($hole:tt)*) => { unsafe extern "C" fn($($hole),*) -> _ };
}

/// Every function, as the Rust side has it.
fn functions() -> Vec<(&'static str, String)> {
    functions! {
        ocelli_version(safe);
        ocelli_check(safe _);
        ocelli_status_text(safe _);
        ocelli_error(_);
        ocelli_use_platform(_);
        ocelli_model_need(_ _);
        ocelli_model_open(_ _ _ _);
        ocelli_model_free(_);
        ocelli_plan(_ _ _ _);
        ocelli_session_new(_ _ _ _ _ _);
        ocelli_session_free(_);
        ocelli_set(_ _ _ _ _);
        ocelli_add_text(_ _ _ _);
        ocelli_add_image(_ _ _);
        ocelli_add_frame(_ _);
        ocelli_embed(_ _ _ _);
        ocelli_next(_ _ _ _);
        ocelli_answer(_ _ _);
        ocelli_cancel(_);
        ocelli_reset(_ _);
        ocelli_get_stats(_ _);
    }
}

/// A member of a struct: its name in C, its type's, its place and size.
struct Member {
    name: &'static str,
    of: &'static str,
    offset: usize,
    size: usize,
}

fn member<S, T: C>(name: &'static str, offset: usize, _: fn(&S) -> &T) -> Member {
    Member { name, of: T::NAME, offset, size: size_of::<T>() }
}

macro_rules! members {
    ($type:ident: $($name:ident)*) => {
        vec![$(member(stringify!($name), std::mem::offset_of!($type, $name), |s: &$type| &s.$name)),*]
    };
}

fn structs() -> Vec<(&'static str, usize, Vec<Member>)> {
    let source = members!(Source: size text_path text_path_length vision_path vision_path_length text text_length
        vision vision_length flags reserved);
    let need = members!(Need: size session arena kv images text tables decode weights);
    let stats = members!(Stats: size decode_us resize_us encode_us prefill_us generate_us heap_peak beyond
        prompt_tokens image_tokens reused_tokens answer_tokens context_used ended);
    let frame = members!(CFrame: size width height format colors plane plane_length plane_stride chroma chroma_length
        chroma_stride);
    let platform = members!(Platform: size memory bytes clock_ms user);
    vec![
        ("ocelli_platform", size_of::<Platform>(), platform),
        ("ocelli_frame", size_of::<CFrame>(), frame),
        ("ocelli_source", size_of::<Source>(), source),
        ("ocelli_need", size_of::<Need>(), need),
        ("ocelli_stats", size_of::<Stats>(), stats),
    ]
}

fn numbers() -> Vec<(&'static str, i64)> {
    let mut numbers: Vec<_> = status::ALL.iter().map(|(name, value)| (*name, i64::from(*value))).collect();
    numbers.extend([
        ("OCELLI_ABI", i64::from(ABI)),
        ("OCELLI_NO_TOWER", i64::from(NO_TOWER)),
        ("OCELLI_READ", i64::from(READ)),
        ("OCELLI_RESET_ALL", i64::from(RESET_ALL)),
        ("OCELLI_RESET_TURN", i64::from(RESET_TURN)),
    ]);
    numbers.extend(FORMATS.iter().map(|(name, _)| *name).zip(0..));
    numbers.extend(COLORS.iter().map(|(name, _)| *name).zip(0..));
    numbers.extend(["OCELLI_SYSTEM", "OCELLI_USER", "OCELLI_ASSISTANT"].into_iter().zip(0..));
    let ends = ["UNFINISHED", "BY_MODEL", "BY_STOP", "BY_LIMIT", "BY_CONTEXT"];
    numbers
        .extend(ends.map(|name| ["OCELLI_", name].concat()).map(|name| &*name.leak()).into_iter().zip(0..));
    numbers
}

/// The header without its comments.
fn code() -> String {
    let mut code = String::new();
    let mut rest = HEADER;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").unwrap().1;
    }
    code + rest
}

/// Names of the header that are followed by `(`: its functions.
fn declared() -> BTreeSet<String> {
    let code = code();
    let names = code.match_indices("ocelli_").filter_map(|(at, _)| {
        let name: String =
            code[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let before = code[..at].chars().next_back();
        (code[at + name.len()..].starts_with('(') && before.is_some_and(|c| c == ' ' || c == '*'))
            .then_some(name)
    });
    names.collect()
}

fn check_source(places: bool) -> String {
    let mut c = String::from("#include <stddef.h>\n#include \"ocelli.h\"\n");
    for (_, declaration) in functions() {
        c += &format!("{declaration}\n");
    }
    for (name, value) in numbers() {
        c += &format!("typedef char number_{name}[({name}) == {value} ? 1 : -1];\n");
    }
    for (name, size, members) in structs() {
        if places {
            c += &format!("typedef char size_{name}[sizeof({name}) == {size} ? 1 : -1];\n");
        }
        c += &format!("void members_{name}({name} *s);\nvoid members_{name}({name} *s)\n{{\n");
        for Member { name: member, of, .. } in &members {
            c += &format!("    {of} *{member} = &s->{member};\n");
        }
        for Member { name: member, .. } in &members {
            c += &format!("    (void){member};\n");
        }
        c += "}\n";
        for Member { name: member, offset, size, .. } in members.iter().filter(|_| places) {
            let right = format!(
                "offsetof({name}, {member}) == {offset} && sizeof((({name} *)0)->{member}) == {size}"
            );
            c += &format!("typedef char place_{name}_{member}[{right} ? 1 : -1];\n");
        }
    }
    c
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn compiles(compiler: &[&str], source: &str, name: &str) -> Result<(), String> {
    let path = scratch(name);
    std::fs::write(&path, source).unwrap();
    let out = Command::new(compiler[0])
        .args(&compiler[1..])
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-I", env!("CARGO_MANIFEST_DIR")])
        .arg(&path)
        .output()
        .unwrap();
    if out.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&out.stderr).into_owned()) }
}

#[test]
fn functions_types_and_numbers_are_the_same() {
    let listed: BTreeSet<String> = functions().into_iter().map(|(name, _)| name.into()).collect();
    assert_eq!(declared(), listed);
    assert!(listed.len() <= 25, "{} functions", listed.len());
    compiles(&["gcc", "-std=c99"], &check_source(true), "same.c").unwrap();
    compiles(&["clang", "-std=c11"], &check_source(true), "same.c").unwrap();
    // Types of other widths, and enums of one byte.
    let small = ["clang", "--target=thumbv7em-none-eabihf", "-ffreestanding", "-fshort-enums", "-std=c99"];
    compiles(&small, &check_source(false), "small.c").unwrap();
}

#[test]
fn a_difference_does_not_compile() {
    let right = check_source(true);
    for (from, to) in [
        ("int32_t ocelli_next(ocelli_session *", "int32_t ocelli_next(const ocelli_session *"),
        ("size_t, size_t *);", "size_t, uint32_t *);"),
        ("(OCELLI_LATE) == 3", "(OCELLI_LATE) == 4"),
        ("uint64_t *kv", "int64_t *kv"),
        ("offsetof(ocelli_stats, ended) == ", "offsetof(ocelli_stats, ended) == 4 + "),
    ] {
        assert!(right.contains(from), "{from}");
        assert!(compiles(&["gcc", "-std=c99"], &right.replacen(from, to, 1), "other.c").is_err(), "{to}");
    }
}

/// The library that was built with this test.
fn library() -> PathBuf {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
    let beside = [deps.join("libocelli_c.so"), deps.with_file_name("libocelli_c.so")];
    beside.into_iter().find(|path| path.exists()).expect("the shared library")
}

#[test]
fn the_shared_library_has_our_functions_and_nothing_else() {
    let out = Command::new("nm").args(["-D", "--defined-only"]).arg(library()).output().unwrap();
    let symbols = String::from_utf8(out.stdout).unwrap();
    let exported: BTreeSet<String> =
        symbols.lines().filter_map(|line| line.split_whitespace().last()).map(Into::into).collect();
    assert_eq!(exported, declared());
}

#[test]
fn the_header_is_small_and_plain() {
    assert!(HEADER.lines().count() <= 270);
    assert!(!code().contains("//"), "C89 has block comments only");
    for standard in ["-std=c89", "-std=c99", "-std=c11", "-std=c17"] {
        for compiler in ["gcc", "clang"] {
            compiles(&[compiler, standard], "#include \"ocelli.h\"\ntypedef int a_unit;\n", "plain.c")
                .unwrap();
        }
    }
    for compiler in ["g++", "clang++"] {
        for header in ["ocelli.h", "ocelli.hpp"] {
            let source = format!("#include \"{header}\"\n#include \"{header}\"\n");
            compiles(&[compiler, "-std=c++17"], &source, "plain.cpp").unwrap();
        }
    }
}

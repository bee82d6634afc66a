//! What comes in: as text it is what was typed, as bytes it is bounded before it is read, and nobody waits longer than a
//! deadline for it.

use super::{
    Ran, asked, collect, fresh_folder, golden, ocelli, ocelli_reads, one_line, program, refused, smolvlm,
    with,
};
use serde_json::Value;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const QUESTION: &str = "What is the number?";

fn run(rest: &[&str]) -> Ran {
    ocelli(&with(&["run".into()], &with(&smolvlm(), &[&["-n", "2"], rest].concat())))
}

/// `run --json` with these bytes on standard input.
fn reads(rest: &[&str], bytes: &[u8]) -> Ran {
    let args =
        with(&["run".into(), "--json".into()], &with(&smolvlm(), &[&["-n", "2"], rest].concat())).join("\n");
    let args: Vec<&str> = args.split('\n').collect();
    let mut child = program(&args).stdin(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(bytes);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn tokens(answer: &Value) -> (&Value, &Value) {
    (&answer["ids"], &answer["prompt_tokens"])
}

#[test]
fn marks_and_line_ends_of_standard_input_are_not_the_users_words() {
    let expected = asked(&with(&smolvlm(), &["-n", "2", "Is it\n\nso?"]));
    for bytes in [
        &b"Is it\n\nso?"[..],
        b"Is it\n\nso?\n",
        b"Is it\r\n\r\nso?\r\n",
        b"\xef\xbb\xbfIs it\n\nso?\n",
        b"\xef\xbb\xbfIs it\r\n\r\nso?\r\n",
        b"\xef\xbb\xbfIs it\r\n\nso?",
    ] {
        assert_eq!(tokens(&one_line(&reads(&[], bytes))), tokens(&expected), "{bytes:?}");
    }
    // One line's end is taken away, and a carriage return alone is none.
    for other in [&b"Is it\n\nso?\n\n"[..], b"Is it\n\nso?\r"] {
        assert_ne!(tokens(&one_line(&reads(&[], other))).1, tokens(&expected).1, "{other:?}");
    }
    // A raw prompt keeps every byte.
    let raw = |text: &str| {
        let answer = one_line(&reads(&["--raw"], text.as_bytes()));
        let argument = asked(&with(&smolvlm(), &["-n", "2", "--raw", text]));
        assert_eq!(tokens(&answer), tokens(&argument), "{text:?}");
        answer["prompt_tokens"].as_u64().unwrap()
    };
    let bare = raw("so");
    for more in ["so\n", "so\r\n", "\u{feff}so", "so\n\n"] {
        assert!(raw(more) > bare, "{more:?}");
    }
    let wide: Vec<u8> = "\u{feff}Hi\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let ran = reads(&[], &wide);
    assert!(ran.code != Some(0) && ran.err.contains("UTF-16"), "{}", ran.err);
}

#[test]
fn a_chats_lines_and_a_corpus_follow_the_same_rule() {
    let args = with(&["chat".into()], &with(&smolvlm(), &["-n", "8"])).join("\n");
    let args: Vec<&str> = args.split('\n').collect();
    let plain = ocelli_reads(&args, "Hello\nHello\n");
    assert_eq!(plain.code, Some(0), "{}", plain.err);
    assert_eq!(ocelli_reads(&args, "\u{feff}Hello\r\nHello\r\n").out, plain.out);

    let folder = fresh_folder("corpus");
    let model = golden("smolvlm.gguf");
    let compare = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        let args = ["compare", &model, &model, "--text", path.to_str().unwrap(), "-c", "16", "--json"];
        one_line(&ocelli(&args))["text"].clone()
    };
    let lines = "The lamp is lit.\nThe panel reads 5.\n".repeat(8);
    let marked = format!("\u{feff}{}", lines.replace('\n', "\r\n"));
    assert_eq!(compare("lf.txt", &lines), compare("crlf.txt", &marked));
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn the_word_for_an_image_is_text_where_none_is_given() {
    let model = smolvlm();
    let photo = golden("photo.png");
    let length = |rest: &[&str]| {
        asked(&with(&model, &[&["-n", "2"], rest].concat()))["prompt_tokens"].as_u64().unwrap()
    };
    // As many tokens as the word has where it can be nothing else.
    let word = length(&["so <image> so"]);
    assert!(word > length(&["so  so"]) + 1, "a word and not one token");
    assert_eq!(length(&["so <image> so <image>"]) - word, length(&["so  so <image>"]) - length(&["so  so"]));
    assert_eq!(
        ocelli(&with(&["run".into()], &with(&model, &["-n", "2", "--raw", "<image>?"]))).code,
        Some(0)
    );
    assert_eq!(reads(&[], b"<image><url>x.png</url></image>\n").code, Some(0));

    // Where one is given, another word can stand for it, or none.
    let first = asked(&with(&model, &["-n", "2", "--image", &photo, QUESTION]));
    let same = |rest: &[&str]| {
        let answer = asked(&with(&model, &[&["-n", "2", "--image", &photo][..], rest].concat()));
        assert_eq!(tokens(&answer), tokens(&first), "{rest:?}");
    };
    same(&[&format!("<image>{QUESTION}")]);
    same(&["--image-marker", "@@", &format!("@@{QUESTION}")]);
    same(&["--image-marker", "", QUESTION]);
    let marked = |marker: &str, text: &str| length(&["--image", &photo, "--image-marker", marker, text]);
    let literal = marked("", "so <image> so");
    assert_eq!(literal, marked("@@", "so <image> so"));
    assert_eq!(literal, marked("@@", "@@so <image> so"));
    let surplus = run(&["--image", &photo, "<image> or <image>?"]);
    refused(&surplus, 2, &["2 `<image>`", "1 images", "--image-marker"]);
    assert_eq!(run(&["--image-marker", "@@", "x"]).code, Some(2), "a marker for no image");
}

/// Makes a pipe; false where that cannot be done.
fn fifo(path: &Path) -> bool {
    let made = Command::new("mkfifo").arg(path).status().is_ok_and(|status| status.success());
    if !made {
        println!("skipped: no `mkfifo` here");
    }
    made
}

/// Runs it with a pipe on standard input that nobody writes to, and says how long that took.
fn waits(args: &[&str]) -> (Ran, Duration) {
    let start = Instant::now();
    let mut child = program(args).stdin(Stdio::piped()).spawn().unwrap();
    let held = child.stdin.take();
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    let code = child.wait().unwrap().code();
    drop(held);
    (Ran { code, out, err }, start.elapsed())
}

#[test]
fn a_deadline_holds_while_input_is_awaited() {
    let folder = fresh_folder("waits");
    let pipe = folder.join("never");
    let base = smolvlm();
    let soon = |rest: &[&str]| {
        let (ran, took) =
            waits(&with(&["run".into(), "--deadline".into(), "300ms".into()], &with(&base, rest)));
        refused(&ran, 6, &["the deadline has passed"]);
        assert!(took < Duration::from_secs(20), "{took:?}");
    };
    soon(&["-"]);
    soon(&["--raw"]);
    if fifo(&pipe) {
        let pipe = pipe.display().to_string();
        soon(&["--image", &pipe, "Hi"]);
        // Somebody who opens it and writes nothing, or the beginning of an image.
        let script = format!("(head -c 40 '{}'; exec sleep 3) > '{pipe}'", golden("photo.png"));
        let mut writer = Command::new("sh").args(["-c", &script]).spawn().unwrap();
        soon(&["--image", &pipe, "Hi"]);
        let _ = writer.kill();
        writer.wait().unwrap();
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn what_is_no_file_is_not_read() {
    let folder = fresh_folder("nofile");
    let pipe = folder.join("pipe.png");
    let (model, photo) = (golden("smolvlm.gguf"), golden("photo.png"));
    let at = |name: &str| folder.join(name).display().to_string();
    let output = at("out.gguf");
    let base = smolvlm();
    let mut none = vec![folder.display().to_string()];
    none.extend(
        ["/dev/zero", "/dev/null"]
            .iter()
            .filter(|path| Path::new(path).exists())
            .map(|path| path.to_string()),
    );
    if fifo(&pipe) {
        none.push(pipe.display().to_string());
    }
    for path in &none {
        let says = [path.as_str(), "is not a file"];
        refused(&ocelli(&["calibrate", &model, "--text", path, "-o", &output, "-c", "32"]), 2, &says);
        refused(&ocelli(&["compare", &model, &model, "--text", path]), 2, &says);
        if *path != pipe.display().to_string() {
            refused(&run(&["--image", path, "Hi"]), 4, &says);
        }
        let ran =
            ocelli_reads(&with(&["chat".into()], &with(&base, &["-n", "2"])), &format!("/image {path}\n"));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert!(ran.err.contains("is not a file"), "{}", ran.err);
    }
    // In a folder of images, and in their place.
    std::fs::copy(&photo, folder.join("a.png")).unwrap();
    if pipe.exists() {
        let folder = folder.display().to_string();
        for images in [folder.as_str(), pipe.to_str().unwrap()] {
            let calibrate = ["calibrate", &base[1], "--mmproj", &base[3], "--images", images, "-o", &output];
            refused(&ocelli(&calibrate), 4, &["pipe.png: is not a file"]);
            let compare = ["compare", &base[1], &base[1], "--mmproj", &base[3], "--images", images];
            refused(&ocelli(&compare), 4, &["pipe.png: is not a file"]);
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}

/// The most memory a program had, as far as it could be seen while it ran, and what it came to.
fn watched(mut command: Command, input: impl FnOnce(&mut dyn Write) + Send + 'static) -> (Ran, u64) {
    let mut child: Child = command.stdin(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input(&mut stdin));
    let watcher = std::thread::spawn(move || {
        let mut most = 0;
        while let Ok(text) = std::fs::read_to_string(&status)
            && let Some(line) = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))
        {
            most = line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10;
            std::thread::sleep(Duration::from_micros(200));
        }
        most
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let ran = Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    (ran, watcher.join().unwrap())
}

/// What the program has when it answers a short question, and more than it needs to refuse anything.
fn usual() -> Option<u64> {
    let skipped = std::env::var_os("OCELLI_EMULATOR").is_some() || !Path::new("/proc/self/status").exists();
    if skipped {
        println!("skipped: the memory of a process cannot be seen here");
        return None;
    }
    let args = with(&smolvlm(), &["--image", &golden("photo.png"), "-n", "2", QUESTION]).join("\n");
    let answer = asked(&args.split('\n').collect::<Vec<_>>());
    Some(answer["bytes"]["peak"].as_u64().unwrap() + (6 << 20))
}

/// Bytes that somebody writes who minds no closed pipe.
fn flood(unit: &'static [u8], times: usize) -> impl FnOnce(&mut dyn Write) + Send + 'static {
    move |out| {
        let block = unit.repeat((1 << 16) / unit.len());
        let mut left = times * unit.len();
        while left > 0 && out.write_all(&block[..block.len().min(left)]).is_ok() {
            left = left.saturating_sub(block.len());
        }
    }
}

#[test]
fn a_prompt_is_bounded_before_it_is_read() {
    let Some(usual) = usual() else { return };
    let base = smolvlm();
    let start = |rest: &[&str]| {
        let args = with(&["run".into()], &with(&base, &[&["-n", "2", "--context", "256"], rest].concat()))
            .join("\n");
        program(&args.split('\n').collect::<Vec<_>>())
    };
    let limit = ["--memory-limit", "20M"];
    for rest in [&[][..], &["--raw"], &["-"], &limit, &["--raw", limit[0], limit[1]]] {
        for unit in [&b"a"[..], b"so it is ", "\u{2581}".as_bytes(), b"\n"] {
            let (ran, most) = watched(start(rest), flood(unit, 30_000_000 / unit.len()));
            assert_eq!(ran.code, Some(1), "{rest:?} {unit:?}: {}", ran.err);
            assert!(ran.err.contains("bytes of text"), "{}", ran.err);
            assert!(most < usual, "{rest:?} {unit:?}: {most} bytes, {usual} usually");
        }
    }
    // From a file its size is known.
    let folder = fresh_folder("prompt");
    let path = folder.join("long.txt");
    std::fs::write(&path, "a".repeat(3_000_000)).unwrap();
    let mut command = start(&[]);
    command.stdin(std::fs::File::open(&path).unwrap());
    let output = command.output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && err.contains("3000000 bytes of text"), "{err}");
    let _ = std::fs::remove_dir_all(folder);
    // As an argument, and as what a model is told.
    let long = "a".repeat(120_000);
    for rest in [&[long.as_str()][..], &["--raw", &long], &["--system", &long, "Hi"]] {
        let (ran, most) = watched(start(rest), |_| ());
        refused(&ran, 1, &["120", "bytes of text"]);
        assert!(most < usual, "{most} bytes, {usual} usually");
    }
    // A limit that leaves no room for a prompt that the context could hold is said to be too small.
    let wide = ["--context", "65536", "--kv", "f16"];
    let plan = one_line(&ocelli(&with(&["plan".into(), "--json".into()], &with(&base, &wide))));
    let total = plan["total"].to_string();
    let limited = |text: &str| {
        let args = with(&base, &[&wide[..], &["-n", "1", "--memory-limit", &total, "-"]].concat());
        collect(program(&with(&["run".into()], &args)), text)
    };
    assert_eq!(limited("Hi").code, Some(0));
    refused(&limited(&"so it is ".repeat(250_000)), 5, &["bytes are needed", &total, "prompt"]);
}

#[test]
fn an_images_file_is_bounded_before_it_is_read() {
    let Some(usual) = usual() else { return };
    let folder = fresh_folder("image-file");
    let (large, pipe) = (folder.join("large.png"), folder.join("pipe"));
    std::fs::copy(golden("photo.png"), &large).unwrap();
    std::fs::OpenOptions::new().write(true).open(&large).unwrap().set_len(3 << 30).unwrap();
    let (large, base) = (large.display().to_string(), smolvlm());
    let look = |image: &str, rest: &[&str]| {
        let args =
            with(&["run".into()], &with(&base, &[rest, &["-n", "1", "--image", image, "Hi"]].concat()))
                .join("\n");
        let args: Vec<&str> = args.split('\n').collect();
        let (ran, most) = watched(program(&args), |_| ());
        assert!(most < usual, "{image} {rest:?}: {most} bytes, {usual} usually");
        ran
    };
    let size = (3u64 << 30).to_string();
    refused(&look(&large, &[]), 4, &["large.png", &size, "--max-pixels"]);
    refused(&look(&large, &["--memory-limit", "100M"]), 5, &["large.png", "bytes are needed", "104857600"]);
    refused(&look(&large, &["--max-pixels", "10000"]), 4, &["large.png", &size]);
    // Small enough for its pixels, and too large for the limit.
    std::fs::OpenOptions::new().write(true).open(&large).unwrap().set_len(200 << 20).unwrap();
    refused(&look(&large, &["--memory-limit", "20M"]), 5, &["large.png", "bytes are needed", "20971520"]);
    if fifo(&pipe) {
        let pipe = pipe.display().to_string();
        for (begins, rest, code, says) in [
            (golden("photo.png"), &["--memory-limit", "4M"][..], 5, "bytes are needed"),
            (golden("smolvlm.gguf"), &[], 4, "not a JPEG"),
        ] {
            let script = format!("cat '{begins}' /dev/zero 2>/dev/null > '{pipe}'");
            let mut writer = Command::new("sh").args(["-c", &script]).spawn().unwrap();
            refused(&look(&pipe, rest), code, &[says]);
            writer.wait().unwrap();
        }
    }
    for command in ["compare", "calibrate"] {
        let model: Vec<&str> = if command == "compare" {
            vec![base[1].as_str(), base[1].as_str()]
        } else {
            vec![base[1].as_str(), "-o", "none"]
        };
        let args =
            [&[command][..], &model, &["--mmproj", &base[3], "--images", &large, "--max-pixels", "10000"]]
                .concat();
        let (ran, most) = watched(program(&args), |_| ());
        refused(&ran, 4, &["large.png", "209715200"]);
        assert!(most < usual, "{most} bytes, {usual} usually");
        let args = [&[command][..], &model, &["--text", &large]].concat();
        let (ran, most) = watched(program(&args), |_| ());
        refused(&ran, 2, &["large.png", "209715200", "67108864"]);
        assert!(most < usual, "{most} bytes, {usual} usually");
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn a_chat_keeps_no_images_files() {
    let folder = fresh_folder("chat-images");
    let mut state = 1u32;
    let noise = image::RgbImage::from_fn(700, 500, |_, _| {
        image::Rgb(std::array::from_fn(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }))
    });
    let path = folder.join("noise.png");
    noise.save(&path).unwrap();
    let bytes = std::fs::metadata(&path).unwrap().len();
    assert!(bytes > 1 << 20, "{bytes}");
    let args = with(
        &["chat".into()],
        &with(&smolvlm(), &["-n", "2", "-t", "2", "--context", "1024", "--largest-image", "700x500"]),
    )
    .join("\n");
    let args: Vec<&str> = args.split('\n').collect();
    let shown = format!("/image {}\n", path.display());
    let most = |text: String| {
        let (ran, most) = watched(program(&args), move |out| drop(out.write_all(text.as_bytes())));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        (ran.err, most)
    };
    if usual().is_some() {
        let (_, one) = most(format!("{shown}What?\n"));
        let (err, many) = most(format!("{}What?\n", shown.repeat(30)));
        assert!(err.contains("positions"), "{err}");
        assert!(many < one + (4 << 20), "{one} bytes with one, {many} with thirty");
        let (_, turns) = most(format!("{shown}What?\n").repeat(12));
        assert!(turns < one + (4 << 20), "{one} bytes with one, {turns} in twelve turns");
        let (err, long) = most(format!("{}\nHello\n", "lamp ".repeat(4_000_000)));
        assert!(err.contains("that line has more than"), "{err}");
        assert!(long < one, "{one} bytes with an image, {long} with a long line");
    }
    // One that is another by the time it is read again is named, and the talk goes on without it.
    let photo = golden("photo.png");
    let mine = folder.join("mine.png");
    std::fs::copy(&photo, &mine).unwrap();
    let args = with(&["chat".into()], &with(&smolvlm(), &["-n", "8", "--context", "300"])).join("\n");
    let mut child = program(&args.split('\n').collect::<Vec<_>>()).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut turn = |text: &str| {
        stdin.write_all(text.as_bytes()).unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    };
    turn(&format!("{}\n", "lamp ".repeat(20)));
    turn(&format!("/image {} {QUESTION}\n", mine.display()));
    std::fs::copy(golden("tall.png"), &mine).unwrap();
    // The rows of another take the place of its own; and then its turn moves to the front.
    turn(&format!("/image {} {QUESTION}\n", golden("tall.png")));
    (0..6).for_each(|_| turn("Hello\n"));
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(err.contains("mine.png: it is no longer the image that was shown"), "{err}");
    assert!(err.contains("goes on without it"), "{err}");
    let _ = std::fs::remove_dir_all(folder);
}

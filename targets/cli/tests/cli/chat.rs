//! `chat`, driven through pipes: turns, commands, a context that fills up, and Ctrl-C.

use super::{asked, fresh_folder, golden, ocelli, ocelli_reads, program, smolvlm, with};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

const QUESTION: &str = "What is the number?";

/// What the one-shot command answers.
fn answer(rest: &[&str]) -> String {
    let line = asked(&with(&smolvlm(), &[&["-n", "8"], rest].concat()));
    line["text"].as_str().unwrap().to_string() + "\n"
}

fn chat(rest: &[&str], input: &str) -> super::Ran {
    ocelli_reads(&with(&["chat".into()], &with(&smolvlm(), &[&["-n", "8"], rest].concat())), input)
}

#[test]
fn a_turn_is_answered_like_a_single_question() {
    let photo = golden("photo.png");
    let plain = answer(&["Hello"]);
    let seen = answer(&["--image", &photo, QUESTION]);
    let ran = chat(&[], "Hello\n");
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), plain.as_str(), ""));
    assert_eq!(chat(&[], &format!("/image {photo}\n{QUESTION}\n")).out, seen);
    assert_eq!(chat(&[], &format!("/image {photo} {QUESTION}\n")).out, seen);
    assert_eq!(
        chat(&[], &format!("Hello\n/reset\n\n/image {photo}\n{QUESTION}\n")).out,
        plain.clone() + &seen
    );
    // What was shown before a reset is forgotten with the rest.
    assert_eq!(chat(&[], &format!("/image {photo}\n/reset\nHello\n")).out, plain);
    assert_eq!(chat(&["--system", "Be brief."], "Hello\n/reset\nHello").out, {
        let brief = answer(&["--system", "Be brief.", "Hello"]);
        brief.clone() + &brief
    });
}

#[test]
fn a_conversation_has_a_memory() {
    let once = chat(&[], "Hello\n").out;
    let twice = chat(&[], "Hello\nHello\n").out;
    assert!(twice.starts_with(&once) && twice.len() > once.len());
    assert_ne!(twice, once.repeat(2), "the second answer depends on the first turn");
    let photo = golden("photo.png");
    let with_image = chat(&[], &format!("Hello\n/image {photo}\nHello\n"));
    assert_eq!((with_image.code, with_image.err.as_str()), (Some(0), ""));
    assert_ne!(with_image.out, twice, "and on the image");
}

#[test]
fn commands_are_obeyed_and_mistakes_forgiven() {
    let plain = answer(&["Hello"]);
    let ran = chat(
        &[],
        "/help\n/nonsense 3\n/image\n/image no-such-file.png\n/image no-such-file.png What?\nHello\n",
    );
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.out, plain, "the conversation goes on as if nothing had been");
    for words in [
        "/reset",
        "/image FILE",
        "unknown command /nonsense 3",
        "/image needs the image's file",
        "no-such-file.png: ",
    ] {
        assert!(ran.err.contains(words), "{words:?} is not in {:?}", ran.err);
    }
    assert_eq!(chat(&[], "Hello\n/quit\nHello\n").out, plain);
    assert_eq!((chat(&[], "").code, chat(&[], "").out.as_str()), (Some(0), ""));

    let folder = fresh_folder("chat image");
    let path = super::copy("photo.png", &folder.join("a photo of mine.png"));
    let seen = answer(&["--image", &path, QUESTION]);
    assert_eq!(chat(&[], &format!("/image {path} {QUESTION}\n")).out, seen, "blanks in a name");
    let _ = std::fs::remove_dir_all(folder);

    let blind = ["chat", "--model", &golden("smolvlm.gguf"), "--no-mmproj", "-n", "8"];
    let ran = ocelli_reads(&blind, &format!("/image {}\n{QUESTION}\nHello\n", golden("photo.png")));
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), plain.as_str()));
    assert!(ran.err.contains("no vision tower"), "{}", ran.err);
}

#[test]
fn an_image_larger_than_planned_is_refused_and_the_talk_goes_on() {
    let folder = fresh_folder("chat-large");
    let large = folder.join("large.png");
    image::RgbImage::new(900, 700).save(&large).unwrap();
    let input = format!("/image {} {QUESTION}\nHello\n", large.display());
    let ran = chat(&["--largest-image", "8x8"], &input);
    let _ = std::fs::remove_dir_all(folder);
    assert_eq!((ran.code, ran.out), (Some(0), answer(&["Hello"])));
    assert!(ran.err.contains("were planned for"), "{}", ran.err);
    let photo = golden("photo.png");
    let seen = answer(&["--image", &photo, QUESTION]);
    assert_eq!(chat(&["--largest-image", "64x64"], &format!("/image {photo} {QUESTION}\n")).out, seen);
}

#[test]
fn a_full_context_forgets_the_oldest_turns_or_stops() {
    let turns = "Is the red lamp on the panel lit?\n".repeat(5);
    let shifted = chat(&["--context", "96"], &turns);
    assert_eq!(shifted.code, Some(0), "{}", shifted.err);
    assert!(shifted.err.contains("the context is full: the oldest turn is forgotten"), "{}", shifted.err);
    let stopped = chat(&["--context", "96", "--no-shift"], &turns);
    assert_eq!(stopped.code, Some(1), "{}", stopped.err);
    assert!(stopped.err.contains("the context has 96") && !stopped.out.is_empty(), "{}", stopped.err);
    assert!(shifted.out.starts_with(stopped.out.as_str()), "until then they are alike");
    // One turn alone that is too long is refused, and shorter ones still come through.
    let long = format!("{}\nHello\n", "lamp ".repeat(100));
    let ran = chat(&["--context", "96"], &long);
    assert_eq!((ran.code, ran.out), (Some(0), answer(&["--context", "96", "Hello"])));
    assert!(ran.err.contains("the context has 96"), "{}", ran.err);
}

#[test]
fn pixels_are_there_for_one_image_at_a_time_and_come_back_when_they_are_needed() {
    let (photo, tall) = (golden("photo.png"), golden("tall.png"));
    let both = answer(&["--image", &photo, "--image", &tall, QUESTION]);
    assert_eq!(chat(&[], &format!("/image {photo}\n/image {tall} {QUESTION}\n")).out, both);
    // Read anew after the first turn has been forgotten: all that is left is the question with both.
    let turns = format!("{}\n/image {photo}\n/image {tall}\n{QUESTION}\n", "lamp ".repeat(20));
    let ran = chat(&["--context", "128"], &turns);
    assert!(ran.err.contains("the oldest turn is forgotten"), "{}", ran.err);
    assert_eq!(ran.out.lines().nth(1), both.lines().next(), "{}", ran.err);
    // A picture that was answered about long ago is decoded again when its turn moves to the front.
    let turns = format!("{}\n/image {photo} {QUESTION}\nHello\nHello\n", "lamp ".repeat(20));
    let ran = chat(&["--context", "144"], &turns);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(0), 4), "{}", ran.err);
    assert!(ran.err.contains("the oldest turn is forgotten"), "{}", ran.err);
}

#[test]
fn a_deadline_is_a_turns() {
    let ran = chat(&["--deadline", "0.001"], &format!("{}\n/help\n", "lamp ".repeat(300)));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("deadline") && ran.err.contains("/reset"), "{}", ran.err);
    assert_eq!(ocelli(&["chat", "--deadline", "never"]).code, Some(2));
}

/// Waits for a line that says this.
fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, words: &str) {
    assert!(lines.any(|line| line.unwrap().contains(words)), "{words:?} was never said");
}

/// Sends a process what Ctrl-C sends; false where that cannot be done.
fn interrupt(child: &std::process::Child) -> bool {
    match Command::new("kill").args(["-INT", &child.id().to_string()]).status() {
        Ok(status) => status.success(),
        Err(error) => {
            println!("skipped: no `kill` here ({error})");
            false
        }
    }
}

#[test]
fn an_interrupt_stops_the_answer_and_not_the_program() {
    // A penalty below one rewards what was said already: the answer does not end by itself.
    let args = ["-v", "--context", "100000", "-n", "100000", "--repetition-penalty", "0.5"];
    let mut chat = program(&with(&["chat".into()], &with(&smolvlm(), &args)));
    let mut child = chat.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    stdin.write_all(b"Tell me everything.\n").unwrap();
    // The answer has begun.
    stdout.read_exact(&mut [0; 64]).unwrap();
    if !interrupt(&child) {
        child.kill().unwrap();
        child.wait().unwrap();
        return;
    }
    wait_for(&mut lines, "stopped");
    let rest = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()).unwrap());
    // Nor does the next one: what was said before, which is as long as it happens to be, would change it.
    writeln!(stdin, "/reset\n/image {} And this?", golden("photo.png")).unwrap();
    wait_for(&mut lines, "image: 5 views");
    assert!(interrupt(&child));
    wait_for(&mut lines, "stopped");
    stdin.write_all(b"/nonsense\n").unwrap();
    wait_for(&mut lines, "unknown command /nonsense");
    drop(stdin);
    assert!(lines.count() > 0, "the help that follows");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    rest.join().unwrap();
}

//! The text stream: whole characters, stop strings, no allocation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ocelli::generate::{EmptyStop, Flow, TextStream};

/// Every chunk that comes out, the last ones after the end in one.
fn chunks(stops: &[&str], pieces: &[&[u8]]) -> (Vec<String>, Flow) {
    let mut stream = TextStream::new(stops, false).unwrap();
    let mut out = Vec::new();
    let mut flow = Flow::Going;
    for piece in pieces {
        flow = stream.push(piece, &mut |text| out.push(text.to_string()));
    }
    stream.finish(&mut |text| out.push(text.to_string()));
    (out, flow)
}

fn text(stops: &[&str], pieces: &[&[u8]]) -> String {
    chunks(stops, pieces).0.concat()
}

#[test]
fn no_half_characters() {
    let llama = "a🦙b".as_bytes();
    let bytes: Vec<&[u8]> = llama.chunks(1).collect();
    assert_eq!(chunks(&[], &bytes).0, ["a", "🦙", "b"]);
    // A character that never ends, and one that is broken off by another.
    assert_eq!(chunks(&[], &[&llama[..3]]).0, ["a", "\u{fffd}"]);
    assert_eq!(text(&[], &[&llama[..3], b"x"]), "a\u{fffd}x");
}

#[test]
fn what_is_no_text_is_replaced_as_everywhere() {
    for bytes in [
        &b"\xff\xfe"[..],
        b"\xc3",
        b"\xe2\x82",
        b"\xe2\x28\xa1",
        b"\xed\xa0\x80",
        b"\xf0\x90\x28\xbc",
        b"\xf4\x90\x80\x80",
        b"\x80a\xc0\xafb",
        b"ok",
    ] {
        let whole = String::from_utf8_lossy(bytes);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(text(&[], &[bytes]), whole);
        assert_eq!(text(&[], &single), whole, "{bytes:x?} byte by byte");
    }
}

#[test]
fn stop_strings_are_not_printed() {
    assert_eq!(chunks(&["END"], &[b"a E", b"N", b"D b"]), (vec!["a ".into()], Flow::Stopped));
    assert_eq!(text(&["END"], &[b"a E", b"N", b"X b"]), "a ENX b");
    assert_eq!(text(&["END"], &[b"a E", b"N"]), "a EN");
    assert_eq!(text(&["END", "b"], &[b"ab", b"END"]), "a");
    // The one that is complete first counts, also inside the beginning of a longer one.
    assert_eq!(chunks(&["abc", "b"], &[b"xab", b"c"]), (vec!["xa".into()], Flow::Stopped));
    // A beginning inside a beginning.
    assert_eq!(text(&["aab"], &[b"aa", b"a", b"b!"]), "a");
    assert_eq!(text(&["\u{fffd}"], &[b"a\xc3"]), "a");
    assert_eq!(text(&["é"], &[b"a\xc3", b"\xa9b"]), "a");
    assert_eq!(TextStream::new(&["a", ""], false).unwrap_err(), EmptyStop);
}

#[test]
fn any_cut_of_the_text_gives_the_same() {
    let bytes = "The end? No: «the éné» 🦙 then the\nend. More.".as_bytes();
    let stops = ["the end", "\nend", "🦙🦙"];
    let expected = "The end? No: «the éné» 🦙 then the";
    for step in 1..=bytes.len() {
        let pieces: Vec<&[u8]> = bytes.chunks(step).collect();
        assert_eq!(text(&stops, &pieces), expected, "{step}");
    }
}

#[test]
fn the_first_space_of_spm() {
    for (pieces, expected) in
        [(&[" Hello", " you"][..], "Hello you"), (&["", " ", " x"], " x"), (&["x", " y"], "x y")]
    {
        let mut stream = TextStream::new::<&str>(&[], true).unwrap();
        let mut out = String::new();
        for piece in pieces {
            stream.push(piece.as_bytes(), &mut |text| out.push_str(text));
        }
        stream.finish(&mut |text| out.push_str(text));
        assert_eq!(out, expected);
    }
}

#[test]
fn long_pieces() {
    let long = "é\u{fffd}ab".repeat(1000);
    assert_eq!(text(&["abX"], &[long.as_bytes()]), long);
    let bad = vec![0xffu8; 1000];
    assert_eq!(text(&[], &[&bad]), "\u{fffd}".repeat(1000));
}

//! What an answer does: the rule for words, the lamp, and everything that must stop a machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use embedded_hal::digital::PinState;
use embedded_hal_mock::eh1::MockError;
use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};
use ocelli_hal::Error;
use ocelli_hal::lamp::Lamp;
use ocelli_hal::stop::{Cause, StopLine, Times};
use ocelli_hal::words::{Verdict, Watch};

const BROKEN: MockError = MockError::Io(std::io::ErrorKind::BrokenPipe);

/// The same answer in pieces of every length, so that it is cut everywhere.
fn judged(watch: &mut Watch<'_>, answer: &str) -> bool {
    let verdicts: Vec<bool> = (1..=answer.len().max(1))
        .map(|length| {
            watch.reset();
            let mut last = Verdict::Open;
            for piece in answer.as_bytes().chunks(length) {
                let verdict = watch.feed(piece);
                assert!(last == Verdict::Open || last == verdict, "{answer:?} was decided twice");
                last = verdict;
            }
            let yes = watch.end();
            assert!(last == Verdict::Open || yes == (last == Verdict::Yes), "{answer:?}: {last:?}, {yes}");
            assert_eq!(watch.end(), yes, "asked twice");
            yes
        })
        .collect();
    assert!(verdicts.iter().all(|yes| *yes == verdicts[0]), "{answer:?} depends on its pieces: {verdicts:?}");
    verdicts[0]
}

#[test]
fn a_word_is_a_whole_word() {
    let mut watch = Watch::anywhere("stop").unwrap();
    for yes in [
        "stop",
        "Stop.",
        "\"STOP\"",
        "please stop!",
        "(stop)",
        "**Stop**",
        "stop\nnow",
        "stops stop",
        "go, stop",
    ] {
        assert!(judged(&mut watch, yes), "{yes:?}");
    }
    for no in [
        "",
        "sto",
        "stopp",
        "unstoppable",
        "stop-go",
        "st op",
        "-stop",
        "stop's",
        "s.top",
        "stöp",
        "stop\u{301}",
    ] {
        assert!(!judged(&mut watch, no), "{no:?}");
    }
    let mut number = Watch::anywhere("5").unwrap();
    assert!(judged(&mut number, "It reads 5."));
    assert!(!judged(&mut number, "It reads 5.26, or -5"));
    assert!(judged(&mut Watch::anywhere("5.26").unwrap(), "5.26."));
    assert!(judged(&mut Watch::anywhere("größe").unwrap(), "die Größe?"));
}

#[test]
fn alone_is_the_whole_answer() {
    let mut watch = Watch::alone("clear").unwrap();
    for yes in ["clear", " Clear.\n", "\"clear\"", "CLEAR !"] {
        // A mark that stands alone is a word of its own.
        assert_eq!(judged(&mut watch, yes), yes != "CLEAR !", "{yes:?}");
    }
    for no in [
        "",
        " ",
        "not clear",
        "clear not",
        "unclear",
        "clea",
        "clear clear",
        "clear, but wet",
        "clear -",
        "...",
    ] {
        assert!(!judged(&mut watch, no), "{no:?}");
    }
}

#[test]
fn another_answer_is_known_at_its_first_wrong_letter() {
    let mut watch = Watch::alone("clear").unwrap();
    assert_eq!(watch.feed("  \"cl"), Verdict::Open);
    assert_eq!(watch.feed("o"), Verdict::No);
    assert_eq!(watch.feed("clear"), Verdict::No);
    let mut lamp = Watch::anywhere("fire").unwrap();
    assert_eq!(lamp.feed("a fire"), Verdict::Open);
    assert_eq!(lamp.feed(" "), Verdict::Yes);
}

#[test]
fn words_that_no_answer_could_be() {
    for word in ["", "two words", "stop.", "\"go", " go", "go\n", "*"] {
        assert!(Watch::alone(word).is_none() && Watch::anywhere(word).is_none(), "{word:?}");
    }
}

#[test]
fn a_lamp_is_lit_by_its_word_until_the_next_turn() {
    let mut pin = Mock::new(&[
        Transaction::set(State::Low),
        Transaction::set(State::Low),
        Transaction::set(State::High),
        Transaction::set(State::High),
        Transaction::set(State::Low),
        Transaction::set(State::Low),
        Transaction::set(State::High).with_error(BROKEN),
    ]);
    let mut lamp = Lamp::new(pin.clone(), PinState::High, Watch::anywhere("open").unwrap()).unwrap();
    lamp.begin().unwrap();
    assert_eq!(lamp.feed("The valve is op"), Ok(false));
    assert_eq!(lamp.feed("en now"), Ok(true));
    assert_eq!(lamp.end(), Ok(true));
    lamp.begin().unwrap();
    assert_eq!(lamp.feed("opened"), Ok(false));
    assert_eq!(lamp.end(), Ok(false));
    lamp.begin().unwrap();
    assert_eq!(lamp.feed("open"), Ok(false));
    assert_eq!(lamp.end(), Err(Error::Pin(BROKEN)));
    pin.done();
    let mut pin = Mock::new(&[Transaction::set(State::High).with_error(BROKEN)]);
    assert!(Lamp::new(pin.clone(), PinState::Low, Watch::anywhere("open").unwrap()).is_err());
    pin.done();
}

const TIMES: Times = Times { answer_ms: 100, permit_ms: 300 };
/// Low stops, as it should be wired.
const STOP: State = State::Low;
const GO: State = State::High;

fn pin(states: &[State]) -> Mock {
    Mock::new(&states.iter().map(|state| Transaction::set(*state)).collect::<Vec<_>>())
}

/// A line whose pin must be set so, from its making to its end; then what the body does.
fn line(states: &[State], body: impl FnOnce(&mut StopLine<'static, Mock>)) {
    let mut pin = pin(states);
    let mut line = StopLine::new(pin.clone(), PinState::Low, "clear", TIMES).unwrap().unwrap();
    body(&mut line);
    drop(line);
    pin.done();
}

fn permit(line: &mut StopLine<'static, Mock>, at: u64) {
    line.begin(at).unwrap();
    line.feed("Cle", at + 10).unwrap();
    line.feed("ar.", at + 20).unwrap();
    assert_eq!(line.end(at + 30), Ok(true));
}

/// Made, then `permit`: stops are written anew until the answer is complete.
const PERMITTED: [State; 6] = [STOP, STOP, STOP, STOP, STOP, GO];

fn after_permit(states: &[State], body: impl FnOnce(&mut StopLine<'static, Mock>)) {
    line(&[&PERMITTED[..], states].concat(), |line| {
        permit(line, 0);
        body(line);
    });
}

#[test]
fn made_it_stops_and_dropped_it_stops() {
    line(&[STOP, STOP], |_| {});
    after_permit(&[STOP], |_| {});
}

#[test]
fn it_moves_while_permissions_follow_each_other() {
    after_permit(&[GO, GO, STOP], |line| {
        permit(line, 200);
        assert_eq!(line.check(500), Ok(true));
        permit(line, 500);
        assert_eq!(line.check(830), Ok(true));
        assert_eq!(line.latched(), None);
    });
}

#[test]
fn another_answer_stops_at_its_first_letter_and_the_next_may_go() {
    after_permit(&[&[STOP; 9][..], &[GO, STOP]].concat(), |line| {
        line.begin(50).unwrap();
        // The stop is here, long before the answer's end; every call writes it anew.
        line.feed("block", 60).unwrap();
        line.feed("ed", 70).unwrap();
        assert_eq!(line.end(80), Ok(false));
        permit(line, 90);
    });
}

#[test]
fn an_answer_too_late_stops() {
    // At the end, at a piece, and without either.
    after_permit(&[STOP, STOP], |line| {
        line.begin(50).unwrap();
        line.feed("clear", 150).unwrap();
        assert_eq!(line.end(151), Err(Error::Latched(Cause::Late)));
    });
    after_permit(&[STOP, STOP], |line| {
        line.begin(50).unwrap();
        assert_eq!(line.feed("clear", 151), Err(Error::Latched(Cause::Late)));
    });
    after_permit(&[STOP, STOP, STOP], |line| {
        line.begin(50).unwrap();
        assert_eq!(line.check(150), Ok(true));
        assert_eq!(line.check(151), Err(Error::Latched(Cause::Late)));
        assert_eq!(line.check(152), Ok(false));
    });
}

#[test]
fn no_answer_at_all_stops() {
    after_permit(&[STOP, STOP], |line| {
        assert_eq!(line.check(330), Ok(true));
        assert_eq!(line.check(331), Err(Error::Latched(Cause::Expired)));
    });
    // It never moved: it stays.
    line(&[STOP, STOP, STOP, STOP], |line| {
        assert_eq!(line.check(0), Ok(false));
        assert_eq!(line.check(u64::MAX), Ok(false));
    });
}

#[test]
fn a_failure_stops() {
    after_permit(&[STOP, STOP], |line| {
        line.begin(50).unwrap();
        assert_eq!(line.fail(), Error::Latched(Cause::Failed));
    });
}

#[test]
fn calls_out_of_order_stop() {
    type Wrong = fn(&mut StopLine<'static, Mock>) -> Error<MockError>;
    let wrong: [Wrong; 3] = [
        |line| line.feed("clear", 50).unwrap_err(),
        |line| line.end(50).unwrap_err(),
        |line| line.begin(50).and_then(|()| line.begin(60)).unwrap_err(),
    ];
    for call in wrong {
        after_permit(&[STOP, STOP], |line| assert_eq!(call(line), Error::Latched(Cause::Order)));
    }
}

#[test]
fn a_clock_that_goes_back_stops() {
    after_permit(&[STOP, STOP], |line| {
        assert_eq!(line.check(29), Err(Error::Latched(Cause::Clock)));
    });
}

#[test]
fn what_is_latched_stays_until_it_is_reset_and_then_waits_for_an_answer() {
    let moving = [STOP, STOP, STOP, STOP, GO, STOP];
    after_permit(&[&[STOP, STOP, STOP, STOP, STOP, STOP][..], &moving].concat(), |line| {
        line.fail();
        for at in [40, 50] {
            assert_eq!(line.begin(at), Err(Error::Latched(Cause::Failed)));
        }
        // The first cause is kept.
        assert_eq!(line.end(60), Err(Error::Latched(Cause::Failed)));
        line.reset(70).unwrap();
        assert_eq!(line.latched(), None);
        assert_eq!(line.check(70), Ok(false));
        permit(line, 80);
    });
}

#[test]
fn a_pin_that_fails_while_stopping_is_tried_again() {
    let set = Transaction::set;
    let mut pin = Mock::new(
        &[
            PERMITTED.map(set).to_vec(),
            vec![set(STOP).with_error(BROKEN), set(STOP).with_error(BROKEN), set(STOP), set(STOP), set(STOP)],
        ]
        .concat(),
    );
    let mut line = StopLine::new(pin.clone(), PinState::Low, "clear", TIMES).unwrap().unwrap();
    permit(&mut line, 0);
    line.begin(50).unwrap();
    assert_eq!(line.feed("no", 60), Err(Error::Pin(BROKEN)));
    assert_eq!(line.check(61), Err(Error::Pin(BROKEN)));
    assert_eq!(line.check(62), Ok(false));
    assert_eq!(line.feed("clear", 63), Err(Error::Latched(Cause::Pin)));
    drop(line);
    pin.done();
}

#[test]
fn a_pin_that_fails_while_letting_go_stops() {
    let set = Transaction::set;
    let mut states = PERMITTED.map(set).to_vec();
    states[5] = set(GO).with_error(BROKEN);
    states.extend([set(STOP), set(STOP)]);
    let mut pin = Mock::new(&states);
    let mut line = StopLine::new(pin.clone(), PinState::Low, "clear", TIMES).unwrap().unwrap();
    line.begin(0).unwrap();
    line.feed("clear", 10).unwrap();
    line.feed("", 20).unwrap();
    assert_eq!(line.end(30), Err(Error::Pin(BROKEN)));
    assert_eq!(line.latched(), Some(Cause::Pin));
    drop(line);
    pin.done();
}

#[test]
fn a_word_that_cannot_be_said_stops_too() {
    let mut stopped = pin(&[STOP]);
    assert!(StopLine::new(stopped.clone(), PinState::Low, "go now", TIMES).unwrap().is_none());
    stopped.done();
    let mut broken = Mock::new(&[Transaction::set(STOP).with_error(BROKEN)]);
    assert!(StopLine::new(broken.clone(), PinState::Low, "go", TIMES).is_err());
    broken.done();
}

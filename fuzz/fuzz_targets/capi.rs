//! The C interface: any entry points in any order, with arguments that are right, wrong or missing, handles that were freed in a
//! caller's block, blocks that are too small, and callbacks that call back in.
//!
//! What must hold: no fault and no panic; an error is a status of the header with words; outputs are written on success only;
//! text is UTF-8 and ends with a zero; what a session announced is what it takes (nothing beyond its block); a call from inside a
//! call finds the session busy; and at the end every handle can be freed, and nothing is left.
//!
//! What a caller must not do is not done: places that are no memory, and handles whose memory was given back.
#![no_main]
#![allow(clippy::undocumented_unsafe_blocks, reason = "a caller who keeps the header's rules")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ocelli_c::frame::{CFrame, ocelli_add_frame};
use ocelli_c::open::{
    ABI, NO_TOWER, READ, Source, ocelli_check, ocelli_error, ocelli_model_free, ocelli_model_need,
    ocelli_model_open, ocelli_status_text, ocelli_version,
};
use ocelli_c::platform::{Platform, ocelli_use_platform};
use ocelli_c::session::{
    Need, ocelli_cancel, ocelli_plan, ocelli_session_free, ocelli_session_new, ocelli_set,
};
use ocelli_c::status::*;
use ocelli_c::turn::{
    Sink, Stats, ocelli_add_image, ocelli_add_text, ocelli_answer, ocelli_embed, ocelli_get_stats,
    ocelli_next, ocelli_reset,
};
use ocelli_c::{Model, Session};
use ocelli_fuzz::{Bytes, guarded, model};

const Z: usize = usize::MAX;
/// Handles of each kind, calls in all, and calls that compute.
const SLOTS: usize = 4;
const CALLS: usize = 60;
const WORK: usize = 40;

const TEXT: &[u8] = model!("smolvlm.gguf");
const VISION: &[u8] = model!("mmproj-smolvlm-x2.gguf");
const ALONE: &[u8] = model!("qwen2.gguf");

const IMAGES: [&[u8]; 4] = [
    model!("one.png"),
    model!("tiny.png"),
    model!("square.png"),
    include_bytes!("../../tests/golden/images/files/420_odd.jpg"),
];

const OPTIONS: [&CStr; 16] = [
    c"context=96 image=32x32 threads=1 batch=16 max_tokens=4",
    c"context=64 image=none threads=1 batch=8 max_tokens=3 temperature=1 seed=7",
    c"context=40 image=48x32 threads=1 batch=40 max_tokens=2 kv=q8_0 text=200",
    c"context=128 image=16x16 threads=2 batch=16 max_tokens=5 tower_int8=1 kv=f32",
    c"context=24 image=8x8 threads=1 text=40 decode=100 max_tokens=2",
    c"context=96 image=64x64 threads=1 batch=16 limit=2000000 fit=1 max_tokens=2",
    c"context=96 image=32x32 threads=1 image_tokens=4 max_tokens=2 template=none",
    c"context=1 threads=1 image=1x1",
    c"context=0",
    c"threads=0",
    c"context=9 image=32x32 limit=1000",
    c"isa=z80",
    c"image=0x0",
    c"context=100 image=40x40",
    c"max_tokens",
    c"square=pad context=32 threads=1 image=9x9 max_tokens=1",
];

const SETTINGS: [(&str, &str); 24] = [
    ("max_tokens", "0"),
    ("max_tokens", "3"),
    ("temperature", "1"),
    ("temperature", "nan"),
    ("top_k", "2"),
    ("top_p", "0.5"),
    ("min_p", "0.2"),
    ("seed", "9"),
    ("repetition_penalty", "1.5"),
    ("repetition_last", "0"),
    ("stop", "e"),
    ("stop", ""),
    ("stop", "the end\u{0}"),
    ("deadline_ms", "0"),
    ("deadline_ms", "100000"),
    ("orientation", "exif"),
    ("orientation", "6"),
    ("orientation", "9"),
    ("template", "none"),
    ("template", "model"),
    ("context", "5"),
    ("", ""),
    ("kv", "f16"),
    ("limit", "1"),
];

/// A place for a handle: where its memory is, if that is ours. It stays to the end, as a handle is recognised in it.
struct Slot<T> {
    at: *mut T,
    alive: bool,
    ours: bool,
    /// Bytes of the block from the handle on, if it is ours.
    bytes: usize,
}

impl<T> Slot<T> {
    const EMPTY: Slot<T> = Slot { at: null_mut(), alive: false, ours: false, bytes: 0 };

    /// A new handle, in `bytes` of memory at `memory` or in malloc.
    fn new(at: *mut T, memory: *mut u8, bytes: usize) -> Slot<T> {
        let ours = !memory.is_null();
        let bytes = if ours { bytes - (at.addr() - memory.addr()) } else { 0 };
        Slot { at, alive: true, ours, bytes }
    }
}

/// What a caller has.
struct Caller<'b> {
    bytes: Bytes<'b>,
    models: [Slot<Model>; SLOTS],
    sessions: [Slot<Session>; SLOTS],
    /// Which model a session uses.
    uses: [usize; SLOTS],
    /// Sessions that are in a call of ours.
    inside: Vec<usize>,
    /// Memory that stays until the end: blocks, pixels.
    kept: Vec<Box<[u64]>>,
    calls: usize,
    work: usize,
}

/// What stays for the life of the process is made before anything is counted.
static ONCE: LazyLock<()> = LazyLock::new(|| {
    let mut bytes = 0;
    let source = Source { text: TEXT.as_ptr().cast(), text_length: TEXT.len(), ..nothing() };
    assert_eq!(unsafe { ocelli_model_need(&source, &mut bytes) }, OK);
});

fuzz_target!(|bytes: &[u8]| guarded(|| {
    LazyLock::force(&ONCE);
    let mut caller = Caller {
        bytes: Bytes::new(bytes),
        models: [Slot::EMPTY; SLOTS],
        sessions: [Slot::EMPTY; SLOTS],
        uses: [0; SLOTS],
        inside: Vec::new(),
        kept: Vec::new(),
        calls: 0,
        work: 0,
    };
    while caller.bytes.more() && caller.calls < CALLS && caller.work < WORK {
        caller.call();
    }
    caller.end();
}));

fn nothing() -> Source {
    Source {
        size: size_of::<Source>(),
        text_path: null(),
        text_path_length: 0,
        vision_path: null(),
        vision_path_length: 0,
        text: null(),
        text_length: 0,
        vision: null(),
        vision_length: 0,
        flags: 0,
        reserved: 0,
    }
}

/// A status of the header that is no fault, with words.
#[track_caller]
fn known(status: Status) -> Status {
    assert!(ALL.iter().any(|(_, known)| *known == status), "{status} is no status");
    assert_ne!(status, FAULT, "{:?}", words(unsafe { ocelli_error(null_mut()) }));
    assert!(!words(ocelli_status_text(status)).is_empty());
    status
}

fn words(at: *const c_char) -> String {
    assert!(!at.is_null());
    unsafe { CStr::from_ptr(at) }.to_str().expect("words are UTF-8").into()
}

impl Caller<'_> {
    fn call(&mut self) {
        self.calls += 1;
        match self.bytes.below(21) {
            0 => self.open(),
            1 => self.need(),
            2 => self.free_model(),
            3 => self.plan(),
            4 | 5 => self.make(),
            6 => self.free_session(),
            7 => self.set(),
            8 | 9 => self.say(),
            10 => self.show(),
            11 => self.frame(),
            12 => self.embed(),
            13 | 14 => self.next(),
            15 => self.answer(),
            16 => self.cancel(),
            17 => self.reset(),
            18 => self.stats(),
            19 => self.trifles(),
            _ => self.copies(),
        }
    }

    /// Room that is ours, of any alignment, with something in it.
    fn room(&mut self, bytes: usize) -> *mut u8 {
        let shift = self.bytes.below(2) * self.bytes.below(65);
        let fill = u64::from(self.bytes.flag()) * 0xa5a5_a5a5_a5a5_a5a5;
        self.kept.push(vec![fill; (bytes + shift).div_ceil(8) + 1].into());
        let at = self.kept.last_mut().map_or(null_mut(), |room| room.as_mut_ptr());
        at.cast::<u8>().wrapping_add(shift)
    }

    fn source(&mut self) -> Source {
        let at = |bytes: &'static [u8]| bytes.as_ptr().cast::<c_void>();
        let whole = Source { text: at(TEXT), text_length: TEXT.len(), ..nothing() };
        let both = Source { vision: at(VISION), vision_length: VISION.len(), ..whole };
        match self.bytes.below(16) {
            0..6 => both,
            6 => whole,
            7 | 8 => Source { text: at(ALONE), text_length: ALONE.len(), ..nothing() },
            9 => Source { text_length: usize::from(self.bytes.short()), ..both },
            10 => Source { vision_length: usize::from(self.bytes.short()), ..both },
            11 => Source { size: self.bytes.below(128), ..both },
            12 => Source {
                flags: u32::from(self.bytes.byte()) & 7,
                reserved: u32::from(self.bytes.rarely(2)),
                ..both
            },
            13 => Source { text: at(ALONE), text_length: ALONE.len(), ..both },
            14 => {
                let path = c"there is no such file";
                let length = *self.bytes.one(&[Z, 5, 0, Z - 1]);
                let flags = *self.bytes.one(&[0, NO_TOWER, READ, NO_TOWER | READ]);
                Source { text_path: path.as_ptr(), text_path_length: length, flags, ..nothing() }
            }
            _ => Source { text: null(), text_length: self.bytes.below(9), ..nothing() },
        }
    }

    fn open(&mut self) {
        let source = self.source();
        let slot = self.bytes.below(SLOTS);
        if self.models[slot].alive {
            return;
        }
        self.work += 1;
        let mut at = 7 as *mut Model;
        let before = at;
        let (memory, bytes) = match self.bytes.below(6) {
            0 | 1 | 2 => (null_mut(), 0),
            3 => {
                let mut need = 0;
                let status = known(unsafe { ocelli_model_need(&source, &mut need) });
                if status != OK {
                    return;
                }
                let less = self.bytes.below(2) * self.bytes.below(80);
                (self.room(need), need - less)
            }
            4 => {
                let bytes = usize::from(self.bytes.short());
                (self.room(bytes), bytes)
            }
            _ => (null_mut(), self.bytes.below(3)),
        };
        let out = if self.bytes.rarely(16) { null_mut() } else { &raw mut at };
        let status = known(unsafe { ocelli_model_open(&source, memory.cast(), bytes, out) });
        if status == OK {
            assert_ne!(at, before);
            self.models[slot] = Slot::new(at, memory, bytes);
        } else {
            assert_eq!(at, before, "an output without success");
        }
    }

    fn need(&mut self) {
        let source = self.source();
        self.work += 1;
        let mut bytes = 77;
        let out = if self.bytes.rarely(8) { null_mut() } else { &raw mut bytes };
        let status = known(unsafe { ocelli_model_need(&source, out) });
        assert_eq!(status != OK, bytes == 77);
        known(unsafe { ocelli_model_need(null(), out) });
    }

    /// A handle of a model, or what looks like one.
    fn model(&mut self) -> (*mut Model, Option<usize>) {
        let slot = self.bytes.below(SLOTS);
        match self.bytes.below(16) {
            0 => (null_mut(), None),
            1 => (self.session_or_none(slot).cast(), None),
            2 => (null_mut::<Model>().wrapping_byte_add(9), None),
            _ => {
                let Slot { at, alive, ours, .. } = self.models[slot];
                (if alive || ours { at } else { null_mut() }, Some(slot).filter(|_| alive))
            }
        }
    }

    fn session_or_none(&self, slot: usize) -> *mut Session {
        let Slot { at, alive, ours, .. } = self.sessions[slot];
        if alive || ours { at } else { null_mut() }
    }

    /// A handle of a session, or what looks like one; and its slot if it is alive.
    fn session(&mut self) -> (*mut Session, Option<usize>) {
        // Mostly the first that is alive: calls that go on with each other say more.
        let slot = match self.bytes.below(4) {
            0 => self.bytes.below(SLOTS),
            _ => self.sessions.iter().position(|slot| slot.alive).unwrap_or(0),
        };
        match self.bytes.below(24) {
            0 => (null_mut(), None),
            1 => {
                let Slot { at, alive, ours, .. } = self.models[slot];
                (if alive || ours { at.cast() } else { null_mut() }, None)
            }
            2 => (null_mut::<Session>().wrapping_byte_add(17), None),
            _ => (self.session_or_none(slot), Some(slot).filter(|_| self.sessions[slot].alive)),
        }
    }

    fn free_model(&mut self) {
        let (model, slot) = self.model();
        let status = known(unsafe { ocelli_model_free(model) });
        match slot {
            Some(slot) => {
                let used = (0..SLOTS).any(|n| self.sessions[n].alive && self.uses[n] == slot);
                assert_eq!(status, if used { BUSY } else { OK });
                self.models[slot].alive = used;
            }
            None => assert!([BAD_ARGUMENT, BAD_HANDLE].contains(&status)),
        }
    }

    /// A text as a pointer and a length: right, to its zero, NULL, or too long for any memory.
    fn text(&mut self, text: &CStr) -> (*const c_char, usize) {
        match self.bytes.below(16) {
            0 => (null(), self.bytes.below(3)),
            1 => (null(), Z),
            2 => (text.as_ptr(), Z - 1),
            3 | 4 => (text.as_ptr(), Z),
            5 => (text.as_ptr(), self.bytes.below(text.count_bytes() + 2)),
            _ => (text.as_ptr(), text.count_bytes()),
        }
    }

    fn plan(&mut self) {
        let (model, _) = self.model();
        let options = *self.bytes.one(&OPTIONS);
        let (options, length) = self.text(options);
        self.work += 1;
        let size = if self.bytes.rarely(8) { self.bytes.below(80) } else { size_of::<Need>() };
        let mut need = Need { size, ..Need::default() };
        let out = if self.bytes.rarely(16) { null_mut() } else { &raw mut need };
        if known(unsafe { ocelli_plan(model, options, length, out) }) == OK {
            assert_eq!(need.session, need.arena + need.kv + need.images + need.text + need.tables);
        } else {
            assert_eq!((need.session, need.weights), (0, 0), "an output without success");
        }
    }

    fn make(&mut self) {
        let (model, of) = self.model();
        let slot = self.bytes.below(SLOTS);
        if self.sessions[slot].alive {
            return;
        }
        self.work += 2;
        let options = *self.bytes.one(&OPTIONS);
        let (options, length) = self.text(options);
        let mut at = 9 as *mut Session;
        let before = at;
        let (memory, bytes) = match self.bytes.below(6) {
            0 | 1 | 2 => (null_mut(), 0),
            3 | 4 => {
                let mut need = Need { size: size_of::<Need>(), ..Need::default() };
                if known(unsafe { ocelli_plan(model, options, length, &mut need) }) != OK
                    || need.session > 16 << 20
                {
                    return;
                }
                let less = self.bytes.below(2) * self.bytes.below(100);
                (self.room(need.session as usize), need.session as usize - less)
            }
            _ => {
                let bytes = usize::from(self.bytes.short());
                (self.room(bytes), bytes)
            }
        };
        let out = if self.bytes.rarely(16) { null_mut() } else { &raw mut at };
        let status = known(unsafe { ocelli_session_new(model, options, length, memory.cast(), bytes, out) });
        if status == OK {
            assert_ne!(at, before);
            let of = of.expect("a session of a model that is alive");
            self.sessions[slot] = Slot::new(at, memory, bytes);
            self.uses[slot] = of;
        } else {
            assert_eq!(at, before, "an output without success");
        }
    }

    /// What a call with a session came to: busy from inside a call with it, an error without one.
    fn came(&self, status: Status, slot: Option<usize>) -> Status {
        known(status);
        match slot {
            Some(slot) if self.inside.contains(&slot) => assert_eq!(status, BUSY, "from inside a call"),
            Some(slot) => {
                assert!(![BUSY, BAD_HANDLE].contains(&status));
                if status < 0 {
                    assert!(!words(unsafe { ocelli_error(self.sessions[slot].at) }).is_empty());
                }
            }
            None => {
                assert!([BAD_ARGUMENT, BAD_HANDLE].contains(&status), "{status} without a session");
                assert!(!words(unsafe { ocelli_error(null_mut()) }).is_empty());
            }
        }
        status
    }

    fn free_session(&mut self) {
        let (session, slot) = self.session();
        let status = self.came(unsafe { ocelli_session_free(session) }, slot);
        if let Some(slot) = slot
            && status == OK
        {
            self.sessions[slot].alive = false;
        }
    }

    fn set(&mut self) {
        let (session, slot) = self.session();
        let (key, value) = *self.bytes.one(&SETTINGS);
        let (at, value_at) = (key.as_ptr().cast(), value.as_ptr().cast());
        let status = match self.bytes.below(8) {
            0 => unsafe { ocelli_set(session, null(), key.len(), value_at, value.len()) },
            1 => unsafe { ocelli_set(session, at, key.len(), null(), Z) },
            2 => unsafe { ocelli_set(session, at, key.len(), value_at, Z / 2 + 1) },
            _ => unsafe { ocelli_set(session, at, key.len(), value_at, value.len()) },
        };
        self.came(status, slot);
    }

    fn say(&mut self) {
        let (session, slot) = self.session();
        let role = *self.bytes.one(&[1, 1, 1, 1, 0, 2, -1, 3]);
        let mut text = self.bytes.bytes().to_vec();
        let times = if self.bytes.rarely(16) { 40 } else { 1 };
        let status = match self.bytes.below(8) {
            0 => {
                text.retain(|byte| *byte != 0);
                text.push(0);
                unsafe { ocelli_add_text(session, role, text.as_ptr().cast(), Z) }
            }
            1 => unsafe { ocelli_add_text(session, role, null(), text.len()) },
            2 => {
                let text = text.repeat(times);
                unsafe { ocelli_add_text(session, role, text.as_ptr().cast(), text.len()) }
            }
            _ => {
                let text = String::from_utf8_lossy(&text).repeat(times);
                unsafe { ocelli_add_text(session, role, text.as_ptr().cast(), text.len()) }
            }
        };
        self.came(status, slot);
    }

    fn show(&mut self) {
        let (session, slot) = self.session();
        self.work += 1;
        let image = *self.bytes.one(&IMAGES);
        let length = if self.bytes.rarely(4) { self.bytes.below(image.len()) } else { image.len() };
        let (at, length) = match self.bytes.below(12) {
            0 => (null(), length),
            1 => (image.as_ptr().cast(), Z),
            _ => (image.as_ptr().cast(), length),
        };
        self.came(unsafe { ocelli_add_image(session, at, length) }, slot);
    }

    fn frame(&mut self) {
        let (session, slot) = self.session();
        let (width, height) = (self.bytes.below(40) as u32, self.bytes.below(40) as u32);
        let format = self.bytes.below(10) as i32 - 1;
        let stride = 4 * width as usize + self.bytes.below(3);
        let pixels = self.room(2 * stride * height as usize + 64).cast_const().cast::<c_void>();
        let second = if matches!(format, 6 | 7) { pixels } else { null() };
        let mut frame = CFrame {
            size: size_of::<CFrame>(),
            width,
            height,
            format,
            colors: self.bytes.below(5) as i32,
            plane: pixels,
            plane_length: stride * height as usize,
            plane_stride: stride,
            chroma: second,
            chroma_length: if second.is_null() { 0 } else { stride * height as usize },
            chroma_stride: stride,
        };
        match self.bytes.below(16) {
            0 => frame.size = self.bytes.below(90),
            1 => frame.plane = null(),
            2 => frame.chroma = pixels,
            3 => frame.plane_length = self.bytes.below(stride * height as usize + 1),
            4 => frame.plane_stride = *self.bytes.one(&[0, 1, Z, Z / 2, stride + 1]),
            5 => (frame.width, frame.height) = (u32::MAX, u32::MAX),
            6 => frame.chroma_length = self.bytes.below(9),
            _ => {}
        }
        let at = if self.bytes.rarely(16) { null() } else { &raw const frame };
        self.came(unsafe { ocelli_add_frame(session, at) }, slot);
    }

    fn embed(&mut self) {
        let (session, slot) = self.session();
        self.work += 4;
        let (mut values, mut rows, mut width) = (null(), 78, 79);
        let missing = self.bytes.below(12);
        let values_at = if missing == 1 { null_mut() } else { &raw mut values };
        let rows_at = if missing == 2 { null_mut() } else { &raw mut rows };
        let status = unsafe { ocelli_embed(session, values_at, rows_at, &raw mut width) };
        if self.came(status, slot) == OK {
            let values = unsafe { std::slice::from_raw_parts(values, rows * width) };
            assert!(!values.is_empty() && values.iter().all(|value| value.is_finite()));
        } else {
            assert_eq!((values, rows, width), (null(), 78, 79), "an output without success");
        }
    }

    fn next(&mut self) {
        let (session, slot) = self.session();
        self.work += 4;
        let room = *self.bytes.one(&[64, 5, 6, 300, 4, 0]);
        let (mut text, mut length) = (vec![0x7f as c_char; room], 77777);
        let missing = self.bytes.below(16);
        let text_at = if missing == 1 { null_mut() } else { text.as_mut_ptr() };
        let length_at = if missing == 2 { null_mut() } else { &raw mut length };
        let status = self.came(unsafe { ocelli_next(session, text_at, room, length_at) }, slot);
        if status == OK {
            assert!(length < room);
            assert_eq!(text[length], 0);
            let bytes = unsafe { std::slice::from_raw_parts(text.as_ptr().cast::<u8>(), length) };
            assert!(std::str::from_utf8(bytes).is_ok());
        } else {
            assert_eq!(length, 77777, "an output without success");
            assert!(text.iter().all(|byte| *byte == 0x7f), "an output without success");
        }
    }

    fn answer(&mut self) {
        let (session, slot) = self.session();
        self.work += 6;
        if let Some(slot) = slot {
            self.inside.push(slot);
        }
        let user = (&raw mut *self).cast::<c_void>();
        let sink: Sink = if self.bytes.rarely(16) { None } else { Some(heard) };
        let status = unsafe { ocelli_answer(session, sink, user) };
        if let Some(at) = slot {
            let place = self.inside.iter().rposition(|inside| *inside == at);
            self.inside.remove(place.expect("as it was pushed"));
        }
        self.came(status, slot);
    }

    fn cancel(&mut self) {
        let (session, slot) = self.session();
        let status = known(unsafe { ocelli_cancel(session) });
        match slot {
            Some(_) => assert_eq!(status, OK),
            None => assert!([BAD_ARGUMENT, BAD_HANDLE].contains(&status)),
        }
    }

    fn reset(&mut self) {
        let (session, slot) = self.session();
        let what = *self.bytes.one(&[0, 1, 0, 1, -1, 2]);
        let status = self.came(unsafe { ocelli_reset(session, what) }, slot);
        assert!(slot.is_none() || status == BUSY || (status == OK) == matches!(what, 0 | 1));
    }

    fn stats(&mut self) {
        let (session, slot) = self.session();
        let size = if self.bytes.rarely(8) { self.bytes.below(128) } else { size_of::<Stats>() };
        let mut stats = Stats { size, beyond: 7, ..Stats::default() };
        let out = if self.bytes.rarely(16) { null_mut() } else { &raw mut stats };
        if self.came(unsafe { ocelli_get_stats(session, out) }, slot) == OK {
            assert_eq!(stats.beyond, 0, "more than was announced");
            assert!(stats.reused_tokens <= stats.prompt_tokens && stats.image_tokens <= stats.prompt_tokens);
            assert!(stats.context_used <= 128 && stats.ended <= 4);
        } else {
            assert_eq!(stats.beyond, 7, "an output without success");
        }
    }

    fn trifles(&mut self) {
        let number = self.bytes.long();
        assert!(!words(ocelli_version()).is_empty());
        let abi = if self.bytes.flag() { ABI } else { number as u32 };
        assert_eq!(ocelli_check(abi) == OK, abi == ABI);
        assert!(!words(ocelli_status_text(number as i32)).is_empty());
        let (session, _) = self.session();
        words(unsafe { ocelli_error(session) });
        let platform = Platform {
            size: self.bytes.below(48),
            memory: null_mut(),
            bytes: 0,
            clock_ms: None,
            user: null_mut(),
        };
        assert!(known(unsafe { ocelli_use_platform(&platform) }) < 0);
    }

    /// A block that was copied elsewhere is no handle.
    fn copies(&mut self) {
        let slot = self.bytes.below(SLOTS);
        let of_session = self.bytes.flag();
        let (from, bytes) = match of_session {
            true => (self.sessions[slot].at.cast::<u8>(), self.sessions[slot].bytes),
            false => (self.models[slot].at.cast::<u8>(), self.models[slot].bytes),
        };
        if bytes == 0 {
            return;
        }
        let room = self.room(bytes + 64);
        let at = room.wrapping_add(room.align_offset(64));
        unsafe { at.copy_from_nonoverlapping(from, bytes) };
        let status = match of_session {
            true => unsafe { ocelli_session_free(at.cast()) },
            false => unsafe { ocelli_model_free(at.cast()) },
        };
        assert_eq!(status, BAD_HANDLE, "a copy");
    }

    /// Everything is given back.
    fn end(mut self) {
        assert!(self.inside.is_empty());
        for slot in &mut self.sessions {
            if slot.alive {
                let mut stats = Stats { size: size_of::<Stats>(), ..Stats::default() };
                assert_eq!(unsafe { ocelli_get_stats(slot.at, &mut stats) }, OK);
                assert_eq!(stats.beyond, 0, "more than was announced");
                assert_eq!(unsafe { ocelli_session_free(slot.at) }, OK);
            }
            if slot.ours {
                assert_eq!(unsafe { ocelli_session_free(slot.at) }, BAD_HANDLE);
            }
        }
        for slot in &mut self.models {
            if slot.alive {
                assert_eq!(unsafe { ocelli_model_free(slot.at) }, OK);
            }
            if slot.ours {
                assert_eq!(unsafe { ocelli_model_free(slot.at) }, BAD_HANDLE);
            }
        }
    }
}

/// A callback that calls whatever comes.
unsafe extern "C" fn heard(user: *mut c_void, text: *const c_char, length: usize) -> c_int {
    let caller = unsafe { &mut *user.cast::<Caller<'_>>() };
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length + 1) };
    assert_eq!(bytes[length], 0);
    assert!(length > 0 && std::str::from_utf8(&bytes[..length]).is_ok());
    for _ in 0..caller.bytes.below(4) {
        // An answer within an answer within an answer says no more.
        if caller.inside.len() < 3 && caller.calls < CALLS {
            caller.call();
        }
    }
    c_int::from(caller.bytes.rarely(8))
}

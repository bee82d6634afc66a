//! A turn: what is added, and the answer to it.
#![allow(unsafe_code, reason = "entry points")]

use crate::block::Block;
use crate::memory;
use crate::session::{Session, with};
use crate::status::{CANCELLED, END, Failure, OK, Status, fail};
use crate::text;
use core::ffi::{c_char, c_int, c_void};
use ocelli::generate::Reason;

/// Roles, in the order of the header's numbers.
const ROLES: [&str; 3] = ["system", "user", "assistant"];

/// `OCELLI_RESET_ALL`.
pub const RESET_ALL: i32 = 0;
/// `OCELLI_RESET_TURN`.
pub const RESET_TURN: i32 = 1;

/// Bytes that a callback is given at once, its zero included.
const PIECE: usize = 256;

/// `ocelli_sink`.
pub type Sink = Option<unsafe extern "C" fn(user: *mut c_void, text: *const c_char, length: usize) -> c_int>;

/// `ocelli_stats`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
#[allow(missing_docs, reason = "the header's")]
pub struct Stats {
    pub size: usize,
    pub decode_us: u64,
    pub resize_us: u64,
    pub encode_us: u64,
    pub prefill_us: u64,
    pub generate_us: u64,
    pub heap_peak: u64,
    pub beyond: u64,
    pub prompt_tokens: u32,
    pub image_tokens: u32,
    pub reused_tokens: u32,
    pub answer_tokens: u32,
    pub context_used: u32,
    pub ended: u32,
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_add_text(
    session: *mut Block<Session>,
    role: i32,
    text: *const c_char,
    length: usize,
) -> Status {
    // SAFETY: the caller's promise.
    unsafe {
        with(session, |talk| {
            let name = usize::try_from(role).ok().and_then(|role| ROLES.get(role).copied());
            let name = name.ok_or_else(|| fail!(BAD_ARGUMENT, "there is no role {role}"))?;
            talk.add_text(name, text::text("the text", text, length)?).map(|()| OK)
        })
    }
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_add_image(
    session: *mut Block<Session>,
    encoded: *const c_void,
    length: usize,
) -> Status {
    // SAFETY: the caller's promise.
    unsafe { with(session, |talk| talk.add_image(text::bytes("the image", encoded, length)?).map(|()| OK)) }
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_embed(
    session: *mut Block<Session>,
    values: *mut *const f32,
    rows: *mut usize,
    width: *mut usize,
) -> Status {
    // SAFETY: the caller's promise.
    unsafe {
        with(session, |talk| {
            let values = text::place("values", values)?;
            let (rows, width) = (text::place("rows", rows)?, text::place("width", width)?);
            let (found, columns) = talk.embed()?;
            values.write(found.as_ptr());
            rows.write(found.len().checked_div(columns).unwrap_or(0));
            width.write(columns);
            Ok(OK)
        })
    }
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_next(
    session: *mut Block<Session>,
    text: *mut c_char,
    room: usize,
    length: *mut usize,
) -> Status {
    // SAFETY: the caller's promise.
    unsafe {
        with(session, |talk| {
            let (text, length) = (text::place("text", text)?, text::place("length", length)?);
            // The longest character and a zero.
            if room < 5 {
                return Err(fail!(NO_ROOM, "the buffer has {room} bytes and needs 5"));
            }
            let Some(piece) = talk.next(room - 1)? else { return Ok(END) };
            text.cast::<u8>().copy_from_nonoverlapping(piece.as_ptr(), piece.len());
            text.add(piece.len()).write(0);
            length.write(piece.len());
            Ok(OK)
        })
    }
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_answer(
    session: *mut Block<Session>,
    sink: Sink,
    user: *mut c_void,
) -> Status {
    // SAFETY: the caller's promise.
    unsafe {
        with(session, |talk| {
            let sink = sink.ok_or_else(|| fail!(BAD_ARGUMENT, "the callback is NULL"))?;
            let mut buffer = [0u8; PIECE];
            while let Some(piece) = talk.next(PIECE - 1)? {
                if piece.is_empty() {
                    continue;
                }
                let (text, zero) = buffer.split_at_mut(piece.len());
                text.copy_from_slice(piece.as_bytes());
                zero[0] = 0;
                // The callback is the caller's: what it makes is not the session's.
                if memory::outside(|| sink(user, buffer.as_ptr().cast(), piece.len())) != 0 {
                    return Err(Failure::new(CANCELLED, format_args!("stopped by the callback")));
                }
            }
            Ok(OK)
        })
    }
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_reset(session: *mut Block<Session>, what: i32) -> Status {
    // SAFETY: the caller's promise.
    unsafe {
        with(session, |talk| {
            match what {
                RESET_ALL => talk.reset(),
                RESET_TURN => talk.reset_turn(),
                _ => return Err(fail!(BAD_ARGUMENT, "there is nothing {what} to reset")),
            }
            Ok(OK)
        })
    }
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_get_stats(session: *mut Block<Session>, stats: *mut Stats) -> Status {
    // SAFETY: the caller's promise.
    unsafe {
        let heap = Block::from_ptr(session).map(Block::heap);
        with(session, |talk| {
            text::sized("stats", stats)?;
            let heap = heap?;
            let used = talk.context_used();
            let figures = talk.figures();
            let microseconds =
                |time: core::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let found = Stats {
                size: (*stats).size,
                decode_us: microseconds(figures.decode),
                resize_us: microseconds(figures.spent.resize),
                encode_us: microseconds(figures.spent.encode),
                prefill_us: microseconds(figures.spent.prefill),
                generate_us: microseconds(figures.spent.generate),
                heap_peak: heap.peak() as u64,
                beyond: heap.beyond(),
                prompt_tokens: count(figures.reading.prompt_tokens),
                image_tokens: count(figures.reading.image_tokens),
                reused_tokens: count(figures.reading.reused),
                answer_tokens: count(figures.tokens),
                context_used: count(used),
                ended: figures.reason.map_or(0, ended),
            };
            stats.write(found);
            Ok(OK)
        })
    }
}

/// The header's number of a reason.
fn ended(reason: Reason) -> u32 {
    match reason {
        Reason::Unfinished => 0,
        Reason::End => 1,
        Reason::Stop => 2,
        Reason::Limit => 3,
        Reason::Context => 4,
    }
}

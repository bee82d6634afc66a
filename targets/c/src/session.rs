//! A session: planned, made, changed, stopped, freed.
#![allow(unsafe_code, reason = "entry points")]

use crate::block::{Block, Given, Kind, Room};
use crate::entry::{entry, keep};
use crate::limits::{self, Limits};
use crate::measure;
use crate::memory;
use crate::open::Opened;
use crate::options::{self, Making};
use crate::status::{CANCELLED, Failure, OK, Status, Text, fail};
use crate::talk::{Lease, Talk};
use crate::{system, text};
use core::cell::{Cell, UnsafeCell};
use core::ffi::{c_char, c_void};
use core::sync::atomic::{AtomicBool, Ordering::*};
use ocelli::{Bill, Stopper};

/// Bytes of heap for every thread: its handle and what it is told.
const THREAD: usize = 2048;
/// Bytes of heap for what a session is made of, beside its parts that grow.
const FIXED: usize = 16 << 10;
/// Bytes of heap to write a conversation in, however short it is: what the template interpreter takes.
const RENDERING: usize = 96 << 10;
/// Bytes of heap for every byte of text: as it was given, as messages, rendered with its origins, in parts, joined.
/// Measured: see `tests/memory.rs`.
const PER_TEXT: usize = 16;
/// Bytes of heap for every position: what stands there (16), laid out for reading (16, twice while it grows), tokens and
/// what their making takes; and a third of a message, a text or an image (`limits::parts`), with what a template makes of
/// it. Measured: empty messages take 340, where what grows by doubling has just done so. `tests/bounds.rs` holds it to that.
const PER_POSITION: usize = 352;

/// `ocelli_need`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
#[allow(missing_docs, reason = "the header's")]
pub struct Need {
    pub size: usize,
    pub session: u64,
    pub arena: u64,
    pub kv: u64,
    pub images: u64,
    pub text: u64,
    pub tables: u64,
    pub decode: u64,
    pub weights: u64,
}

/// What is in a session's block.
pub struct Session {
    stopper: Stopper,
    /// Whether a call has panicked: what it was changing may be half changed.
    broken: AtomicBool,
    error: UnsafeCell<Text>,
    talk: UnsafeCell<Talk>,
}

impl Kind for Session {
    const MAGIC: u32 = u32::from_le_bytes(*b"OceS");
    const NAME: &'static str = "the session";
    const SHARED: bool = false;

    fn is_spoiled(&self) -> bool {
        cfg!(not(feature = "std")) && self.broken.load(Relaxed)
    }

    fn abandon(&self) {
        // SAFETY: the session's lease is there as long as it is, and nothing changes it; no call is in the session.
        unsafe { (*self.talk.get()).leave() };
    }
}

impl Session {
    /// What the last call had to say.
    pub fn last_error(&self) -> *const c_char {
        // SAFETY: nothing is read here. A caller who reads it while a call is running reads what that call writes; the
        // header forbids it.
        unsafe { (*self.error.get()).as_ptr() }
    }
}

/// Does something with a session: alone, allocating from its block, with panics caught and errors kept.
///
/// # Safety
/// As `Block::from_ptr`.
pub unsafe fn with(
    session: *mut Block<Session>,
    work: impl FnOnce(&mut Talk) -> Result<Status, Failure>,
) -> Status {
    let mut work = Some(work);
    // SAFETY: as promised.
    unsafe { with_any(session, &mut |talk| work.take().map_or(Ok(OK), |work| work(talk))) }
}

/// The same, once for all kinds of work.
///
/// # Safety
/// As `Block::from_ptr`.
unsafe fn with_any(
    session: *mut Block<Session>,
    work: &mut dyn FnMut(&mut Talk) -> Result<Status, Failure>,
) -> Status {
    // SAFETY: as promised.
    let block = match unsafe { Block::from_ptr(session) } {
        Ok(block) => block,
        Err(failure) => return keep(failure),
    };
    let _alone = match block.alone() {
        Ok(held) => held,
        Err(failure) => return keep(failure),
    };
    let this = block.content();
    let result = if this.broken.load(Relaxed) {
        Err(fail!(FAULT, "the session had a fault before and can only be freed"))
    } else {
        // SAFETY: this is the only call that uses it.
        let talk = unsafe { &mut *this.talk.get() };
        let (mut begun, mut done) = (false, false);
        let result = system::alone(|| {
            begun = true;
            let result = memory::within(block.heap(), || work(talk));
            done = true;
            result
        });
        this.broken.store(begun && !done, Relaxed);
        result
    };
    result.unwrap_or_else(|failure| {
        if failure.status == CANCELLED {
            // The wish is granted; the next call goes on.
            this.stopper.clear();
        }
        // SAFETY: as above; what C was lent is good until this call.
        unsafe { *this.error.get() = failure.text };
        failure.status
    })
}

/// What a plan takes, and how much heap that is in a block.
fn need(opened: &Opened, making: &Making) -> Result<(Need, usize), Failure> {
    let figures = Cell::new((Bill::default(), 0, 0, 0));
    let planning = measure::peak(|| {
        let plan = opened.model.plan(&making.options)?;
        figures.set((*plan.bill(), plan.context(), plan.session_bytes(), plan.threads()));
        Ok(())
    })?;
    let (bill, context, block, threads) = figures.get();
    let block = block as u64;
    let text = making.text(context).saturating_mul(PER_TEXT).saturating_add(context * PER_POSITION);
    let text = text.saturating_add(RENDERING) as u64;
    let tables = (planning + FIXED + threads * THREAD) as u64 + Block::<Session>::bytes(0) as u64;
    // One of the engine's block and counted with the tables here: it is no image's.
    let int8 = bill.vision_int8;
    let need = Need {
        size: size_of::<Need>(),
        session: block.saturating_add(text).saturating_add(tables),
        arena: bill.arena,
        kv: bill.kv,
        images: block.saturating_sub(bill.arena + bill.kv + int8),
        text,
        tables: tables.saturating_add(int8),
        decode: if opened.model.encoder().is_some() { making.decode() } else { 0 },
        weights: bill.weights(),
    };
    let all = usize::try_from(need.session).unwrap_or(usize::MAX);
    Ok((need, all.saturating_sub(Block::<Session>::bytes(0))))
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_plan(
    model: *const Block<Opened>,
    options: *const c_char,
    length: usize,
    need_out: *mut Need,
) -> Status {
    entry(|| {
        // SAFETY: the caller's promise.
        let (model, options) =
            unsafe { (Block::from_ptr(model)?, text::text("the options", options, length)?) };
        // SAFETY: the caller's promise.
        unsafe { text::sized("need", need_out) }?;
        let (making, _) = options::parse(options)?;
        let _held = model.join()?;
        let (mut found, _) = need(model.content(), &making)?;
        // SAFETY: checked; the caller's promise.
        unsafe {
            found.size = (*need_out).size;
            need_out.write(found);
        }
        Ok(OK)
    })
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_session_new(
    model: *const Block<Opened>,
    options: *const c_char,
    length: usize,
    memory: *mut c_void,
    bytes: usize,
    session: *mut *mut Block<Session>,
) -> Status {
    entry(|| {
        // SAFETY: the caller's promise.
        let (model, options) =
            unsafe { (Block::from_ptr(model)?, text::text("the options", options, length)?) };
        // SAFETY: the caller's promise.
        let (given, session) = unsafe { (Given::new(memory, bytes)?, text::place("session", session)?) };
        let making = options::parse(options)?.0;
        // Out here, because without unwinding a panic drops nothing that is in there.
        let mut lease = Some(Lease::new(model)?);
        let heap = need(model.content(), &making)?.1;
        let made = Block::create(given, Room::Inside(heap), |_| {
            let (making, answering) = options::parse(options)?;
            let plan = model.content().model.plan(&making.options)?;
            let limits = Limits {
                context: plan.context(),
                text: making.text(plan.context()),
                parts: limits::parts(plan.context()),
                decode: making.decode(),
                image: making.image(),
            };
            let talk = Talk::new(&mut lease, plan, limits, answering)?;
            Ok(Session {
                stopper: talk.stopper().clone(),
                broken: AtomicBool::new(false),
                error: UnsafeCell::new(Text::EMPTY),
                talk: UnsafeCell::new(talk),
            })
        })?;
        // SAFETY: checked; the caller's promise.
        unsafe { session.write(made) };
        Ok(OK)
    })
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_session_free(session: *mut Block<Session>) -> Status {
    entry(|| {
        // SAFETY: the caller's promise.
        unsafe { Block::free(session) }.map(|()| OK)
    })
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_set(
    session: *mut Block<Session>,
    key: *const c_char,
    key_length: usize,
    value: *const c_char,
    value_length: usize,
) -> Status {
    // SAFETY: the caller's promise.
    unsafe {
        with(session, |talk| {
            let (key, value) =
                (text::text("the key", key, key_length)?, text::text("the value", value, value_length)?);
            talk.set(key, value).map(|()| OK)
        })
    }
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_cancel(session: *const Block<Session>) -> Status {
    // No thread-local error here: an interrupt may be anywhere.
    // SAFETY: the caller's promise.
    match unsafe { Block::from_ptr(session) } {
        Ok(block) => {
            block.content().stopper.stop();
            OK
        }
        Err(failure) => failure.status,
    }
}

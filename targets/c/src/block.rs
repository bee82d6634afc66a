//! A handle is the beginning of a block of memory.
//!
//! ```text
//! | (to 64) | magic, users, place ... | T | heap ......................................... |
//! `--------------------------- the caller's, or malloc's ------------------------------'
//! ```
//! The magic word is cleared when the handle is freed: in a block of the caller's it is recognised then. So is a block that
//! was moved, by the place it remembers.
//!
//! `users` counts who relies on the block: a model's sessions and the calls with it, or the one call that a session is in.
//! It takes one atomic step to join them, and one to free what has none, so no call begins in a block that is being freed.
#![allow(unsafe_code, reason = "handles are pointers of callers")]

use crate::heap::Heap;
use crate::memory;
use crate::status::{Failure, fail};
use crate::system::{self, System, caught};
use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::*};

/// What a block may hold.
pub trait Kind {
    /// Its first word, while it is alive.
    const MAGIC: u32;
    /// Its name, for people.
    const NAME: &'static str;
    /// Whether there may be several users at a time.
    const SHARED: bool;

    /// Whether it was left half changed: nothing in it is looked at again, and its memory goes back as one piece. Only
    /// without unwinding: with it, a value is always whole enough to be dropped.
    fn is_spoiled(&self) -> bool {
        false
    }

    /// What must be done instead of dropping it.
    fn abandon(&self) {}
}

/// See the module.
#[repr(C, align(64))]
pub struct Block<T> {
    magic: AtomicU32,
    /// How many rely on it, or [`FREED`].
    users: AtomicUsize,
    /// Its own address.
    place: usize,
    /// Bytes from malloc, 0 in memory of the caller's.
    owned: usize,
    heap: Heap,
    content: MaybeUninit<T>,
}

/// In place of a number of users: there can be none any more.
const FREED: usize = usize::MAX;

/// A call's part in a block, which is not freed meanwhile.
pub struct Held<'a>(&'a AtomicUsize);

impl Held<'_> {
    /// Ends it, where it will not be dropped.
    pub fn end(&self) {
        self.0.fetch_sub(1, Release);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Memory that a caller gives: nothing stands for malloc.
pub struct Given {
    start: NonNull<u8>,
    bytes: usize,
}

impl Given {
    /// # Safety
    /// `at` is NULL, or its bytes may be written and are nobody else's while the handle in them is alive.
    pub unsafe fn new(at: *mut c_void, bytes: usize) -> Result<Option<Given>, Failure> {
        match NonNull::new(at.cast::<u8>()) {
            None if bytes == 0 => Ok(None),
            None => Err(fail!(BAD_ARGUMENT, "memory is NULL and has {bytes} bytes; malloc is meant by 0")),
            Some(_) if isize::try_from(bytes).is_err() => {
                Err(fail!(BAD_ARGUMENT, "no memory has {bytes} bytes"))
            }
            Some(start) => Ok(Some(Given { start, bytes })),
        }
    }
}

/// Where the heap is.
#[derive(Clone, Copy)]
pub enum Room {
    /// In the block, with so many bytes.
    Inside(usize),
    /// In the block, as many bytes as it has; what does not fit is refused.
    #[cfg(not(feature = "std"))]
    Whole,
    /// There is none: what is made allocates from malloc.
    Malloc,
}

impl<T: Kind> Block<T> {
    /// Bytes of a block with so much heap, wherever it begins.
    pub fn bytes(heap: usize) -> usize {
        (size_of::<Block<T>>() + align_of::<Block<T>>()).saturating_add(heap)
    }

    /// Bytes of heap in a block of this size.
    fn heap_bytes(block: usize) -> Option<usize> {
        block.checked_sub(Self::bytes(0))
    }

    /// Makes a block, and in it what `make` gives, which allocates from the block's heap.
    pub fn create(
        given: Option<Given>,
        room: Room,
        make: impl FnOnce(&Heap) -> Result<T, Failure>,
    ) -> Result<*mut Block<T>, Failure> {
        let needed = match room {
            Room::Inside(heap) => Self::bytes(heap),
            #[cfg(not(feature = "std"))]
            Room::Whole => Self::bytes(0),
            Room::Malloc => size_of::<Block<T>>(),
        };
        let (block, heap, owned) = match given {
            Some(given) => {
                let pad = given.start.align_offset(align_of::<Block<T>>());
                let Some(heap) = Self::heap_bytes(given.bytes).filter(|_| given.bytes >= needed) else {
                    let (name, bytes) = (T::NAME, given.bytes);
                    return Err(fail!(
                        NO_MEMORY,
                        "{name} needs a block of {needed} bytes; this one has {bytes}"
                    ));
                };
                // SAFETY: the padding is less than the alignment, which `bytes` counts.
                (unsafe { given.start.add(pad) }, heap, 0)
            }
            None => {
                let (block, size) = Self::malloc(needed)?;
                (block, if let Room::Inside(heap) = room { heap } else { 0 }, size)
            }
        };
        let block = block.cast::<Block<T>>().as_ptr();
        // SAFETY: there are as many bytes as were needed, aligned, and nobody else's.
        unsafe {
            let heap = Heap::new(block.add(1).cast(), heap);
            #[cfg(not(feature = "std"))]
            let heap = if let Room::Whole = room { heap.alone() } else { heap };
            let (magic, users, place) = (AtomicU32::new(0), AtomicUsize::new(0), block.addr());
            block.write(Block { magic, users, place, owned, heap, content: MaybeUninit::uninit() });
        }
        // SAFETY: just written. Only `content` is changed below, before anybody else knows the handle.
        let heap = unsafe { &(*block).heap };
        let made = match (room, owned) {
            (Room::Malloc, size) if size > 0 => make(heap),
            _ => caught(|| memory::within(heap, || make(heap))),
        };
        // SAFETY: as above.
        unsafe {
            match made {
                Ok(content) => {
                    (*block).content.write(content);
                    (*block).magic.store(T::MAGIC, Release);
                    system::count(1);
                    Ok(block)
                }
                Err(failure) => {
                    // Nobody has seen the handle. Without unwinding, what was made until then was not dropped.
                    Self::release(block, cfg!(not(feature = "std")));
                    Err(failure)
                }
            }
        }
    }

    fn malloc(bytes: usize) -> Result<(NonNull<u8>, usize), Failure> {
        let none = || fail!(NO_MEMORY, "malloc gives no {bytes} bytes for {}", T::NAME);
        let layout = Layout::from_size_align(bytes, align_of::<Block<T>>()).map_err(|_| none())?;
        // SAFETY: the layout is not empty.
        let block = NonNull::new(unsafe { System.alloc(layout) }).ok_or_else(none)?;
        Ok((block, bytes))
    }

    /// Gives a block's memory back, where it is malloc's and nothing in it is in use, or what is in use is given up.
    ///
    /// # Safety
    /// The block was made by `create`, and is not used again; nor is what is given up.
    unsafe fn release(block: *mut Block<T>, giving_up: bool) {
        // SAFETY: as promised.
        unsafe {
            let (owned, live) = ((*block).owned, (*block).heap.live());
            debug_assert!(giving_up || live == 0, "something outlives its handle");
            core::ptr::drop_in_place(&raw mut (*block).heap);
            if owned > 0 && (live == 0 || giving_up) {
                let layout = Layout::from_size_align_unchecked(owned, align_of::<Block<T>>());
                System.dealloc(block.cast(), layout);
            }
        }
    }

    /// The block behind a caller's pointer.
    ///
    /// # Safety
    /// The pointer is NULL, or to a handle that lives as long as `'a`, or to memory that may be read and held one.
    pub unsafe fn from_ptr<'a>(block: *const Block<T>) -> Result<&'a Block<T>, Failure> {
        if block.is_null() {
            return Err(fail!(BAD_ARGUMENT, "{} is NULL", T::NAME));
        }
        if !block.is_aligned() {
            return Err(fail!(BAD_HANDLE, "{} is not a handle: its address is odd", T::NAME));
        }
        // SAFETY: the word may be read. Only where it is right, the rest is looked at.
        let magic = unsafe { &*block.cast::<AtomicU32>() };
        if magic.load(Acquire) != T::MAGIC {
            return Err(fail!(BAD_HANDLE, "{} is not a handle, or it was freed", T::NAME));
        }
        // SAFETY: the magic word says that it was made by `create` and not freed.
        let this = unsafe { &*block };
        if this.place != block.addr() {
            return Err(fail!(BAD_HANDLE, "{} is not a handle: its block was moved", T::NAME));
        }
        Ok(this)
    }

    /// What is in it.
    pub fn content(&self) -> &T {
        // SAFETY: who has a reference has it from `from_ptr`, or was lent one; then the content was written.
        unsafe { self.content.assume_init_ref() }
    }

    /// The block's heap.
    pub fn heap(&self) -> &Heap {
        &self.heap
    }

    /// Joins those who rely on this block.
    pub fn join(&self) -> Result<Held<'_>, Failure> {
        let more = |users| if users == FREED { None } else { Some(users + 1) };
        self.users.fetch_update(Acquire, Relaxed, more).map_err(|_| Self::gone())?;
        Ok(Held(&self.users))
    }

    /// Relies on this block alone: another gets BUSY.
    pub fn alone(&self) -> Result<Held<'_>, Failure> {
        self.users.compare_exchange(0, 1, Acquire, Relaxed).map_err(Self::used)?;
        Ok(Held(&self.users))
    }

    /// Whether somebody relies on it.
    pub fn is_used(&self) -> bool {
        self.users.load(Acquire) > 0
    }

    fn used(users: usize) -> Failure {
        match users {
            FREED => Self::gone(),
            _ if T::SHARED => fail!(BUSY, "{} is still used by {users}", T::NAME),
            _ => fail!(BUSY, "{} is in another call", T::NAME),
        }
    }

    fn gone() -> Failure {
        fail!(BAD_HANDLE, "{} is being freed by another thread", T::NAME)
    }

    /// Frees a block that nobody relies on.
    ///
    /// # Safety
    /// As [`from_ptr`](Block::from_ptr).
    pub unsafe fn free(block: *mut Block<T>) -> Result<(), Failure> {
        // SAFETY: as promised.
        let this = unsafe { Self::from_ptr(block) }?;
        this.users.compare_exchange(0, FREED, Acquire, Relaxed).map_err(Self::used)?;
        this.magic.store(0, Release);
        // SAFETY: there were no users and can be none any more: this is the one call that frees the block.
        unsafe {
            let spoiled = (*block).content.assume_init_ref().is_spoiled();
            if spoiled {
                (*block).content.assume_init_ref().abandon();
            } else {
                let heap = &(*block).heap;
                memory::within(heap, || (*block).content.assume_init_drop());
            }
            Self::release(block, spoiled);
            system::count(-1);
        }
        Ok(())
    }
}

//! A piece of an output matrix that one thread owns.
//!
//! An operation's output is cut into tiles; each is computed whole by whichever thread takes it, so an element has
//! one owner and its bits do not depend on who that is. [`Tile`] is what makes this safe to write down: it lends
//! mutable access to its own rows and columns and to nothing else.
#![allow(unsafe_code, reason = "disjoint parts of one slice are lent to several threads")]

use core::marker::PhantomData;
use core::ops::Range;

/// Rows by columns of an output matrix, exclusively owned.
pub struct Tile<'a> {
    base: *mut f32,
    stride: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    matrix: PhantomData<&'a mut [f32]>,
}

impl Tile<'_> {
    /// The rows this tile covers, in the matrix.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The columns this tile covers, in the matrix.
    pub fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// The tile's columns of one row of the matrix; empty for a row that is not the tile's.
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &mut [f32] {
        if !self.rows.contains(&row) {
            return &mut [];
        }
        // SAFETY: `Grid::tile` checked that all rows and columns of the tile lie in the matrix, and gave them to this
        // tile alone; `&mut self` keeps two rows from being lent at once.
        unsafe {
            let start = self.base.add(row * self.stride + self.columns.start);
            core::slice::from_raw_parts_mut(start, self.columns.end - self.columns.start)
        }
    }
}

/// An output matrix and how it is cut into tiles.
pub struct Grid<'a> {
    base: *mut f32,
    height: usize,
    width: usize,
    block: (usize, usize),
    down: bool,
    matrix: PhantomData<&'a mut [f32]>,
}

// SAFETY: the grid stands for a `&mut [f32]`, which may be sent and (its tiles being disjoint) shared.
unsafe impl Send for Grid<'_> {}
// SAFETY: as above; `tile` is unsafe and says what callers owe, and nothing that is safe makes a tile but `Pool::run`,
// which takes the grid.
unsafe impl Sync for Grid<'_> {}

impl<'a> Grid<'a> {
    /// A row-major matrix of rows `width` wide, cut into blocks of (rows, columns). What is left over at the end of
    /// the slice, if it is no whole row, belongs to no tile.
    pub fn new(matrix: &'a mut [f32], width: usize, block: (usize, usize)) -> Grid<'a> {
        let (width, block) = (width.max(1), (block.0.max(1), block.1.max(1)));
        let height = matrix.len() / width;
        Grid { base: matrix.as_mut_ptr(), height, width, block, down: false, matrix: PhantomData }
    }

    /// Numbers the tiles down instead of across: those that follow one another share columns, not rows.
    #[must_use]
    pub fn down(self) -> Grid<'a> {
        Grid { down: true, ..self }
    }

    /// Number of tiles.
    pub fn len(&self) -> usize {
        self.height.div_ceil(self.block.0) * self.width.div_ceil(self.block.1)
    }

    /// Whether the matrix has no row.
    pub fn is_empty(&self) -> bool {
        self.height == 0
    }

    /// The tile with this number, below `len()`.
    ///
    /// # Safety
    /// While a tile lives no other with the same number may be made.
    pub(crate) unsafe fn tile(&self, index: usize) -> Tile<'_> {
        let (i, j) = if self.down {
            let high = self.height.div_ceil(self.block.0).max(1);
            (index % high, index / high)
        } else {
            let across = self.width.div_ceil(self.block.1);
            (index / across, index % across)
        };
        let (i, j) = (i * self.block.0, j * self.block.1);
        Tile {
            base: self.base,
            stride: self.width,
            rows: i.min(self.height)..(i + self.block.0).min(self.height),
            columns: j..(j + self.block.1).min(self.width),
            matrix: PhantomData,
        }
    }
}

/// The scratch memory of all threads, one equal part each.
pub struct Scratch<'a> {
    base: *mut f32,
    each: usize,
    memory: PhantomData<&'a mut [f32]>,
}

// SAFETY: stands for a `&mut [f32]`; `part` is unsafe and says what callers owe.
unsafe impl Send for Scratch<'_> {}
// SAFETY: as above.
unsafe impl Sync for Scratch<'_> {}

impl<'a> Scratch<'a> {
    /// Divides the memory among so many threads.
    pub fn new(memory: &'a mut [f32], threads: usize) -> Scratch<'a> {
        Scratch { base: memory.as_mut_ptr(), each: memory.len() / threads.max(1), memory: PhantomData }
    }

    /// The part of one thread.
    ///
    /// # Safety
    /// `thread` is below the number given to `new`, and no other borrow of its part lives.
    #[allow(clippy::mut_from_ref, reason = "each thread borrows its own part")]
    pub(crate) unsafe fn part(&self, thread: usize) -> &mut [f32] {
        // SAFETY: part `thread` lies in the memory and is this thread's alone, by the contract above.
        unsafe { core::slice::from_raw_parts_mut(self.base.add(thread * self.each), self.each) }
    }
}

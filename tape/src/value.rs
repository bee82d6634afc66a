//! Values: matrices of activations whose number of rows depends on the call.

/// Something computed: a matrix of activations, by its number on the tape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value(pub usize);

/// How many rows a value has in a call of so many items: `fixed + per_item · items`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rows {
    /// Rows that are there whatever the call: a class token, learned queries.
    pub fixed: usize,
    /// Rows of each item: one of a token, 1024 of a view of 32 by 32 patches.
    pub per_item: usize,
}

impl Rows {
    /// So many for every item.
    pub const fn per_item(per_item: usize) -> Rows {
        Rows { fixed: 0, per_item }
    }

    /// So many, whatever the call.
    pub const fn fixed(fixed: usize) -> Rows {
        Rows { fixed, per_item: 0 }
    }

    /// Rows in a call of so many items; the most that can be counted where there are more.
    pub const fn count(self, items: usize) -> usize {
        self.per_item.saturating_mul(items).saturating_add(self.fixed)
    }
}

/// Shape of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Its rows.
    pub rows: Rows,
    /// Numbers of a row.
    pub width: usize,
}

//! How an image is resized, as descriptions: a model names them, a device computes them.

/// A resampling filter. The names are Pillow's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Triangle.
    Bilinear,
    /// Keys' cubic with a = −0.5.
    Bicubic,
    /// Three-lobed windowed sinc.
    Lanczos,
}

impl Filter {
    /// Every filter, for tests and menus.
    pub const ALL: [Self; 3] = [Self::Bilinear, Self::Bicubic, Self::Lanczos];
}

/// A part of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Window {
    /// The whole of an image.
    pub const fn whole(width: u32, height: u32) -> Self {
        Self { x: 0, y: 0, width, height }
    }
}

//! The pictures of a conversation: all of them as their files have them, and at most one with its pixels, as a session
//! bills one.
//!
//! What a picture became is in the session's cache and needs no pixels from then on. When the oldest turns are forgotten,
//! what comes after them is read again, and each picture is decoded again when its turn comes.

use super::photos::Encoded;
use crate::conversation::Part;
use crate::image::{Frame, Image};
use crate::{Photo, Seen, Segment};

/// Pictures by number.
pub struct Album {
    pictures: Vec<Option<Picture>>,
    /// The one whose pixels are there.
    open: Option<(usize, Image)>,
    max_pixels: u64,
}

struct Picture {
    file: Encoded,
    seen: Seen,
}

impl Album {
    /// An empty one, of pictures of at most so many pixels.
    pub fn new(max_pixels: u64) -> Album {
        Album { pictures: Vec::new(), open: None, max_pixels }
    }

    /// Takes a picture in, decoded, and gives its number.
    pub fn add(&mut self, file: Encoded) -> anyhow::Result<usize> {
        self.close();
        let image = file.pixels(self.max_pixels)?;
        let seen = Seen::of(&Frame::rgb(&image.data, image.width, image.height)?);
        let number = self.pictures.len();
        self.pictures.push(Some(Picture { file, seen }));
        self.open = Some((number, image));
        Ok(number)
    }

    /// Decodes a picture again.
    pub fn open(&mut self, number: usize) -> anyhow::Result<()> {
        if self.open.as_ref().is_some_and(|(open, _)| *open == number) {
            return Ok(());
        }
        self.close();
        if let Some(Some(picture)) = self.pictures.get(number) {
            self.open = Some((number, picture.file.pixels(self.max_pixels)?));
        }
        Ok(())
    }

    /// Gives the pixels up.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Drops a picture that no message names any more.
    pub fn forget(&mut self, number: usize) {
        if let Some(picture) = self.pictures.get_mut(number) {
            *picture = None;
        }
    }

    /// Drops all.
    pub fn clear(&mut self) {
        self.close();
        self.pictures.clear();
    }

    /// A part of the conversation as a session reads it: the open picture with its pixels, the others without.
    pub fn segment<'a>(&'a self, part: &'a Part) -> Segment<'a> {
        match (part, &self.open) {
            (Part::Image(number), Some((open, image))) if number == open => {
                Segment::Image(Photo { width: image.width, height: image.height, rgb: &image.data })
            }
            (Part::Image(number), _) => match self.pictures.get(*number) {
                Some(Some(picture)) => Segment::Seen(picture.seen),
                _ => part.segment(&[]),
            },
            _ => part.segment(&[]),
        }
    }
}

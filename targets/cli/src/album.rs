//! The pictures of a conversation: of each the name of its file and what tells it from others, and at most one with its
//! pixels, as a session bills one.
//!
//! What a picture became is in the session's cache and needs no pixels from then on. When the oldest turns are forgotten,
//! what comes after them is read again, and so is each picture's file when its turn comes. One that has become another is
//! refused.

use super::Failure;
use super::input::Kind;
use super::photos::{self, Encoded, Opening};
use ocelli::chat::Part;
use ocelli::image::{Frame, Image};
use ocelli::{Photo, Seen, Segment, Stopper};
use std::io;
use std::path::{Path, PathBuf};

/// What says how much a picture may take.
const PLANNED: &str = "--largest-image";

/// Pictures by number.
pub struct Album {
    pictures: Vec<Option<Picture>>,
    /// The one whose pixels are there.
    open: Option<(usize, Image)>,
    /// One that could not be opened again.
    lost: Option<usize>,
    max_pixels: u64,
    /// Bytes that a picture may take, file and decoding included.
    planned: u64,
}

struct Picture {
    path: PathBuf,
    seen: Seen,
}

impl Album {
    /// An empty one, of pictures of at most so many pixels, which take at most so many bytes on their way in.
    pub fn new(max_pixels: u64, planned: u64) -> Album {
        Album { pictures: Vec::new(), open: None, lost: None, max_pixels, planned }
    }

    /// Reads a picture, decodes it, and gives its number.
    pub fn add(&mut self, path: &Path, stopper: &Stopper) -> anyhow::Result<usize> {
        let (image, seen) = self.read(path, stopper)?;
        let number = self.pictures.len();
        self.pictures.push(Some(Picture { path: path.into(), seen }));
        self.open = Some((number, image));
        Ok(number)
    }

    /// Reads and decodes a picture again.
    pub fn open(&mut self, number: usize, stopper: &Stopper) -> anyhow::Result<()> {
        if self.open.as_ref().is_some_and(|(open, _)| *open == number) {
            return Ok(());
        }
        let Some(Some(Picture { path, seen })) = self.pictures.get(number) else { return Ok(()) };
        let (path, seen) = (path.clone(), *seen);
        match self.read(&path, stopper) {
            Ok((image, now)) if now == seen => {
                self.open = Some((number, image));
                Ok(())
            }
            result => {
                // Whoever has stopped it has lost nothing.
                self.lost = (!stopper.is_stopped() && !stopper.is_late()).then_some(number);
                let error = io::Error::other("it is no longer the image that was shown");
                result.and(Err(Failure::Photo { path, error }.into()))
            }
        }
    }

    /// The picture that could not be opened again, if that is what went wrong.
    pub fn take_lost(&mut self) -> Option<usize> {
        self.lost.take()
    }

    fn read(&mut self, path: &Path, stopper: &Stopper) -> anyhow::Result<(Image, Seen)> {
        self.close();
        let most = Some((self.planned, PLANNED));
        // Read again later, so it is no pipe.
        let how = Opening { max_pixels: self.max_pixels, most, kind: Kind::File, stopper };
        let file: Encoded = photos::open(path, &how)?;
        let bytes = file.needed();
        if bytes > self.planned {
            let (path, most) = (path.to_path_buf(), self.planned);
            return Err(Failure::Large { path, bytes: Some(bytes), most, option: PLANNED }.into());
        }
        let image = file.decode(self.max_pixels)?.0;
        let seen = Seen::until(&Frame::rgb(&image.data, image.width, image.height)?, stopper)?;
        Ok((image, seen))
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

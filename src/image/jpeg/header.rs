//! A JPEG's segments: the frame, its tables, and the scans.
//!
//! ```text
//! FF D8 | FF xx length(2, itself included) data … | FF DA header, entropy-coded bytes … | … | FF D9
//! ```
//! Bytes between segments, and FF before a marker, are passed over. Tables may change from scan to scan; a component
//! keeps the steps of its first. Huffman tables that are missing where a sequential image begins are those of T.81,
//! K.3.3, as pictures of a stream leave them out. Source: ITU-T T.81, annex B; which colours the components are, and
//! what is refused: libjpeg.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Fault;
use super::bits::{self, Table};

/// Places of coefficients in the order in which they come; what a run reaches beyond the last lands on it.
#[rustfmt::skip]
pub(super) const ZIGZAG: [u8; 80] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14,
    21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60,
    61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
];

/// A component of the frame.
pub(super) struct Component {
    id: u8,
    /// Samples across and down in a unit of the frame, in blocks of 8.
    pub(super) h: usize,
    pub(super) v: usize,
    table: usize,
    /// Steps of its coefficients, row by row, once its first scan has begun.
    pub(super) steps: Option<[u16; 64]>,
    /// Samples that the image needs.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Low bits of each coefficient that have not come yet; −1 where nothing has.
    pub(super) missing: [i8; 64],
}

impl Component {
    /// Blocks across, without those that only fill a unit.
    pub(super) fn blocks_wide(&self) -> usize {
        self.width.div_ceil(8)
    }

    /// Blocks down, likewise.
    pub(super) fn blocks_high(&self) -> usize {
        self.height.div_ceil(8)
    }
}

/// What three or four components are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colors {
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

/// What the frame header says.
pub(super) struct Frame {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) is_progressive: bool,
    pub(super) components: Vec<Component>,
    /// The finest sampling.
    pub(super) h: usize,
    pub(super) v: usize,
}

impl Frame {
    /// Units of the frame across.
    pub(super) fn units_wide(&self) -> usize {
        self.width.div_ceil(8 * self.h)
    }

    /// Units of the frame down.
    pub(super) fn units_high(&self) -> usize {
        self.height.div_ceil(8 * self.v)
    }
}

/// A scan's header.
pub(super) struct Scan {
    /// Components by their place in the frame, and their Huffman tables for DC and AC.
    pub(super) parts: Vec<Part>,
    /// First and last coefficient.
    pub(super) band: (usize, usize),
    /// Bits below those of this scan; whether a scan before has brought those above.
    pub(super) low: u32,
    pub(super) refines: bool,
    /// Where its data begins.
    pub(super) at: usize,
}

/// One component in a scan.
pub(super) struct Part {
    pub(super) component: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

/// What has been read so far.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    at: usize,
    steps: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<Box<Table>>; 4],
    pub(super) ac: [Option<Box<Table>>; 4],
    /// Units between two restart markers; 0 where there are none.
    pub(super) interval: usize,
    is_jfif: bool,
    /// The transform that Adobe's segment names.
    adobe: Option<u8>,
    frame: Option<Frame>,
}

/// A marker, the bytes of its segment and where it ends.
pub(super) type Segment<'a> = (u8, &'a [u8], usize);

/// The segment that begins at or after `at`; fill bytes and stray ones before it are passed over.
pub(super) fn segment(bytes: &[u8], mut at: usize) -> Option<Segment<'_>> {
    loop {
        match bytes.get(at..at + 2)? {
            [0xFF, 0x00] => at += 2,
            [0xFF, 0xFF] => at += 1,
            [0xFF, marker @ (0x01 | 0xD0..=0xD9)] => return Some((*marker, &[], at + 2)),
            [0xFF, marker] => {
                let length = bytes.get(at + 2..at + 4)?.first_chunk().copied().map(u16::from_be_bytes)?;
                let end = at + 2 + usize::from(length).max(2);
                return Some((*marker, bytes.get(at + 4..end)?, end));
            }
            _ => at += 1,
        }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 2,
            steps: [None; 4],
            dc: [const { None }; 4],
            ac: [const { None }; 4],
            interval: 0,
            is_jfif: false,
            adobe: None,
            frame: None,
        }
    }

    /// Goes on reading segments at `at`, behind a scan's data.
    pub(super) fn seek(&mut self, at: usize) {
        self.at = at;
    }

    /// Reads up to the next scan, or the end of the image.
    pub(super) fn next_scan(&mut self) -> Result<Option<Scan>, Fault> {
        loop {
            let (marker, data, end) = segment(self.bytes, self.at).ok_or(Fault::Short)?;
            self.at = end;
            match marker {
                0xC0..=0xC2 => self.frame_header(marker, data)?,
                0xC4 => self.huffman_tables(data)?,
                0xC3 | 0xC5..=0xC7 => return Err(Fault::Unread("it is lossless or hierarchical")),
                0xC8..=0xCB | 0xCD..=0xCF => return Err(Fault::Unread("it is coded arithmetically")),
                0xD8 => return Err(Fault::Bad("a second image begins inside it")),
                0xD9 => return Ok(None),
                0xDA => return self.scan_header(data, end).map(Some),
                0xDB => self.steps(data)?,
                0xDD => {
                    let &[high, low] = data else {
                        return Err(Fault::Bad("its restart interval is no number"));
                    };
                    self.interval = usize::from(u16::from_be_bytes([high, low]));
                }
                0xE0 => self.is_jfif |= data.len() >= 14 && data.starts_with(b"JFIF\0"),
                0xEE if data.len() >= 12 && data.starts_with(b"Adobe") => self.adobe = data.get(11).copied(),
                _ => {}
            }
        }
    }

    /// The frame, whose header comes before the first scan.
    pub(super) fn frame(&self) -> Result<&Frame, Fault> {
        self.frame.as_ref().ok_or(Fault::Bad("it ends before a frame begins"))
    }

    /// What the components are: JFIF before Adobe before their names.
    pub(super) fn colors(&self) -> Result<Colors, Fault> {
        let ids: Vec<u8> = self.frame()?.components.iter().map(|component| component.id).collect();
        Ok(match (&*ids, self.is_jfif, self.adobe) {
            ([_], ..) => Colors::Grey,
            ([_, _, _], false, Some(0)) | (b"RGB", false, None) => Colors::Rgb,
            ([_, _, _], ..) => Colors::YCbCr,
            (_, _, None | Some(0)) => Colors::Cmyk,
            _ => Colors::Ycck,
        })
    }

    fn frame_header(&mut self, marker: u8, data: &[u8]) -> Result<(), Fault> {
        let short = Fault::Bad("its frame header is too short");
        if self.frame.is_some() {
            return Err(Fault::Bad("it has a second frame"));
        }
        let (&[bits, h1, h0, w1, w0, count], rest) = data.split_first_chunk::<6>().ok_or(short)?;
        if bits != 8 {
            return Err(Fault::Unread("its samples are not of 8 bits"));
        }
        let side = |bytes| usize::from(u16::from_be_bytes(bytes));
        let (width, height) = (side([w1, w0]), side([h1, h0]));
        let parts = rest.as_chunks::<3>().0;
        if parts.len() != usize::from(count) {
            return Err(short);
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(Fault::Unread("it has neither one, three nor four components"));
        }
        let factors = |part: &[u8; 3]| (usize::from(part[1] >> 4), usize::from(part[1] & 15));
        if parts.iter().any(|part| !(1..=4).contains(&factors(part).0) || !(1..=4).contains(&factors(part).1))
        {
            return Err(Fault::Bad("a sampling factor is not 1 to 4"));
        }
        if parts.iter().any(|part| part[2] > 3) {
            return Err(Fault::Bad("a component names a quantization table beyond the fourth"));
        }
        let h = parts.iter().map(|part| factors(part).0).max().unwrap_or(1);
        let v = parts.iter().map(|part| factors(part).1).max().unwrap_or(1);
        if parts.iter().any(|part| h % factors(part).0 != 0 || v % factors(part).1 != 0) {
            return Err(Fault::Unread(
                "a component is sampled at a broken fraction of another (its chroma, say, 3 to 2)",
            ));
        }
        let component = |part: &[u8; 3]| Component {
            id: part[0],
            h: factors(part).0,
            v: factors(part).1,
            table: usize::from(part[2]),
            steps: None,
            width: (width * factors(part).0).div_ceil(h),
            height: (height * factors(part).1).div_ceil(v),
            missing: [-1; 64],
        };
        let components = parts.iter().map(component).collect();
        self.frame = Some(Frame { width, height, is_progressive: marker == 0xC2, components, h, v });
        Ok(())
    }

    fn steps(&mut self, mut data: &[u8]) -> Result<(), Fault> {
        let bad = Fault::Bad("a quantization table is too short, or beyond the fourth");
        while let Some((&head, rest)) = data.split_first() {
            let table = self.steps.get_mut(usize::from(head & 15)).ok_or(bad)?;
            let mut steps = [0; 64];
            let width = if head >> 4 == 0 { 1 } else { 2 };
            let values = rest.get(..64 * width).ok_or(bad)?;
            for (&place, value) in ZIGZAG.iter().zip(values.chunks_exact(width)) {
                steps[usize::from(place)] =
                    value.iter().fold(0, |number, &byte| number << 8 | u16::from(byte));
            }
            *table = Some(steps);
            data = rest.get(64 * width..).unwrap_or_default();
        }
        Ok(())
    }

    fn huffman_tables(&mut self, mut data: &[u8]) -> Result<(), Fault> {
        let bad = Fault::Bad("a Huffman table is too short, or beyond the fourth");
        while !data.is_empty() {
            let (head, rest) = data.split_first_chunk::<17>().ok_or(bad)?;
            let counts = head.last_chunk::<16>().ok_or(bad)?;
            let length = counts.iter().map(|&count| usize::from(count)).sum();
            let symbols = rest.get(..length).ok_or(bad)?;
            let tables = if head[0] & 0xF0 == 0 { &mut self.dc } else { &mut self.ac };
            if head[0] & 0xF0 == 0 && symbols.iter().any(|&size| size > 15) {
                return Err(Fault::Bad("a Huffman table has a difference of more than 15 bits"));
            }
            let table = tables.get_mut(usize::from(head[0] & 15)).ok_or(bad)?;
            *table = Some(Table::new(counts, symbols)?);
            data = rest.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    fn scan_header(&mut self, data: &[u8], at: usize) -> Result<Scan, Fault> {
        let bad = Fault::Bad("its scan header is not sound");
        let frame = self.frame.as_mut().ok_or(Fault::Bad("a scan comes before the frame"))?;
        let (&count, rest) = data.split_first().ok_or(bad)?;
        let count = usize::from(count);
        let (names, &[first, last, bits]) = rest.split_last_chunk::<3>().ok_or(bad)?;
        if names.len() != 2 * count || !(1..=4).contains(&count) {
            return Err(bad);
        }
        let mut parts: Vec<Part> = Vec::new();
        for name in names.as_chunks::<2>().0 {
            let free = |place: &usize| parts.iter().all(|part| part.component != *place);
            let mut found =
                (0..frame.components.len()).filter(|&place| frame.components[place].id == name[0]);
            let component =
                found.find(free).ok_or(Fault::Bad("a scan names a component that the frame has not"))?;
            let (dc, ac) = (usize::from(name[1] >> 4), usize::from(name[1] & 15));
            if dc > 3 || ac > 3 {
                return Err(Fault::Bad("a scan names a Huffman table beyond the fourth"));
            }
            parts.push(Part { component, dc, ac });
        }
        let blocks: usize = parts
            .iter()
            .map(|part| frame.components[part.component].h * frame.components[part.component].v)
            .sum();
        if count > 1 && blocks > 10 {
            return Err(Fault::Bad("a unit of a scan has more than ten blocks"));
        }
        let (high, low) = (bits >> 4, u32::from(bits & 15));
        let band = if frame.is_progressive { (usize::from(first), usize::from(last)) } else { (0, 63) };
        let is_sound = match band {
            (0, last) => last == 0,
            (first, last) => first <= last && last < 64 && count == 1,
        };
        if frame.is_progressive && !(is_sound && low <= 13 && (high == 0 || u32::from(high) == low + 1)) {
            return Err(Fault::Bad("a scan asks for coefficients in a way that does not exist"));
        }
        for part in &parts {
            let component = &mut frame.components[part.component];
            if component.steps.is_none() {
                let steps = self.steps[component.table];
                component.steps = Some(steps.ok_or(Fault::Bad("a component has no quantization table"))?);
            }
            if frame.is_progressive {
                component.missing[band.0..=band.1].fill(low as i8);
            }
        }
        if !frame.is_progressive {
            self.standard_tables()?;
            return Ok(Scan { parts, band: (0, 63), low: 0, refines: false, at });
        }
        Ok(Scan { parts, band, low, refines: high != 0, at })
    }

    /// Tables that are not there when a sequential image begins.
    fn standard_tables(&mut self) -> Result<(), Fault> {
        for (index, is_chroma) in [false, true].into_iter().enumerate() {
            for (tables, is_ac) in [(&mut self.dc, false), (&mut self.ac, true)] {
                if tables[index].is_none() {
                    tables[index] = Some(bits::standard(is_ac, is_chroma)?);
                }
            }
        }
        Ok(())
    }
}

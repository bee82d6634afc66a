//! Coefficients of a scan: sequential, and the four kinds of a progressive one.
//!
//! ```text
//! sequential        DC difference, then (zeros, size) value … of a whole block
//! DC first          DC difference << low              DC refined    one bit each
//! AC first          a band's coefficients << low, runs of empty bands
//! AC refined        one bit for each that is not zero, ± 1 << low for those that become so
//! ```
//! A scan of one component goes through the blocks that the image needs, one of several through whole units. Data that
//! ends early, or has a code that its table does not have, is refused: what others show there is a matter of taste.
//! Source: ITU-T T.81, annexes F.2 and G.2.

use super::Fault;
use super::bits::{Bits, Table};
use super::header::{Frame, Reader, Scan, ZIGZAG, segment};
use super::idct::Block;

const RUN: Fault = Fault::Bad("a run of zeros leaves its block");

/// Counts units up to the next restart marker.
pub(super) struct Restarts {
    interval: usize,
    left: usize,
    next: u8,
}

impl Restarts {
    pub(super) fn new(interval: usize) -> Self {
        Self { interval, left: interval, next: 0 }
    }

    /// To be called before every unit: whether it is the first after a restart.
    #[inline]
    pub(super) fn before_unit(&mut self, bits: &mut Bits<'_>, bytes: &[u8]) -> Result<bool, Fault> {
        if self.interval == 0 {
            return Ok(false);
        }
        if self.left > 0 {
            self.left -= 1;
            return Ok(false);
        }
        let (marker, _, end) = segment(bytes, bits.at()).ok_or(Fault::Short)?;
        if marker != 0xD0 + self.next {
            return Err(Fault::Bad("a restart marker is not where it should be"));
        }
        bits.restart(end);
        self.next = (self.next + 1) & 7;
        self.left = self.interval - 1;
        Ok(true)
    }
}

/// Reads a sequential block; gives the place of its last coefficient in zigzag order.
#[inline]
pub(super) fn sequential(
    bits: &mut Bits<'_>,
    dc: &Table,
    ac: &Table,
    before: &mut i32,
    block: &mut Block,
) -> Result<usize, Fault> {
    difference(bits, dc, before)?;
    block[0] = *before as i16;
    let (mut place, mut last) = (1, 0);
    while place < 64 {
        bits.fill();
        if let Some((zeros, value)) = ac.value(bits) {
            place += zeros;
            block[usize::from(ZIGZAG[place])] = value;
        } else {
            let symbol = ac.symbol(bits)?;
            let (zeros, size) = ((symbol >> 4) as usize, symbol & 15);
            if size == 0 {
                if zeros < 15 {
                    break;
                }
                place += 16;
                continue;
            }
            place += zeros;
            block[usize::from(ZIGZAG[place])] = bits.value(size) as i16;
        }
        last = place;
        place += 1;
    }
    if place > 64 { Err(RUN) } else { Ok(last) }
}

#[inline]
fn difference(bits: &mut Bits<'_>, dc: &Table, before: &mut i32) -> Result<(), Fault> {
    bits.fill();
    let size = dc.symbol(bits)?;
    if size > 0 {
        *before = before.wrapping_add(bits.value(size));
    }
    Ok(())
}

/// The coefficients of a component, in whole units.
pub(super) struct Plane {
    pub(super) blocks: alloc::vec::Vec<Block>,
    pub(super) wide: usize,
}

/// Reads a scan into the components' coefficients; gives the place behind its data.
pub(super) fn read(reader: &Reader<'_>, scan: &Scan, planes: &mut [Plane]) -> Result<usize, Fault> {
    let frame = reader.frame()?;
    let mut state = State {
        bits: Bits::new(reader.bytes, scan.at),
        restarts: Restarts::new(reader.interval),
        before: [0; 4],
        empty: 0,
    };
    if let [part] = &*scan.parts {
        let component = &frame.components[part.component];
        for y in 0..component.blocks_high() {
            for x in 0..component.blocks_wide() {
                state.begin_unit(reader)?;
                state.block(reader, scan, 0, planes, (x, y))?;
                state.check()?;
            }
        }
        return Ok(state.bits.at());
    }
    for y in 0..frame.units_high() {
        for x in 0..frame.units_wide() {
            state.begin_unit(reader)?;
            for (index, part) in scan.parts.iter().enumerate() {
                let (h, v) = factors(frame, part.component);
                for at in (0..h * v).map(|block| (x * h + block % h, y * v + block / h)) {
                    state.block(reader, scan, index, planes, at)?;
                }
            }
            state.check()?;
        }
    }
    Ok(state.bits.at())
}

fn factors(frame: &Frame, component: usize) -> (usize, usize) {
    (frame.components[component].h, frame.components[component].v)
}

/// What is carried from block to block.
struct State<'a> {
    bits: Bits<'a>,
    restarts: Restarts,
    before: [i32; 4],
    /// Bands that are still to come and empty.
    empty: u32,
}

impl State<'_> {
    fn begin_unit(&mut self, reader: &Reader<'_>) -> Result<(), Fault> {
        if self.restarts.before_unit(&mut self.bits, reader.bytes)? {
            self.before = [0; 4];
            self.empty = 0;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        if self.bits.ends_early() { Err(Fault::Short) } else { Ok(()) }
    }

    fn block(
        &mut self,
        reader: &Reader<'_>,
        scan: &Scan,
        index: usize,
        planes: &mut [Plane],
        (x, y): (usize, usize),
    ) -> Result<(), Fault> {
        let part = &scan.parts[index];
        let plane = &mut planes[part.component];
        let block = plane.blocks.get_mut(y * plane.wide + x).ok_or(Fault::Short)?;
        let bits = &mut self.bits;
        let is_progressive = reader.frame()?.is_progressive;
        match scan.band {
            (0, _) if is_progressive && scan.refines => block[0] |= i16::from(bits.bit()) << scan.low,
            (0, _) => {
                let dc = reader.dc[part.dc].as_deref().ok_or(NO_TABLE)?;
                if is_progressive {
                    difference(bits, dc, &mut self.before[index])?;
                    block[0] = (self.before[index] << scan.low) as i16;
                } else {
                    let ac = reader.ac[part.ac].as_deref().ok_or(NO_TABLE)?;
                    *block = [0; 64];
                    sequential(bits, dc, ac, &mut self.before[index], block)?;
                }
            }
            _ => {
                let ac = reader.ac[part.ac].as_deref().ok_or(NO_TABLE)?;
                if scan.refines {
                    self.refine(scan, ac, block)?;
                } else {
                    self.first(scan, ac, block)?;
                }
            }
        }
        Ok(())
    }

    fn first(&mut self, scan: &Scan, ac: &Table, block: &mut Block) -> Result<(), Fault> {
        if self.empty > 0 {
            self.empty -= 1;
            return Ok(());
        }
        let (mut place, last) = scan.band;
        while place <= last {
            self.bits.fill();
            let symbol = ac.symbol(&mut self.bits)?;
            let (zeros, size) = ((symbol >> 4) as usize, symbol & 15);
            if size == 0 {
                if zeros < 15 {
                    self.empty = self.run(zeros as u32) - 1;
                    return Ok(());
                }
                place += 16;
                continue;
            }
            place += zeros;
            block[usize::from(ZIGZAG[place])] = (self.bits.value(size) << scan.low) as i16;
            place += 1;
        }
        if place > 64 { Err(RUN) } else { Ok(()) }
    }

    /// How many bands are empty: 2^size and so many bits more.
    fn run(&mut self, size: u32) -> u32 {
        (1 << size) + if size > 0 { self.bits.take(size) as u32 } else { 0 }
    }

    fn refine(&mut self, scan: &Scan, ac: &Table, block: &mut Block) -> Result<(), Fault> {
        let (mut place, last) = scan.band;
        let one = 1_i16 << scan.low;
        while place <= last && self.empty == 0 {
            self.bits.fill();
            let symbol = ac.symbol(&mut self.bits)?;
            let (mut zeros, size) = ((symbol >> 4) as usize, symbol & 15);
            let mut new = 0;
            if size == 0 {
                if zeros < 15 {
                    self.empty = self.run(zeros as u32);
                    break;
                }
            } else if self.bits.bit() {
                new = one;
            } else {
                new = -one;
            }
            while place <= last {
                let value = &mut block[usize::from(ZIGZAG[place])];
                if *value != 0 {
                    self.correct(value, one);
                } else if zeros == 0 {
                    *value = new;
                    break;
                } else {
                    zeros -= 1;
                }
                place += 1;
            }
            place += 1;
        }
        if self.empty > 0 {
            while place <= last {
                let value = &mut block[usize::from(ZIGZAG[place])];
                if *value != 0 {
                    self.correct(value, one);
                }
                place += 1;
            }
            self.empty -= 1;
        }
        Ok(())
    }

    fn correct(&mut self, value: &mut i16, one: i16) {
        if self.bits.bit() && *value & one == 0 {
            *value = if *value >= 0 { value.wrapping_add(one) } else { value.wrapping_sub(one) };
        }
    }
}

/// A progressive scan has no tables to fall back on.
pub(super) const NO_TABLE: Fault = Fault::Bad("a scan names a Huffman table that the file has not");

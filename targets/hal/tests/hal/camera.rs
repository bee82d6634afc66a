//! Every transfer of the camera's protocol, and every way it may end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::broken;

use broken::Broken;
use embedded_hal::spi::ErrorKind;
use embedded_hal_mock::eh1::delay::{CheckedDelay, NoopDelay, Transaction as Delay};
use embedded_hal_mock::eh1::spi::{Mock, Transaction};
use ocelli_hal::Error;
use ocelli_hal::camera::{Camera, MINI_2MP, MINI_2MP_PLUS, MINI_5MP_PLUS, Module, Order, Patience, Picture};

type Transfers = Vec<Transaction<u8>>;

const PATIENCE: Patience = Patience { polls: 3, pause_us: 500 };
/// Twelve bytes.
const SMALL: Picture = Picture::Rgb565 { width: 3, height: 2, order: Order::LowFirst };

fn write(address: u8, value: u8) -> Transfers {
    vec![
        Transaction::transaction_start(),
        Transaction::write_vec(vec![address | 0x80, value]),
        Transaction::transaction_end(),
    ]
}

fn read(address: u8, value: u8) -> Transfers {
    vec![
        Transaction::transaction_start(),
        Transaction::write_vec(vec![address]),
        Transaction::read_vec(vec![value]),
        Transaction::transaction_end(),
    ]
}

/// A burst is one transaction: chip select stays low.
fn burst(leading: Option<u8>, frame: &[u8]) -> Transfers {
    let mut all = vec![Transaction::transaction_start(), Transaction::write_vec(vec![0x3c])];
    all.extend(leading.map(|byte| Transaction::read_vec(vec![byte])));
    all.extend([Transaction::read_vec(frame.to_vec()), Transaction::transaction_end()]);
    all
}

fn size(bytes: u32) -> Transfers {
    let [low, middle, high, _] = bytes.to_le_bytes();
    [read(0x42, low), read(0x43, middle), read(0x44, high)].concat()
}

/// Cleared, started, seen at the third look.
fn taken() -> Transfers {
    [write(4, 1), write(4, 2), read(0x41, 0), read(0x41, 0xf7), read(0x41, 0x08)].concat()
}

fn camera(transfers: &[Transfers], module: Module) -> (Mock<u8>, Camera<Mock<u8>>) {
    let spi = Mock::new(&transfers.concat());
    (spi.clone(), Camera::new(spi, module))
}

#[test]
fn begins_with_a_reset_and_two_patterns() {
    for (module, timing) in [(MINI_2MP, 0), (MINI_5MP_PLUS, 2)] {
        let tests = [write(0, 0x55), read(0, 0x55), write(0, 0xaa), read(0, 0xaa)].concat();
        let transfers = [write(7, 0x80), write(7, 0), tests, write(3, timing), write(1, 0)];
        let (mut spi, mut camera) = camera(&transfers, module);
        let mut delay = CheckedDelay::new(&[Delay::delay_ms(100), Delay::delay_ms(100)]);
        assert_eq!(camera.begin(&mut delay), Ok(()));
        spi.done();
        delay.done();
    }
}

#[test]
fn nothing_on_the_bus_is_no_camera() {
    // Lines that hang high and low, and one that echoes what was sent first.
    for (answers, read_back) in [(vec![0xff], 0xff), (vec![0], 0), (vec![0x55, 0x55], 0x55)] {
        let mut transfers = vec![write(7, 0x80), write(7, 0)];
        for (pattern, answer) in [0x55, 0xaa].into_iter().zip(answers) {
            transfers.extend([write(0, pattern), read(0, answer)]);
        }
        let wrote = if read_back == 0x55 { 0xaa } else { 0x55 };
        let (mut spi, mut camera) = camera(&transfers, MINI_2MP);
        assert_eq!(camera.begin(&mut NoopDelay::new()), Err(Error::NoCamera { wrote, read: read_back }));
        spi.done();
    }
}

#[test]
fn a_frame_is_read_in_one_burst() {
    let pixels: Vec<u8> = (1..=12).collect();
    // Modules say a few bytes more than the frame has; those are not read.
    for (module, leading) in [(MINI_2MP, Some(0)), (MINI_2MP_PLUS, None)] {
        let transfers = [taken(), size(20), burst(leading, &pixels), write(4, 1)];
        let (mut spi, mut camera) = camera(&transfers, module);
        let mut delay = CheckedDelay::new(&[Delay::delay_us(500), Delay::delay_us(500)]);
        let mut buffer = [0xee; 16];
        assert_eq!(camera.take(SMALL, PATIENCE, &mut delay, &mut buffer), Ok(12));
        assert_eq!(buffer[..12], pixels);
        assert_eq!(buffer[12..], [0xee; 4]);
        spi.done();
        delay.done();
    }
}

#[test]
fn the_engine_has_the_lower_byte_first() {
    let picture = Picture::Rgb565 { width: 1, height: 2, order: Order::HighFirst };
    let transfers = [taken(), size(4), burst(None, &[0xf8, 0x00, 0x07, 0xe0]), write(4, 1)];
    let (mut spi, mut camera) = camera(&transfers, MINI_2MP_PLUS);
    let mut buffer = [0; 4];
    assert_eq!(camera.take(picture, PATIENCE, &mut NoopDelay::new(), &mut buffer), Ok(4));
    assert_eq!(buffer, [0x00, 0xf8, 0xe0, 0x07]);
    spi.done();
}

#[test]
fn a_frame_that_never_comes_ends_after_so_many_looks() {
    let looks = [read(0x41, 0), read(0x41, 0), read(0x41, 0)].concat();
    let (mut spi, mut camera) = camera(&[write(4, 1), write(4, 2), looks], MINI_2MP);
    let mut delay = CheckedDelay::new(&[Delay::delay_us(500), Delay::delay_us(500), Delay::delay_us(500)]);
    assert_eq!(camera.take(SMALL, PATIENCE, &mut delay, &mut [0; 12]), Err(Error::Timeout { polls: 3 }));
    spi.done();
    delay.done();
}

#[test]
fn the_size_is_believed_within_bounds_only() {
    for bytes in [0, 11, 0x6_0000, 0x7f_ffff] {
        let (mut spi, mut camera) = camera(&[taken(), size(bytes)], MINI_2MP);
        assert_eq!(
            camera.take(SMALL, PATIENCE, &mut NoopDelay::new(), &mut [0; 12]),
            Err(Error::FrameSize { bytes, least: 12, most: 0x5_ffff })
        );
        spi.done();
    }
}

#[test]
fn the_highest_bit_of_the_size_means_nothing() {
    let transfers = [taken(), size(0x80_000c), burst(None, &[7; 12]), write(4, 1)];
    let (mut spi, mut camera) = camera(&transfers, MINI_2MP_PLUS);
    assert_eq!(camera.take(SMALL, PATIENCE, &mut NoopDelay::new(), &mut [0; 12]), Ok(12));
    spi.done();
}

#[test]
fn a_buffer_that_is_too_small_is_said_before_anything_is_sent() {
    let (mut spi, mut camera) = camera(&[], MINI_2MP);
    assert_eq!(
        camera.take(SMALL, PATIENCE, &mut NoopDelay::new(), &mut [0; 11]),
        Err(Error::Buffer { bytes: 11, needed: 12 })
    );
    spi.done();
}

#[test]
fn a_jpeg_ends_at_its_last_marker() {
    let file = [0xff, 0xd8, 1, 0xff, 0xd9, 2, 0xff, 0xd9, 0, 0];
    let (mut spi, mut camera) = camera(&[taken(), size(10), burst(None, &file), write(4, 1)], MINI_2MP_PLUS);
    let mut buffer = [0; 32];
    assert_eq!(camera.take(Picture::Jpeg, PATIENCE, &mut NoopDelay::new(), &mut buffer), Ok(8));
    assert_eq!(buffer[..8], file[..8]);
    spi.done();
}

#[test]
fn what_is_no_jpeg_is_refused() {
    for file in [[0xff, 0xd8, 0, 0, 0, 0], [0, 0xff, 0xd8, 0, 0xff, 0xd9]] {
        let (mut spi, mut camera) =
            camera(&[taken(), size(6), burst(None, &file), write(4, 1)], MINI_2MP_PLUS);
        let frame = camera.take(Picture::Jpeg, PATIENCE, &mut NoopDelay::new(), &mut [0; 32]);
        assert_eq!(frame, Err(Error::NotJpeg));
        spi.done();
    }
    // Larger than the buffer, and too small to be one.
    for bytes in [33, 3] {
        let (mut spi, mut camera) = camera(&[taken(), size(bytes)], MINI_2MP_PLUS);
        let frame = camera.take(Picture::Jpeg, PATIENCE, &mut NoopDelay::new(), &mut [0; 32]);
        assert_eq!(frame, Err(Error::FrameSize { bytes, least: 4, most: 32 }));
        spi.done();
    }
}

/// A bus that breaks at each transfer in turn: always its error, said with what was being done.
#[test]
fn each_transfer_may_fail() {
    let beginning = [write(7, 0x80), write(7, 0), write(0, 0x55), read(0, 0x55)];
    let doing = ["resetting", "resetting", "testing", "testing"];
    for (works, doing) in doing.into_iter().enumerate() {
        let mut spi = Mock::new(&beginning[..works].concat());
        let mut camera = Camera::new(Broken { within: spi.clone(), works }, MINI_2MP);
        failed(camera.begin(&mut NoopDelay::new()), doing);
        spi.done();
    }
    let frame = [
        [write(4, 1), write(4, 2), read(0x41, 8), size(12)].concat(),
        [burst(None, &[0; 12]), write(4, 1)].concat(),
    ]
    .concat();
    let ends: Vec<usize> =
        (0..frame.len()).filter(|i| frame[*i] == Transaction::transaction_end()).map(|i| i + 1).collect();
    let doing = ["clearing", "starting", "waiting", "size", "size", "size", "reading a frame", "clearing"];
    assert_eq!(ends.len(), doing.len());
    for (works, doing) in doing.into_iter().enumerate() {
        let before = if works == 0 { 0 } else { ends[works - 1] };
        let mut spi = Mock::new(&frame[..before]);
        let mut camera = Camera::new(Broken { within: spi.clone(), works }, MINI_2MP_PLUS);
        failed(camera.take(SMALL, PATIENCE, &mut NoopDelay::new(), &mut [0; 12]), doing);
        spi.done();
    }
}

fn failed<T: core::fmt::Debug>(result: Result<T, Error<ErrorKind>>, doing: &str) {
    match result {
        Err(Error::Bus { during, error: ErrorKind::ModeFault }) => {
            assert!(during.contains(doing), "{during}")
        }
        other => panic!("{other:?} while {doing}"),
    }
}

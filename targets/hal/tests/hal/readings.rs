//! What is read over I2C, the image sensor's set-up included: every transfer, every refusal, the text.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::fmt::Write;
use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
use embedded_hal_mock::eh1::delay::{CheckedDelay, NoopDelay, Transaction as Delay};
use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
use ocelli_hal::Error;
use ocelli_hal::motion::{self, Motion, Mpu6050};
use ocelli_hal::sensor::{OV2640, OV5642};
use ocelli_hal::text::{Decimal, Text};
use ocelli_hal::thermometer::{self, Kind, Temperature, Thermometer};

const NOBODY: ErrorKind = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);

fn failed<T: core::fmt::Debug>(result: Result<T, Error<ErrorKind>>) {
    assert!(matches!(result, Err(Error::Bus { error: NOBODY, .. })), "{result:?}");
}

#[test]
fn a_temperature_is_what_the_data_sheets_say() {
    // TMP102, table 8; LM75B, table 10; LM75, table 1.
    let cases = [
        (Kind::Tmp102, 0x7d00_u16, "125.0"),
        (Kind::Tmp102, 0x3200, "50.0"),
        (Kind::Tmp102, 0x1900, "25.0"),
        (Kind::Tmp102, 0x0040, "0.3"),
        (Kind::Tmp102, 0xffc0, "-0.3"),
        (Kind::Tmp102, 0xe700, "-25.0"),
        (Kind::Tmp102, 0xc900, "-55.0"),
        (Kind::Lm75b, 0x7ee0, ""),
        (Kind::Lm75b, 0x1920, "25.1"),
        (Kind::Lm75b, 0xffe0, "-0.1"),
        // What an LM75 has in its lower bits means nothing.
        (Kind::Lm75, 0x19ff, "25.5"),
        (Kind::Lm75, 0x197f, "25.0"),
        (Kind::Lm75, 0xff80, "-0.5"),
        (Kind::Lm75, 0xc880, ""),
        (Kind::Tmp102, 0x8000, ""),
        (Kind::Tmp102, 0x1901, ""),
        (Kind::Tmp102, 0xffff, ""),
    ];
    for (kind, raw, text) in cases {
        let mut i2c = Mock::new(&[Transaction::write_read(0x48, vec![0], raw.to_be_bytes().to_vec())]);
        let read = Thermometer::new(i2c.clone(), thermometer::ADDRESS, kind).read();
        match read {
            Ok(temperature) => assert_eq!(temperature.to_string(), format!("temperature {text} C")),
            Err(error) => assert_eq!((error, text), (Error::Reading { raw }, "")),
        }
        i2c.done();
    }
}

#[test]
fn nobody_at_the_address() {
    let transfer = |address, register, count| {
        Transaction::write_read(address, vec![register], vec![0; count]).with_error(NOBODY)
    };
    let mut i2c = Mock::new(&[transfer(0x49, 0, 2), transfer(0x68, 0x75, 1), transfer(0x68, 0x3b, 14)]);
    failed(Thermometer::new(i2c.clone(), 0x49, Kind::Lm75).read());
    failed(Mpu6050::new(i2c.clone(), motion::ADDRESS).begin());
    failed(Mpu6050::new(i2c.clone(), motion::ADDRESS).read());
    i2c.done();
}

#[test]
fn the_motion_sensor_is_woken_and_read_at_once() {
    let readings = [0x40, 0, 0xe0, 0, 0, 0, 0x0b, 0x35, 0, 131, 0xff, 0x7d, 0x80, 0];
    let mut i2c = Mock::new(&[
        Transaction::write_read(0x69, vec![0x75], vec![0x68]),
        Transaction::write(0x69, vec![0x6b, 1]),
        Transaction::write(0x69, vec![0x1b, 0]),
        Transaction::write(0x69, vec![0x1c, 0]),
        Transaction::write_read(0x69, vec![0x3b], readings.to_vec()),
    ]);
    let mut sensor = Mpu6050::new(i2c.clone(), 0x69);
    sensor.begin().unwrap();
    let motion = sensor.read().unwrap();
    assert_eq!(motion, Motion { acceleration: [16384, -8192, 0], rotation: [131, -131, i16::MIN] });
    assert_eq!(motion.to_string(), "acceleration 1.00 -0.50 0.00 g, rotation 1.0 -1.0 -250.1 degrees/s");
    i2c.done();
}

#[test]
fn another_device_is_refused() {
    let mut i2c = Mock::new(&[Transaction::write_read(0x68, vec![0x75], vec![0x71])]);
    assert_eq!(
        Mpu6050::new(i2c.clone(), motion::ADDRESS).begin(),
        Err(Error::WrongDevice { address: 0x68, expected: 0x68, found: 0x71 })
    );
    i2c.done();
}

/// A motion sensor that stops answering at each of its settings.
#[test]
fn each_setting_may_fail() {
    let settings = [vec![0x6b, 1], vec![0x1b, 0], vec![0x1c, 0]];
    for count in 0..settings.len() {
        let mut transfers = vec![Transaction::write_read(0x68, vec![0x75], vec![0x68])];
        transfers.extend(settings[..count].iter().map(|bytes| Transaction::write(0x68, bytes.clone())));
        transfers.push(Transaction::write(0x68, settings[count].clone()).with_error(NOBODY));
        let mut i2c = Mock::new(&transfers);
        failed(Mpu6050::new(i2c.clone(), motion::ADDRESS).begin());
        i2c.done();
    }
}

/// The bank, the name in two transfers each, the reset.
fn ov2640(name: [u8; 2]) -> Vec<Transaction> {
    vec![
        Transaction::write(0x30, vec![0xff, 0x01]),
        Transaction::write(0x30, vec![0x0a]),
        Transaction::read(0x30, vec![name[0]]),
        Transaction::write(0x30, vec![0x0b]),
        Transaction::read(0x30, vec![name[1]]),
        Transaction::write(0x30, vec![0x12, 0x80]),
    ]
}

#[test]
fn an_image_sensor_is_named_reset_and_set_up() {
    for revision in [0x41, 0x42] {
        let mut transfers = ov2640([0x26, revision]);
        transfers.extend([Transaction::write(0x30, vec![0xff, 0]), Transaction::write(0x30, vec![0xda, 8])]);
        let mut i2c = Mock::new(&transfers);
        let mut delay = CheckedDelay::new(&[Delay::delay_ms(100)]);
        OV2640.set_up(&mut i2c, &mut delay, &[(0xff, 0), (0xda, 8)]).unwrap();
        i2c.done();
        delay.done();
    }
    let mut i2c = Mock::new(&[
        Transaction::write(0x3c, vec![0x30, 0x0a]),
        Transaction::read(0x3c, vec![0x56]),
        Transaction::write(0x3c, vec![0x30, 0x0b]),
        Transaction::read(0x3c, vec![0x42]),
        Transaction::write(0x3c, vec![0x30, 0x08, 0x80]),
        Transaction::write(0x3c, vec![0x43, 0x00, 0x61]),
    ]);
    OV5642.set_up(&mut i2c, &mut NoopDelay::new(), &[(0x4300, 0x61)]).unwrap();
    i2c.done();
}

#[test]
fn another_image_sensor_is_refused_before_anything_is_changed() {
    let mut i2c = Mock::new(&ov2640([0x76, 0x73])[..5]);
    assert_eq!(
        OV2640.set_up(&mut i2c, &mut NoopDelay::new(), &[(0xff, 0)]),
        Err(Error::WrongDevice { address: 0x30, expected: 0x2640, found: 0x7673 })
    );
    i2c.done();
}

#[test]
fn each_transfer_to_an_image_sensor_may_fail() {
    let mut all = ov2640([0x26, 0x42]);
    all.push(Transaction::write(0x30, vec![0xda, 8]));
    for count in 0..all.len() {
        let mut transfers = all[..=count].to_vec();
        transfers[count] = transfers[count].clone().with_error(NOBODY);
        let mut i2c = Mock::new(&transfers);
        failed(OV2640.set_up(&mut i2c, &mut NoopDelay::new(), &[(0xda, 8)]));
        i2c.done();
    }
}

#[test]
fn text_fits_or_is_refused() {
    let mut bytes = [0; 22];
    let mut text = Text::new(&mut bytes);
    let temperature = Temperature { parts: -128 };
    write!(text, "{temperature}").unwrap();
    assert_eq!(text.as_str(), "temperature -0.5 C");
    assert!(write!(text, "; more").is_err());
    assert_eq!(text.as_str(), "temperature -0.5 C");
    write!(text, " é.").unwrap();
    assert_eq!(text.as_str(), "temperature -0.5 C é.");
    text.clear();
    assert_eq!(text.as_str(), "");
    assert!(Text::new(&mut []).write_str("x").is_err());
}

#[test]
fn numbers_are_rounded_away_from_zero() {
    let cases = [
        (Decimal::of(1, 2, 0), "1"),
        (Decimal::of(-1, 2, 0), "-1"),
        (Decimal::of(-1, 3, 0), "0"),
        (Decimal::of(-5, 100, 2), "-0.05"),
        (Decimal::of(i32::MIN, 1, 9), "-2.147483647"),
        (Decimal::of(i32::MAX, 0, 200), "2.147483647"),
        (Decimal { value: i32::MIN, places: 255 }, "-2.147483648"),
    ];
    for (decimal, text) in cases {
        assert_eq!(decimal.to_string(), text);
    }
}

//! TensorBoard event files.
//!
//! A file is a sequence of TFRecords (length, masked CRC-32C of the length, payload, masked CRC-32C of
//! the payload; integers little-endian), each payload a protobuf `Event`. The few fields that scalars
//! need are encoded here: `Event { wall_time = 1, step = 2, file_version = 3, summary = 5 }`,
//! `Summary { value = 1 }`, `Value { tag = 1, simple_value = 2 }`.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::RecordError;

const WIRE_VARINT: u64 = 0;
const WIRE_FIXED64: u64 = 1;
const WIRE_BYTES: u64 = 2;
const WIRE_FIXED32: u64 = 5;

/// Appends scalars to an event file that TensorBoard reads.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: File,
}

impl EventWriter {
    /// Begins a new event file in a directory, which is made. A run that goes on begins another file;
    /// TensorBoard joins the files of a directory.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn create(directory: &Path) -> Result<Self, RecordError> {
        fs::create_dir_all(directory).map_err(RecordError::io(directory))?;
        let now = seconds_since_epoch();
        let name = format!("events.out.tfevents.{now:017.6}.toolrl");
        let path = directory.join(name);
        let file = File::create(&path).map_err(RecordError::io(&path))?;
        let mut writer = Self { path, file };
        let mut event = event_at(now);
        put_bytes(&mut event, 3, b"brain.Event:2");
        writer.append(&event)?;
        Ok(writer)
    }

    /// Appends the scalars of one step.
    ///
    /// # Arguments
    /// - `scalars`: name (slashes make groups) and value.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn append_scalars(&mut self, step: u64, scalars: &[(String, f64)]) -> Result<(), RecordError> {
        let mut summary = Vec::new();
        for (tag, value) in scalars {
            let mut entry = Vec::new();
            put_bytes(&mut entry, 1, tag.as_bytes());
            put_key(&mut entry, 2, WIRE_FIXED32);
            entry.extend((*value as f32).to_le_bytes());
            put_bytes(&mut summary, 1, &entry);
        }
        let mut event = event_at(seconds_since_epoch());
        put_key(&mut event, 2, WIRE_VARINT);
        put_varint(&mut event, step);
        put_bytes(&mut event, 5, &summary);
        self.append(&event)
    }

    fn append(&mut self, event: &[u8]) -> Result<(), RecordError> {
        self.file.write_all(&framed(event)).map_err(RecordError::io(&self.path))?;
        self.file.flush().map_err(RecordError::io(&self.path))
    }
}

fn seconds_since_epoch() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// The start of an `Event`: its wall time in seconds.
fn event_at(wall_time: f64) -> Vec<u8> {
    let mut event = Vec::new();
    put_key(&mut event, 1, WIRE_FIXED64);
    event.extend(wall_time.to_le_bytes());
    event
}

fn put_key(out: &mut Vec<u8>, field: u64, wire_type: u64) {
    put_varint(out, field << 3 | wire_type);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_key(out, field, WIRE_BYTES);
    put_varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// A TFRecord around a payload.
fn framed(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(payload.len() + 16);
    record.extend(length);
    record.extend(masked_crc(&length).to_le_bytes());
    record.extend(payload);
    record.extend(masked_crc(payload).to_le_bytes());
    record
}

/// The CRC-32C as TFRecords hold it: rotated and moved, so that the checksum of data that holds
/// checksums stays a good one.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits a file into payloads and checks both checksums of each.
    fn payloads(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_at(8);
            let (crc, rest) = rest.split_at(4);
            assert_eq!(crc, masked_crc(length).to_le_bytes());
            let n = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            let (payload, rest) = rest.split_at(n);
            let (crc, rest) = rest.split_at(4);
            assert_eq!(crc, masked_crc(payload).to_le_bytes());
            payloads.push(payload.to_vec());
            bytes = rest;
        }
        payloads
    }

    #[test]
    fn checksum_is_the_published_one() {
        // CRC-32C of 32 zero bytes is 8a9136aa (RFC 3720, B.4).
        let expected = 0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(masked_crc(&[0; 32]), expected);
    }

    #[test]
    fn varints_are_little_endian_groups_of_seven_bits() {
        for (value, expected) in [(0, vec![0]), (127, vec![127]), (128, vec![0x80, 1]), (300, vec![0xac, 2])]
        {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn a_file_holds_its_version_and_the_scalars() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(dir.path()).unwrap();
        writer.append_scalars(300, &[("reward/mean".into(), 1.5), ("loss".into(), -0.5)]).unwrap();
        let payloads = payloads(&fs::read(&writer.path).unwrap());
        assert_eq!(payloads.len(), 2);
        // Field 1, a double, is nine bytes in both.
        assert_eq!(payloads[0][9..], *b"\x1a\x0dbrain.Event:2");
        let mut expected = b"\x10\xac\x02\x2a\x21".to_vec();
        expected.extend(b"\x0a\x12\x0a\x0breward/mean\x15\x00\x00\xc0\x3f");
        expected.extend(b"\x0a\x0b\x0a\x04loss\x15\x00\x00\x00\xbf");
        assert_eq!(payloads[1][9..], expected);
    }
}

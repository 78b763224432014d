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

use super::{RecordError, write_whole};
use crate::protobuf::{
    WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT, put_bytes, put_double, put_key, put_number,
};

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

    /// Goes on in the directory of a run that was cut off. Of what is there, the events stay that `keep` takes by step and
    /// tag; a torn end goes. (TensorBoard would show both points of a step that is written twice.)
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn resume(directory: &Path, keep: impl Fn(u64, &str) -> bool) -> Result<Self, RecordError> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries.collect::<Result<Vec<_>, _>>().map_err(RecordError::io(directory))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(RecordError::io(directory)(e)),
        };
        for path in entries.into_iter().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("events.out.tfevents") {
                let bytes = fs::read(&path).map_err(RecordError::io(&path))?;
                let kept: Vec<u8> =
                    records(&bytes).filter(|record| stays(record, &keep)).flatten().copied().collect();
                if kept.len() < bytes.len() {
                    write_whole(&path, &kept)?;
                }
            }
        }
        Self::create(directory)
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
        put_number(&mut event, 2, step);
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
    put_double(&mut event, 1, wall_time);
    event
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

/// The whole TFRecords at the beginning of a file, as they stand there.
fn records(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = u64::from_le_bytes(*bytes.first_chunk()?);
        let end = usize::try_from(length).ok()?.checked_add(16)?;
        let (record, rest) = bytes.split_at_checked(end)?;
        bytes = rest;
        Some(record)
    })
}

/// Whether a record stays: one without scalars does.
fn stays(record: &[u8], mut keep: impl FnMut(u64, &str) -> bool) -> bool {
    let event = &record[12..record.len() - 4];
    let number = |field| fields(event).find_map(|(key, value)| value.number().filter(|_| key == field));
    let inside =
        |message, field| fields(message).find_map(|(key, value)| value.bytes().filter(|_| key == field));
    let tag = inside(event, 5).and_then(|summary| inside(summary, 1)).and_then(|value| inside(value, 1));
    tag.is_none_or(|tag| keep(number(2).unwrap_or(0), &String::from_utf8_lossy(tag)))
}

/// The value of a protobuf field.
#[derive(Clone, Copy)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn number(self) -> Option<u64> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }

    fn bytes(self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }
}

/// The fields of a protobuf message, up to the first that is none: number and value.
fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, Field<'_>)> {
    std::iter::from_fn(move || {
        let key = take_varint(&mut message)?;
        let field = match key & 7 {
            WIRE_VARINT => Field::Number(take_varint(&mut message)?),
            WIRE_FIXED64 => Field::Bytes(take(&mut message, 8)?),
            WIRE_BYTES => {
                let length = usize::try_from(take_varint(&mut message)?).ok()?;
                Field::Bytes(take(&mut message, length)?)
            }
            WIRE_FIXED32 => Field::Bytes(take(&mut message, 4)?),
            _ => return None,
        };
        Some((key >> 3, field))
    })
}

fn take<'a>(bytes: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(n)?;
    *bytes = rest;
    Some(taken)
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
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

    #[test]
    fn a_resumed_run_has_each_step_once_and_no_torn_record() {
        let dir = tempfile::tempdir().unwrap();
        let scalars = |tag: &str| [(tag.to_owned(), 0.5)];
        let mut writer = EventWriter::create(dir.path()).unwrap();
        writer.append_scalars(0, &scalars("evaluation/held-out/reward")).unwrap();
        (1..=300).for_each(|step| writer.append_scalars(step, &scalars("loss")).unwrap());
        let path = writer.path.clone();
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 3);
        fs::write(&path, bytes).unwrap();
        let seen = || {
            let mut seen: Vec<(u64, String)> = Vec::new();
            for entry in fs::read_dir(dir.path()).unwrap() {
                let bytes = fs::read(entry.unwrap().path()).unwrap();
                payloads(&bytes);
                let see = |record: &[u8]| {
                    stays(record, |step, tag| {
                        seen.push((step, tag.to_owned()));
                        true
                    });
                };
                records(&bytes).for_each(see);
            }
            seen.sort();
            seen
        };
        let mut resumed = EventWriter::resume(dir.path(), |step, _| step <= 200).unwrap();
        (201..=250).for_each(|step| resumed.append_scalars(step, &scalars("loss")).unwrap());
        let steps: Vec<u64> = seen().into_iter().map(|(step, _)| step).collect();
        assert_eq!(steps, (0..=250).collect::<Vec<_>>());
        drop(EventWriter::resume(dir.path(), |_, tag| !tag.starts_with("evaluation/")).unwrap());
        assert_eq!(seen().len(), 250, "other evaluations go");
        drop(EventWriter::resume(&dir.path().join("new"), |_, _| true).unwrap());
    }
}

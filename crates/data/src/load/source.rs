//! The bytes of a file or a pipe, unpacked.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

use super::encoding::Encoding;
use super::limits::Limits;
use crate::DataError;

/// What a file holds, told by its first bytes.
pub(super) enum Source {
    /// A Parquet table.
    Table(Vec<u8>),
    /// Text.
    Text(String),
}

/// What stands where Git LFS has not fetched a file.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Packed files that are not read, by their first bytes.
const ARCHIVES: [(&[u8], &str); 4] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"7z\xbc\xaf", "a 7z archive"),
];

/// Reads a file whole, so that a pipe, which can be read once, does as well.
pub(super) fn read(path: &Path, limits: &Limits) -> Result<Source, DataError> {
    let io = |source| DataError::Io { path: path.into(), source };
    let bytes = read_within(path, File::open(path).map_err(io)?, "bytes of the file", limits)?;
    if bytes.starts_with(LFS_POINTER) {
        return Err(DataError::LfsPointer { path: path.into() });
    }
    let bytes = unpacked(path, bytes, limits)?;
    let named_parquet = path.extension().is_some_and(|extension| extension == "parquet");
    if named_parquet || bytes.starts_with(b"PAR1") {
        return Ok(Source::Table(bytes));
    }
    text(path, bytes).map(Source::Text)
}

/// What gzip or zstd packed; other bytes as they are.
fn unpacked(path: &Path, bytes: Vec<u8>, limits: &Limits) -> Result<Vec<u8>, DataError> {
    const WHAT: &str = "bytes of the unpacked file";
    match bytes.as_slice() {
        [0x1f, 0x8b, ..] => read_within(path, MultiGzDecoder::new(bytes.as_slice()), WHAT, limits),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = ZstdDecoder::with_buffer(bytes.as_slice());
            let decoder = decoder.map_err(|source| DataError::Io { path: path.into(), source })?;
            read_within(path, decoder, WHAT, limits)
        }
        _ => Ok(bytes),
    }
}

/// UTF-8 without its byte-order mark.
fn text(path: &Path, bytes: Vec<u8>) -> Result<String, DataError> {
    let format = |found| DataError::Format { path: path.into(), found };
    if let Some((_, what)) = ARCHIVES.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err(format((*what).to_owned()));
    }
    match Encoding::of(&bytes) {
        Encoding::Utf8 => {}
        encoding => return Err(format(format!("{encoding} text: save it as UTF-8"))),
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        format(format!("bytes that are no UTF-8 at offset {}", error.utf8_error().valid_up_to()))
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// All that a reader gives, where that is not too much.
fn read_within(
    path: &Path,
    reader: impl Read,
    what: &'static str,
    limits: &Limits,
) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    let read = reader.take(limits.bytes + 1).read_to_end(&mut bytes);
    let read = read.map_err(|source| DataError::Io { path: path.into(), source })?;
    if read as u64 > limits.bytes {
        return Err(DataError::TooLarge { path: path.into(), what, limit: limits.bytes });
    }
    Ok(bytes)
}

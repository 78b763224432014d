//! Rows as a Parquet file.

use std::path::Path;

use arrow_array::{ArrayRef, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::{RecordError, write_whole};

/// Writes columns, each with its name and whether it may be null, Zstandard-compressed; the file appears whole or not at
/// all.
pub(super) fn write_table(path: &Path, columns: Vec<(String, ArrayRef, bool)>) -> Result<(), RecordError> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns).map_err(RecordError::parquet(path))?;
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))
        .map_err(RecordError::parquet(path))?;
    writer.write(&batch).map_err(RecordError::parquet(path))?;
    writer.close().map_err(RecordError::parquet(path))?;
    write_whole(path, &bytes)
}

/// Reads the rows of a file, batch by batch.
pub(super) fn read_table<T>(
    path: &Path,
    rows: impl Fn(&RecordBatch) -> Result<Vec<T>, ParquetError>,
) -> Result<Vec<T>, RecordError> {
    let file = std::fs::File::open(path).map_err(RecordError::io(path))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build());
    let mut read = Vec::new();
    for batch in reader.map_err(RecordError::parquet(path))? {
        let batch = batch.map_err(RecordError::parquet(path))?;
        read.extend(rows(&batch).map_err(RecordError::parquet(path))?);
    }
    Ok(read)
}

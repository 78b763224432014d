//! How much of a file is read.

/// The most that a dataset may be: whatever a file holds, reading it ends before the memory does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of a file, of what it unpacks to, and of a table's columns in memory.
    pub(super) bytes: u64,
    /// Bytes of a line of JSON.
    pub(super) line: usize,
    /// Columns of a table, those inside lists and structs counted.
    pub(super) columns: usize,
    /// Levels of a table's schema.
    pub(super) levels: usize,
}

impl Limits {
    /// 4 GiB in all, 64 MiB a line, 1,000 columns, 64 levels.
    pub(super) const DEFAULT: Self = Self { bytes: 4 << 30, line: 64 << 20, columns: 1_000, levels: 64 };
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use arrow_array::{ArrayRef, Int32Array, RecordBatch};
    use parquet::arrow::ArrowWriter;
    use parquet::file::metadata::{
        FileMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter,
    };

    use super::*;
    use crate::load::footer::nesting;
    use crate::load::rows_within;
    use crate::{DataError, Message, Sample, TaskKind, write_parquet};

    const SMALL: Limits = Limits { bytes: 1 << 20, line: 1 << 10, columns: 4, levels: 8 };

    fn put(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A table with one message of so many bytes.
    fn table(directory: &Path, bytes: usize) -> PathBuf {
        let path = directory.join("t.parquet");
        let message = Message::new("user", "x".repeat(bytes));
        let gold = "<think> a".into();
        let sample = Sample {
            id: "a".into(),
            messages: vec![message],
            tools: Vec::new(),
            gold,
            kind: TaskKind::Other,
            unseen_tools: false,
        };
        write_parquet(&path, &[sample]).unwrap();
        path
    }

    #[test]
    fn what_is_too_large_is_named_before_it_is_in_memory() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let zeros = vec![b' '; 50 << 20];
        let row = b"{\"instruction\": \"a\"}\n".repeat(2);
        let long = [b"{\"a\": \"".as_slice(), &[b'x'; 2 << 10], b"\"}\n"].concat();
        let cases = [
            (put(at, "large.jsonl", &zeros[..2 << 20]), "bytes of the file: more than 1048576"),
            (put(at, "bomb.jsonl.gz", &gzip(&zeros)), "bytes of the unpacked file: more than 1048576"),
            (put(at, "long.jsonl", &[&row, long.as_slice()].concat()), "line 3: longer than 1024 bytes"),
            (table(at, 3 << 20), "bytes of the unpacked table: more than 1048576"),
        ];
        for (path, part) in cases {
            let size = std::fs::metadata(&path).unwrap().len();
            let error = rows_within(&path, &SMALL.with_columns(9)).unwrap_err().to_string();
            assert!(error.contains(part), "{} of {size} bytes: {error}", path.display());
        }
        let error = rows_within(&table(at, 10), &SMALL).unwrap_err().to_string();
        assert!(error.contains("columns of the table: more than 4"), "{error}");
        assert!(rows_within(&table(at, 10), &Limits::DEFAULT).is_ok());
    }

    impl Limits {
        fn with_columns(self, columns: usize) -> Self {
            Self { columns, ..self }
        }
    }

    /// A footer that says 2^60 rows, in the file and in its only row group, where there are two.
    #[test]
    fn a_table_has_the_rows_that_it_has() {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let whole = bytes::Bytes::from(bytes.clone());
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&whole).unwrap();
        let group = metadata.row_group(0).clone().into_builder().set_num_rows(1 << 60).build().unwrap();
        let file = metadata.file_metadata();
        let file = FileMetaData::new(file.version(), 1 << 60, None, None, file.schema_descr_ptr(), None);
        let claims = ParquetMetaData::new(file, vec![group]);
        ParquetMetaDataWriter::new(&mut bytes, &claims).finish().unwrap();
        let start = Instant::now();
        let rows = rows_within(&put(directory.path(), "t.parquet", &bytes), &Limits::DEFAULT);
        assert!(rows.as_ref().is_ok_and(|rows| rows.len() == 2) || rows.is_err(), "{rows:?}");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }

    /// A footer of groups inside one another: `a.a.a.…`, the innermost a number.
    fn nested(levels: usize) -> Vec<u8> {
        const GROUP: &[u8] = b"\x35\0\x18\x01a\x15\x02\0";
        const LEAF: &[u8] = b"\x15\x02\x25\0\x18\x01a\0";
        let mut count = (levels + 1) as u64;
        let mut size = Vec::new();
        while count >= 0x80 {
            size.push(count as u8 | 0x80);
            count >>= 7;
        }
        size.push(count as u8);
        let schema = [b"\x15\x02\x19\xfc", size.as_slice(), &GROUP.repeat(levels), LEAF].concat();
        let footer = [schema.as_slice(), b"\x16\0\x19\x0c\0"].concat();
        let len = u32::try_from(footer.len()).unwrap().to_le_bytes();
        [b"PAR1", footer.as_slice(), &len, b"PAR1"].concat()
    }

    /// A field with the highest number that there is, and one more.
    #[test]
    fn a_footer_s_fields_have_any_numbers() {
        let footer = b"\x05\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x15\x02\0";
        let len = u32::try_from(footer.len()).unwrap().to_le_bytes();
        let bytes = [b"PAR1", footer.as_slice(), &len, b"PAR1"].concat();
        let directory = tempfile::tempdir().unwrap();
        let path = put(directory.path(), "t.parquet", &bytes);
        assert_eq!(nesting(&bytes), Some(0));
        assert!(rows_within(&path, &Limits::DEFAULT).is_err());
    }

    #[test]
    fn a_schema_nested_too_deeply_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for (levels, refused) in [(1, false), (64, false), (65, true), (1_000_000, true)] {
            let path = put(directory.path(), "t.parquet", &nested(levels));
            let found = rows_within(&path, &Limits::DEFAULT);
            let is_refused = matches!(found, Err(DataError::TooLarge { limit: 64, .. }));
            assert_eq!(is_refused, refused, "{levels}: {found:?}");
        }
    }
}

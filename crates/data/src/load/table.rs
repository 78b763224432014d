//! Parquet tables, read as the JSON rows that they hold.

use std::fs::File;
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::{Field, Row};
use serde_json::{Map, Value};

use crate::{DataError, Place};

/// The table's rows.
pub(super) fn rows(path: &Path, file: File) -> Result<Vec<(Place, Value)>, DataError> {
    let parquet = |source: ParquetError| DataError::Parquet { path: path.into(), source };
    let reader = SerializedFileReader::new(file).map_err(parquet)?;
    let rows = reader.get_row_iter(None).map_err(parquet)?;
    rows.enumerate().map(|(index, row)| Ok((Place::Row(index + 1), object(&row.map_err(parquet)?)))).collect()
}

fn object(row: &Row) -> Value {
    let fields = row.get_column_iter().map(|(name, field)| (name.clone(), value(field)));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// A field as JSON. Of the scalar types only those that rows use are kept: text, integers and booleans.
fn value(field: &Field) -> Value {
    match field {
        Field::Bool(flag) => Value::from(*flag),
        Field::Int(number) => Value::from(*number),
        Field::UInt(number) => Value::from(*number),
        Field::Long(number) => Value::from(*number),
        Field::ULong(number) => Value::from(*number),
        Field::Float(number) => Value::from(*number),
        Field::Double(number) => Value::from(*number),
        Field::Str(text) => Value::from(text.as_str()),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(value).collect()),
        _ => Value::Null,
    }
}

//! Parquet tables, read as the JSON rows that they hold.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, OffsetSizeTrait, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use serde_json::{Map, Value};

use super::footer;
use super::limits::Limits;
use crate::{DataError, Place};

/// Rows that are unpacked at a time.
const BATCH: usize = 256;

/// The table's rows.
pub(super) fn rows(path: &Path, file: File, limits: &Limits) -> Result<Vec<(Place, Value)>, DataError> {
    // The reader checks most of what a file claims, and panics at some of the rest.
    let read = catch_unwind(AssertUnwindSafe(|| read(path, file, limits)));
    read.unwrap_or_else(|_| Err(failed(path, ParquetError::General("the file contradicts itself".into()))))
}

fn failed(path: &Path, source: ParquetError) -> DataError {
    DataError::Parquet { path: path.into(), source }
}

fn read(path: &Path, mut file: File, limits: &Limits) -> Result<Vec<(Place, Value)>, DataError> {
    let failed = |source| failed(path, source);
    let too_large = |what, limit| DataError::TooLarge { path: path.into(), what, limit };
    let levels = footer::nesting(&mut file).map_err(|source| DataError::Io { path: path.into(), source })?;
    match levels {
        Some(levels) if levels > limits.levels => {
            return Err(too_large("levels of the table's schema", limits.levels as u64));
        }
        Some(_) => {}
        None => return Err(failed(ParquetError::General("the footer cannot be read".into()))),
    }
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(failed)?;
    if builder.parquet_schema().num_columns() > limits.columns {
        return Err(too_large("columns of the table", limits.columns as u64));
    }
    let mut rows = Vec::new();
    let mut bytes = 0;
    for batch in builder.with_batch_size(BATCH).build().map_err(failed)? {
        let batch = batch.map_err(|error| failed(error.into()))?;
        bytes += batch.get_array_memory_size() as u64;
        if bytes > limits.bytes {
            return Err(too_large("bytes of the unpacked table", limits.bytes));
        }
        objects(&batch, &mut rows);
    }
    Ok(rows.into_iter().enumerate().map(|(index, row)| (Place::Row(index + 1), row)).collect())
}

/// Appends the rows of a batch.
fn objects(batch: &RecordBatch, rows: &mut Vec<Value>) {
    let schema = batch.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    rows.extend(zipped(names.zip(batch.columns()), batch.num_rows()));
}

/// Objects whose fields are columns.
fn zipped<'a>(columns: impl Iterator<Item = (&'a str, &'a ArrayRef)>, count: usize) -> Vec<Value> {
    let mut objects = vec![Map::new(); count];
    for (name, column) in columns {
        for (object, value) in objects.iter_mut().zip(values(column)) {
            object.insert(name.to_owned(), value);
        }
    }
    objects.into_iter().map(Value::Object).collect()
}

/// A column as JSON. Of the scalar types only those that rows use are kept: text, numbers and booleans.
fn values(array: &dyn Array) -> Vec<Value> {
    match array.data_type() {
        DataType::Boolean => array.as_boolean().iter().map(Value::from).collect(),
        DataType::Int8 => numbers::<Int8Type>(array),
        DataType::Int16 => numbers::<Int16Type>(array),
        DataType::Int32 => numbers::<Int32Type>(array),
        DataType::Int64 => numbers::<Int64Type>(array),
        DataType::UInt8 => numbers::<UInt8Type>(array),
        DataType::UInt16 => numbers::<UInt16Type>(array),
        DataType::UInt32 => numbers::<UInt32Type>(array),
        DataType::UInt64 => numbers::<UInt64Type>(array),
        DataType::Float32 => numbers::<Float32Type>(array),
        DataType::Float64 => numbers::<Float64Type>(array),
        DataType::Utf8 => array.as_string::<i32>().iter().map(Value::from).collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().map(Value::from).collect(),
        DataType::List(_) => lists::<i32>(array),
        DataType::LargeList(_) => lists::<i64>(array),
        DataType::Struct(_) => structs(array),
        _ => vec![Value::Null; array.len()],
    }
}

fn numbers<T: ArrowPrimitiveType<Native: Into<Value>>>(array: &dyn Array) -> Vec<Value> {
    array.as_primitive::<T>().iter().map(|number| number.map_or(Value::Null, Into::into)).collect()
}

fn lists<O: OffsetSizeTrait>(array: &dyn Array) -> Vec<Value> {
    let lists = array.as_list::<O>().iter();
    lists.map(|items| items.map_or(Value::Null, |items| Value::Array(values(&items)))).collect()
}

fn structs(array: &dyn Array) -> Vec<Value> {
    let structs = array.as_struct();
    let mut objects = zipped(structs.column_names().into_iter().zip(structs.columns()), array.len());
    for (index, object) in objects.iter_mut().enumerate() {
        if array.is_null(index) {
            *object = Value::Null;
        }
    }
    objects
}

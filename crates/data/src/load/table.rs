//! Parquet tables, read as the JSON rows that they hold.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, OffsetSizeTrait, RecordBatch};
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use toolrl_grammar::json::{Object, PyInt, PyStr, Value};

use super::footer;
use super::limits::Limits;
use crate::{DataError, Place};

/// A cell or a row.
type Cell = Value<'static>;

/// Rows that are unpacked at a time.
const BATCH: usize = 256;

/// The table's rows.
pub(super) fn rows(path: &Path, table: Vec<u8>, limits: &Limits) -> Result<Vec<(Place, Cell)>, DataError> {
    // The reader checks most of what a file claims, and panics at some of the rest.
    let read = catch_unwind(AssertUnwindSafe(|| read(path, table, limits)));
    read.unwrap_or_else(|_| Err(failed(path, ParquetError::General("the file contradicts itself".into()))))
}

fn failed(path: &Path, source: ParquetError) -> DataError {
    DataError::Parquet { path: path.into(), source }
}

fn read(path: &Path, table: Vec<u8>, limits: &Limits) -> Result<Vec<(Place, Cell)>, DataError> {
    let failed = |source| failed(path, source);
    let too_large = |what, limit| DataError::TooLarge { path: path.into(), what, limit };
    match footer::nesting(&table) {
        Some(levels) if levels > limits.levels => {
            return Err(too_large("levels of the table's schema", limits.levels as u64));
        }
        Some(_) => {}
        None => return Err(failed(ParquetError::General("the footer cannot be read".into()))),
    }
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder =
        ParquetRecordBatchReaderBuilder::try_new_with_options(Bytes::from(table), options).map_err(failed)?;
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
fn objects(batch: &RecordBatch, rows: &mut Vec<Cell>) {
    let schema = batch.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    rows.extend(zipped(names.zip(batch.columns()), batch.num_rows()).into_iter().map(Value::Object));
}

/// Objects whose fields are columns. A cell without a value is no field: a table has every column in every row.
fn zipped<'a>(columns: impl Iterator<Item = (&'a str, &'a ArrayRef)>, count: usize) -> Vec<Object<'static>> {
    let mut objects = vec![Object::default(); count];
    for (name, column) in columns {
        for (object, value) in objects.iter_mut().zip(values(column)) {
            if !matches!(value, Value::Null) {
                object.insert(name.to_owned().into(), value);
            }
        }
    }
    objects
}

/// A column as JSON. Of the scalar types only those that rows use are kept: text, numbers and booleans.
/// Bytes without the mark of text are what they are: [`PyStr`] holds any.
fn values(array: &dyn Array) -> Vec<Cell> {
    match array.data_type() {
        DataType::Boolean => array.as_boolean().iter().map(|flag| cell(flag, Value::Bool)).collect(),
        DataType::Int8 => whole::<Int8Type>(array),
        DataType::Int16 => whole::<Int16Type>(array),
        DataType::Int32 => whole::<Int32Type>(array),
        DataType::Int64 => whole::<Int64Type>(array),
        DataType::UInt8 => whole::<UInt8Type>(array),
        DataType::UInt16 => whole::<UInt16Type>(array),
        DataType::UInt32 => whole::<UInt32Type>(array),
        DataType::UInt64 => whole::<UInt64Type>(array),
        DataType::Float32 => {
            array.as_primitive::<Float32Type>().iter().map(|x| cell(x, |x| Value::Float(x.into()))).collect()
        }
        DataType::Float64 => {
            array.as_primitive::<Float64Type>().iter().map(|x| cell(x, Value::Float)).collect()
        }
        DataType::Utf8 => {
            array.as_string::<i32>().iter().map(|text| bytes(text.map(str::as_bytes))).collect()
        }
        DataType::LargeUtf8 => {
            array.as_string::<i64>().iter().map(|text| bytes(text.map(str::as_bytes))).collect()
        }
        DataType::Binary => array.as_binary::<i32>().iter().map(bytes).collect(),
        DataType::LargeBinary => array.as_binary::<i64>().iter().map(bytes).collect(),
        DataType::FixedSizeBinary(_) => array.as_fixed_size_binary().iter().map(bytes).collect(),
        DataType::List(_) => lists::<i32>(array),
        DataType::LargeList(_) => lists::<i64>(array),
        DataType::Struct(_) => structs(array),
        DataType::Map(..) => maps(array),
        other => (0..array.len()).map(|index| unread(other, array.is_valid(index))).collect(),
    }
}

/// A cell of a type that no row uses: an object that names the type, so that it is seen where it is met.
fn unread(kind: &DataType, is_there: bool) -> Cell {
    let named = |()| Value::Object([(kind.to_string().into(), Value::Null)].into_iter().collect());
    cell(is_there.then_some(()), named)
}

fn cell<T>(value: Option<T>, of: impl FnOnce(T) -> Cell) -> Cell {
    value.map_or(Value::Null, of)
}

fn bytes(text: Option<&[u8]>) -> Cell {
    cell(text, |text| Value::Str(PyStr(Cow::Owned(text.to_vec()))))
}

fn whole<T: ArrowPrimitiveType<Native: Into<i128>>>(array: &dyn Array) -> Vec<Cell> {
    let number = |number: T::Native| {
        let number: i128 = number.into();
        let small = i64::try_from(number).map(PyInt::Small);
        Value::Int(small.unwrap_or_else(|_| PyInt::Big(number.to_string().into())))
    };
    array.as_primitive::<T>().iter().map(|found| cell(found, number)).collect()
}

fn lists<O: OffsetSizeTrait>(array: &dyn Array) -> Vec<Cell> {
    array.as_list::<O>().iter().map(|items| cell(items, |items| Value::List(values(&items)))).collect()
}

fn structs(array: &dyn Array) -> Vec<Cell> {
    let structs = array.as_struct();
    let objects = zipped(structs.column_names().into_iter().zip(structs.columns()), array.len());
    let present = (0..array.len()).map(|index| array.is_valid(index));
    present.zip(objects).map(|(is_there, object)| cell(is_there.then_some(object), Value::Object)).collect()
}

/// Objects of any keys.
fn maps(array: &dyn Array) -> Vec<Cell> {
    let object = |entries: arrow_array::StructArray| {
        let pairs = values(entries.column(0)).into_iter().zip(values(entries.column(1)));
        let fields = pairs.filter_map(|(key, value)| match key {
            Value::Str(key) => Some((key, value)),
            _ => None,
        });
        Value::Object(fields.collect())
    };
    array.as_map().iter().map(|entries| cell(entries, object)).collect()
}

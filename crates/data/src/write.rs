//! Writing datasets in verl's form, which the released rows have.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, ListArray, RecordBatch, StringArray, StructArray, UInt64Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde_json::json;
use toolrl_chat::ContentForm;

use crate::{DataError, Message, Sample};

/// Writes one row a line. [`load`](crate::load()) reads back the same samples: beside the released fields,
/// `extra_info` holds their `id`, `kind` and `unseen_tools`.
///
/// # Errors
/// [`DataError::Io`] when the file cannot be written.
pub fn write_jsonl(path: &Path, samples: &[Sample]) -> Result<(), DataError> {
    let io = |source| DataError::Io { path: path.into(), source };
    let mut writer = BufWriter::new(File::create(path).map_err(io)?);
    for (index, sample) in samples.iter().enumerate() {
        let mut row = json!({
            "prompt": sample.messages,
            "reward_model": {"ground_truth": sample.gold.text(), "style": "rule"},
            "extra_info": {
                "index": index,
                "id": sample.id,
                "kind": sample.kind,
                "unseen_tools": sample.unseen_tools,
            },
        });
        if !sample.tools.is_empty() {
            row["tools"] = sample.tools.clone().into();
        }
        writeln!(writer, "{row}").map_err(io)?;
    }
    writer.flush().map_err(io)
}

/// Writes a Parquet table of the same fields as [`write_jsonl`], compressed by zstd.
///
/// # Errors
/// [`DataError::Io`] when the file cannot be made, [`DataError::Parquet`] when it cannot be written.
pub fn write_parquet(path: &Path, samples: &[Sample]) -> Result<(), DataError> {
    let file = File::create(path).map_err(|source| DataError::Io { path: path.into(), source })?;
    let parquet = |source: ParquetError| DataError::Parquet { path: path.into(), source };
    let batch = batch(samples).map_err(|error| parquet(error.into()))?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).map_err(parquet)?;
    writer.write(&batch).map_err(parquet)?;
    writer.close().map_err(parquet)?;
    Ok(())
}

fn batch(samples: &[Sample]) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let messages: Vec<&Message> = samples.iter().flat_map(|sample| &sample.messages).collect();
    let mut parts = vec![
        ("role", texts(messages.iter().map(|message| message.role.as_str()))),
        ("content", Arc::new(messages.iter().map(|message| content(message)).collect::<StringArray>())),
    ];
    parts.extend(column("more", messages.iter().map(|message| more(message))));
    let message = group(parts);
    let prompt = ListArray::try_new(
        Arc::new(Field::new("item", message.data_type().clone(), false)),
        OffsetBuffer::from_lengths(samples.iter().map(|sample| sample.messages.len())),
        message,
        None,
    )?;
    let tools = samples.iter().map(|sample| {
        (!sample.tools.is_empty()).then(|| serde_json::Value::from(sample.tools.clone()).to_string())
    });
    let reward_model = group(vec![
        ("ground_truth", texts(samples.iter().map(|sample| sample.gold.text()))),
        ("style", texts(samples.iter().map(|_| "rule"))),
    ]);
    let extra_info = group(vec![
        ("index", Arc::new(UInt64Array::from_iter_values(0..samples.len() as u64)) as ArrayRef),
        ("id", texts(samples.iter().map(|sample| sample.id.as_str()))),
        ("kind", texts(samples.iter().map(|sample| sample.kind.as_str()))),
        (
            "unseen_tools",
            Arc::new(BooleanArray::from_iter(samples.iter().map(|sample| Some(sample.unseen_tools)))),
        ),
    ]);
    let mut columns = vec![
        ("prompt", Arc::new(prompt) as ArrayRef),
        ("reward_model", reward_model),
        ("extra_info", extra_info),
    ];
    columns.extend(column("tools", tools));
    RecordBatch::try_from_iter(columns)
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(texts))
}

/// A column of JSON texts; none where none has one.
fn column(name: &str, texts: impl Iterator<Item = Option<String>>) -> Option<(&str, ArrayRef)> {
    let texts: StringArray = texts.collect();
    (texts.null_count() < texts.len()).then(|| (name, Arc::new(texts) as ArrayRef))
}

/// A message's content where it is a text.
fn content(message: &Message) -> Option<&str> {
    (message.form == ContentForm::Text).then_some(message.content.as_str())
}

/// What a message has beside its role and a content that is a text, as the JSON of an object.
fn more(message: &Message) -> Option<String> {
    let mut more = message.fields.clone();
    if let ContentForm::Parts(parts) = &message.form {
        more.insert("content".to_owned(), parts.clone().into());
    }
    more.extend(message.tool_calls.clone().map(|calls| ("tool_calls".to_owned(), calls)));
    (!more.is_empty()).then(|| serde_json::Value::Object(more).to_string())
}

fn group(fields: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, array)| {
            (Arc::new(Field::new(name, DataType::clone(array.data_type()), array.null_count() > 0)), array)
        })
        .collect();
    Arc::new(StructArray::from(fields))
}

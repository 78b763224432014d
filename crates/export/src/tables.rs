//! Tasks as tables in the columns of other trainers.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, StringArray, StructArray, UInt64Array};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, Field};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde_json::Value;
use toolrl_train::{PromptedTask, Shown};

use crate::{ExportError, RENDERED};

/// TRL's: the prompt as text, and a column for everything that reward.py and train.py read.
pub(crate) fn write_trl(path: &Path, tasks: &[PromptedTask]) -> Result<(), ExportError> {
    let mut columns = vec![("prompt", texts(tasks.iter().map(|task| task.prompt.text.as_str())))];
    columns.push(("gold", golds(tasks)));
    columns.extend(of_reward(tasks));
    write(path, columns)
}

/// verl's: the prompt as one message in the role whose content `tokenizer/` renders as it stands.
pub(crate) fn write_verl(path: &Path, tasks: &[PromptedTask], name: &str) -> Result<(), ExportError> {
    let source =
        |task: &'_ PromptedTask| if task.source.is_empty() { name.to_owned() } else { task.source.clone() };
    let sources: Vec<String> = tasks.iter().map(source).collect();
    let role = texts(tasks.iter().map(|_| RENDERED));
    let message =
        group(vec![("role", role), ("content", texts(tasks.iter().map(|task| task.prompt.text.as_str())))]);
    let prompt = ListArray::try_new(
        Arc::new(Field::new("item", message.data_type().clone(), false)),
        OffsetBuffer::from_lengths(tasks.iter().map(|_| 1)),
        message,
        None,
    );
    let prompt = prompt.map_err(|e| parquet(path, e.into()))?;
    let style = texts(tasks.iter().map(|_| "rule"));
    let index = UInt64Array::from_iter_values(0..tasks.len() as u64);
    let extra = [vec![("index", Arc::new(index) as ArrayRef)], of_reward(tasks)].concat();
    let columns = vec![
        ("data_source", texts(sources.iter().map(String::as_str))),
        ("prompt", Arc::new(prompt) as ArrayRef),
        ("ability", texts(tasks.iter().map(|_| "tool_call"))),
        ("reward_model", group(vec![("style", style), ("ground_truth", golds(tasks))])),
        ("extra_info", group(extra)),
    ];
    write(path, columns)
}

/// TRL's of fine-tuning: token ids, of which those of the reply are learned.
pub(crate) fn write_shown(path: &Path, shown: &[Shown]) -> Result<(), ExportError> {
    let (mut ids, mut learned) =
        (ListBuilder::new(Int64Builder::new()), ListBuilder::new(Int64Builder::new()));
    for Shown { tokens, prompt } in shown {
        ids.append_value(tokens.iter().map(|&id| Some(i64::from(id))));
        learned.append_value((0..tokens.len()).map(|at| Some(i64::from(at >= *prompt))));
    }
    let columns: [(&str, ArrayRef); 2] =
        [("input_ids", Arc::new(ids.finish())), ("completion_mask", Arc::new(learned.finish()))];
    write(path, columns.into())
}

/// What the reward reads beside the reply and the gold one, and what tells that the prompt is read as it should be.
fn of_reward(tasks: &[PromptedTask]) -> Vec<(&'static str, ArrayRef)> {
    let tools: Vec<String> =
        tasks.iter().map(|task| Value::from(task.sample.tools.clone()).to_string()).collect();
    let tokens = UInt64Array::from_iter_values(tasks.iter().map(|task| task.prompt.tokens.len() as u64));
    vec![
        ("id", texts(tasks.iter().map(|task| task.sample.id.as_str()))),
        ("kind", texts(tasks.iter().map(|task| task.sample.kind.as_str()))),
        ("tools", texts(tools.iter().map(String::as_str))),
        ("opened", texts(tasks.iter().map(|task| task.prompt.opened.as_str()))),
        ("prompt_tokens", Arc::new(tokens)),
    ]
}

fn golds(tasks: &[PromptedTask]) -> ArrayRef {
    texts(tasks.iter().map(|task| task.sample.gold.text()))
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(texts))
}

fn group(fields: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let field = |(name, array): (&str, ArrayRef)| {
        (Arc::new(Field::new(name, array.data_type().clone(), false)), array)
    };
    Arc::new(StructArray::from(fields.into_iter().map(field).collect::<Vec<_>>()))
}

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) -> Result<(), ExportError> {
    let batch = RecordBatch::try_from_iter(columns).map_err(|e: ArrowError| parquet(path, e.into()))?;
    let file = File::create(path).map_err(|source| ExportError::Write { path: path.to_owned(), source })?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    let written =
        ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).and_then(|mut writer| {
            writer.write(&batch)?;
            writer.close()
        });
    written.map(drop).map_err(|source| parquet(path, source))
}

fn parquet(path: &Path, source: ParquetError) -> ExportError {
    ExportError::Parquet { path: path.to_owned(), source }
}

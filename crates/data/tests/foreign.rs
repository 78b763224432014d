//! Files as other programs write them: encodings, fields of others, tables of every kind, pipes.

#![allow(clippy::unwrap_used, reason = "the lint spares test functions, not their helpers")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, LargeStringArray, RecordBatch, StructArray};
use arrow_schema::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};
use toolrl_data::{DataError, Form, Sample, load};

const GOLD: &str = "<think> a </think>\n<response> b </response>";

fn put(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Loads rows as lines of JSON.
fn load_rows(rows: &[String]) -> Result<toolrl_data::Loaded, DataError> {
    let directory = tempfile::tempdir().unwrap();
    load(&put(directory.path(), "rows.jsonl", rows.join("\n").as_bytes()))
}

/// A row in the form of instructions with one more field, given as JSON.
fn row_with(field: &str, value: &str) -> String {
    let row = json!({"instruction": "Be brief.", "input": "Hi", "output": GOLD}).to_string();
    format!("{}, \"{field}\": {value}}}", &row[..row.len() - 1])
}

/// A row in verl's form with this `extra_info` and what else is there.
fn verl(extra_info: Value, more: Value) -> String {
    let prompt = json!([{"role": "user", "content": "Hi"}]);
    let mut row = json!({"prompt": prompt, "reward_model": {"ground_truth": GOLD}, "extra_info": extra_info});
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row.to_string()
}

fn ids(samples: &[Sample]) -> Vec<&str> {
    samples.iter().map(|sample| sample.id.as_str()).collect()
}

#[test]
fn byte_order_marks_and_line_ends_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let row = row_with("id", "1");
    let texts = [
        format!("\u{feff}{row}\n{row}\n"),
        format!("\u{feff}[{row},\r\n {row}]"),
        format!("{row}\r\n\r\n{row}\r\n"),
        format!("{{\n{}\n{{\n{}", &row[1..], &row[1..]),
        // Two files that were joined.
        format!("\u{feff}{row}\n\u{feff}{row}"),
    ];
    for text in texts {
        let path = put(directory.path(), "a.json", text.as_bytes());
        assert_eq!(load(&path).unwrap().samples.len(), 2, "{text:?}");
    }
}

#[test]
fn other_encodings_and_packed_files_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let units: Vec<u16> = "\u{feff}[{}]".encode_utf16().collect();
    let utf16 =
        |order: fn(u16) -> [u8; 2], from: usize| units[from..].iter().flat_map(|&unit| order(unit)).collect();
    let utf32 = |order: fn(u32) -> [u8; 4], from: usize| {
        units[from..].iter().flat_map(|&unit| order(unit.into())).collect()
    };
    let cases: [(Vec<u8>, &str); 12] = [
        (utf16(u16::to_le_bytes, 0), "UTF-16"),
        (utf16(u16::to_be_bytes, 0), "UTF-16"),
        (utf16(u16::to_le_bytes, 1), "UTF-16"),
        (utf16(u16::to_be_bytes, 1), "UTF-16"),
        (utf32(u32::to_le_bytes, 0), "UTF-32"),
        (utf32(u32::to_be_bytes, 0), "UTF-32"),
        (utf32(u32::to_le_bytes, 1), "UTF-32"),
        (utf32(u32::to_be_bytes, 1), "UTF-32"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n".to_vec(), "Git LFS"),
        (b"PK\x03\x04rest".to_vec(), "zip"),
        (b"BZh91AY".to_vec(), "bzip2"),
        (b"\xfd7zXZ\0".to_vec(), "xz"),
    ];
    for (bytes, name) in cases {
        for file in ["a.jsonl", "a.json"] {
            let error = load(&put(directory.path(), file, &bytes)).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(file), "{error}");
        }
    }
    let pointer = put(directory.path(), "t.parquet", b"version https://git-lfs.github.com/spec/v1\n");
    assert!(matches!(load(&pointer), Err(DataError::LfsPointer { .. })));
}

#[test]
fn what_nobody_reads_stops_no_row() {
    let deep = "[".repeat(500) + &"]".repeat(500);
    let long = "7".repeat(4000);
    let values = ["NaN", "-Infinity", "1e999", "\"\\ud83d\"", "[{\"a\": [null, NaN]}]", &deep, &long];
    for value in values {
        let loaded = load_rows(&[row_with("score", value), row_with("id", value)]).unwrap();
        assert_eq!(loaded.samples.len(), 2, "{value}");
        assert_eq!(loaded.reading.passed_over.get("score"), Some(&1), "{value}");
        assert_eq!((loaded.reading.passed_over.len(), loaded.reading.surrogates), (1, 0), "{value}");
    }
    // A string that is read keeps all but its surrogate.
    let cut = row_with("id", "0").replace("\"Hi\"", "\"cut \\ud83d off\"");
    let loaded = load_rows(&[cut]).unwrap();
    assert_eq!(loaded.samples[0].messages[1].content, "cut \u{fffd} off");
    assert_eq!(loaded.reading.surrogates, 1);
}

#[test]
fn fields_that_change_the_prompt_are_read_or_refused() {
    for field in ["images", "videos", "audio", "documents", "chat_template_kwargs", "multi_modal_data"] {
        let error = load_rows(&[row_with("id", "0"), row_with(field, "[\"a\"]")]).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains(&format!("`{field}`")), "{error}");
        // What is empty changes nothing.
        for empty in ["null", "[]", "\"\""] {
            assert!(load_rows(&[row_with(field, empty)]).is_ok(), "{field}: {empty}");
        }
    }
    for (more, field) in [(json!({"system": "Be brief."}), "system"), (json!({"input": "a"}), "input")] {
        let error = load_rows(&[verl(json!({}), more)]).unwrap_err().to_string();
        assert!(error.contains(&format!("`{field}`")) && error.contains("line 1"), "{error}");
    }
    let tool = json!({"type": "function", "function": {"name": "f"}});
    for tools in [json!([tool]), json!(json!([tool]).to_string()), json!([tool.to_string()])] {
        let rows = [verl(json!({}), json!({"tools": tools})), row_with("tools", &tools.to_string())];
        for sample in load_rows(&rows).unwrap().samples {
            assert_eq!(sample.tools, std::slice::from_ref(&tool), "{tools}");
        }
    }
    let functions = load_rows(&[verl(json!({}), json!({"functions": [{"name": "f"}]}))]).unwrap();
    assert_eq!(functions.samples[0].tools, [tool]);
}

#[test]
fn alpacas_system_and_history_are_read() {
    let rows = [
        json!({"instruction": "And now?", "input": "In Rome.", "output": GOLD, "system": "Be brief.",
            "history": [["Weather?", "Sunny."]]}),
        json!({"instruction": "Hi", "input": "", "output": GOLD, "history": []}),
        // Its optional fields are absent, but it stands among the others.
        json!({"instruction": "Hello", "output": GOLD}),
    ];
    let loaded = load_rows(&rows.map(|row| row.to_string())).unwrap();
    assert_eq!(loaded.reading.forms.get(&Form::Alpaca), Some(&3));
    assert_eq!((loaded.reading.read["instruction"], loaded.reading.read["history"]), (3, 1));
    let said = |sample: &Sample| {
        sample.messages.iter().map(|m| format!("{}: {}", m.role, m.content)).collect::<Vec<_>>()
    };
    let first = ["system: Be brief.", "user: Weather?", "assistant: Sunny.", "user: And now?\nIn Rome."];
    assert_eq!(said(&loaded.samples[0]), first);
    assert_eq!(said(&loaded.samples[1]), ["user: Hi"]);
    assert_eq!(said(&loaded.samples[2]), ["user: Hello"]);
}

#[test]
fn extra_info_is_its_authors() {
    let infos = [
        json!({"id": 7}),
        json!({"index": "seven", "kind": "math", "unseen_tools": "no"}),
        json!({"kind": 3, "id": ["a"], "index": -1}),
        json!("free text"),
        json!([1, 2]),
        json!(null),
    ];
    let loaded = load_rows(&infos.map(|info| verl(info, json!({})))).unwrap();
    assert_eq!(ids(&loaded.samples), ["7", "rows:seven", "rows:-1", "rows:3", "rows:4", "rows:5"]);
    assert!(loaded.reading.passed_over.is_empty());
}

#[test]
fn ids_are_unique_whatever_the_rows_say() {
    let infos = [json!({"index": 1}), json!({"id": "rows:1#2"}), json!({"index": 1}), json!({"index": 1})];
    let loaded = load_rows(&infos.map(|info| verl(info, json!({})))).unwrap();
    assert_eq!(ids(&loaded.samples), ["rows:1", "rows:1#2", "rows:1#3", "rows:1#4"]);
    assert_eq!(loaded.reading.repeated_ids, 2);
}

#[test]
fn calls_of_messages_are_read_in_every_form_or_refused() {
    let with = |fields: Value| {
        let mut message = json!({"role": "assistant", "content": null});
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        verl(json!({}), json!({"prompt": [{"role": "user", "content": "Hi"}, message]}))
    };
    let want = json!([{"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]);
    let function = |arguments: Value| json!({"name": "f", "arguments": arguments});
    let same = [
        json!({"tool_calls": want}),
        json!({"tool_calls": [{"id": "c1", "type": "function", "function": function(json!("{\"a\": 1}"))}]}),
        json!({"tool_calls": [{"id": "c1", "name": "f", "arguments": {"a": 1}}]}),
        json!({"tool_calls": want.to_string()}),
    ];
    for fields in same {
        let samples = load_rows(&[with(fields.clone())]).unwrap().samples;
        assert_eq!(samples[0].messages[1].tool_calls, Some(want.clone()), "{fields}");
    }
    // What else is there keeps its place.
    let whole = json!([{"function": {"arguments": {"a": 1}, "strict": true, "name": "f"}, "index": 0}]);
    let samples = load_rows(&[with(json!({"tool_calls": whole}))]).unwrap().samples;
    assert_eq!(samples[0].messages[1].tool_calls.as_ref().map(ToString::to_string), Some(whole.to_string()));
    let legacy = load_rows(&[with(json!({"function_call": function(json!(""))}))]).unwrap().samples;
    let call = json!([{"type": "function", "function": {"name": "f", "arguments": {}}}]);
    assert_eq!(legacy[0].messages[1].tool_calls, Some(call));
    let refused = [
        (json!({"tool_calls": "call f"}), "tool_calls"),
        (json!({"tool_calls": [{"function": {"arguments": {}}}]}), "tool_calls.0.function.name"),
        (json!({"tool_calls": [function(json!("[1]"))]}), "tool_calls.0.arguments"),
        (json!({"function_call": "auto"}), "function_call"),
        (json!({"content": "a", "images": ["b.png"]}), "images"),
        (json!({"content": [{"type": "image_url", "image_url": {"url": "b.png"}}]}), "content.0"),
    ];
    for (fields, field) in refused {
        let error = load_rows(&[with(fields)]).unwrap_err().to_string();
        assert!(error.contains(&format!("prompt.1.{field}`")), "{error}");
    }
    let number = with(json!({"tool_calls": [function(json!({"a": 0}))]}))
        .replace("\"a\":0", "\"a\":12345678901234567890123");
    let error = load_rows(&[number]).unwrap_err().to_string();
    assert!(error.contains("prompt.1.tool_calls.0.arguments.a") && error.contains("64 bits"), "{error}");
}

fn large(texts: Vec<&str>) -> ArrayRef {
    Arc::new(LargeStringArray::from_iter_values(texts))
}

fn binary(texts: Vec<&str>) -> ArrayRef {
    Arc::new(BinaryArray::from_iter_values(texts))
}

/// A table of rows in the form of instructions, of a text type and packed by a codec.
fn table(text: impl Fn(Vec<&str>) -> ArrayRef, codec: Compression) -> Vec<u8> {
    let columns = [("instruction", "Be brief."), ("input", "Hi"), ("output", GOLD)];
    let columns = columns.map(|(name, value)| (name, text(vec![value; 100])));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    written(&batch, codec)
}

fn written(batch: &RecordBatch, codec: Compression) -> Vec<u8> {
    let properties = WriterProperties::builder().set_compression(codec).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn tables_of_every_codec_and_text_type() {
    let directory = tempfile::tempdir().unwrap();
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::BROTLI(Default::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(Default::default()),
    ];
    for codec in codecs {
        for bytes in [table(large, codec), table(binary, codec)] {
            let loaded = load(&put(directory.path(), "t.parquet", &bytes)).unwrap();
            assert_eq!(loaded.samples.len(), 100, "{codec:?}");
            assert_eq!(loaded.samples[9].messages[1].content, "Hi", "{codec:?}");
        }
    }
    let broken = table(|_| Arc::new(BinaryArray::from_iter_values([b"\xff\xfea"])), Compression::SNAPPY);
    let error = load(&put(directory.path(), "b.parquet", &broken)).unwrap_err().to_string();
    assert!(error.contains("binary") && error.contains("`instruction`"), "{error}");
}

/// A struct column has every field in every row; what one row leaves empty is not there.
#[test]
fn empty_cells_of_a_struct_are_no_fields() {
    let number: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None]));
    let text: ArrayRef = Arc::new(LargeStringArray::from(vec![None, Some("seven")]));
    let field = |name, kind| Arc::new(Field::new(name, kind, true));
    let info = StructArray::from(vec![
        (field("index", DataType::Int64), number),
        (field("id", DataType::LargeUtf8), text),
    ]);
    let column = |value| Arc::new(LargeStringArray::from(vec![value, value])) as ArrayRef;
    let gold = StructArray::from(vec![(field("ground_truth", DataType::LargeUtf8), column(GOLD))]);
    let columns: [(&str, ArrayRef); 3] =
        [("prompt", column("Hi")), ("reward_model", Arc::new(gold)), ("extra_info", Arc::new(info))];
    let bytes = written(&RecordBatch::try_from_iter(columns).unwrap(), Compression::SNAPPY);
    let directory = tempfile::tempdir().unwrap();
    let loaded = load(&put(directory.path(), "t.parquet", &bytes)).unwrap();
    assert_eq!(ids(&loaded.samples), ["t:3", "seven"]);
    assert_eq!(loaded.samples[0].messages[0].content, "Hi");
}

#[test]
fn columns_of_other_types_are_counted() {
    let days: ArrayRef = Arc::new(arrow_array::Date32Array::from(vec![Some(1), None]));
    let text = |value| Arc::new(LargeStringArray::from(vec![value, value])) as ArrayRef;
    let model = json!({"ground_truth": GOLD}).to_string();
    let columns =
        |day_column| [("prompt", text("Hi")), ("reward_model", text(&model)), (day_column, days.clone())];
    let directory = tempfile::tempdir().unwrap();
    let table = |day_column| {
        let batch = RecordBatch::try_from_iter(columns(day_column)).unwrap();
        load(&put(directory.path(), "t.parquet", &written(&batch, Compression::SNAPPY)))
    };
    let loaded = table("day").unwrap();
    assert_eq!((loaded.samples.len(), &loaded.reading.passed_over["day"]), (2, &1));
    let error = table("system").unwrap_err().to_string();
    assert!(error.contains("`system`") && error.contains("row 1"), "{error}");
}

#[test]
fn zstd_and_pipes_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let row = row_with("id", "0");
    let packed = zstd::encode_all(row.as_bytes(), 1).unwrap();
    assert_eq!(load(&put(directory.path(), "a.jsonl.zst", &packed)).unwrap().samples.len(), 1);
    for bytes in [row.into_bytes(), packed, table(large, Compression::SNAPPY)] {
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::File::create(pipe).unwrap().write_all(&bytes).unwrap()
        });
        assert!(!load(&pipe).unwrap().samples.is_empty());
        writer.join().unwrap();
        std::fs::remove_file(pipe).unwrap();
    }
}

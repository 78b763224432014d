//! Replies in models' own forms, as bfcl-eval's handlers read them (`fixtures/bfcl_native/make.py`).

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::path::Path;

use toolrl_bfcl::{Handler, NativeFormat};
use toolrl_grammar::json::{self, Value};

fn rows() -> Vec<Value<'static>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/bfcl_native/rows.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| json::parse(line).unwrap().into_owned()).collect()
}

fn field<'v>(row: &'v Value<'_>, key: &str) -> &'v Value<'v> {
    row.as_object().unwrap().get(key.as_bytes()).unwrap()
}

fn text(value: &Value<'_>) -> String {
    let Value::Str(text) = value else { panic!("{value}") };
    text.lossy().into_owned()
}

#[test]
fn every_reply_is_read_as_officially() {
    let rows = rows();
    assert_eq!(rows.len(), 396);
    let mut wrong = Vec::new();
    for row in &rows {
        let (name, reply) = (text(field(row, "handler")), text(field(row, "reply")));
        let format = if name == "qwen" { NativeFormat::Hermes } else { NativeFormat::Json };
        let handler = Handler::Native(format);
        let ast = handler.decode_ast(&reply).map_or_else(|| "null".to_owned(), |calls| calls.to_string());
        let execute = match handler.decode_execute(&reply) {
            Ok(sources) => Value::List(sources.into_iter().map(Value::Str).collect()).to_string(),
            Err(_) => "null".to_owned(),
        };
        let spaced = |source: &str| source.replace(", ", ",");
        let expected = [field(row, "ast").to_string(), field(row, "execute").to_string()];
        if ast != expected[0] || spaced(&execute) != spaced(&expected[1]) {
            wrong.push(format!(
                "{name} {reply:?}\n  {ast}\n  {}\n  {execute}\n  {}",
                expected[0], expected[1]
            ));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn lists_in_blocks_are_read_and_closing_tags_are_found_in_linear_time() {
    let handler = Handler::Native(NativeFormat::Hermes);
    for (reply, calls) in [
        (
            r#"<tool_call>[{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}]</tool_call>"#,
            Some(2),
        ),
        (r#"<tool_call>[{"name": "f", "arguments": {}}]"#, Some(1)),
        ("<tool_call>\n[]\n</tool_call>", Some(0)),
        ("<tool_call>[1]</tool_call>", Some(0)),
        (r#"<tool_call>[{"name": "f"}]</tool_call>"#, None),
    ] {
        let found = handler.decode_ast(reply).map(|calls| match calls {
            Value::List(calls) => calls.len(),
            other => panic!("{other}"),
        });
        assert_eq!(found, calls, "{reply}");
    }
    let open = "<tool_call>\n[".repeat(1 << 17);
    assert!(handler.decode_ast(&format!("{open}\n</tool_call>")).is_some());
}

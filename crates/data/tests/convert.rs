//! Samples written in other forms and read again.

#![allow(clippy::unwrap_used, reason = "the lint spares test functions, not their helpers")]

use proptest::prelude::*;
use serde_json::{Value, json};
use toolrl_data::convert::{in_toolrls_text, openai_rows};
use toolrl_data::world::{World, WorldConfig};
use toolrl_data::{Message, Sample, TaskKind, load, write_parquet};

fn read_rows(rows: &[Value]) -> Vec<Sample> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.jsonl");
    std::fs::write(&path, rows.iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
    load(&path).unwrap().samples
}

fn tool(name: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!({"type": "function", "function": {"name": name, "description": "Tells.", "parameters": schema}})
}

/// Samples of a dialogue with calls, results and thoughts.
fn dialogue() -> Vec<Sample> {
    let call = |city: &str| json!({"name": "weather", "arguments": {"city": city, "n": 12345678901234567890123_f64}});
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Rome"}, {"type": "text", "text": "?"}]},
        {"role": "assistant", "content": "I look.", "reasoning_content": "The tool tells.", "tool_calls": [call("Rome"), call("Ostia")]},
        {"role": "tool", "tool_call_id": "a", "name": "weather", "content": "sunny"},
        {"role": "assistant", "content": "Sunny \u{1f600}."},
        {"role": "user", "content": "Thanks"},
        {"role": "assistant", "content": "<think>\nPolite.\n</think>\n\nFine."},
    ]);
    read_rows(&[json!({"id": "talk", "messages": messages, "tools": [tool("weather"), tool("time")]})])
}

#[test]
fn openais_rows_are_read_as_the_same_samples() {
    let config = WorldConfig { train: 60, held_out: 40, slips: 0.5, ..WorldConfig::default() };
    let world = World::generate(&config).unwrap();
    // Prompts in which ToolRL's replies stand, gold replies with odd spaces, and one that is broken.
    let text = "<think>a</think>\n<tool_call>\n{\"name\":  \"f\", \"parameters\": {}}\n</tool_call>";
    let odd = |id: &str, gold: &str, kind| Sample {
        id: id.to_owned(),
        messages: vec![
            Message::new("user", "Hi"),
            Message::new("assistant", text),
            Message::new("tool", "ok"),
        ],
        tools: vec![tool("f")],
        gold: gold.into(),
        kind,
        unseen_tools: true,
    };
    let mut samples = [world.train, world.held_out, dialogue()].concat();
    samples.push(odd("odd", text, TaskKind::Masked));
    let broken = odd("broken", "<tool_call>\n{\"name\": }\n</tool_call>", TaskKind::Other);
    let converted = openai_rows(&[samples.as_slice(), &[broken]].concat());
    assert_eq!(converted.left_out.iter().map(|left| left.id.as_str()).collect::<Vec<_>>(), ["broken"]);
    assert_eq!(read_rows(&converted.rows), samples);
    let row = &converted.rows[converted.rows.len() - 2];
    assert_eq!(row["messages"][2]["weight"], 0);
    let arguments = &row["messages"][2]["tool_calls"][0]["function"]["arguments"];
    assert!(arguments.as_str().is_some_and(|text| text.contains(": ")), "as Python writes it: {arguments}");
}

#[test]
fn verls_columns_hold_messages_and_tools() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.parquet");
    write_parquet(&path, &dialogue()).unwrap();
    assert_eq!(load(&path).unwrap().samples, dialogue());
}

#[test]
fn toolrls_text_holds_the_tools_and_the_dialogue() {
    let converted = in_toolrls_text(&dialogue(), None).unwrap();
    assert_eq!((converted.rows.len(), converted.left_out.len()), (3, 0));
    let [first, second, last] = &converted.rows[..] else { panic!() };
    let system = &last.messages[0].content;
    assert!(system.starts_with("Be brief.\n\nYou help a user"), "{system}");
    assert!(system.contains("1. Name: weather\nDescription: Tells.\nParameters: {\"city\": "), "{system}");
    assert!(last.tools.is_empty() && last.messages.len() == 2);
    let user = &last.messages[1].content;
    assert!(user.contains("<user> Rome? </user>\n<think> The tool tells. </think>\n<tool_call>\n"), "{user}");
    assert!(user.contains("<response> I look. </response>\n<obs> sunny </obs>\n<think> No call"), "{user}");
    assert!(first.gold.starts_with("<think> The tool tells. </think>\n<tool_call>\n{\"name\": \"weather\""));
    assert!(
        second.gold.ends_with("<response> Sunny \u{1f600}. </response>")
            && second.gold.starts_with("<think> No")
    );
    assert_eq!(last.gold.text(), "<think> Polite. </think>\n<response> Fine. </response>");
    // What is ToolRL's already stays.
    assert_eq!(in_toolrls_text(&converted.rows, None).unwrap().rows, converted.rows);
    let mut broken = dialogue().remove(0);
    broken.tools = vec![json!({"type": "function", "function": {"parameters": {}}})];
    let left = in_toolrls_text(&[broken], None).unwrap().left_out;
    assert!(left[0].reason.contains("tool"), "{left:?}");
}

/// A reply: words, calls or both, and thoughts.
fn reply() -> impl Strategy<Value = Value> {
    let call = (any::<String>(), prop::collection::btree_map(any::<String>(), any::<i64>(), 0..3));
    let call =
        call.prop_map(|(name, arguments)| json!({"name": name, "arguments": json!(arguments).to_string()}));
    let calls = prop::collection::vec(call, 0..3);
    (any::<Option<String>>(), calls, any::<Option<String>>()).prop_map(|(content, calls, thoughts)| {
        json!({"role": "assistant", "content": content.unwrap_or_default(), "tool_calls": calls, "reasoning_content": thoughts})
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn dialogues_of_any_text_come_back(turns in prop::collection::vec((any::<String>(), reply()), 1..5)) {
        let messages: Vec<_> = turns
            .into_iter()
            .flat_map(|(text, reply)| [json!({"role": "user", "content": text}), reply])
            .collect();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.jsonl");
        std::fs::write(&path, json!({ "messages": messages }).to_string()).unwrap();
        // A reply may say nothing, or hold ToolRL's tags.
        let Ok(loaded) = load(&path) else { return Ok(()) };
        let converted = openai_rows(&loaded.samples);
        prop_assert_eq!(&converted.left_out, &[]);
        prop_assert_eq!(read_rows(&converted.rows), loaded.samples);
    }
}

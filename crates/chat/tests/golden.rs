//! Every text and every conversation of the reference files, against transformers' ids and text.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toolrl_chat::{Chat, Message, TemplateVariables};

#[derive(Deserialize)]
struct Reference {
    texts: Vec<Text>,
    conversations: Vec<Conversation>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Conversation {
    name: String,
    messages: Vec<Message>,
    tools: Option<Vec<serde_json::Value>>,
    add_generation_prompt: bool,
    extra: serde_json::Map<String, serde_json::Value>,
    text: String,
    ids: Vec<u32>,
}

/// The folder of reference tokenizers.
fn tokenizers() -> Option<PathBuf> {
    toolrl_testing::shared("golden/model/tokenizers")
}

/// Checks one model directory against its reference file.
fn check(model: &Path, reference: &Path) {
    let chat = Chat::load(model).unwrap();
    let reference: Reference = serde_json::from_slice(&std::fs::read(reference).unwrap()).unwrap();
    assert_eq!(reference.texts.len(), 63);
    assert!(reference.conversations.len() >= 5);
    for case in &reference.texts {
        assert_eq!(chat.encode(&case.text).unwrap(), case.ids, "{:?}", case.text);
        check_spans(&chat, &case.ids);
    }
    for case in &reference.conversations {
        let variables = TemplateVariables { date: None, values: case.extra.clone() };
        let chat = chat.clone().with_variables(variables).unwrap();
        let tools = case.tools.as_deref().unwrap_or_default();
        let text = chat.render_with_tools(&case.messages, tools, case.add_generation_prompt).unwrap();
        assert_eq!(text, case.text, "{}", case.name);
        assert_eq!(chat.encode(&text).unwrap(), case.ids, "{}", case.name);
        assert_eq!(chat.decode(&case.ids, false).unwrap(), case.text, "{}", case.name);
        check_spans(&chat, &case.ids);
    }
}

/// Spans start where the one before ended or share a character with it, and cover the decoded text.
fn check_spans(chat: &Chat, ids: &[u32]) {
    let text = chat.decode(ids, false).unwrap();
    let spans = chat.spans(ids);
    assert_eq!(spans.len(), ids.len());
    let mut end = 0;
    for span in &spans {
        assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end), "{text:?} {spans:?}");
        assert!(span.start <= end && span.end >= end, "{text:?} {spans:?}");
        assert!(text[span.start..end].chars().count() <= 1, "{text:?} {spans:?}");
        end = span.end;
    }
    assert_eq!(end, text.len(), "{text:?}");
}

#[test]
fn qwen2_5() {
    if let Some(folder) = tokenizers() {
        check(&folder.join("qwen2.5"), &folder.join("qwen2.5.reference.json"));
    }
}

#[test]
fn qwen3() {
    if let Some(folder) = tokenizers() {
        check(&folder.join("qwen3"), &folder.join("qwen3.reference.json"));
    }
}

#[test]
fn llama3_2() {
    if let Some(folder) = tokenizers() {
        check(&folder.join("llama3"), &folder.join("llama3.2.reference.json"));
    }
}

#[test]
fn smollm2() {
    if let (Some(model), Some(folder)) = (toolrl_testing::smollm2(), tokenizers()) {
        check(&model, &folder.join("smollm2.reference.json"));
    }
}

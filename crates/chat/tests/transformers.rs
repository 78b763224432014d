//! Model directories as they are published, against what transformers' `AutoTokenizer` makes of the same files
//! (transformers/make.py).

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use toolrl_chat::{Chat, Message, TemplateVariables};

#[derive(Deserialize)]
struct Reference {
    tokenizer: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    files: BTreeMap<String, String>,
    texts: Vec<Text>,
    bos: Option<u32>,
    eos: Option<u32>,
    pad: Option<u32>,
    conversations: Vec<Conversation>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
    plain: String,
}

#[derive(Deserialize)]
struct Conversation {
    messages: Vec<Message>,
    tools: Option<Vec<Value>>,
    variables: Map<String, Value>,
    text: String,
}

fn write(dir: &Path, files: &BTreeMap<String, String>) {
    for (name, text) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn check(chat: &Chat, case: &Case) {
    let name = &case.name;
    for Text { text, ids, plain } in &case.texts {
        assert_eq!(&chat.encode(text).unwrap(), ids, "{name}: {text}");
        assert_eq!(&chat.decode(ids, true).unwrap(), plain, "{name}: {text}");
    }
    let special = (chat.bos_token_id(), chat.eos_token_id(), chat.pad_token_id());
    assert_eq!(special, (case.bos, case.eos, case.pad), "{name}");
    for conversation in &case.conversations {
        let values = conversation.variables.clone();
        let chat = chat.clone().with_variables(TemplateVariables { date: None, values }).unwrap();
        let tools = conversation.tools.as_deref().unwrap_or_default();
        let text = chat.render_with_tools(&conversation.messages, tools, true).unwrap();
        assert_eq!(text, conversation.text, "{name}");
    }
}

/// Once from the files, and once from the copies that a saved policy gets.
#[test]
fn directories_are_read_as_transformers_reads_them() {
    let reference: Reference = serde_json::from_str(include_str!("transformers/cases.json")).unwrap();
    assert!(reference.cases.len() > 20);
    for mut case in reference.cases {
        let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        case.files.insert("tokenizer.json".to_owned(), reference.tokenizer.to_string());
        write(dir.path(), &case.files);
        let chat = Chat::load(dir.path()).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        check(&chat, &case);
        chat.save_files(copy.path()).unwrap();
        check(&Chat::load(copy.path()).unwrap(), &case);
    }
}

//! Model directories: tokenizers and chat templates as others wrote them.

use std::sync::LazyLock;

use serde_json::json;
use toolrl_chat::{Chat, Message, TemplateVariables};

use crate::folder::{Folder, two_parts};

/// The tokenizer of the small policy that the quickstart begins with.
static TOKENIZER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/quickstart/tokenizer.json"))
        .expect("the fixture is there")
});

/// A tokenizer of one byte, for what needs one and does not use it.
const LEAST: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
    "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
    "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": {"a": 0}, "merges": []}}"#;

/// What a template must not be able to read.
const SECRET: &str = "it-stands-in-a-file-beside";

/// Texts that a tokenizer is tried on.
const TEXTS: [&str; 4] = ["", "a b", "<|im_start|>é\u{0}日本 \r\n\t😀", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"];

/// Loads the bytes as `tokenizer.json`, with what follows the first NUL as `tokenizer_config.json`. What
/// loads encodes, decodes and says where each token stands, or fails with an error.
pub fn tokenizer(data: &[u8]) {
    thread_local!(static FOLDER: Folder = Folder::new());
    let (tokenizer, config) = two_parts(data);
    let chat = FOLDER.with(|folder| {
        folder.put("tokenizer.json", tokenizer);
        folder.put("tokenizer_config.json", if config.is_empty() { b"{}" } else { config });
        let chat = Chat::load(folder.path());
        if let Err(error) = &chat {
            assert!(error.to_string().contains(&*folder.path().to_string_lossy()), "{error}");
        }
        chat
    });
    let Ok(chat) = chat else { return };
    let _ = chat.render(&[Message::new("user", "hi")], true);
    for text in TEXTS {
        let Ok(ids) = chat.encode(text) else { continue };
        assert!(ids.iter().all(|&id| (id as usize) < chat.vocab_size()), "{ids:?} of {}", chat.vocab_size());
        let _ = chat.decode(&ids, true);
        if chat.decode(&ids, false).is_ok() {
            assert_eq!(chat.spans(&ids).len(), ids.len());
        }
    }
    let ids: Vec<u32> = (0..40).chain([u32::MAX]).collect();
    let _ = chat.decode(&ids, false);
    assert_eq!(chat.spans(&ids).len(), ids.len());
}

/// Encodes and decodes a text by a tokenizer of bytes: the same text comes out, and the tokens' spans lie in
/// it, in order and without a gap. The bytes as token ids decode too.
pub fn text_tokens(data: &[u8]) {
    thread_local!(static CHAT: Chat = {
        let folder = Folder::new();
        folder.put("tokenizer.json", &TOKENIZER);
        Chat::load(folder.path()).expect("the fixture loads")
    });
    CHAT.with(|chat| {
        let text = String::from_utf8_lossy(data);
        let ids = chat.encode(&text).expect("every text has tokens");
        assert_eq!(chat.decode(&ids, false).expect("tokens have a text"), text);
        covers(chat, &ids, &text);
        let most = u32::try_from(chat.vocab_size()).expect("a small vocabulary") + 2;
        let ids: Vec<u32> = data
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |id, &byte| id << 8 | u32::from(byte)) % most)
            .collect();
        let text = chat.decode(&ids, false).expect("tokens have a text");
        covers(chat, &ids, &text);
    });
}

/// Panics unless the spans of tokens follow one another from the start of a text to its end. Tokens of one
/// character share it.
fn covers(chat: &Chat, ids: &[u32], text: &str) {
    let spans = chat.spans(ids);
    assert_eq!(spans.len(), ids.len());
    let mut end = 0;
    for span in &spans {
        assert!(text.get(span.clone()).is_some(), "{span:?} in {} bytes", text.len());
        assert!(span.start <= end && span.end >= end, "{span:?} after {end}");
        end = span.end;
    }
    assert_eq!(end, text.len());
}

/// Renders a template of any text over fixed conversations. It ends, twice alike, and reads no file.
pub fn chat_template(data: &[u8]) {
    thread_local!(static FOLDER: Folder = {
        let folder = Folder::new();
        folder.put("tokenizer.json", LEAST.as_bytes());
        folder.put("secret.txt", SECRET.as_bytes());
        folder
    });
    let chat = FOLDER.with(|folder| {
        folder.put("chat_template.jinja", data);
        Chat::load(folder.path())
    });
    let Ok(chat) = chat else { return };
    let values = [("enable_thinking".to_owned(), json!(true))].into_iter().collect();
    let variables = TemplateVariables { values, ..TemplateVariables::default() };
    let chat = chat.with_variables(variables).expect("no name of the conversation's");
    let call = json!([{"type": "function", "function": {"name": "f", "arguments": {"a": [1, 2.5, "é"]}}}]);
    let dialogue = [
        Message::new("system", "Be brief."),
        Message::new("user", " What time is it in Oslo?\n"),
        Message::new("assistant", "<think>so</think>").with_tool_calls(call),
        Message::new("tool", "12:00").with_field("name", json!("f")),
    ];
    let tools = [json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}})];
    // The fuzzer finds the words in the comparison below, and writes them itself.
    let has_the_secret = String::from_utf8_lossy(data).contains(&SECRET[..8]);
    let by_clock = data.windows(3).any(|part| part == b"now");
    for (messages, tools) in [(&dialogue[..2], &tools[..0]), (&dialogue, &tools)] {
        // A template that fails once, perhaps after all its fuel, is not tried again.
        let Ok(text) = chat.render_with_tools(messages, tools, true) else { return };
        assert!(!text.contains(SECRET) || has_the_secret, "a template read a file");
        let again = chat.render_with_tools(messages, tools, true);
        assert!(by_clock || again.is_ok_and(|again| again == text), "a template rendered differently");
    }
}

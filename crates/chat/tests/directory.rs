//! A trained tokenizer as a model directory: written, loaded, copied, and broken.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs;
use std::path::Path;

use serde_json::json;
use toolrl_chat::{Chat, ChatError, Message, TemplateVariables, TrainedTokenizer, train_bpe};

const VOCAB: usize = 290;

fn trained() -> TrainedTokenizer {
    let corpus = (0..200).map(|n| format!("call the weather tool for Oslo, day {n}: naïve 😀\n"));
    train_bpe(corpus, VOCAB, &["<tool_call>"]).unwrap()
}

fn loaded(dir: &Path) -> Chat {
    trained().save(dir).unwrap();
    Chat::load(dir).unwrap()
}

#[test]
fn training_is_deterministic() {
    assert_eq!(trained(), trained());
}

#[test]
fn special_tokens_come_first() {
    let dir = tempfile::tempdir().unwrap();
    let chat = loaded(dir.path());
    assert_eq!(chat.vocab_size(), VOCAB);
    let specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>"];
    assert_eq!(specials.map(|token| chat.token_id(token)), [Some(0), Some(1), Some(2), Some(3)]);
    assert_eq!((chat.bos_token_id(), chat.eos_token_id(), chat.pad_token_id()), (Some(0), Some(2), Some(0)));
}

#[test]
fn conversations_become_chatml_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let chat = loaded(dir.path());
    let text = chat.render(&[Message::new("user", "weather\nin Oslo")], true).unwrap();
    assert_eq!(text, "<|im_start|>user\nweather\nin Oslo<|im_end|>\n<|im_start|>assistant\n");
    let ids = chat.encode(&text).unwrap();
    assert_eq!(ids.iter().filter(|&&id| id == 1).count(), 2);
    assert_eq!(chat.decode(&ids, false).unwrap(), text);
    assert_eq!(chat.decode(&ids, true).unwrap(), "user\nweather\nin Oslo\nassistant\n");
}

#[test]
fn every_text_has_tokens_and_every_digit_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let chat = loaded(dir.path());
    for text in ["", "日本語 \u{0} \r\n\t", "day 199", "<|im_end|>\u{fffd}"] {
        assert_eq!(chat.decode(&chat.encode(text).unwrap(), false).unwrap(), text, "{text:?}");
    }
    assert_eq!(chat.encode("199").unwrap().len(), 3);
}

#[test]
fn tokens_of_one_character_share_its_span() {
    let dir = tempfile::tempdir().unwrap();
    let chat = loaded(dir.path());
    let spans_of = |text: &str| chat.spans(&chat.encode(text).unwrap());
    assert_eq!(spans_of("a語b"), [0..1, 1..4, 1..4, 1..4, 4..5]);
    let mut ids = chat.encode("語").unwrap();
    ids.pop();
    ids.push(9_999_999);
    assert_eq!(chat.decode(&ids, false).unwrap(), "\u{fffd}");
    assert_eq!(chat.spans(&ids), [0..3, 0..3, 3..3]);
}

#[test]
fn saved_files_are_the_same_bytes() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let chat = loaded(dir.path());
    let target = copy.path().join("step-1");
    chat.save_files(&target).unwrap();
    chat.save_files(dir.path()).unwrap();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        let original = fs::read(dir.path().join(name)).unwrap();
        assert!(!original.is_empty());
        assert_eq!(original, fs::read(target.join(name)).unwrap(), "{name}");
    }
    assert_eq!(fs::read_dir(&target).unwrap().count(), 2);
}

#[test]
fn a_template_file_wins_and_token_objects_are_read() {
    let dir = tempfile::tempdir().unwrap();
    loaded(dir.path());
    let config = r#"{"eos_token": {"content": "<tool_call>"}, "pad_token": null,
        "chat_template": [{"name": "default", "template": "from the list"}]}"#;
    fs::write(dir.path().join("tokenizer_config.json"), config).unwrap();
    fs::write(
        dir.path().join("special_tokens_map.json"),
        r#"{"eos_token": "x", "bos_token": "<|im_start|>"}"#,
    )
    .unwrap();
    let chat = Chat::load(dir.path()).unwrap();
    let x = chat.token_id("x");
    assert_eq!((chat.eos_token_id(), chat.bos_token_id(), chat.pad_token_id()), (x, Some(1), None));
    assert_eq!(chat.render(&[], false).unwrap(), "from the list");
    fs::write(dir.path().join("chat_template.jinja"), "from the file {{ eos_token }}\n").unwrap();
    let chat = Chat::load(dir.path()).unwrap();
    assert_eq!(chat.render(&[], false).unwrap(), "from the file x");
}

#[test]
fn errors_name_the_file() {
    let cases = [
        ("tokenizer.json", "{", "cannot build the tokenizer of"),
        ("tokenizer_config.json", "{", "is not JSON"),
        ("tokenizer_config.json", r#"{"eos_token": 3}"#, "eos_token must be a string"),
        ("tokenizer_config.json", r#"{"chat_template": 3}"#, "chat_template must be a string or a list"),
        ("tokenizer_config.json", r#"{"chat_template": "{% for %}"}"#, "does not compile"),
    ];
    for (name, broken, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        loaded(dir.path());
        fs::write(dir.path().join(name), broken).unwrap();
        let error = Chat::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(expected), "{error}");
    }
    let missing = Chat::load(Path::new("/nonexistent")).unwrap_err();
    assert!(
        matches!(missing, ChatError::Read { ref path, .. } if path.ends_with("tokenizer.json")),
        "{missing}"
    );
}

#[test]
fn without_a_template_only_rendering_fails() {
    let dir = tempfile::tempdir().unwrap();
    loaded(dir.path());
    fs::remove_file(dir.path().join("tokenizer_config.json")).unwrap();
    let chat = Chat::load(dir.path()).unwrap();
    assert!(!chat.encode("weather").unwrap().is_empty());
    assert!(matches!(chat.render(&[], true), Err(ChatError::NoTemplate { .. })));
}

#[test]
fn a_vocabulary_below_the_bytes_is_refused() {
    let error = train_bpe(std::iter::empty(), 258, &[]).unwrap_err();
    assert!(error.to_string().contains("259"), "{error}");
}

#[test]
fn a_template_that_does_not_end_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    loaded(dir.path());
    let nested = "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}\
                  {% set d = a %}{% endfor %}{% endfor %}{% endfor %}";
    let growing =
        "{% set ns = namespace(t='x') %}{% for a in range(99) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}";
    let calling = "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}";
    for template in [nested, growing, calling, "{{ 'x' * 10000000000000 }}"] {
        fs::write(dir.path().join("chat_template.jinja"), template).unwrap();
        let chat = Chat::load(dir.path()).unwrap();
        let error = chat.render(&[Message::new("user", "Hello")], true).unwrap_err();
        assert!(matches!(error, ChatError::Render { .. }), "{error}");
    }
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let chat = loaded(dir.path());
    let fits = |rows| chat.clone().with_embeddings(rows);
    assert!(fits(VOCAB).is_ok() && fits(VOCAB + 64).is_ok());
    let error = fits(VOCAB - 1).unwrap_err().to_string();
    assert!(error.contains("289") && error.contains("only 289"), "{error}");
}

#[test]
fn a_template_reads_variables_and_a_date_that_stands_still() {
    let dir = tempfile::tempdir().unwrap();
    loaded(dir.path());
    let template = "{% if enable_thinking is defined and not enable_thinking %}no {% endif %}{{ bos_token }} \
                    {{ strftime_now('%d %b %Y') }}";
    fs::write(dir.path().join("chat_template.jinja"), template).unwrap();
    let chat = Chat::load(dir.path()).unwrap();
    assert!(chat.tells_date());
    let of = |json| serde_json::from_value::<TemplateVariables>(json).unwrap();
    let rendered = |variables| {
        let chat = chat.clone().with_variables(variables).unwrap();
        chat.render(&[Message::new("user", "hi")], true).unwrap()
    };
    let fixed = json!({"date": "2024-07-26T18:30:00"});
    assert_eq!(rendered(of(fixed.clone())), "<|endoftext|> 26 Jul 2024");
    assert_eq!(serde_json::to_value(of(fixed.clone())).unwrap(), fixed);
    let set = json!({"date": "2023-01-02", "values": {"enable_thinking": false, "bos_token": "<s>"}});
    assert_eq!(rendered(of(set)), "no <s> 02 Jan 2023");
    for name in ["messages", "tools", "add_generation_prompt"] {
        let refused = chat.clone().with_variables(of(json!({"values": {name: 1}}))).unwrap_err();
        assert!(refused.to_string().contains(name), "{refused}");
    }
    assert!(serde_json::from_value::<TemplateVariables>(json!({"value": {}})).is_err());
}

#[test]
fn tokens_without_an_embedding_are_refused_where_a_text_has_them() {
    let dir = tempfile::tempdir().unwrap();
    loaded(dir.path());
    fs::write(dir.path().join("tokenizer_config.json"), r#"{"pad_token": "<pad>"}"#).unwrap();
    let chat = Chat::load(dir.path()).unwrap();
    assert_eq!(chat.pad_token_id(), Some(VOCAB as u32));
    assert!(chat.encode("a <pad>").is_ok());
    let chat = chat.with_embeddings(VOCAB).unwrap();
    assert!(chat.encode("a pad").is_ok());
    let error = chat.encode("a <pad>").unwrap_err().to_string();
    assert!(error.contains("ids up to 290") && error.contains("only 290 embeddings"), "{error}");
}

#[test]
fn pointers_and_tokenizers_of_other_forms_are_told() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 131\n";
    for name in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"]
    {
        let dir = tempfile::tempdir().unwrap();
        loaded(dir.path());
        fs::write(dir.path().join(name), pointer).unwrap();
        let error = Chat::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("git lfs pull"), "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tokenizer.model"), "").unwrap();
    let error = Chat::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("tokenizer.model") && error.contains("save_pretrained"), "{error}");
}

#[test]
fn adapters_have_the_words_of_their_base_where_they_have_none() {
    let (base, adapters, copy) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    loaded(base.path());
    let hi = [Message::new("user", "hi")];
    let none = Chat::load_on(adapters.path(), Some(base.path())).unwrap();
    assert!(none.dir() == base.path() && none.render(&hi, true).is_ok());
    // A tokenizer of their own, with one token more, and no template.
    let own = train_bpe(std::iter::once("a".to_owned()), 260, &["<own>"]).unwrap();
    own.save(adapters.path()).unwrap();
    fs::write(adapters.path().join("tokenizer_config.json"), r#"{"eos_token": "<own>"}"#).unwrap();
    let chat = Chat::load_on(adapters.path(), Some(base.path())).unwrap();
    assert!(chat.dir() == adapters.path() && chat.eos_token_id() == Some(3));
    chat.save_files(copy.path()).unwrap();
    let copied = Chat::load(copy.path()).unwrap();
    let text = copied.render(&hi, true).unwrap();
    assert_eq!(text, none.render(&hi, true).unwrap());
    assert_eq!(copied.eos_token_id(), Some(3));
}

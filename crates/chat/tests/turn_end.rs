//! Where an assistant's turn ends, for chat templates of several families.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs;

use serde_json::{Value, json};
use toolrl_chat::{Chat, ChatError, TurnEnd, train_bpe};

const TOKENS: [&str; 6] = ["<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "</s>", "[INST]", "<|user|>"];

/// The rule for a template, the tokenizer's `eos_token` and the ids of the model's configuration, all as texts.
fn end(template: &str, eos: Value, configured: &[&str]) -> Result<(String, Vec<String>), ChatError> {
    let dir = tempfile::tempdir().unwrap();
    let corpus = std::iter::once("a b".to_owned());
    train_bpe(corpus, 259 + TOKENS.len(), &TOKENS).unwrap().save(dir.path()).unwrap();
    let config = json!({"eos_token": eos, "bos_token": "<|endoftext|>", "chat_template": template});
    fs::write(dir.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    let chat = Chat::load(dir.path()).unwrap();
    let ids: Vec<u32> = configured.iter().map(|token| chat.token_id(token).unwrap()).collect();
    let TurnEnd { taught, stops } = TurnEnd::of(&chat, &ids)?;
    let text = |id: u32| chat.decode(&[id], false).unwrap();
    Ok((text(taught), stops.into_iter().map(text).collect()))
}

const CHATML: &str =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}";
const LLAMA_3: &str =
    "{% for m in messages %}{{ bos_token + m.role + '\n\n' + m.content | trim + '<|eot_id|>' }}{% endfor %}";
const GEMMA: &str =
    "{% for m in messages %}{{ m.role + '\n' + m.content | trim + '<end_of_turn>\n' }}{% endfor %}";
const MISTRAL: &str = "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }}[/INST]{% else %}\
                       {{ m.content + eos_token }}{% endif %}{% endfor %}";
const LLAMA_2: &str = "{% for m in messages %}{{ ' ' + m.content + ' ' + eos_token }}{% endfor %}";
const PLAIN: &str = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n\n{% endfor %}";
const REFUSING: &str = "{{ raise_exception('no assistants') }}";
const GLM: &str = "{% for m in messages %}<|user|>{{ m.content }}{% endfor %}";

#[test]
fn a_turn_ends_as_the_template_ends_it() {
    let end_of_text = json!("<|endoftext|>");
    for (template, eos, configured, taught, stops) in [
        (CHATML, json!("<|im_end|>"), &["<|im_end|>"][..], "<|im_end|>", &["<|im_end|>"][..]),
        // The configuration's first id is the end of a text, as in many releases.
        (CHATML, end_of_text.clone(), &["<|endoftext|>"], "<|im_end|>", &["<|im_end|>", "<|endoftext|>"]),
        (CHATML, json!(null), &[], "<|im_end|>", &["<|im_end|>"]),
        (
            LLAMA_3,
            json!("<|eot_id|>"),
            &["<|endoftext|>", "<|eom_id|>", "<|eot_id|>"],
            "<|eot_id|>",
            &["<|eot_id|>", "<|endoftext|>", "<|eom_id|>"],
        ),
        (LLAMA_3, end_of_text.clone(), &[], "<|eot_id|>", &["<|eot_id|>", "<|endoftext|>"]),
        (
            GEMMA,
            end_of_text.clone(),
            &["<|endoftext|>"],
            "<end_of_turn>",
            &["<end_of_turn>", "<|endoftext|>"],
        ),
        (MISTRAL, json!("</s>"), &["</s>"], "</s>", &["</s>"]),
        (LLAMA_2, json!("</s>"), &[], "</s>", &["</s>"]),
        // Templates that write no token there, and one whose turns end where the next one begins.
        (PLAIN, json!("</s>"), &["<|im_end|>"], "</s>", &["</s>", "<|im_end|>"]),
        (REFUSING, json!("</s>"), &[], "</s>", &["</s>"]),
        (GLM, end_of_text, &["<|user|>"], "<|endoftext|>", &["<|endoftext|>", "<|user|>"]),
        (PLAIN, json!(null), &["<|im_end|>", "</s>"], "<|im_end|>", &["<|im_end|>", "</s>"]),
    ] {
        let (found, all) = end(template, eos, configured).unwrap();
        assert_eq!(
            (found.as_str(), all),
            (taught, stops.iter().map(|&stop| stop.to_owned()).collect()),
            "{template}"
        );
    }
}

#[test]
fn no_end_at_all_is_refused() {
    for template in [PLAIN, REFUSING] {
        let error = end(template, json!(null), &[]).unwrap_err();
        assert!(matches!(error, ChatError::NoTurnEnd { .. }));
        assert!(error.to_string().contains("eos_token_id in generation_config.json"), "{error}");
    }
}

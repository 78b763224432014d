//! Which dialect a template writes, and tools told in the system's text.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::path::Path;

use serde_json::json;
use toolrl_chat::{Chat, ChatError, Message, ToolPrompt, train_bpe};
use toolrl_grammar::dialect::named;

fn chat(dir: &Path, template: &str) -> Chat {
    train_bpe(std::iter::empty(), 259, &[]).unwrap().save(dir).unwrap();
    std::fs::write(dir.join("chat_template.jinja"), template).unwrap();
    Chat::load(dir).unwrap()
}

/// ChatML whose assistant's calls are written so, and whose prompt opens the assistant's turn so.
fn chatml(call: &str, opening: &str) -> String {
    format!(
        "{{%- if tools %}}{{{{- '<|im_start|>system\\n' }}}}{{%- for tool in tools %}}{{{{- tool | tojson }}}}{{%- endfor %}}\
         {{{{- '<|im_end|>\\n' }}}}{{%- endif %}}\
         {{%- for m in messages %}}{{{{- '<|im_start|>' + m.role + '\\n' + m.content }}}}\
         {{%- for call in m.tool_calls or [] %}}{{%- set f = call.function %}}{call}{{%- endfor %}}{{{{- '<|im_end|>\\n' }}}}\
         {{%- endfor %}}{{%- if add_generation_prompt %}}{{{{- '<|im_start|>assistant\\n{opening}' }}}}{{%- endif %}}"
    )
}

const HERMES: &str = "{{- '<tool_call>\\n{\"name\": \"' + f.name + '\", \"arguments\": ' }}{{- f.arguments | tojson }}{{- '}\\n</tool_call>' }}";
const LLAMA: &str =
    "{{- '{\"name\": \"' + f.name + '\", \"parameters\": ' }}{{- f.arguments | tojson }}{{- '}' }}";
const MISTRAL_V11: &str = "{{- '[TOOL_CALLS]' + f.name + '[ARGS]' }}{{- f.arguments }}";
const QWEN3_CODER: &str = "{{- '<tool_call>\\n<function=' + f.name + '>\\n' }}{%- for k, v in f.arguments | items %}\
    {{- '<parameter=' + k + '>\\n' }}{{- v }}{{- '\\n</parameter>\\n' }}{%- endfor %}{{- '</function>\\n</tool_call>' }}";

#[test]
fn a_template_tells_its_dialect() {
    let dir = tempfile::tempdir().unwrap();
    for (call, opening, expected) in [
        (HERMES, "", "hermes"),
        (HERMES, "<think>\\n", "hermes"),
        (LLAMA, "", "llama3_json"),
        (MISTRAL_V11, "", "mistral_v11"),
        (QWEN3_CODER, "", "qwen3_coder"),
    ] {
        let chat = chat(dir.path(), &chatml(call, opening));
        assert!(chat.shows_tools().unwrap());
        let (dialect, rendered) = chat.detect_dialect().unwrap();
        assert_eq!(dialect.name(), expected, "{rendered}");
        assert!(rendered.contains("weather") && !rendered.contains("<|im_"), "{rendered}");
    }
}

#[test]
fn a_template_of_no_known_dialect_is_an_error_that_shows_what_it_renders() {
    let dir = tempfile::tempdir().unwrap();
    let own = chat(dir.path(), &chatml("{{- '@' + f.name + '@' }}", ""));
    let message = own.detect_dialect().unwrap_err().to_string();
    assert!(message.contains("@weather@") && message.contains("hermes"), "{message}");
    let plain =
        chat(dir.path(), "{%- for m in messages %}{{- m.role + ': ' + m.content + '\\n' }}{%- endfor %}");
    assert!(!plain.shows_tools().unwrap());
    assert!(matches!(plain.detect_dialect(), Err(ChatError::NoDialect { found, .. }) if found.is_empty()));
    let strict = chat(dir.path(), "{{- raise_exception('no calls here') }}");
    assert!(matches!(strict.detect_dialect(), Err(ChatError::Render { .. })));
}

#[test]
fn tools_are_told_in_the_system_text_where_the_template_shows_none() {
    let dir = tempfile::tempdir().unwrap();
    let plain = "{%- for m in messages %}{{- m.role + ': ' + m.content + '\\n' }}{%- endfor %}";
    let tools = [json!({"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}})];
    let call = json!([{"type": "function", "function": {"name": "add", "arguments": "{\"a\": 1}"}}]);
    let messages = [
        Message::new("system", "Be brief."),
        Message::new("user", "1 + 1?"),
        Message::new("assistant", "I add.").with_tool_calls(call),
        Message::new("tool", "2"),
    ];
    for (dialect, form) in [("hermes", "<tool_call>\n{\"name\": \"tool_name\""), ("toolrl", "<think> What")] {
        let chat = chat(dir.path(), plain).with_dialect(named(dialect).unwrap());
        let chat = chat.with_tool_prompt(ToolPrompt::built_in().unwrap());
        assert!(chat.shows_tools().unwrap());
        let text = chat.render_with_tools(&messages, &tools, true).unwrap();
        for part in [
            "system: Be brief.\n",
            "{\"type\": \"function\"",
            form,
            "user: <tool_response>\n2\n</tool_response>",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(
            text.contains("\"name\": \"add\"") && text.contains("\"a\": 1"),
            "the earlier call is said: {text}"
        );
    }
}

#[test]
fn a_template_in_the_place_of_the_directorys_own_is_the_only_one_that_is_saved() {
    let (dir, saved) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = chat(dir.path(), "own");
    std::fs::create_dir(dir.path().join("additional_chat_templates")).unwrap();
    std::fs::write(dir.path().join("additional_chat_templates/tool_use.jinja"), "own for tools").unwrap();
    let config = dir.path().join("tokenizer_config.json");
    let mut settings: serde_json::Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
    settings["chat_template"] = "older".into();
    std::fs::write(&config, settings.to_string()).unwrap();
    first.with_template(Path::new("new.jinja"), "new".to_owned()).unwrap().save_files(saved.path()).unwrap();
    let again = Chat::load(saved.path()).unwrap();
    let tools = [json!({"type": "function", "function": {"name": "add"}})];
    assert_eq!(again.render_with_tools(&[], &tools, false).unwrap(), "new");
    assert!(!saved.path().join("additional_chat_templates").exists());
    let settings = std::fs::read_to_string(saved.path().join("tokenizer_config.json")).unwrap();
    assert!(!settings.contains("older") && settings.contains("eos_token"), "{settings}");
    let ours = chat(dir.path(), "own").with_chatml().unwrap();
    assert_eq!(ours.detect_dialect().unwrap().0.name(), "hermes");
}

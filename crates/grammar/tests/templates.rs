//! What chat templates make of an assistant's call, and the dialects: templates of our own in the form of the models',
//! rendered with Python's JSON.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{Environment, context};
use toolrl_grammar::json::{self, PyStr, Unicode};
use toolrl_grammar::{Call, DIALECTS, Turn, dialect};

/// Whether a dialect writes what the template renders, to the byte, or only reads it.
#[derive(PartialEq)]
enum Form {
    Same,
    Read,
}

/// A dialect, the part of a template that renders the turn behind the generation prompt, and whether it is written so.
const TEMPLATES: [(&str, &str, Form); 18] = [
    (
        // Qwen2.5 and Qwen3.
        "hermes",
        "{{ m.content }}{% for c in m.tool_calls %}{{ '\n<tool_call>\n{\"name\": \"' ~ c.name ~ '\", \"arguments\": ' }}{{ c.arguments | tojson }}{{ '}\n</tool_call>' }}{% endfor %}<|im_end|>\n",
        Form::Same,
    ),
    (
        // SmolLM3, Hermes: the object whole.
        "hermes",
        "{{ m.content }}{% for c in m.tool_calls %}{{ '\n<tool_call>\n' ~ c | tojson ~ '\n</tool_call>' }}{% endfor %}<|im_end|>",
        Form::Same,
    ),
    (
        "llama3_json",
        "{% for c in m.tool_calls %}{{ '{\"name\": \"' ~ c.name ~ '\", ' }}{{ '\"parameters\": ' }}{{ c.arguments | tojson }}{{ '}' }}{{ '; ' if not loop.last }}{% endfor %}<|eot_id|>",
        Form::Same,
    ),
    (
        // Llama-3.2 in vLLM's example.
        "pythonic",
        "[{% for c in m.tool_calls %}{{ c.name }}({% for k in c.arguments %}{{ k }}={{ c.arguments[k] | tojson }}{{ ', ' if not loop.last }}{% endfor %}){{ ', ' if not loop.last }}{% endfor %}]<|eot_id|>",
        Form::Read,
    ),
    (
        // Nemo.
        "mistral",
        "{{ '[TOOL_CALLS][' }}{% for c in m.tool_calls %}{{ (c | tojson)[:-1] }}, \"id\": \"{{ m.ids[loop.index0] }}\"}{{ ', ' if not loop.last }}{% endfor %}]</s>",
        Form::Read,
    ),
    (
        // 7B-v0.3, with its space.
        "mistral",
        "[TOOL_CALLS] [{% for c in m.tool_calls %}{{ c | tojson }}{{ ', ' if not loop.last }}{% endfor %}]</s>",
        Form::Read,
    ),
    (
        // Devstral, Magistral.
        "mistral_v11",
        "{{ m.content }}{% for c in m.tool_calls %}[TOOL_CALLS]{{ c.name }}[ARGS]{{ c.arguments | tojson }}{% endfor %}</s>",
        Form::Same,
    ),
    (
        // Small-3.2.
        "mistral_v11",
        "{{ m.content }}{% for c in m.tool_calls %}[TOOL_CALLS]{{ c.name }}[CALL_ID]{{ m.ids[loop.index0] }}[ARGS]{{ c.arguments | tojson }}{% endfor %}</s>",
        Form::Read,
    ),
    (
        "qwen3_coder",
        "{% if m.content %}{{ m.content ~ '\n' }}{% endif %}{% for c in m.tool_calls %}{{ '\n<tool_call>\n<function=' ~ c.name ~ '>\n' }}{% for k in c.arguments %}{% set v = c.arguments[k] %}{{ '<parameter=' ~ k ~ '>\n' }}{{ v if v is string else v | tojson }}{{ '\n</parameter>\n' }}{% endfor %}{{ '</function>\n</tool_call>' }}{% endfor %}<|im_end|>",
        Form::Same,
    ),
    (
        // V3, R1.
        "deepseek_v3",
        "{{ m.content }}<｜tool▁calls▁begin｜>{% for c in m.tool_calls %}{{ '\n' if not loop.first }}<｜tool▁call▁begin｜>function<｜tool▁sep｜>{{ c.name ~ '\n```json\n' ~ c.arguments | tojson ~ '\n```' }}<｜tool▁call▁end｜>{% endfor %}<｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
        Form::Same,
    ),
    (
        // The thoughts that it does not think are closed first.
        "deepseek_v31",
        "</think>{{ m.content }}<｜tool▁calls▁begin｜>{% for c in m.tool_calls %}<｜tool▁call▁begin｜>{{ c.name }}<｜tool▁sep｜>{{ c.arguments | tojson }}<｜tool▁call▁end｜>{% endfor %}<｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
        Form::Read,
    ),
    (
        "glm45",
        "\n<think></think>{% if m.content %}{{ '\n' ~ m.content }}{% endif %}{% for c in m.tool_calls %}{{ '\n<tool_call>' ~ c.name ~ '\n' }}{% for k in c.arguments %}{% set v = c.arguments[k] %}<arg_key>{{ k ~ '</arg_key>\n' }}<arg_value>{{ v if v is string else v | tojson }}{{ '</arg_value>\n' }}{% endfor %}</tool_call>{% endfor %}",
        Form::Read,
    ),
    (
        "kimi_k2",
        "{{ m.content }}<|tool_calls_section_begin|>{% for c in m.tool_calls %}<|tool_call_begin|>functions.{{ c.name }}:{{ loop.index0 }}<|tool_call_argument_begin|>{{ c.arguments | tojson }}<|tool_call_end|>{% endfor %}<|tool_calls_section_end|><|im_end|>",
        Form::Same,
    ),
    (
        // As gpt-oss's template has it; the model itself writes the recipient behind the channel.
        "harmony",
        "{% if m.content %}<|channel|>commentary<|message|>{{ m.content }}<|end|>{% endif %}{% for c in m.tool_calls %}{{ '<|start|>assistant' if m.content or not loop.first }} to=functions.{{ c.name }}<|channel|>commentary json<|message|>{{ c.arguments | tojson }}<|call|>{% endfor %}",
        Form::Read,
    ),
    ("xlam", "{{ m.tool_calls | tojson }}<|im_end|>", Form::Same),
    ("granite", "{{ m.content }}<|tool_call|>{{ m.tool_calls | tojson }}<|end_of_text|>", Form::Same),
    (
        "function_gemma",
        "{% for c in m.tool_calls %}<start_function_call>call:{{ c.name }}{ {%- for k in c.arguments %}{% set v = c.arguments[k] %}{{ k }}:{{ '<escape>' ~ v ~ '<escape>' if v is string else v | tojson }}{{ ',' if not loop.last }}{% endfor -%} }<end_function_call>{% endfor %}<start_function_response>",
        Form::Same,
    ),
    (
        "lfm2",
        "<|tool_call_start|>[{% for c in m.tool_calls %}{{ c.name }}({% for k in c.arguments %}{{ k }}={{ c.arguments[k] | tojson }}{{ ', ' if not loop.last }}{% endfor %}){{ ', ' if not loop.last }}{% endfor %}]<|tool_call_end|>{{ m.content }}<|im_end|>",
        Form::Read,
    ),
];

/// Calls of one and of two, as JSON.
const CALLS: [&str; 2] = [
    r#"[{"name": "get_weather", "arguments": {"city": "Zürich", "days": 3}}]"#,
    r#"[{"name": "f", "arguments": {"q": "it's \"x\"", "n": -2, "on": true}}, {"name": "ping", "arguments": {}}]"#,
];

fn turn(calls: &str, content: &str) -> Turn<'static> {
    let calls = json::parse(calls).unwrap().into_owned();
    let json::Value::List(calls) = calls else { panic!("a list") };
    let call = |call: &json::Value<'static>| {
        let name = call.get("name").and_then(json::Value::as_bytes).unwrap();
        let arguments = call.get("arguments").and_then(json::Value::as_object).unwrap();
        Call::new(PyStr(name.to_vec().into()), arguments.clone())
    };
    let response = (!content.is_empty()).then(|| content.to_owned().into());
    Turn { thoughts: None, calls: calls.iter().map(call).collect(), response }
}

/// Renders as transformers does: `tojson` is `json.dumps` without escapes.
fn render(template: &str, calls: &str, content: &str) -> String {
    let mut environment = Environment::new();
    environment.add_filter("tojson", |value: Value| to_json(&value));
    let calls: serde_json::Value = serde_json::from_str(calls).unwrap();
    let message = context! { content => content, tool_calls => Value::from(Serde(calls)), ids => ["abcdefgh1", "abcdefgh2"] };
    environment.render_str(template, context! { m => message }).unwrap()
}

/// `json.dumps(value, ensure_ascii=False)`
fn to_json(value: &Value) -> String {
    let text = |value: &Value| Unicode(&json::Value::str(value.to_string())).to_string();
    let items = || value.try_iter().unwrap();
    match value.kind() {
        ValueKind::String => text(value),
        ValueKind::Bool => value.is_true().to_string(),
        ValueKind::Seq => format!("[{}]", items().map(|item| to_json(&item)).collect::<Vec<_>>().join(", ")),
        ValueKind::Map => {
            let entry = |key: Value| format!("{}: {}", text(&key), to_json(&value.get_item(&key).unwrap()));
            format!("{{{}}}", items().map(entry).collect::<Vec<_>>().join(", "))
        }
        _ => value.to_string(),
    }
}

#[test]
fn one_dialect_alone_writes_what_a_template_renders() {
    for (name, template, form) in TEMPLATES {
        for (calls, content) in CALLS.iter().flat_map(|calls| [(calls, ""), (calls, "I look.")]) {
            let content = if template.contains("m.content") { content } else { "" };
            let (turn, rendered) = (turn(calls, content), render(template, calls, content));
            let found = DIALECTS.into_iter().filter(|&one| dialect::writes(one, &rendered, &turn));
            assert_eq!(found.map(|one| one.name()).collect::<Vec<_>>(), [name], "{rendered}");
            if form == Form::Same {
                let dialect = dialect::named(name).unwrap();
                let written = dialect.write(&turn).unwrap();
                let rest =
                    rendered.trim().strip_prefix(&written).unwrap_or_else(|| panic!("{rendered}: {written}"));
                assert!(dialect.turn_ends().contains(&rest), "{name}: {rest}");
            }
        }
    }
}

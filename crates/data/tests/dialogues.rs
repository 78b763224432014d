//! Dialogues in the forms that people keep them in.

#![allow(clippy::unwrap_used, reason = "the lint spares test functions, not their helpers")]

use serde_json::{Value, json};
use toolrl_data::{DataError, Faulty, Form, HeldOut, LoadConfig, Loaded, Sample, TaskKind, Turns, load_with};

fn read_with(rows: &[Value], config: LoadConfig) -> Result<Loaded, DataError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.jsonl");
    std::fs::write(&path, rows.iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
    load_with(&path, config)
}

fn read(rows: &[Value]) -> Vec<Sample> {
    read_with(rows, LoadConfig::default()).unwrap().samples
}

fn error(row: Value) -> String {
    read_with(&[row], LoadConfig::default()).unwrap_err().to_string()
}

/// Who says what in a prompt; calls as their JSON.
fn said(sample: &Sample) -> Vec<String> {
    let line = |message: &toolrl_data::Message| {
        let calls = message.tool_calls.as_ref().map(|calls| format!(" {calls}")).unwrap_or_default();
        format!("{}: {}{calls}", message.role, message.content)
    };
    sample.messages.iter().map(line).collect()
}

fn tool(name: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!({"type": "function", "function": {"name": name, "description": "Tells.", "parameters": schema}})
}

/// The text of a gold reply that calls `weather` for a city.
fn calling(city: &str) -> String {
    format!("<tool_call>\n{{\"name\": \"weather\", \"parameters\": {{\"city\": \"{city}\"}}}}\n</tool_call>")
}

const CALLED: &str = r#"[{"type":"function","function":{"name":"weather","arguments":{"city":"Rome"}}}]"#;

/// Two requests; the first takes a call.
fn openai() -> Value {
    json!({
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "The weather "}, {"type": "text", "text": "in Rome?"}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Rome\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
            {"role": "assistant", "content": "It is sunny."},
            {"role": "user", "content": "And in Oslo?"},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}},
            ]},
        ],
        "tools": [tool("weather")],
    })
}

#[test]
fn each_reply_is_a_sample_with_the_turns_before_it() {
    let samples = read(&[openai()]);
    let golds: Vec<_> = samples.iter().map(|sample| sample.gold.text()).collect();
    let last = format!("{}\n<response> I look. </response>", calling("Oslo"));
    assert_eq!(golds, [&calling("Rome"), "<response> It is sunny. </response>", &last]);
    let ids: Vec<_> = samples.iter().map(|sample| sample.id.as_str()).collect();
    assert_eq!(ids, ["rows:0.0", "rows:0.1", "rows:0.2"]);
    let kinds: Vec<_> = samples.iter().map(|sample| sample.kind).collect();
    assert_eq!(kinds, [TaskKind::OneCall, TaskKind::NoCall, TaskKind::CallAndResponse]);
    let prompt = ["system: Be brief.", "user: The weather in Rome?"].map(str::to_owned);
    assert_eq!(said(&samples[0]), prompt);
    let called = format!("assistant:  {CALLED}");
    assert_eq!(said(&samples[1]), [&prompt[..], &[called, "tool: sunny".to_owned()]].concat());
    assert_eq!(samples[1].messages[3].fields["tool_call_id"], "c1");
    assert!(samples.iter().all(|sample| sample.tools == [tool("weather")]));
    let last = read_with(&[openai()], LoadConfig { turns: Turns::Last, ..LoadConfig::default() }).unwrap();
    assert_eq!((last.samples.len(), last.samples[0].id.as_str()), (1, "rows:0"));
    assert_eq!(last.samples[0].messages, samples[2].messages);
}

#[test]
fn replies_without_weight_or_without_a_question_are_not_learnt() {
    let mut row = openai();
    row["messages"][4]["weight"] = json!(0);
    row["messages"][2]["weight"] = json!(1);
    let samples = read(&[row]);
    assert_eq!(samples.len(), 2);
    assert!(samples[1].messages.iter().all(|message| !message.fields.contains_key("weight")));
    let (user, reply) =
        (json!({"role": "user", "content": "Hi"}), json!({"role": "assistant", "content": "Yo"}));
    let beside = read(&[json!({"system": "Be brief.", "messages": [user, reply]})]);
    assert_eq!(said(&beside[0]), ["system: Be brief.", "user: Hi"]);
    let greeting = json!({"role": "assistant", "content": "Hello!"});
    let row = json!({"messages": [greeting, {"role": "user", "content": "Hi"}, greeting]});
    let loaded = read_with(&[row], LoadConfig::default()).unwrap();
    assert_eq!((loaded.samples.len(), loaded.reading.unprompted), (1, 1));
    assert_eq!(said(&loaded.samples[0]), ["assistant: Hello!", "user: Hi"]);
    for messages in [json!([{"role": "user", "content": "Hi"}]), json!([greeting])] {
        assert!(error(json!({ "messages": messages })).contains("an assistant's turn to learn"));
    }
}

#[test]
fn thoughts_and_digits_are_kept() {
    let row = |reply: Value| json!({"messages": [{"role": "user", "content": "Hi"}, reply]});
    let long = row(
        json!({"role": "assistant", "tool_calls": [{"name": "pay", "arguments": "{\"to\": 12345678901234567890123}"}]}),
    );
    assert!(read(&[long])[0].gold.contains("{\"to\": 12345678901234567890123}"));
    for reply in [
        json!({"role": "assistant", "content": "<think>\nhm\n</think>\n\nYes."}),
        json!({"role": "assistant", "content": "Yes.", "reasoning_content": "hm"}),
        json!({"role": "assistant", "content": "Yes.", "thinking": " hm "}),
    ] {
        assert_eq!(read(&[row(reply)])[0].gold.text(), "<think> hm </think>\n<response> Yes. </response>");
    }
    // A reply that is ToolRL's text already stays as it stands.
    let text = "<think>a</think><tool_call>\n{\"name\": \"f\",  \"parameters\": {}}\n</tool_call>";
    assert_eq!(read(&[row(json!({"role": "assistant", "content": text}))])[0].gold.text(), text);
}

#[test]
fn calls_in_the_text_of_a_reply_are_calls() {
    let texts = [
        "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>",
        "<tool_call>{'arguments': {'city': 'Rome'}, 'name': 'weather'}</tool_call>",
        "[{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}]",
        "[weather(city='Rome')]",
    ];
    let user = json!({"role": "user", "content": "Hi"});
    for text in texts {
        let reply = json!({"role": "assistant", "content": text});
        let samples = read(&[json!({"messages": [user, reply, {"role": "tool", "content": "ok"}, reply]})]);
        assert_eq!(samples[0].gold.text(), calling("Rome"), "{text}");
        assert_eq!(said(&samples[1])[1], format!("assistant:  {CALLED}"), "{text}");
    }
    for text in ["[1] says so.", "Use <b>weather</b>.", "{\"sky\": \"clear\"}"] {
        let samples = read(&[json!({"messages": [user, {"role": "assistant", "content": text}]})]);
        assert_eq!(samples[0].gold.text(), format!("<response> {text} </response>"));
    }
    for text in
        ["<tool_call>\nweather(Rome)\n</tool_call>", "<tool_call>{\"name\": \"weather\"", "[TOOL_CALLS][]"]
    {
        let message = error(json!({"messages": [user, {"role": "assistant", "content": text}]}));
        assert!(
            message.contains("messages.1.content") && message.contains("calls that can be read"),
            "{message}"
        );
    }
    let message = error(json!({"messages": [user, {"role": "assistant", "content": "a </response> b"}]}));
    assert!(message.contains("</response>"), "{message}");
}

#[test]
fn sharegpt_and_what_was_made_of_it() {
    let system = "You are a function calling AI model. You are provided with function signatures within <tools> </tools> XML tags. \
        <tools> [TOOLS] </tools> For each call return <tool_call>\n{'arguments': <args>, 'name': <name>}\n</tool_call>";
    let system = system.replace("TOOLS", &tool("weather").to_string());
    let hermes = json!({"conversations": [
        {"from": "system", "value": system},
        {"from": "human", "value": "Rome?"},
        {"from": "gpt", "value": "<tool_call>\n{'name': 'weather', 'arguments': {'city': 'Rome'}}\n</tool_call>"},
        {"from": "tool", "value": "<tool_response>\n{\"sky\": 1}\n</tool_response>\n<tool_response>\n2\n</tool_response>"},
        {"from": "gpt", "value": "Sunny."},
    ]});
    let bare = tool("weather")["function"].clone();
    let factory = json!({"tools": json!([bare]).to_string(), "conversations": [
        {"from": "human", "value": "Rome?"},
        {"from": "function_call", "value": "{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}"},
        {"from": "observation", "value": "{\"sky\": 1}"},
        {"from": "observation", "value": "2"},
        {"from": "gpt", "value": "Sunny."},
    ]});
    let with_system = json!({"system": "Be brief.", "tools": [bare], "conversations": [
        {"role": "user", "content": "Rome?"},
        {"role": "assistant", "content": "[weather(city=\"Rome\")]"},
        {"role": "tool", "content": "{\"sky\": 1}"},
        {"role": "tool", "content": "2"},
        {"role": "assistant", "content": "Sunny."},
    ]});
    for (row, first) in [(hermes, None), (factory, None), (with_system, Some("system: Be brief."))] {
        let loaded = read_with(&[row], LoadConfig::default()).unwrap();
        assert_eq!(loaded.reading.forms[&Form::Sharegpt], 1);
        let samples = loaded.samples;
        assert_eq!(samples[0].gold.text(), calling("Rome"));
        assert_eq!(samples[0].tools, [tool("weather")]);
        let called = format!("assistant:  {CALLED}");
        let prompt = ["user: Rome?", &called, "tool: {\"sky\": 1}", "tool: 2"];
        let prompt: Vec<_> = first.into_iter().chain(prompt).collect();
        assert_eq!(said(&samples[1]), prompt);
        assert_eq!(samples[1].gold.text(), "<response> Sunny. </response>");
    }
    // Another system text keeps what is not the list.
    let own = json!({"conversations": [
        {"from": "system", "value": format!("Be brief.\n<tools>\n{}\n{}\n</tools>\nNow go.", bare, tool("time"))},
        {"from": "human", "value": "Hi"},
        {"from": "gpt", "value": "Hello."},
    ]});
    let samples = read(&[own]);
    assert_eq!(said(&samples[0]), ["system: Be brief.\nNow go.", "user: Hi"]);
    assert_eq!(samples[0].tools, [tool("weather"), tool("time")]);
    // Commas between tools; tags that hold no list; a tool that stands as text.
    let system = |text: String| {
        json!({"conversations": [
            {"from": "system", "value": text}, {"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."},
        ]})
    };
    let samples = read(&[system(format!("<tools>{}, {}</tools>", bare, tool("time")))]);
    assert_eq!((samples[0].tools.len(), said(&samples[0]).len()), (2, 1));
    for text in ["See the <tools> section. Be brief.", "Write <tools> </tools>."] {
        let samples = read(&[system(text.to_owned())]);
        assert_eq!(said(&samples[0]), [&format!("system: {text}"), "user: Hi"]);
    }
    let message = error(system("<tools>\nweather(city: str)\n</tools>".to_owned()));
    assert!(message.contains("conversations.0.value") && message.contains("weather(city: str)"), "{message}");
    let message = error(json!({"conversations": [{"from": "judge", "value": "Hi"}]}));
    assert!(message.contains("conversations.0.from") && message.contains("judge"), "{message}");
}

#[test]
fn glaives_texts() {
    let functions = format!("{}\n\n{}", tool("weather")["function"], tool("time")["function"]);
    let system = format!(
        "SYSTEM: You are a helpful assistant with access to the following functions. Use them if required -\n{functions}\n"
    );
    let chat = "USER: Rome?\n\n\nASSISTANT: <functioncall> {\"name\": \"weather\", \"arguments\": '{\"city\": \"L'Aquila\"}'} <|endoftext|>\n\n\n\
        FUNCTION RESPONSE: {\"sky\": \"clear\"}\n\n\nASSISTANT: Clear.\nNothing else. <|endoftext|>\n\n\nUSER: Thanks\n\n\nASSISTANT: Fine <|endoftext|>";
    let samples = read(&[json!({"system": system, "chat": chat})]);
    let golds: Vec<_> = samples.iter().map(|sample| sample.gold.text()).collect();
    let expected = ["<response> Clear.\nNothing else. </response>", "<response> Fine </response>"];
    assert_eq!(golds, [&calling("L'Aquila"), expected[0], expected[1]]);
    assert_eq!(samples[2].tools, [tool("weather"), tool("time")]);
    let prompt = said(&samples[2]);
    assert_eq!((prompt.len(), prompt[2].as_str()), (5, "tool: {\"sky\": \"clear\"}"));
    let none =
        json!({"system": "SYSTEM: You have no access to functions.", "chat": "USER: Hi\nASSISTANT: Hello"});
    assert_eq!(said(&read(&[none])[0]), ["system: You have no access to functions.", "user: Hi"]);
    let own = format!("SYSTEM: You are Ada. Functions:\n{}\nName no prices.", tool("time")["function"]);
    let samples = read(&[json!({"system": own, "chat": "USER: Hi\nASSISTANT: Hello"})]);
    assert_eq!(said(&samples[0]), ["system: You are Ada. Functions:\nName no prices.", "user: Hi"]);
    assert_eq!(samples[0].tools, [tool("time")]);
    for (chat, part) in [("Hi there", "USER:"), ("USER: a\nASSISTANT: <functioncall> f(x)", "<functioncall>")]
    {
        let message = error(json!({"system": "SYSTEM: s", "chat": chat}));
        assert!(message.contains("`chat`") && message.contains(part), "{message}");
    }
}

#[test]
fn trls_prompts_and_completions() {
    let messages = json!([{"role": "user", "content": "Rome?"}, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Weather?"}]);
    let call = json!([{"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}]}]);
    let samples = read(&[
        json!({"prompt": "Hi", "completion": " Hello. "}),
        json!({"prompt": messages, "completion": call, "tools": [tool("weather")]}),
        json!({"prompt": messages.to_string(), "completion": call.to_string(), "tools": json!([tool("weather")]).to_string()}),
    ]);
    assert_eq!(samples[0].gold.text(), "<response> Hello. </response>");
    assert_eq!(said(&samples[0]), ["user: Hi"]);
    for sample in &samples[1..] {
        assert_eq!((sample.gold.text(), sample.kind), (calling("Rome").as_str(), TaskKind::History));
        assert_eq!(said(sample), ["user: Rome?", "assistant: Yes?", "user: Weather?"]);
        assert_eq!(sample.tools, [tool("weather")]);
    }
}

#[test]
fn xlams_rows() {
    let flat = json!([{"name": "weather", "description": "Tells.", "parameters": {
        "city": {"type": "str", "description": "where"}, "days": {"type": "List[int], optional", "default": ""},
    }}]);
    let answers = json!([{"name": "weather", "arguments": {"city": "Rome"}}]);
    let samples = read(&[
        json!({"id": 7, "query": "Rome?", "tools": flat.to_string(), "answers": answers.to_string()}),
        json!({"query": "Hi", "tools": flat, "answers": []}),
    ]);
    assert_eq!((samples[0].id.as_str(), samples[0].gold.text()), ("rows:7", calling("Rome").as_str()));
    let schema = &samples[0].tools[0]["function"]["parameters"];
    assert_eq!(schema["required"], json!(["city"]));
    assert_eq!(schema["properties"]["days"]["type"], "array");
    assert_eq!(samples[1].kind, TaskKind::NoCall);
}

#[test]
fn a_row_of_no_form_says_what_each_lacks() {
    let message = error(json!({"prompt": "Hi", "text": "Hello"}));
    let parts =
        ["line 1", "its fields: prompt, text", "verl lacks `reward_model`", "completion lacks `completion`"];
    for part in [&parts[..], &["openai lacks `messages`", "alpaca lacks `instruction`"]].concat() {
        assert!(message.contains(part), "{message}: lacks {part}");
    }
}

#[test]
fn rows_that_cannot_be_read_are_left_out_on_request() {
    let rows = [openai(), json!({"messages": "Hi"}), json!([1]), json!({"text": "Hi"})];
    assert!(read_with(&rows, LoadConfig::default()).unwrap_err().to_string().contains("line 2"));
    let config = LoadConfig { faulty: Faulty::LeaveOut, ..LoadConfig::default() };
    let loaded = read_with(&rows, config).unwrap();
    let refused: Vec<_> = loaded.reading.refused.iter().map(|row| row.at.to_string()).collect();
    assert_eq!(
        (loaded.samples.len(), refused),
        (3, vec!["line 2".to_owned(), "line 3".to_owned(), "line 4".to_owned()])
    );
    assert!(loaded.reading.refused[0].reason.starts_with("field `messages`"), "{:?}", loaded.reading);
    assert!(read_with(&rows[1..], config).unwrap_err().to_string().contains("line 1"), "nothing was read");
}

#[test]
fn dialogues_stay_on_one_side_of_a_split() {
    let rows: Vec<_> = (0..20).map(|_| openai()).collect();
    for seed in 0..4 {
        let parts = read_with(&rows, LoadConfig::default()).unwrap().split(HeldOut::Count(4), seed).unwrap();
        assert_eq!((parts.train.len(), parts.held_out.len()), (54, 6));
        let dialogue = |sample: &Sample| sample.id.split('.').next().unwrap().to_owned();
        let held: Vec<_> = parts.held_out.iter().map(dialogue).collect();
        assert!(parts.train.iter().all(|sample| !held.contains(&dialogue(sample))));
    }
}

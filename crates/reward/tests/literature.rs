//! The rewards of Tool-N1 and STAR, ROUGE-L and JSON Schema against what their authors' code says (`released/`).

use serde_json::Value as Json;
use toolrl_grammar::dialect::{DIALECTS, HERMES, named};
use toolrl_grammar::{Call, Dialect, ToolRl, Turn, json};
use toolrl_reward::{
    Additional, Binary, BinarySettings, CallOrder, Context, Form, Reference, Registry, RougeValues,
    RougeValuesSettings, Rubric, RubricConfig, Schema, SchemaCredit, SchemaSettings, Term, TermConfig,
    TermScore, Thoughts, explain,
};

fn rows(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn tools() -> Vec<Json> {
    let schema = |names: &[&str]| {
        let properties: serde_json::Map<_, _> =
            names.iter().map(|name| ((*name).to_owned(), serde_json::json!({}))).collect();
        serde_json::json!({"type": "object", "properties": properties})
    };
    let tool =
        |(name, names): (&str, &[&str])| serde_json::json!({"name": name, "parameters": schema(names)});
    let all: [(&str, &[&str]); 3] = [
        ("weather", &["city", "days", "note", "exact"]),
        ("mail", &["to", "text", "cc", "options"]),
        ("stop", &[]),
    ];
    all.map(tool).to_vec()
}

fn turn(thoughts: Option<&str>, calls: &Json, response: &str) -> Turn<'static> {
    let call = |call: &Json| {
        let text = call[1].to_string();
        let arguments = json::parse(&text).expect("JSON");
        let name = call[0].as_str().expect("a name").to_owned();
        Call::new(name, arguments.as_object().cloned().expect("an object")).into_owned()
    };
    let calls = calls.as_array().expect("calls").iter().map(call).collect();
    let passage = |text: &str| text.to_owned().into();
    Turn {
        thoughts: thoughts.map(passage),
        calls,
        response: (!response.is_empty()).then(|| passage(response)),
    }
}

fn reference(gold: &str, dialect: &'static dyn Dialect) -> Reference {
    let reference = match dialect.name() == ToolRl.name() {
        true => Reference::parse(gold).expect("a readable reference"),
        false => Reference::in_dialect(gold, dialect),
    };
    reference.with_tools(&tools())
}

fn score(term: &dyn Term, reply: &str, reference: &Reference) -> TermScore {
    let score =
        term.score(&reference.read(reply.as_bytes()), reference, &Context::evaluation()).expect("a score");
    let (least, most) = term.range(&Context::evaluation());
    assert!((least..=most).contains(&score.value), "{score:?}");
    score
}

#[test]
fn replies_have_the_rewards_of_the_released_codes_in_every_dialect() {
    let mut compared = [0_usize; DIALECTS.len()];
    for row in rows(include_str!("released/replies.jsonl")) {
        let text = |key: &str| row[key].as_str().expect("a text");
        let gold = turn(Some("gold"), &row["gold"], text("gold_response"));
        let reply = turn(row["thoughts"].as_str(), &row["calls"], text("response"));
        let empty = reply.calls.is_empty() && reply.response.is_none();
        for (dialect, compared) in DIALECTS.iter().zip(&mut compared) {
            // Texts without types cannot say what these replies differ in.
            let (true, Ok(gold), Ok(written)) =
                (dialect.keeps_types(), dialect.write(&gold), dialect.write(&reply))
            else {
                continue;
            };
            *compared += 1;
            let reference = reference(&gold, *dialect);
            let star = score(&RougeValues::default(), &written, &reference);
            let expected = row["star"].as_f64().expect("a number");
            // The released code adds up in f32.
            assert!(
                (star.value - expected).abs() < 1e-9,
                "{}: {star:?} of {written:?}: {row}",
                dialect.name()
            );
            // Tool-N1's code lets a reply pass without thoughts that makes no call where none is wanted. A reply of
            // thoughts alone is whole in ToolRL's dialect only.
            if empty && dialect.name() != ToolRl.name() {
                continue;
            }
            let thinks = reply.thoughts.is_some();
            let expected = if thinks { row["tool_n1"].as_f64().expect("a number") } else { 0.0 };
            let binary = score(&Binary::default(), &written, &reference);
            assert_eq!(binary.value, expected, "{}: {binary:?} of {written:?}: {row}", dialect.name());
        }
    }
    for (dialect, compared) in DIALECTS.iter().zip(compared) {
        assert!(compared >= 120 || !dialect.keeps_types(), "{}: {compared} replies", dialect.name());
    }
}

#[test]
fn texts_that_can_hardly_be_read_have_stars_reward() {
    let different = [
        // A call that is cut off counts as none there, and is unreadable here, twice.
        (5, -1.0),
        (11, -1.0),
    ];
    for (place, row) in rows(include_str!("released/texts.jsonl")).iter().enumerate() {
        let text = |key: &str| row[key].as_str().expect("a text");
        let found = score(&RougeValues::default(), text("reply"), &reference(text("gold"), &HERMES));
        let expected = different.iter().find(|(other, _)| *other == place).map(|(_, value)| *value);
        let expected = expected.or(row["star"].as_f64()).expect("a number");
        assert_eq!(found.value, expected, "{place}: {found:?} of {row}");
    }
}

#[test]
fn texts_are_as_alike_as_rouge_score_finds_them() {
    // By the words of a response, which are compared alone where the reference makes no call.
    for row in rows(include_str!("released/rouge.jsonl")) {
        let text = |key: &str| row[key].as_str().expect("a text").trim().to_owned();
        let (wanted, found) = (text("wanted"), text("found"));
        if wanted.is_empty() || found.is_empty() || wanted == found {
            continue;
        }
        let written = |words: &str| format!("<think>a</think>\n<response> {words} </response>");
        let score = score(&RougeValues::default(), &written(&found), &reference(&written(&wanted), &ToolRl));
        let expected = row["rouge_l"].as_f64().expect("a number");
        assert!((score.value - expected).abs() < 1e-12, "{} is not that of {row}", score.value);
    }
}

#[test]
fn arguments_are_valid_where_pythons_jsonschema_finds_them_so() {
    for row in rows(include_str!("released/schemas.jsonl")) {
        let reply =
            format!("<tool_call>{{\"name\": \"f\", \"parameters\": {}}}</tool_call>", row["arguments"]);
        let tool =
            serde_json::json!({"type": "function", "function": {"name": "f", "parameters": row["schema"]}});
        let reference = Reference::parse(&reply).expect("a readable reference").with_tools(&[tool]);
        let found = score(&Schema::default(), &reply, &reference).value;
        assert_eq!(found == 1.0, row["valid"].as_bool().expect("a flag"), "{row}");
    }
}

const CALL: &str = "<think>\nhm\n</think>\n\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>";
const STOP: &str = "\n<tool_call>\n{\"name\": \"stop\", \"arguments\": {}}\n</tool_call>";

#[test]
fn the_binary_reward_by_hand() {
    let both = format!("{CALL}{STOP}");
    let turned =
        "<think>\nhm\n</think>\n".to_owned() + STOP + &CALL[CALL.find("\n<tool_call>").expect("a call")..];
    let default = BinarySettings::default();
    let optional = BinarySettings { thoughts: Thoughts::Optional, ..default };
    let strict = BinarySettings { form: Form::Strict, ..default };
    let ordered = BinarySettings { order: CallOrder::Same, ..default };
    let bare = CALL[CALL.find("<tool_call>").expect("a call")..].to_owned();
    let words = CALL.replace("</think>\n", "</think>\nI look it up.");
    // Settings, reference, reply, value.
    let cases: [(BinarySettings, &str, &str, f64); 18] = [
        (default, CALL, CALL, 1.0),
        (default, CALL, &CALL.replace("hm", ""), 1.0),
        (default, CALL, &CALL.replace("Rome", "Oslo"), 0.0),
        (default, CALL, &CALL.replace("{\"city\": \"Rome\"}", "{}"), 0.0),
        (default, CALL, &both, 0.0),
        (default, &both, CALL, 0.0),
        (default, &both, &turned, 1.0),
        (ordered, &both, &turned, 0.0),
        (ordered, &both, &both, 1.0),
        (default, CALL, &bare, 0.0),
        (optional, CALL, &bare, 1.0),
        (optional, CALL, "<think>\nhm", 0.0),
        (optional, "<think>\nhm\n</think>\n\nNo.", "<think>\nhm", 0.0),
        (default, CALL, &words, 1.0),
        (strict, CALL, &words, 0.0),
        (default, CALL, &(CALL.to_owned() + " and more"), 0.0),
        (default, "<think>\nhm\n</think>\n\nNo.", "<think>\na\n</think>\n\nIt is so.", 1.0),
        (default, "<think>\nhm\n</think>\n\nNo.", CALL, 0.0),
    ];
    for (place, (settings, gold, reply, value)) in cases.iter().enumerate() {
        let found = score(&Binary::new(*settings), reply, &reference(gold, &HERMES));
        assert_eq!(found.value, *value, "{place}: {found:?} of {reply:?}");
    }
}

#[test]
fn calls_are_checked_against_the_tools_that_were_given() {
    let parameters = serde_json::json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let tool = |name: &str, parameters: &Json| serde_json::json!({"name": name, "parameters": parameters});
    let names_of_python = serde_json::json!({"type": "dict", "properties": {"city": {"type": "str"}}});
    let none = serde_json::json!({"type": "object", "properties": {"city": {"type": "no such type"}}});
    let endless = serde_json::json!({"$ref": "https://example.org/schema.json"});
    let tools = [
        tool("weather", &parameters),
        tool("stop", &Json::Null),
        tool("python", &names_of_python),
        tool("broken", &none),
        tool("remote", &endless),
        serde_json::json!("no tool"),
    ];
    let call = |name: &str, arguments: &str| {
        format!("<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n</tool_call>\n")
    };
    let right = call("weather", "{\"city\": \"Rome\"}");
    let share = SchemaSettings::default();
    let all = SchemaSettings { credit: SchemaCredit::AllOrNothing, ..share };
    let closed = SchemaSettings { additional: Additional::Refused, ..share };
    let extra = call("weather", "{\"city\": \"Rome\", \"more\": 1}");
    // Settings, reply, value, the share that names a tool, the share whose tool has no usable schema.
    type Shares = Option<(f64, f64)>;
    let cases: [(SchemaSettings, String, f64, Shares); 17] = [
        (share, right.clone(), 1.0, Some((1.0, 0.0))),
        (share, right.clone() + &call("weather", "{\"city\": 1}"), 0.5, Some((1.0, 0.0))),
        (all, right.clone() + &call("weather", "{\"city\": 1}"), 0.0, Some((1.0, 0.0))),
        (all, right.clone() + &right, 1.0, Some((1.0, 0.0))),
        (share, call("wether", "{}") + &right, 0.5, Some((0.5, 0.0))),
        (share, extra.clone(), 1.0, Some((1.0, 0.0))),
        (closed, extra, 0.0, Some((1.0, 0.0))),
        (closed, right.clone(), 1.0, Some((1.0, 0.0))),
        (share, call("stop", "{\"now\": 1}"), 1.0, Some((1.0, 0.0))),
        (closed, call("stop", "{\"now\": 1}"), 0.0, Some((1.0, 0.0))),
        (share, call("python", "{\"city\": \"Rome\"}"), 1.0, Some((1.0, 0.0))),
        (share, call("python", "{\"city\": 1}"), 0.0, Some((1.0, 0.0))),
        (share, call("broken", "{\"city\": 1}") + &call("weather", "{\"city\": NaN}"), 0.5, Some((1.0, 0.5))),
        (share, call("remote", "{\"city\": 1}"), 1.0, Some((1.0, 1.0))),
        (share, "No call.".to_owned(), 0.0, None),
        (share, right[..right.len() - 20].to_owned(), 0.0, None),
        (share, "<tool_call>\n[1]\n</tool_call>".to_owned(), 0.0, None),
    ];
    let reference = Reference::in_dialect(&right, &HERMES).with_tools(&tools);
    for (place, (settings, reply, value, shares)) in cases.iter().enumerate() {
        let found = score(&Schema::new(*settings), reply, &reference);
        assert_eq!(found.value, *value, "{place}: {found:?}");
        let component = |name: &str| found.components.iter().find(|c| c.name == name).map(|c| c.value);
        assert_eq!(component("known").zip(component("unusable")), *shares, "{place}: {found:?}");
    }
    // Without tools there is nothing to check; without a wanted call a reply without one has all.
    let without = Reference::in_dialect(&right, &HERMES);
    assert_eq!(score(&Schema::default(), &call("wether", "{}"), &without).value, 1.0);
    let words = Reference::in_dialect("No.", &HERMES).with_tools(&tools);
    assert_eq!(
        ["No.", &right, &call("wether", "{}")].map(|reply| score(&Schema::default(), reply, &words).value),
        [1.0, 1.0, 0.0]
    );
}

#[test]
fn explanations_name_what_is_wrong_with_a_call() {
    let gold = r#"<think>a</think>
<tool_call>
{"name": "mail", "parameters": {"text": "The meeting was moved", "cc": "ann"}}
{"name": "stop", "parameters": {}}
</tool_call>"#;
    let reply = gold.replace("was moved", "is cancelled").replace("stop", "halt");
    let reference = reference(gold, &ToolRl);
    let mut terms = ["schema", "binary", "rouge_values"].map(TermConfig::new).to_vec();
    terms[2].settings.insert("thoughts".to_owned(), "optional".into());
    let config = RubricConfig { terms };
    let rubric = Rubric::from_config(&config, &Registry::builtin()).expect("a rubric");
    let told = |reply: &str| {
        let parsed = reference.read(reply.as_bytes());
        let score = rubric.score(&parsed, &reference, &Context::evaluation()).expect("a score");
        explain(&parsed, &reference, &score)
    };
    assert_eq!(
        told(&reply),
        "total -0.500\nschema 0.500 of [0, 1]: 1 of 2 calls fit the tools\n  call 2: no such tool was given\n\
         binary 0.000 of [0, 1]: the form is right; the calls are not the reference's\n\
         rouge_values -1.000 of [-1, 1]: call 2 names \"halt\", which was not given\n"
    );
    // Two of four words are the same: F1 is 1/2, of two parameters, of one of three calls.
    let reply = gold.replace("was moved", "is cancelled").replace("\"stop\"", "\"mail\"");
    assert!(
        told(&reply).ends_with(
            "rouge_values 0.250 of [-1, 1]\n  call 1 -> reference call 1: 0.750 of 1\n    \"text\": 0.500 of 1\n  \
             call 2 -> none\n  1 of the reference's calls have no like\n"
        ),
        "{}",
        told(&reply)
    );
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    let endless = serde_json::json!({"$ref": "#"});
    let list = serde_json::json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
    let deep = |depth: usize| format!("{}{{}}{}", "{\"next\": ".repeat(depth), "}".repeat(depth));
    for (schema, arguments) in
        [(&endless, "{}".to_owned()), (&list, deep(3)), (&list, deep(100)), (&list, deep(900))]
    {
        let tool = serde_json::json!({"name": "f", "parameters": schema});
        let reply = format!("<tool_call>{{\"name\": \"f\", \"parameters\": {arguments}}}</tool_call>");
        let reference = Reference::parse(&reply).expect("a readable reference").with_tools(&[tool]);
        score(&Schema::default(), &reply, &reference);
        score(
            &Schema::new(SchemaSettings { additional: Additional::Refused, ..Default::default() }),
            &reply,
            &reference,
        );
    }
}

#[test]
fn a_reply_that_breaks_the_rules_has_the_penalty() {
    let (mild, free) = (
        RougeValuesSettings { penalty: 0.5, ..Default::default() },
        RougeValuesSettings { penalty: 0.0, ..Default::default() },
    );
    let broken = CALL.replace("</think>", "");
    let reference = reference(CALL, named("hermes").expect("a dialect"));
    let value = |settings| {
        let term = RougeValues::new(settings).expect("settings");
        (term.range(&Context::evaluation()), score(&term, &broken, &reference).value)
    };
    assert_eq!(value(mild), ((-0.5, 1.0), -0.5));
    assert_eq!(value(free), ((0.0, 1.0), 0.0));
    for penalty in [-1.0, f64::NAN, f64::INFINITY] {
        let refused = RougeValues::new(RougeValuesSettings { penalty, ..Default::default() });
        assert!(refused.expect_err("no penalty").to_string().contains("penalty"), "{penalty}");
    }
}

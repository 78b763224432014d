//! Rows of both forms, how they are grouped, and rewards by name.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use common::{ANSWER, CALL, row};
use serde_json::{Value, json};
use toolrl_reward::{Registry, Rubric};
use toolrl_workbench::{Reward, Row, groups, terms};

#[test]
fn tools_of_a_row_are_what_its_calls_are_held_against() {
    let tool = json!({"name": "f", "parameters": {"properties": {"x": {"type": "string"}}}});
    let row = |tools: &Value| parse(&json!({"completion": CALL, "gold": CALL, "tools": tools}), None);
    let rubric = Rubric::from_config(&terms("schema").unwrap(), &Registry::builtin()).unwrap();
    let reward = Reward::fixed("schema", rubric, 1);
    let listed = json!([tool]);
    for (tools, total) in
        [(json!(null), 1.0), (json!([]), 1.0), (listed.clone(), 0.0), (json!(listed.to_string()), 0.0)]
    {
        let scored = reward.score(&[row(&tools).unwrap()]).remove(0).unwrap();
        assert_eq!(scored.score.total, total, "{tools}");
    }
    assert!(row(&json!(3)).unwrap_err().contains("field \"tools\": expected a list of tools"));
}

fn parse(value: &Value, group_by: Option<&str>) -> Result<Row, String> {
    Row::parse(value.to_string().as_bytes(), 3, group_by).map_err(|error| error.to_string())
}

#[test]
fn both_forms_are_read() {
    let prompt = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n";
    let cases = [
        (
            json!({"solution_str": format!("{prompt}{CALL}<|im_end|>"), "ground_truth": CALL, "id": 7}),
            None,
            "row 3 (7)",
        ),
        (json!({"solution_str": CALL, "ground_truth": CALL, "step": 4}), Some(4), "row 3"),
        (
            json!({"completion": format!("{CALL}\n"), "gold": CALL, "step": 2, "sample_id": "s"}),
            Some(2),
            "row 3 (\"s\")",
        ),
    ];
    for (value, step, label) in cases {
        let row = parse(&value, None).unwrap();
        assert_eq!(row.reply.as_ref().unwrap(), CALL.as_bytes(), "{value}");
        assert_eq!((row.gold.as_slice(), row.step, row.label().as_str()), (CALL.as_bytes(), step, label));
    }
    let unknown =
        parse(&json!({"solution_str": CALL, "ground_truth": CALL, "template": "none"}), None).unwrap();
    assert!(unknown.reply.is_err() && Reward::per_row().score(&[unknown])[0].is_err());
}

#[test]
fn what_is_no_row_is_refused() {
    let nested = format!("{{\"completion\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: [(&[u8], &str); 8] = [
        (b"", "not a row of JSON"),
        (b"{\"solution_str\": ", "not a row of JSON"),
        (b"\xff\xfe\x00", "not a row of JSON"),
        (b"[1]", "found list"),
        (b"{\"reply\": 1, \"answer\": 2}", "found the keys reply, answer"),
        (b"{\"completion\": \"a\"}", "field \"gold\": expected a string, found nothing"),
        (b"{\"completion\": 1, \"gold\": \"a\"}", "field \"completion\": expected a string, found integer"),
        (nested.as_bytes(), "nested more than"),
    ];
    for (line, part) in cases {
        let error = Row::parse(line, 1, None).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn groups_are_told_by_field_by_id_or_by_prompt() {
    let with = |extra: Value| {
        let mut value = json!({"completion": CALL, "gold": CALL});
        value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        value
    };
    let prompt = |text: &str, reply: &str| {
        let whole = format!("<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n{reply}<|im_end|>");
        json!({"solution_str": whole, "ground_truth": CALL})
    };
    // Rows, the field asked for, and the groups.
    type Case<'a> = (Vec<Value>, Option<&'a str>, &'a [&'a [usize]]);
    let cases: [Case<'_>; 7] = [
        (
            vec![with(json!({"group": 1})), with(json!({"group": 2})), with(json!({"group": 1}))],
            None,
            &[&[0, 2], &[1]],
        ),
        (
            vec![
                with(json!({"prompt_index": 1, "step": 1})),
                with(json!({"prompt_index": 1, "step": 2})),
                with(json!({"prompt_index": 1, "step": 1})),
            ],
            None,
            &[&[0, 2], &[1]],
        ),
        (
            vec![with(json!({"prompt": "a"})), with(json!({"prompt": "b"})), with(json!({"prompt": "a"}))],
            None,
            &[&[0, 2], &[1]],
        ),
        (
            vec![with(json!({"id": "a"})), with(json!({"id": "b"})), with(json!({"id": "a"}))],
            None,
            &[&[0, 2], &[1]],
        ),
        (vec![with(json!({"id": "a"})), with(json!({"id": "b"}))], None, &[&[0, 1]]),
        (
            vec![prompt("x", CALL), prompt("y", CALL), prompt("x", "longer than the other reply")],
            None,
            &[&[0, 2], &[1]],
        ),
        (
            vec![with(json!({"id": "a", "task": 5})), with(json!({"id": "a", "task": 6}))],
            Some("task"),
            &[&[0], &[1]],
        ),
    ];
    for (values, group_by, expected) in cases {
        let rows: Vec<Row> = values.iter().map(|value| parse(value, group_by).unwrap()).collect();
        let keys: Vec<_> = rows.iter().map(|row| (row.key.clone(), row.id.clone())).collect();
        assert_eq!(groups(&keys), expected, "{values:?}");
    }
    let error = parse(&with(json!({})), Some("task")).unwrap_err();
    assert_eq!(error, "field \"task\", by which rows are grouped, is missing");
}

#[test]
fn released_flags_and_terms_are_read() {
    let wrong = CALL.replace("2}", "3}");
    let total = |reward: &Reward| reward.score(&[row(1, &wrong, CALL)])[0].as_ref().unwrap().score.total;
    // One of four points is lost: 1 + 6 * 3/4 - 3.
    assert_eq!(total(&Reward::per_row()), 2.5);
    assert_eq!(total(&Reward::released("COARSEREWARD").unwrap()), -2.0);
    assert_eq!(total(&Reward::released("INTERMEDIATEREWARD, CORRECTMAX1").unwrap()), 1.0);
    // Before step 30 a call counts a third, whether the row or the reward names the flag.
    assert_eq!(total(&Reward::released("MAX1STEP30MAX3").unwrap()), 1.5);
    let error = Reward::released("COARSE").unwrap_err().to_string();
    assert!(error.contains("\"COARSE\"") && error.contains("COARSEREWARD"), "{error}");

    let config =
        terms("format*0.5 + correctness : granularity=strict, scale=[\"equal_max\"], on_failure=zero")
            .unwrap();
    assert_eq!((config.terms[0].weight, config.terms[1].weight), (0.5, 1.0));
    assert_eq!(config.terms[1].settings["scale"].as_array().unwrap().len(), 1);
    assert_eq!(config.terms[1].on_failure, toolrl_reward::OnFailure::Zero);
    for (text, part) in [
        ("", "no id"),
        ("format + ", "no id"),
        ("format*two", "\"two\" is no number"),
        ("format:scale", "expected KEY=VALUE"),
        ("format:on_failure=later", "unknown variant"),
    ] {
        let error = terms(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn schedules_follow_the_rows_step() {
    let reward = Reward::fixed(
        "two_stage",
        toolrl_reward::Rubric::from_config(
            &terms("correctness:scale=[\"two_stage\"]").unwrap(),
            &toolrl_reward::Registry::builtin(),
        )
        .unwrap(),
        100,
    );
    let at = |step: Option<u64>| Row { step, ..row(1, CALL, CALL) };
    let scores = reward.score(&[at(None), at(Some(1)), at(Some(50)), at(Some(1))]);
    let totals: Vec<f64> = scores.iter().map(|scored| scored.as_ref().unwrap().score.total).collect();
    assert_eq!(totals, [3.0, 1.0, 3.0, 1.0]);
    assert_eq!(scores[1].as_ref().unwrap().range, (-1.0, 1.0));
    assert!(reward.score(&[row(1, CALL, "<think> no <tool_call> </think>")])[0].is_err());
    assert!(reward.score(&[]).is_empty());
    assert_eq!(reward.score(&[row(1, ANSWER, ANSWER)])[0].as_ref().unwrap().score.total, 0.0);
}

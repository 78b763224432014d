//! What a program is told of a batch: one line of JSON.
//!
//! ```json
//! {"replies": [{"id": …, "reply": "…", "thoughts": "…", "calls": [{"name": "…", "arguments": {…}}], "response": null,
//!   "faults": [], "gold": {"reply", "thoughts", "calls", "response"}, "messages": […], "tools": […]}, …],
//!  "step": 3, "steps": 105}
//! ```

use std::fmt::{self, Display, Write};

use toolrl_grammar::json::{Object, PyInt, PyStr, Unicode, Value};
use toolrl_grammar::{Call, Parsed, Passage, Turn};
use toolrl_reward::{Context, Reference};

/// Lists and objects nested deeper than this in an argument are told as text: readers have limits of their own, and one
/// reply must not spoil the batch of others.
const DEEPEST: usize = 64;

/// The most digits of a whole number; longer ones are told as text.
const MOST_DIGITS: usize = 300;

/// The line of an empty batch, which tells whether a program is ready.
pub(crate) const EMPTY: &str = "{\"replies\": [], \"step\": null, \"steps\": null}";

/// The line of a batch, without its end. Its JSON is that of the standard: what JSON has no number for is told as text.
pub(crate) fn line(replies: &[(&Parsed<'_>, &Reference)], context: &Context) -> String {
    let mut out = String::from("{\"replies\": [");
    for (place, (parsed, reference)) in replies.iter().enumerate() {
        out += if place == 0 { "" } else { ", " };
        reply(&mut out, parsed, reference);
    }
    let progress = context.progress();
    let step = progress.map_or("null".to_owned(), |progress| progress.step.to_string());
    let steps = progress.map_or("null".to_owned(), |progress| progress.total_steps.to_string());
    put(&mut out, format_args!("], \"step\": {step}, \"steps\": {steps}}}"));
    out
}

fn reply(out: &mut String, parsed: &Parsed<'_>, reference: &Reference) {
    let asked = reference.asked();
    let id = asked.map_or(Value::Null, |asked| Value::str(asked.id.as_str()));
    put(out, format_args!("{{\"id\": {}, ", Unicode(&id)));
    turn(out, parsed.text, &parsed.turn);
    *out += ", \"faults\": [";
    for (place, fault) in parsed.faults.iter().enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        put(out, format_args!("{separator}{}", Unicode(&Value::str(fault.error.to_string()))));
    }
    *out += "], \"gold\": {";
    turn(out, reference.text(), &reference.read(reference.text()).turn);
    let messages = asked.map_or("null", |asked| asked.messages.as_str());
    let tools = reference.tools().map_or("[]", |tools| tools.json());
    put(out, format_args!("}}, \"messages\": {messages}, \"tools\": {tools}}}"));
}

/// The fields of a turn, without the braces around them.
fn turn(out: &mut String, text: &[u8], turn: &Turn<'_>) {
    let thoughts = passage(turn.thoughts.as_ref());
    let response = passage(turn.response.as_ref());
    let text = Value::Str(borrowed(text));
    put(
        out,
        format_args!("\"reply\": {}, \"thoughts\": {}, \"calls\": [", Unicode(&text), Unicode(&thoughts)),
    );
    for (place, call) in turn.calls.iter().enumerate() {
        *out += if place == 0 { "" } else { ", " };
        self::call(out, call);
    }
    put(out, format_args!("], \"response\": {}", Unicode(&response)));
}

fn call(out: &mut String, call: &Call<'_>) {
    let name = Value::Str(borrowed(call.name.as_bytes()));
    put(out, format_args!("{{\"name\": {}, \"arguments\": {{", Unicode(&name)));
    entries(out, &call.arguments, 1);
    *out += "}}";
}

fn entries(out: &mut String, object: &Object<'_>, depth: usize) {
    for (place, (key, inner)) in object.iter().enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        put(out, format_args!("{separator}{}: ", Unicode(&Value::Str(borrowed(key.as_bytes())))));
        value(out, inner, depth);
    }
}

fn value(out: &mut String, value: &Value<'_>, depth: usize) {
    let as_text = |out: &mut String| put(out, format_args!("{}", Unicode(&Value::str(value.to_string()))));
    match value {
        Value::Float(number) if !number.is_finite() => as_text(out),
        Value::Int(number) if digits(number) > MOST_DIGITS => as_text(out),
        Value::List(_) | Value::Object(_) if depth >= DEEPEST => as_text(out),
        Value::List(items) => {
            *out += "[";
            for (place, item) in items.iter().enumerate() {
                *out += if place == 0 { "" } else { ", " };
                self::value(out, item, depth + 1);
            }
            *out += "]";
        }
        Value::Object(object) => {
            *out += "{";
            entries(out, object, depth + 1);
            *out += "}";
        }
        plain => put(out, format_args!("{}", Unicode(plain))),
    }
}

fn digits(number: &PyInt<'_>) -> usize {
    match number {
        PyInt::Small(_) => 0,
        PyInt::Big(digits) => digits.len(),
    }
}

fn passage<'p>(passage: Option<&'p Passage<'_>>) -> Value<'p> {
    passage.map_or(Value::Null, |passage| Value::Str(borrowed(passage.as_bytes())))
}

fn borrowed(text: &[u8]) -> PyStr<'_> {
    PyStr(text.into())
}

/// A text takes whatever is written to it.
fn put(out: &mut String, what: impl Display) {
    let _: fmt::Result = write!(out, "{what}");
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use toolrl_grammar::dialect::named;
    use toolrl_reward::Asked;

    use super::*;

    const TOOLRL: &str =
        "<think> a </think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {\"x\": ARG}}\n</tool_call>";
    const HERMES: &str =
        "<think>a</think>\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": ARG}}\n</tool_call>";

    fn told(reference: &Reference, reply: &str, context: Context) -> Json {
        let line = line(&[(&reference.read(reply.as_bytes()), reference)], &context);
        assert!(!line.contains('\n'), "{line}");
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn an_empty_batch_is_told_alike() {
        assert_eq!(line(&[], &Context::evaluation()), EMPTY);
    }

    #[test]
    fn a_turn_is_told_alike_in_every_dialect() {
        let tools = [json!({"name": "f", "parameters": {}})];
        let asked = || Asked {
            id: "t:1".to_owned(),
            messages: json!([{"role": "user", "content": "ü\n?"}]).to_string(),
        };
        for (dialect, text) in [("toolrl", TOOLRL), ("hermes", HERMES)] {
            let (gold, reply) = (text.replace("ARG", "1"), text.replace("ARG", "[2.5, \"ü\"]"));
            let reference =
                Reference::of_task(&gold, named(dialect).unwrap(), &tools).unwrap().with_asked(asked());
            let told = told(&reference, &reply, Context::training(3, 105));
            let expected = json!({"replies": [{
                "id": "t:1", "reply": reply, "thoughts": "a", "response": null, "faults": [],
                "calls": [{"name": "f", "arguments": {"x": [2.5, "ü"]}}],
                "gold": {
                    "reply": gold, "thoughts": "a", "response": null,
                    "calls": [{"name": "f", "arguments": {"x": 1}}],
                },
                "messages": [{"role": "user", "content": "ü\n?"}], "tools": tools,
            }], "step": 3, "steps": 105});
            assert_eq!(told, expected, "{dialect}");
        }
    }

    #[test]
    fn what_a_reader_of_json_may_refuse_is_told_as_text() {
        let reference = Reference::parse("").unwrap();
        let deep = format!("{}{}", "[".repeat(400), "]".repeat(400));
        let long = "9".repeat(4_000);
        for (argument, expected) in [
            ("NaN", json!("NaN")),
            ("-Infinity", json!("-Infinity")),
            ("1e999", json!("Infinity")),
            (&long, json!(long)),
            ("123456789012345678901234567890", json!(1.2345678901234568e29)),
        ] {
            let told = told(&reference, &TOOLRL.replace("ARG", argument), Context::evaluation());
            assert_eq!(told["replies"][0]["calls"][0]["arguments"]["x"], expected, "{argument}");
            assert_eq!((&told["step"], &told["replies"][0]["messages"]), (&Json::Null, &Json::Null));
        }
        let told = told(&reference, &TOOLRL.replace("ARG", &deep), Context::evaluation());
        let mut inner = &told["replies"][0]["calls"][0]["arguments"]["x"];
        while let Some(next) = inner.get(0) {
            inner = next;
        }
        assert!(inner.as_str().is_some_and(|text| text.starts_with("[[[")), "{inner}");
    }
}

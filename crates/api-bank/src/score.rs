//! The score of a reply.

use toolrl_grammar::json::{self, Value, equal};

use crate::{Call, Reply};

/// The score of a reply, by two rules of which the second is the stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Score {
    /// Right by neither.
    Wrong,
    /// By the released matching: one of the reply's lines is the right call, or its parameters
    /// alone; what else was called does not matter. The lines are read in order, and one on which
    /// the released code fails (a number, `null`, a string that is no JSON, a list that holds
    /// `"name"` and `"parameters"`) ends the reading.
    Released,
    /// By hard match: the reply's only line is an object whose `name` and `parameters` are those of
    /// the right call.
    Hard,
}

impl Score {
    /// 1 for a reply that is right by this rule, else 0.
    pub fn by(self, rule: Self) -> u8 {
        u8::from(self >= rule)
    }
}

/// Scores a reply against the right call.
pub fn score<T: AsRef<[u8]> + ?Sized>(reply: &T, right: &Call) -> Score {
    score_calls(&Reply::parse(reply).calls, right)
}

/// Scores the calls of a reply.
pub(crate) fn score_calls(calls: &[Value<'_>], right: &Call) -> Score {
    if matches!(calls, [call @ Value::Object(_)] if is_named(call) && matches(call, right)) {
        return Score::Hard;
    }
    let mut outcomes = calls.iter().map(|line| outcome(line, right));
    let ended = outcomes.find(|outcome| *outcome != Outcome::Other);
    if ended == Some(Outcome::Right) { Score::Released } else { Score::Wrong }
}

/// What the released matching makes of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Right,
    Other,
    /// The released code fails, and the reply scores 0.
    Fails,
}

fn outcome(line: &Value<'_>, right: &Call) -> Outcome {
    match line {
        Value::Str(text) => match json::parse(text.as_bytes()) {
            Ok(inner) => decoded_outcome(&inner, right),
            Err(_) => Outcome::Fails,
        },
        line => decoded_outcome(line, right),
    }
}

fn decoded_outcome(line: &Value<'_>, right: &Call) -> Outcome {
    let holds = |name: &[u8]| match line {
        Value::List(items) => items.iter().any(|item| item.as_bytes() == Some(name)),
        Value::Str(text) => memchr::memmem::find(text.as_bytes(), name).is_some(),
        _ => false,
    };
    match line {
        Value::Object(_) if matches(line, right) => Outcome::Right,
        Value::Object(_) => Outcome::Other,
        Value::List(_) | Value::Str(_) if holds(b"name") && holds(b"parameters") => Outcome::Fails,
        Value::List(_) | Value::Str(_) => Outcome::Other,
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => Outcome::Fails,
    }
}

/// Whether an object is the right call, or, where it is not of a call's form, the right parameters.
fn matches(line: &Value<'_>, right: &Call) -> bool {
    match (line.get("name"), line.get("parameters")) {
        (Some(name), Some(parameters)) => {
            name.as_bytes() == Some(right.name.as_bytes()) && equal(parameters, &right.parameters)
        }
        _ => equal(line, &right.parameters),
    }
}

fn is_named(line: &Value<'_>) -> bool {
    line.get("name").is_some() && line.get("parameters").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_in_order() {
        let right = json::parse(r#"{"name": "f", "parameters": {"a": 1}}"#).unwrap();
        let right = Call::of(right).unwrap();
        let call = r#"{"parameters": {"a": 1.0}, "name": "f", "id": 7}"#;
        let quoted = r#""{\"a\": 1}""#;
        use Score::{Hard, Released, Wrong};
        let cases: [(&[&str], Score); 18] = [
            (&[call], Hard),
            (&[], Wrong),
            (&["oops", call], Hard),
            (&[r#"{"a": 1}"#], Released),
            (&[quoted], Released),
            (&[r#"{"name": "g", "parameters": {"a": 1}}"#, call], Released),
            (&[call, "5"], Released),
            (&["5", call], Wrong),
            (&["null", call], Wrong),
            (&["\"hello\"", call], Wrong),
            (&["[1]", call], Released),
            (&[r#"["name", "parameters"]"#, call], Wrong),
            (&[r#"["name"]"#, call], Released),
            (&[r#""\"name parameters\"""#, call], Wrong),
            (&[r#"{"name": "F", "parameters": {"a": 1}}"#], Wrong),
            (&[r#"{"name": "f", "parameters": {"a": "1"}}"#], Wrong),
            (&[r#"{"name": "f", "arguments": {"a": 1}}"#], Wrong),
            (&[r#"[{"name": "f", "parameters": {"a": 1}}]"#], Wrong),
        ];
        for (lines, expected) in cases {
            let reply = format!("<tool_call>\n{}\n</tool_call>", lines.join("\n"));
            assert_eq!(score(&reply, &right), expected, "{lines:?}");
        }
    }
}

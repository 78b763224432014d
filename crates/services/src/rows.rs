//! Rows of calls, and the line that answers each.
//!
//! Two kinds, told apart by their `turns`:
//!
//! - **a verdict row** holds a model's calls as `turns[turn][step][call]`; its answer holds `valid` and
//!   `error_type`;
//! - **a trace row** holds `turns` of objects with `calls`; its answer holds the same turns with the
//!   calls' `results`, and the services' `final_state`.
//!
//! Both name their case by `id`, and each call is `{"name": …, "parameters": {…}}`. In an answer a long
//! text, or a long state, is an object of its SHA-256, its length in code points and (for a text) its
//! first 200.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use toolrl_grammar::json::{self, Object, PyInt, PyStr};

use crate::cases::{Cases, field, list, text};
use crate::check::check;
use crate::session::Side;
use crate::{Call, ServicesError};

/// Texts of more code points are shown by their hash.
pub const LONGEST_TEXT: usize = 3_000;

/// States of more characters of JSON are shown by their hash.
pub const LONGEST_STATE: usize = 6_000;

/// Code points of a long text that are shown.
const HEAD: usize = 200;

/// The answer to a row: a JSON line without its end.
///
/// # Errors
/// When the line is no row, or names a case that was not loaded.
pub fn answer(line: &[u8], cases: &Cases) -> Result<String, ServicesError> {
    let row = json::parse(line).map_err(ServicesError::Syntax)?;
    let id = text(&row, "id")?;
    let case = cases.get(&id)?;
    let turns = list(&row, "turns")?;
    let mut answer = Object::default();
    answer.insert("id".into(), json::Value::str(id));
    if turns.iter().all(|turn| turn.as_object().is_some()) && !turns.is_empty() {
        let mut session = case.session(Side::Model)?;
        let mut traced = Vec::with_capacity(turns.len());
        for turn in turns {
            let calls = list(turn, "calls")?;
            let mut results = Vec::with_capacity(calls.len());
            for call in calls {
                results.push(shortened(session.execute(&Call::from_json(call)?.to_string())));
            }
            let calls = json::Value::List(calls.to_vec());
            traced.push(object([("calls", calls), ("results", json::Value::List(results))]));
        }
        answer.insert("turns".into(), json::Value::List(traced));
        answer.insert("final_state".into(), shortened_state(session.state()));
    } else {
        let steps = turns.iter().map(|turn| steps(turn, &row)).collect::<Result<Vec<_>, _>>()?;
        let failure = check(case, &steps)?.err();
        answer.insert("valid".into(), json::Value::Bool(failure.is_none()));
        let error = failure.map_or(json::Value::Null, |failure| json::Value::str(failure.to_string()));
        answer.insert("error_type".into(), error);
    }
    Ok(json::Value::Object(answer).to_string())
}

/// A turn's calls by step.
fn steps(turn: &json::Value<'_>, row: &json::Value<'_>) -> Result<Vec<Vec<Call>>, ServicesError> {
    let fail = || field("turns", "lists of steps of calls", row);
    let json::Value::List(steps) = turn else {
        return Err(fail());
    };
    let step = |step: &json::Value<'_>| match step {
        json::Value::List(calls) => calls.iter().map(Call::from_json).collect(),
        _ => Err(fail()),
    };
    steps.iter().map(step).collect()
}

fn object<'a, const N: usize>(entries: [(&'a str, json::Value<'a>); N]) -> json::Value<'a> {
    json::Value::Object(entries.map(|(key, value)| (PyStr::from(key), value)).into_iter().collect())
}

/// A result, or what stands for a long one.
fn shortened(text: String) -> json::Value<'static> {
    let length = text.chars().count();
    if length <= LONGEST_TEXT {
        return json::Value::str(text);
    }
    let head: String = text.chars().take(HEAD).collect();
    object([("sha256", sha256(&text)), ("len", integer(length)), ("head", json::Value::str(head))])
}

/// A state, or what stands for a long one: hashed as JSON with its keys sorted.
fn shortened_state(state: json::Value<'static>) -> json::Value<'static> {
    let text = sorted(state.clone()).to_string();
    if text.len() <= LONGEST_STATE {
        return state;
    }
    object([("sha256", sha256(&text)), ("len", integer(text.len()))])
}

fn sorted(value: json::Value<'static>) -> json::Value<'static> {
    match value {
        json::Value::List(items) => json::Value::List(items.into_iter().map(sorted).collect()),
        json::Value::Object(mut entries) => {
            entries.sort_unstable_keys();
            json::Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        other => other,
    }
}

fn sha256(text: &str) -> json::Value<'static> {
    let mut hexadecimal = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(hexadecimal, "{byte:02x}");
    }
    json::Value::str(hexadecimal)
}

fn integer(n: usize) -> json::Value<'static> {
    json::Value::Int(PyInt::Small(n as i64))
}

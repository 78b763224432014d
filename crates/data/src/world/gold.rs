//! Gold turns, and what a hurried demonstrator makes of them.

use serde_json::Value;
use toolrl_grammar::dialect::toolrl::call_line;
use toolrl_grammar::json::{self, Object, PyInt};
use toolrl_grammar::{Call, Turn};

use super::listing::Listed;

/// A turn that calls tools.
pub(crate) fn calls(thought: String, calls: Vec<Call<'static>>) -> Turn<'static> {
    Turn { thoughts: Some(thought.into()), calls, response: None }
}

/// A turn in words.
pub(crate) fn response(thought: String, answer: String) -> Turn<'static> {
    Turn { thoughts: Some(thought.into()), calls: Vec::new(), response: Some(answer.into()) }
}

/// The turn with a slip: of several calls the last is left out, of one call the last parameter, and
/// instead of words there is a call of the first listed tool. A call without parameters stays as it is.
pub(crate) fn with_slip(mut turn: Turn<'static>, tools: &[Listed]) -> Turn<'static> {
    match (&mut turn.calls[..], tools.first()) {
        ([], Some(tool)) => {
            let call = Call::new(tool.name.clone(), Object::default());
            return calls(format!("I call {}.", tool.name), vec![call]);
        }
        ([], None) => {}
        ([call], _) => {
            call.arguments.pop();
        }
        _ => {
            turn.calls.pop();
        }
    }
    turn
}

/// Calls as text, one a line.
pub(crate) fn lines(calls: &[Call<'_>]) -> String {
    calls.iter().map(call_line).collect::<Vec<_>>().join("\n")
}

/// A value as calls hold it.
pub(crate) fn argument(value: &Value) -> json::Value<'static> {
    match value {
        Value::Null => json::Value::Null,
        Value::Bool(flag) => json::Value::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => json::Value::Int(PyInt::Small(whole)),
            (None, Some(x)) if number.is_f64() => json::Value::Float(x),
            _ => json::Value::Int(PyInt::Big(number.to_string().into())),
        },
        Value::String(text) => json::Value::str(text.clone()),
        Value::Array(items) => json::Value::List(items.iter().map(argument).collect()),
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| (key.clone().into(), argument(value));
            json::Value::Object(entries.iter().map(entry).collect())
        }
    }
}

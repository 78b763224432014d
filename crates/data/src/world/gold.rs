//! Gold replies in the released form.

use serde_json::Value;

use super::python_json;

/// A reply with calls.
pub(crate) fn calls(thought: &str, calls: &[Value]) -> String {
    format!("<think> {thought} </think>\n<tool_call>\n{}\n</tool_call>", lines(calls))
}

/// A reply in words.
pub(crate) fn response(thought: &str, answer: &str) -> String {
    format!("<think> {thought} </think>\n<response> {answer} </response>")
}

/// Calls as text, one a line.
pub(crate) fn lines(calls: &[Value]) -> String {
    calls.iter().map(python_json::text).collect::<Vec<_>>().join("\n")
}

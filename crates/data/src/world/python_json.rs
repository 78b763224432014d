//! JSON with the spacing of Python's `json.dumps`.

use toolrl_grammar::json::{Unicode, parse};

/// The value as one line: `{"a": [1, 2.5]}`.
pub(crate) fn text(value: &serde_json::Value) -> String {
    let compact = value.to_string();
    // What cannot be read back is nested deeper than any value of the world.
    parse(&compact).map_or_else(|_| compact.clone(), |value| Unicode(&value).to_string())
}

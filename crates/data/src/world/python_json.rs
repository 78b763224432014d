//! JSON with the spacing of Python's `json.dumps`.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

struct PythonSpacing;

impl Formatter for PythonSpacing {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

/// The value as one line: `{"a": [1, 2.5]}`.
pub(crate) fn text(value: &serde_json::Value) -> String {
    let mut bytes = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut bytes, PythonSpacing));
    // Writing a `Value` to memory cannot fail: its keys are strings and the vector grows.
    debug_assert!(written.is_ok());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn spaces_stand_where_python_puts_them() {
        let cases = [
            (json!({"a": [1, 2.5, "x"], "b": {}, "c": true}), r#"{"a": [1, 2.5, "x"], "b": {}, "c": true}"#),
            (json!([]), "[]"),
            (json!(3.0), "3.0"),
        ];
        for (value, expected) in cases {
            assert_eq!(super::text(&value), expected);
        }
    }
}

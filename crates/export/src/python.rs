//! Values as Python writes them.

use serde_json::Value;

/// A literal that Python reads as this value.
pub(crate) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => {
            let entry = |(key, value): (&String, &Value)| {
                format!("{}: {}", Value::from(key.as_str()), literal(value))
            };
            format!("{{{}}}", table.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        // What JSON writes of numbers and strings is Python's too.
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn literals_are_pythons() {
        let value = json!({"a": [true, false, null, 1e-6, -3, "x\"\n\u{1F600}é"]});
        assert_eq!(literal(&value), "{\"a\": [True, False, None, 1e-6, -3, \"x\\\"\\n😀é\"]}");
    }
}

//! The dialects of models: what each makes of any text.

use toolrl_grammar::json::{self, Value};
use toolrl_grammar::{DIALECTS, Dialect, Outcome, ParameterTypes, Span, dialect};

/// Reads a reply in every dialect. Spans lie in the text, what is not whole says why, and a turn that can be written
/// is read as itself.
pub fn dialects(data: &[u8]) {
    let tools = r#"[{"name": "f", "parameters": {"properties": {"a": {"type": ["integer", "array"]}}}}]"#;
    let types = ParameterTypes::of(&json::parse(tools).expect("JSON"));
    DIALECTS.into_iter().for_each(|dialect| read(dialect, data, &types));
    if let Ok(tools @ Value::List(_)) = json::parse(data) {
        let _ = ParameterTypes::of(&tools);
    }
}

fn read(dialect: &'static dyn Dialect, data: &[u8], types: &ParameterTypes) {
    let name = dialect.name();
    let parsed = dialect.parse(data);
    let inside = |span: Span| assert!(span.start <= span.end && span.end <= data.len(), "{name}: {span}");
    parsed.faults.iter().for_each(|fault| inside(fault.error.span));
    assert_eq!(parsed.outcome == Outcome::Whole, parsed.faults.is_empty(), "{name}");
    for passage in parsed.turn.thoughts.iter().chain(&parsed.turn.response) {
        assert_eq!(passage.span.expect("it was read").of(data), passage.as_bytes(), "{name}");
    }
    parsed.turn.calls.iter().for_each(|call| inside(call.span.expect("it was read")));
    if let Ok(text) = dialect.write(&parsed.turn) {
        let again = dialect.parse(text.as_bytes());
        assert_eq!(again.outcome, Outcome::Whole, "{name}: {text:?}");
        assert!(dialect.strict(text.as_bytes(), again.turn.kind()).is_ok(), "{name}: {text:?}");
        assert!(dialect::writes(dialect, &text, &parsed.turn), "{name}: {text:?}");
    }
    let calls = parsed.turn.calls.len();
    assert_eq!(dialect.typed(parsed.turn, types).calls.len(), calls, "{name}");
}

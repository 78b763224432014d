//! What a program answers to a batch: lists of JSON, with one entry for each reply in order.
//!
//! An entry is a number; `{"value": 0.5, "note": "why", "parts": {"speed": 0.1}}`, of which `note` and `parts` may be left
//! out; or an error, as a text or `{"error": "why"}`. `{"error": "why"}` in place of a list is that of all replies left.

use toolrl_grammar::json::{self, PyInt, Value};
use toolrl_grammar::text::lossy;
use toolrl_reward::TermScore;

use crate::ScorerError;

/// What a program says of one reply.
pub(crate) type Entry = Result<TermScore, ScorerError>;

/// What came of a batch.
pub(crate) struct Answered {
    /// Of the first replies, as many as were answered.
    pub entries: Vec<Entry>,
    /// Why there are no more.
    pub rest: Result<(), Broken>,
}

/// Why a program cannot be asked any further.
pub(crate) enum Broken {
    /// It was silent for too long.
    TimedOut,
    Failed(ScorerError),
}

/// Adds the entries of an answer to those that came before it.
///
/// # Errors
/// What is no answer, and one with more entries than there are replies.
pub(crate) fn read(answer: &[u8], replies: usize, entries: &mut Vec<Entry>) -> Result<(), ScorerError> {
    let wrong = |what: String| ScorerError::Answer { what };
    let value = json::parse(answer).map_err(|error| wrong(format!("{error}: {}", shown(answer))))?;
    if let Some(error) = value.get("error") {
        let text = said(error);
        if replies == 0 {
            return Err(ScorerError::Said(text));
        }
        entries.resize_with(replies, || Err(ScorerError::Said(text.clone())));
        return Ok(());
    }
    let Value::List(items) = value else {
        return Err(wrong(format!("expected a list with an entry for each reply, found {}", shown(answer))));
    };
    let all = entries.len() + items.len();
    if all > replies {
        return Err(wrong(format!("{all} entries for {replies} replies")));
    }
    entries.extend(items.iter().map(entry));
    Ok(())
}

fn entry(item: &Value<'_>) -> Entry {
    if let Some(value) = number(item) {
        return Ok(TermScore::new(value));
    }
    let wrong =
        |what: &str| ScorerError::Answer { what: format!("{what}: {}", shown(item.to_string().as_bytes())) };
    let object = match item {
        Value::Str(_) => return Err(ScorerError::Said(said(item))),
        Value::Object(object) => object,
        _ => return Err(wrong("an entry is neither a number, nor an object, nor an error's text")),
    };
    if let Some(error) = item.get("error") {
        return Err(ScorerError::Said(said(error)));
    }
    let value =
        item.get("value").and_then(number).ok_or_else(|| wrong("an entry without a number as \"value\""))?;
    let mut score = TermScore::new(value);
    for (key, given) in object {
        match (key.as_bytes(), given) {
            (b"value", _) | (b"note" | b"parts", Value::Null) => {}
            (b"note", note) => score = score.with_note(said(note)),
            (b"parts", Value::Object(parts)) => {
                for (name, part) in parts {
                    let part = number(part).filter(|part| part.is_finite());
                    let part = part.ok_or_else(|| wrong("a part that is no finite number"))?;
                    score = score.with_component(name.lossy().into_owned(), part);
                }
            }
            _ => return Err(wrong("an entry has value, note and parts, or error")),
        }
    }
    Ok(score)
}

/// A number; one that a double cannot hold is infinite.
fn number(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        Value::Int(PyInt::Small(number)) => Some(*number as f64),
        Value::Int(PyInt::Big(digits)) => digits.parse().ok(),
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        _ => None,
    }
}

/// A text, or what else stands for it.
fn said(value: &Value<'_>) -> String {
    match value {
        Value::Str(text) => text.lossy().into_owned(),
        other => other.to_string(),
    }
}

/// The beginning of an answer, for an error.
pub(crate) fn shown(answer: &[u8]) -> String {
    const MOST: usize = 200;
    let text = lossy(answer.get(..MOST).unwrap_or(answer));
    if answer.len() > MOST { format!("{text}…") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(answer: &str, replies: usize) -> Result<Vec<Entry>, String> {
        let mut entries = Vec::new();
        read(answer.as_bytes(), replies, &mut entries).map(|()| entries).map_err(|error| error.to_string())
    }

    #[test]
    fn entries_are_numbers_objects_or_errors() {
        for (entry, value) in
            [("1", 1.0), ("-0.5", -0.5), ("true", 1.0), ("{\"value\": 2}", 2.0), ("1e999", f64::INFINITY)]
        {
            let entries = of(&format!("[{entry}]"), 1).unwrap();
            assert_eq!(entries[0].as_ref().unwrap().value, value, "{entry}");
        }
        assert!(of("[NaN]", 1).unwrap()[0].as_ref().unwrap().value.is_nan());
        assert_eq!(
            of(&format!("[{}]", "9".repeat(400)), 1).unwrap()[0].as_ref().unwrap().value,
            f64::INFINITY
        );
        let whole = of(r#"[{"value": 1, "note": "good", "parts": {"a": 0.5}}]"#, 1).unwrap();
        let score = whole[0].as_ref().unwrap();
        assert_eq!((score.components[0].name.as_ref(), score.components[0].value), ("a", 0.5));
        assert!(format!("{:?}", score.breakdown).contains("good"));
        for (entry, part) in [
            ("\"no luck\"", "no luck"),
            ("{\"error\": \"no luck\"}", "no luck"),
            ("null", "neither a number"),
            ("[1]", "neither a number"),
            ("{\"note\": \"a\"}", "without a number"),
            ("{\"value\": null}", "without a number"),
            ("{\"value\": 1, \"parts\": {\"a\": NaN}}", "no finite number"),
            ("{\"value\": 1, \"score\": 1}", "value, note and parts"),
        ] {
            let error = of(&format!("[{entry}]"), 1).unwrap().remove(0).unwrap_err().to_string();
            assert!(error.contains(part), "{entry}: {error}");
        }
    }

    #[test]
    fn answers_are_lists_that_fit() {
        assert_eq!(of("[]", 2).unwrap().len(), 0);
        let mut entries = Vec::new();
        for line in ["[1]", "[2, 3]", "{\"error\": \"tired\"}"] {
            read(line.as_bytes(), 5, &mut entries).unwrap();
        }
        assert_eq!(entries.iter().filter(|entry| entry.is_err()).count(), 2);
        let long = format!("\"{}\"", "a".repeat(9_000));
        for (answer, part) in
            [("[1, 2, 3]", "3 entries for 2 replies"), ("1", "expected a list"), ("a", "JSON"), (&long, "…")]
        {
            let error = of(answer, 2).unwrap_err();
            assert!(error.contains(part) && error.len() < 400, "{answer}: {error}");
        }
        let mut entries = Vec::new();
        assert!(read(b"[\xFF]", 1, &mut entries).is_err());
    }
}

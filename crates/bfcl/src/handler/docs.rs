//! Functions as a prompt shows them: with a note on the language, and for Java and JavaScript every
//! argument as source text in a string.

use std::borrow::Cow;

use toolrl_grammar::json::{Object, Value};

use crate::{FunctionDoc, Language};

/// A function's description, with a note on the language.
pub(super) fn description(doc: &FunctionDoc, language: Language) -> String {
    let syntax = match language {
        Language::Python => "Python 3",
        Language::Java => "Java 8 SDK",
        Language::JavaScript => "JavaScript",
    };
    format!("{} Note that the provided function is in {syntax} syntax.", doc.description)
}

/// The properties of a function's parameters.
pub(super) fn properties(doc: &FunctionDoc, language: Language) -> Cow<'_, Value<'static>> {
    static NONE: Value<'static> = Value::Null;
    let properties = doc.parameters.get("properties").unwrap_or(&NONE);
    match (language, properties) {
        (_, Value::Null) => Cow::Owned(Value::Object(Object::default())),
        (Language::Java | Language::JavaScript, Value::Object(entries)) => {
            let described = entries.iter().map(|(name, property)| {
                let property =
                    property.as_object().map_or_else(|| property.clone(), |of| as_text(of, language));
                (name.clone(), property)
            });
            Cow::Owned(Value::Object(described.collect()))
        }
        (_, properties) => Cow::Borrowed(properties),
    }
}

/// A property whose value is to be given as source text.
fn as_text(property: &Object<'static>, language: Language) -> Value<'static> {
    let mut property = property.clone();
    let declared = text(property.get(&b"type"[..]));
    let language_name = if language == Language::Java { "Java" } else { "JavaScript" };
    let mut note = match declared.as_str() {
        "any" => {
            format!(" This parameter can be of any type of {language_name} object in string representation.")
        }
        _ => format!(" This is {language_name} {declared} type parameter in string representation."),
    };
    if matches!(declared.as_str(), "Array" | "ArrayList" | "array") {
        let items = property.shift_remove(&b"items"[..]);
        let items = text(items.as_ref().and_then(|items| items.get("type")));
        note += &format!(" The list elements are of type {items}; they are not in string representation.");
    }
    if let ("dict", Some(schema)) = (declared.as_str(), property.shift_remove(&b"properties"[..])) {
        note += " The dictionary entries have the following schema; they are not in string representation. ";
        note += &schema.to_string();
    }
    let description = text(property.get(&b"description"[..])) + &note;
    property.insert("description".into(), Value::str(description));
    property.insert("type".into(), Value::str("string"));
    Value::Object(property)
}

fn text(value: Option<&Value<'_>>) -> String {
    let bytes = value.and_then(Value::as_bytes).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

//! The value of an argument against the answer's options.

use toolrl_grammar::json::{Object, PyStr, Value};

use super::call::is_empty_text;
use super::standard::{as_items, standard, standard_equal};
use crate::{ErrorType, Verdict};

/// A string must be some option's, both in their standard form.
pub(super) fn string(text: &PyStr<'_>, options: &[Value<'_>]) -> Verdict {
    let text = standard(text.as_bytes());
    let mut texts = options.iter().filter_map(Value::as_bytes);
    if texts.any(|option| standard(option) == text) { Ok(()) } else { Err(ErrorType::StringValue) }
}

/// A list must be some option's, in order, the strings directly in it in their standard form.
pub(super) fn list(found: &[Value<'_>], options: &[Value<'_>]) -> Verdict {
    let equals = |option: &Value<'_>| {
        as_items(option).is_some_and(|items| {
            items.len() == found.len() && found.iter().zip(items.iter()).all(|(a, b)| standard_equal(a, b))
        })
    };
    if options.iter().any(equals) { Ok(()) } else { Err(ErrorType::ListValue) }
}

/// A list of objects must have some option's length, and each object pass against the option's at
/// its place. The error is that of the last option.
pub(super) fn list_of_dicts(found: &[Value<'_>], options: &[Value<'_>]) -> Verdict {
    let mut verdict = Err(ErrorType::ListOfDictsUnclear);
    for option in options {
        verdict = match as_items(option) {
            Some(items) if items.len() == found.len() => {
                let mut pairs = found.iter().zip(items.iter());
                pairs.try_for_each(|(value, option)| match value {
                    Value::Object(entries) => dict(entries, std::slice::from_ref(option)),
                    _ => Err(ErrorType::DictUnclear),
                })
            }
            _ => Err(ErrorType::ListOfDictsCount),
        };
        if verdict.is_ok() {
            break;
        }
    }
    verdict
}

/// An object must pass against some option that is not `""`. The error is that of the last one.
pub(super) fn dict(entries: &Object<'_>, options: &[Value<'_>]) -> Verdict {
    let mut verdict = Err(ErrorType::DictUnclear);
    for option in options.iter().filter(|option| !is_empty_text(option)) {
        verdict = match option {
            Value::Object(expected) => dict_option(entries, expected),
            _ => Err(ErrorType::DictKey),
        };
        if verdict.is_ok() {
            break;
        }
    }
    verdict
}

/// An object against one option, which holds for each key the values that are right. A key that is
/// missing is reported before a value that is wrong.
fn dict_option(entries: &Object<'_>, expected: &Object<'_>) -> Verdict {
    let optional = |values: &Value<'_>| match values {
        Value::List(items) => items.iter().any(is_empty_text),
        Value::Object(entries) => entries.contains_key(&b""[..]),
        Value::Str(_) => true,
        _ => false,
    };
    let mut keys = expected.iter();
    if keys.any(|(key, values)| !entries.contains_key(key.as_bytes()) && !optional(values)) {
        return Err(ErrorType::DictKey);
    }
    for (key, value) in entries {
        let values = expected.get(key.as_bytes()).ok_or(ErrorType::DictKey)?;
        let among = |items: &[Value<'_>]| items.iter().any(|item| standard_equal(value, item));
        if !as_items(values).is_some_and(|items| among(&items)) {
            return Err(ErrorType::DictValue);
        }
    }
    Ok(())
}

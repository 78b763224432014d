//! The type of an argument against the declared type and those of the answer's options.

use toolrl_grammar::json::Value;

use super::call::is_empty_text;
use crate::ErrorType;
use crate::types::Kind;

/// How an argument is to be compared with the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// By the rules of the declared type.
    Literal,
    /// As it stands: the options are of another type than the declared one, so the answer is a
    /// variable.
    Variable,
}

/// Checks the type of an argument. `items` is the declared type of a list's items.
pub(super) fn check(
    value: &Value<'_>,
    declared: Kind,
    items: Option<Kind>,
    options: &[Value<'_>],
) -> Result<Reading, ErrorType> {
    let of_options = options.iter().find(|option| !is_empty_text(option)).map(Kind::of);
    let found = Kind::of(value);
    let nested = found == declared && items.is_some();
    if found == declared && items.is_none_or(|items| items_fit(value, items, options)) {
        let variable = of_options.is_some_and(|kind| kind != declared);
        return Ok(if variable { Reading::Variable } else { Reading::Literal });
    }
    match of_options {
        Some(kind) if kind == found && nested => Err(ErrorType::NestedType),
        Some(kind) if kind == found => Ok(Reading::Variable),
        _ => Err(ErrorType::SimpleType),
    }
}

/// Whether some option accepts the types of a list's items. An option that is no list accepts any.
fn items_fit(value: &Value<'_>, items: Kind, options: &[Value<'_>]) -> bool {
    let Value::List(found) = value else {
        return true;
    };
    let accepts = |option: &Value<'_>| match option {
        Value::List(expected) => found.iter().all(|item| check(item, items, None, expected).is_ok()),
        _ => true,
    };
    options.iter().any(accepts)
}

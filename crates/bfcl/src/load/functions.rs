//! Functions: their documentation, and the part of it that the checker needs.

use toolrl_grammar::json::{PyStr, Value};

use super::row::Row;
use crate::{BfclError, Declared, FunctionDoc, Language, Parameter, Signature};

/// Reads a function's documentation.
pub(super) fn doc(row: &Row<'_>, value: &Value<'static>) -> Result<FunctionDoc, BfclError> {
    row.object("function.parameters", value.get("parameters"))?;
    Ok(FunctionDoc {
        name: row.text_in("function", value, "name")?,
        description: row.text_in("function", value, "description")?,
        parameters: value.get("parameters").cloned().unwrap_or(Value::Null),
        response: value.get("response").cloned(),
    })
}

/// Reads what the checker needs of a function's documentation.
pub(super) fn signature(
    row: &Row<'_>,
    value: &Value<'static>,
    language: Language,
) -> Result<Signature, BfclError> {
    let parameters = row.object("function.parameters", value.get("parameters"))?;
    let properties = row.object("properties", parameters.get(&b"properties"[..]))?;
    let typed = properties.iter().map(|(name, property)| {
        let parameter = parameter(row, property, language)?;
        Ok((name.clone(), parameter))
    });
    Ok(Signature {
        name: row.text_in("function", value, "name")?,
        parameters: typed.collect::<Result<_, _>>()?,
        required: required(row, parameters.get(&b"required"[..]))?,
    })
}

fn parameter(row: &Row<'_>, property: &Value<'_>, language: Language) -> Result<Parameter, BfclError> {
    let declared = declared(row, "properties.type", property.get("type"), language)?;
    let items = match declared.has_items() {
        false => None,
        true => {
            let items = property.get("items").and_then(|items| items.get("type"));
            Some(self::declared(row, "properties.items.type", items, language)?)
        }
    };
    Ok(Parameter { declared, items })
}

fn declared(
    row: &Row<'_>,
    field: &str,
    value: Option<&Value<'_>>,
    language: Language,
) -> Result<Declared, BfclError> {
    let name = row.as_text(field, value)?;
    let unknown = || row.unexpected(field, "a type of the category's language", value);
    Declared::of(language, &name).ok_or_else(unknown)
}

/// The names of the required parameters.
fn required(row: &Row<'_>, value: Option<&Value<'static>>) -> Result<Vec<PyStr<'static>>, BfclError> {
    let Some(Value::List(names)) = value else {
        return Err(row.unexpected("parameters.required", "a list of names", value));
    };
    let name = |name: &Value<'static>| match name {
        Value::Str(name) => Ok(name.clone()),
        other => Err(row.unexpected("parameters.required", "a name", Some(other))),
    };
    names.iter().map(name).collect()
}

//! Rows on calls: a text with what it means, an assistant's message with its text.

use crate::json::{self, Object, PyInt, PyStr, Value};
use crate::{Call, Dialect, Outcome, ParameterTypes, Parsed, Passage, Span, Turn};

/// What the `text` of a row means: `outcome` (with `at` where it is malformed), `thoughts`, `calls`, `response` and
/// `faults`. With `tools` in the row, arguments have the types that those declare, in dialects that keep none.
///
/// # Errors
/// In words, what of the row is not as it must be.
pub fn parsed(row: &Value<'_>, dialect: &'static dyn Dialect) -> Result<Value<'static>, String> {
    let text = row.get("text").and_then(Value::as_bytes).ok_or("\"text\" must be a string")?;
    let types = row.get("tools").map(tools).transpose()?.unwrap_or_default();
    let Parsed { turn, outcome, faults, .. } = dialect.parse(text);
    let turn = dialect.typed(turn, &types);
    let (name, at) = match outcome {
        Outcome::Whole => ("whole", None),
        Outcome::Incomplete => ("incomplete", None),
        Outcome::Malformed { at } => ("malformed", Some(at)),
        Outcome::Foreign => ("foreign", None),
    };
    let passage = |passage: Option<Passage<'_>>| {
        passage.map_or(Value::Null, |passage| Value::Str(passage.into_owned().text))
    };
    let faults = faults.into_iter().map(|fault| {
        let (part, span) = (fault.part.to_string(), fault.error.span);
        object([
            ("part", string(part)),
            ("what", string(fault.error.kind.to_string())),
            ("span", place(span)),
        ])
    });
    let at = at.map(|at| ("at", integer(at)));
    let parts = [
        ("thoughts", passage(turn.thoughts)),
        ("calls", Value::List(turn.calls.into_iter().map(call).collect())),
        ("response", passage(turn.response)),
        ("faults", Value::List(faults.collect())),
    ];
    Ok(object([("outcome", string(name.into()))].into_iter().chain(at).chain(parts)))
}

/// `{"text": …}`: what the dialect writes of the assistant's message in a row, which has OpenAI's form.
///
/// # Errors
/// In words, what of the row is not as it must be, or what the dialect cannot say.
pub fn written(row: &Value<'_>, dialect: &'static dyn Dialect) -> Result<Value<'static>, String> {
    let passage = |key: &str| match row.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Str(text)) if text.as_bytes().is_empty() => Ok(None),
        Some(Value::Str(text)) => Ok(Some(Passage::from(text.clone()))),
        Some(_) => Err(format!("{key:?} must be a string")),
    };
    let calls = match row.get("tool_calls") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::List(calls)) => calls.iter().map(tool_call).collect::<Result<_, _>>()?,
        Some(_) => return Err("\"tool_calls\" must be a list".into()),
    };
    let thoughts = passage("reasoning_content")?.or(passage("reasoning")?);
    let turn = Turn { thoughts, calls, response: passage("content")? };
    let text = dialect.write(&turn).map_err(|error| error.to_string())?;
    Ok(object([("text", string(text))]))
}

/// A call of OpenAI's form: its arguments are an object, or the text of one.
fn tool_call<'a>(call: &'a Value<'a>) -> Result<Call<'a>, String> {
    let function = call.get("function").unwrap_or(call);
    let Some(Value::Str(name)) = function.get("name") else {
        return Err("the name of a call must be a string".into());
    };
    let no_object = || format!("the arguments of {:?} must be a JSON object", name.lossy());
    let arguments = match function.get("arguments") {
        Some(Value::Object(arguments)) => arguments.clone(),
        Some(Value::Str(text)) => match json::parse(text.as_bytes()).map(Value::into_owned) {
            Ok(Value::Object(arguments)) => arguments,
            _ => return Err(no_object()),
        },
        _ => return Err(no_object()),
    };
    let id = match call.get("id") {
        Some(Value::Str(id)) => Some(id.clone()),
        _ => None,
    };
    Ok(Call { id, ..Call::new(name.clone(), arguments) })
}

/// The types of a row's tools: a list, or the text of one.
fn tools(tools: &Value<'_>) -> Result<ParameterTypes, String> {
    match tools {
        Value::Str(text) => match json::parse(text.as_bytes()) {
            Ok(list @ Value::List(_)) => Ok(ParameterTypes::of(&list)),
            _ => Err("\"tools\" must be a list, or the text of one".into()),
        },
        Value::Null => Ok(ParameterTypes::default()),
        list @ Value::List(_) => Ok(ParameterTypes::of(list)),
        _ => Err("\"tools\" must be a list, or the text of one".into()),
    }
}

fn call(call: Call<'_>) -> Value<'static> {
    let span = call.span;
    let call = call.into_owned();
    let id = call.id.map(|id| ("id", Value::Str(id)));
    let parts = [("name", Value::Str(call.name)), ("arguments", Value::Object(call.arguments))];
    object(parts.into_iter().chain(id).chain(span.map(|span| ("span", place(span)))))
}

fn place(span: Span) -> Value<'static> {
    Value::List(vec![integer(span.start), integer(span.end)])
}

fn integer(n: usize) -> Value<'static> {
    Value::Int(PyInt::Small(i64::try_from(n).unwrap_or(i64::MAX)))
}

fn string(text: String) -> Value<'static> {
    Value::Str(PyStr::from(text))
}

fn object(entries: impl IntoIterator<Item = (&'static str, Value<'static>)>) -> Value<'static> {
    Value::Object(entries.into_iter().map(|(key, value)| (PyStr::from(key), value)).collect::<Object<'_>>())
}

//! The calls that are right.

use indexmap::IndexMap;
use toolrl_grammar::json::{PyStr, Value};

use super::functions::signature;
use super::row::Row;
use crate::python::{PythonCall, parse_call};
use crate::{Answer, BfclError, Category, Group, Matching, Rule, Signature, Target};

/// Reads the calls that are right for a case of a single turn.
pub(super) fn target(question: &Row<'_>, answer: &Row<'_>, category: Category) -> Result<Target, BfclError> {
    let truths = answer.list("ground_truth")?;
    if truths.is_empty() {
        return Err(answer.unexpected("ground_truth", "at least one call", None));
    }
    let read = match category.group() {
        Group::RetiredExec => from_expression,
        _ => from_object,
    };
    let answers = truths.iter().map(|truth| read(question, answer, category, truth));
    answers.collect::<Result<_, _>>().map(Target::Calls)
}

/// Reads an answer of the form `{name: {parameter: [value, …]}}`.
fn from_object(
    question: &Row<'_>,
    answer: &Row<'_>,
    category: Category,
    truth: &Value<'static>,
) -> Result<Answer, BfclError> {
    let entries = row_object(answer, Some(truth))?;
    let (Some((name, parameters)), 1) = (entries.first(), entries.len()) else {
        return Err(answer.unexpected("ground_truth", "an object of one function", Some(truth)));
    };
    let parameters = row_object(answer, Some(parameters))?.iter().map(|(name, options)| {
        let options = answer.items("ground_truth", options)?;
        Ok((name.clone(), options.to_vec()))
    });
    Ok(Answer {
        signature: wanted(question, answer, category, name)?,
        options: parameters.collect::<Result<_, _>>()?,
    })
}

/// Reads an answer of the form `name(parameter=value, …)`: each value is the only one that is right.
fn from_expression(
    question: &Row<'_>,
    answer: &Row<'_>,
    category: Category,
    truth: &Value<'static>,
) -> Result<Answer, BfclError> {
    let text = answer.as_text("ground_truth", Some(truth))?;
    let Some(PythonCall { name, arguments }) = parse_call(&text) else {
        return Err(answer.unexpected("ground_truth", "a call of literals", Some(truth)));
    };
    let signature = wanted(question, answer, category, &PyStr::from(name))?;
    let mut options = IndexMap::new();
    for (index, argument) in arguments.into_iter().enumerate() {
        let by_place = || signature.parameters.get_index(index).map(|(name, _)| name.clone());
        let Some(name) = argument.name.map(PyStr::from).or_else(by_place) else {
            return Err(answer.unexpected("ground_truth", "as many arguments as parameters", Some(truth)));
        };
        options.insert(name, vec![argument.value]);
    }
    Ok(Answer { signature, options })
}

/// The function that the answer calls: where only one is on offer, that one, whatever the answer
/// names.
fn wanted(
    question: &Row<'_>,
    answer: &Row<'_>,
    category: Category,
    name: &PyStr<'_>,
) -> Result<Signature, BfclError> {
    let functions = question.list("function")?;
    let simple = category.rule() == Rule::Calls(Matching::Simple);
    let named = |doc: &&Value<'_>| doc.get("name").and_then(Value::as_bytes) == Some(name.as_bytes());
    let found = if simple { functions.first() } else { functions.iter().find(named) };
    let Some(doc) = found else {
        let name = Value::Str(name.clone());
        return Err(answer.unexpected("ground_truth", "a function that the case offers", Some(&name)));
    };
    signature(question, doc, category.language())
}

fn row_object<'v>(
    row: &Row<'_>,
    value: Option<&'v Value<'static>>,
) -> Result<&'v toolrl_grammar::json::Object<'static>, BfclError> {
    row.object("ground_truth", value)
}

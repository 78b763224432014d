//! The verdict on the calls of a reply.

mod call;
#[cfg(test)]
mod conversion_tests;
mod java;
mod javascript;
mod standard;
mod types;
mod values;

use toolrl_grammar::json::Value;

use crate::{Answer, BfclError, Case, ErrorType, Matching, Rule, Target, Verdict};
pub use call::Names;

/// Judges the calls of a reply to a case of a single turn: the list of `{name: {parameter: value}}`
/// that a handler decoded, or `None` where it could not decode the reply.
///
/// # Errors
/// [`BfclError::NotSingleTurn`] for a case that has no verdict on a single reply; never for a reply.
pub fn check(case: &Case, calls: Option<&Value<'_>>, names: Names) -> Result<Verdict, BfclError> {
    match (&case.target, case.category.rule()) {
        (Target::NoCall, _) if has_call(calls) => Ok(Err(ErrorType::CallWhereNoneApplies)),
        (Target::NoCall, _) => Ok(Ok(())),
        (Target::AnyCall, _) if has_call(calls) => Ok(Ok(())),
        (Target::AnyCall, _) => Ok(Err(ErrorType::NoCallWhereOneApplies)),
        (Target::Calls(answers), Rule::Calls(matching)) => {
            let Some(calls) = calls.and_then(in_format) else {
                return Ok(Err(ErrorType::WrongOutputFormat));
            };
            let checker = call::Checker { language: case.category.language(), names };
            Ok(check_calls(&checker, matching, &calls, answers))
        }
        _ => Err(BfclError::NotSingleTurn { id: case.id.clone(), category: case.category }),
    }
}

/// Whether a value has the form of a list of calls: objects of one key each, whose value is an
/// object. The empty list has it.
pub fn is_call_list(value: &Value<'_>) -> bool {
    in_format(value).is_some()
}

/// Whether a decoded reply calls anything, as the relevance categories see it.
pub fn has_call(calls: Option<&Value<'_>>) -> bool {
    calls.and_then(in_format).is_some_and(|calls| !calls.is_empty())
}

/// The calls of a value of the right form.
fn in_format<'v, 'a>(value: &'v Value<'a>) -> Option<Vec<call::Call<'v, 'a>>> {
    let Value::List(items) = value else {
        return None;
    };
    items.iter().map(call::Call::of).collect()
}

fn check_calls(
    checker: &call::Checker,
    matching: Matching,
    calls: &[call::Call<'_, '_>],
    answers: &[Answer],
) -> Verdict {
    match (matching, calls, answers) {
        (Matching::Simple, [call], [answer, ..]) => checker.check(call, answer),
        (Matching::Simple, ..) => Err(ErrorType::SimpleWrongCount),
        (Matching::Multiple, [call, ..], [answer, ..]) if calls.len() == answers.len() => {
            checker.check(call, answer)
        }
        (Matching::Multiple, ..) => Err(ErrorType::MultipleWrongCount),
        (Matching::Parallel, ..) => check_parallel(checker, calls, answers),
    }
}

/// Each answer takes the first call that it matches and that no answer before it took. A choice is
/// never undone.
fn check_parallel(checker: &call::Checker, calls: &[call::Call<'_, '_>], answers: &[Answer]) -> Verdict {
    if calls.len() != answers.len() {
        return Err(ErrorType::ParallelWrongCount);
    }
    let mut left: Vec<&call::Call<'_, '_>> = calls.iter().collect();
    for answer in answers {
        let matched = left.iter().position(|call| checker.check(call, answer).is_ok());
        left.remove(matched.ok_or(ErrorType::CannotFindMatch)?);
    }
    Ok(())
}

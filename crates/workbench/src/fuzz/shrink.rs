//! Makes a counter-example as small as it goes.

use toolrl_reward::{Rubric, Score};

use super::CounterExample;
use super::draft::Draft;
use super::property::{Case, Property, Subject, out_of_range};

/// The smallest case that still breaks the promise, with its kind. Each reply that is tried takes one of the
/// `steps` that are left; without any the case stays as it is.
pub(super) fn shrink(
    rubric: &Rubric,
    mut draft: Draft,
    mut case: Case,
    property: Property,
    steps: &mut usize,
) -> (Vec<String>, CounterExample) {
    if property != Property::Equivalent {
        case.edit = None;
    }
    loop {
        let breaks = |(less, of): &(Draft, Case)| {
            Subject::new(rubric, less).is_some_and(|subject| subject.breaks(property, of))
        };
        let mut tried = 0;
        let found = smaller(&draft, &case, property).take(*steps).inspect(|_| tried += 1).find(breaks);
        *steps -= tried;
        let Some(less) = found else { break };
        (draft, case) = less;
    }
    describe(rubric, &draft, &case, property)
}

/// Cases with one thing less, lazily.
fn smaller<'c>(
    draft: &'c Draft,
    case: &'c Case,
    property: Property,
) -> impl Iterator<Item = (Draft, Case)> + 'c {
    // The last damage of a case against monotonicity is the one that should not help: it stays.
    let droppable = case.damages.len() - usize::from(property == Property::Monotonic).min(case.damages.len());
    let fewer = (0..droppable).map(|place| {
        let mut fewer = case.clone();
        fewer.damages.remove(place);
        (draft.clone(), fewer)
    });
    let calls = (0..draft.calls.len()).filter(|i| case.damages.iter().all(|d| d.call() != Some(*i)));
    let without_call = calls.map(|i| {
        let mut less = draft.clone();
        less.calls.remove(i);
        (less, moved(case, i, None))
    });
    let keys =
        draft.calls.iter().enumerate().flat_map(|(i, call)| (0..call.arguments.len()).map(move |j| (i, j)));
    let without_key = keys.filter(|key| case.damages.iter().all(|d| d.key() != Some(*key))).map(|(i, j)| {
        let mut less = draft.clone();
        less.calls[i].arguments.shift_remove_index(j);
        (less, moved(case, i, Some(j)))
    });
    let plain =
        [("t", None), (draft.thoughts.as_str(), Some("r"))].into_iter().filter_map(|(thoughts, response)| {
            let response = draft.response.as_deref().map(|old| response.unwrap_or(old));
            let shorter = thoughts.len() + response.map_or(0, str::len)
                < draft.thoughts.len() + draft.response.as_ref().map_or(0, String::len);
            let less = Draft {
                thoughts: thoughts.to_owned(),
                response: response.map(str::to_owned),
                ..draft.clone()
            };
            shorter.then(|| (less, case.clone()))
        });
    fewer.chain(without_call).chain(without_key).chain(plain)
}

fn moved(case: &Case, call: usize, key: Option<usize>) -> Case {
    let damages = case.damages.iter().map(|damage| damage.without(call, key)).collect();
    Case { damages, edit: case.edit }
}

fn describe(
    rubric: &Rubric,
    draft: &Draft,
    case: &Case,
    property: Property,
) -> (Vec<String>, CounterExample) {
    let empty = || Score { total: f64::NAN, terms: Vec::new(), skipped: false };
    let subject = Subject::new(rubric, draft);
    let score =
        |damages: &[_], edit| subject.as_ref().and_then(|s| s.score(damages, edit)).unwrap_or_else(empty);
    let (last, earlier) = match case.damages.split_last() {
        Some((last, earlier)) => (Some(*last), earlier),
        None => (None, &[][..]),
    };
    let whole = &case.damages[..];
    let (damages, change, before, after, texts) = match property {
        Property::Monotonic => {
            let texts = (draft.text(earlier, None), draft.text(whole, None));
            (
                earlier,
                last.map(|d| (d.kind(), d.to_string())),
                score(earlier, None),
                score(whole, None),
                texts,
            )
        }
        Property::Equivalent => {
            let texts = (draft.text(whole, None), draft.text(whole, case.edit));
            let change = case.edit.map(|edit| (edit.kind(), edit.kind().to_owned()));
            (whole, change, score(whole, None), score(whole, case.edit), texts)
        }
        _ => {
            let texts = (draft.text(&[], None), draft.text(whole, None));
            (whole, None, score(&[], None), score(whole, None), texts)
        }
    };
    let terms = blamed(property, &before, &after);
    let mut kind: Vec<String> = damages.iter().map(|damage| damage.kind().to_owned()).collect();
    kind.sort();
    kind.push(change.as_ref().map_or("", |(kind, _)| kind).to_owned());
    kind.extend(terms.iter().map(|(id, ..)| id.clone()));
    let message = match property {
        Property::Finite => after.failures().next().map(|(id, failure)| format!("{id}: {}", failure.cause)),
        Property::Range => {
            after.terms.iter().find(|t| out_of_range(t.score.value, t.range)).map(|t| {
                format!("{} gives {}, outside of [{}, {}]", t.id, t.score.value, t.range.0, t.range.1)
            })
        }
        _ => None,
    };
    let example = CounterExample {
        count: 1,
        damages: damages.iter().map(ToString::to_string).collect(),
        change: change.map(|(_, text)| text),
        terms,
        before: before.total,
        after: after.total,
        message,
        gold: draft.text(&[], None),
        reply_before: texts.0,
        reply_after: texts.1,
    };
    (kind, example)
}

/// The terms to which a broken promise is due, with their values.
fn blamed(property: Property, before: &Score, after: &Score) -> Vec<(String, f64, f64)> {
    let values = before.terms.iter().zip(&after.terms);
    let values = values.filter(|(x, y)| match property {
        Property::Finite => y.failure.is_some(),
        Property::Range => out_of_range(y.score.value, y.range),
        Property::Deterministic | Property::Equivalent => x.weight != 0.0 && x.score.value != y.score.value,
        Property::ExactIsBest | Property::Monotonic => x.weight * (y.score.value - x.score.value) > 1e-9,
    });
    values.map(|(x, y)| (x.id.clone(), x.score.value, y.score.value)).collect()
}

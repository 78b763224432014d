//! A score taken apart: what each part of a reply earned, and where in the text that was settled.

use std::collections::{HashMap, HashSet};

use toolrl_grammar::Parsed;
use toolrl_grammar::json::entries;

use crate::{
    AnyCall, Breakdown, CallPoints, CallScore, Comparison, Loss, Outcome, Points, Reference, Score,
    ScoredTerm,
};

/// A part of a score. Parts of different replies to one task compare by [`Part::id`].
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Which part.
    pub id: PartId,
    /// What it adds to the total, weight included.
    pub reward: f64,
    /// The byte of the reply after which nothing that is written changes it; none where the whole reply does.
    pub settled: Option<usize>,
}

/// Which part of a score. Calls are numbered as in the reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartId {
    /// A term as a whole, or what of it belongs to no part.
    Term(String),
    /// The tools' names.
    Names,
    /// The parameters' names of a call.
    Keys(usize),
    /// A parameter's value.
    Value(usize, String),
    /// A call that is right as a whole or not at all.
    Call(usize),
}

/// Takes a score apart. The parts' rewards add up to its total.
///
/// A value is settled where it ends (where its call does, in dialects whose calls are no objects of JSON), a call's
/// parameter names where the call ends, and everything else where the reply does: so a part that was not written is on everything that could have written it.
pub fn parts(parsed: &Parsed<'_>, reference: &Reference, score: &Score) -> Vec<Part> {
    let mut all = Vec::new();
    for term in score.terms.iter().filter(|term| term.weight != 0.0) {
        let before = all.len();
        match &term.score.breakdown {
            Breakdown::Correctness(Outcome::Compared(comparison)) => {
                of_comparison(comparison, term.weight, parsed, reference, &mut all);
            }
            Breakdown::Correctness(Outcome::Equal) => of_equal(term, parsed, reference, &mut all),
            _ => {}
        }
        let told_apart: f64 = all[before..].iter().map(|part| part.reward).sum();
        let reward = term.weight * term.score.value - told_apart;
        all.push(Part { id: PartId::Term(term.id.clone()), reward, settled: None });
    }
    all
}

fn of_comparison(
    comparison: &Comparison,
    weight: f64,
    parsed: &Parsed<'_>,
    reference: &Reference,
    all: &mut Vec<Part>,
) {
    let worth = weight * comparison.reward_per_point;
    all.push(Part { id: PartId::Names, reward: worth * comparison.names.gained, settled: None });
    let predicted = reference.calls_of(parsed).unwrap_or_default();
    for (number, call) in comparison.calls.iter().enumerate() {
        let gold = reference.calls().and_then(|calls| calls.get(number));
        let written = call.matched.and_then(|matched| predicted.get(matched));
        of_call(number, call, gold, &Written::of(parsed, written), worth, all);
    }
}

/// Equal calls earn everything: one point for the names, and for each call one for its parameters' names and one for
/// each value.
fn of_equal(term: &ScoredTerm, parsed: &Parsed<'_>, reference: &Reference, all: &mut Vec<Part>) {
    let gold = reference.calls().unwrap_or_default();
    let predicted = reference.calls_of(parsed).unwrap_or_default();
    let values = |call: &AnyCall<'_>| call.parameter_count().unwrap_or(0) as f64;
    let possible = 1.0 + gold.iter().map(|call| 1.0 + values(call)).sum::<f64>();
    let worth = term.weight * (term.range.1 - term.range.0) / possible;
    all.push(Part { id: PartId::Names, reward: worth, settled: None });
    for (number, (call, written)) in gold.iter().zip(&predicted).enumerate() {
        let full = |possible| Points { gained: possible, possible };
        let points = CallPoints::Parts { keys: full(1.0), values: full(values(call)) };
        let score = CallScore { matched: Some(number), points, losses: Vec::new() };
        of_call(number, &score, Some(call), &Written::of(parsed, Some(written)), worth, all);
    }
}

fn of_call(
    number: usize,
    call: &CallScore,
    gold: Option<&AnyCall<'_>>,
    written: &Written,
    worth: f64,
    all: &mut Vec<Part>,
) {
    let keys = match call.points {
        CallPoints::Whole(points) => {
            let reward = worth * points.gained;
            return all.push(Part { id: PartId::Call(number), reward, settled: written.end });
        }
        CallPoints::Parts { keys, .. } => keys,
    };
    all.push(Part { id: PartId::Keys(number), reward: worth * keys.gained, settled: written.end });
    let lost = |loss: &Loss| match loss {
        Loss::MissingKey(key) | Loss::WrongValue { key, .. } => Some(key.clone()),
        Loss::ExtraKey(_) | Loss::KeyOrder => None,
    };
    let lost: HashSet<String> = call.losses.iter().filter_map(lost).collect();
    let wanted = gold.and_then(AnyCall::arguments);
    for key in wanted.into_iter().flat_map(|wanted| wanted.keys()) {
        let name = key.lossy().into_owned();
        let earned = call.matched.is_some() && !lost.contains(&name);
        all.push(Part {
            reward: if earned { worth } else { 0.0 },
            // A value that is missing could have been written until the call ended.
            settled: written.values.get(key.as_bytes()).copied().or(written.end),
            id: PartId::Value(number, name),
        });
    }
}

/// Where a call of the reply stands.
struct Written {
    end: Option<usize>,
    /// Where each parameter's value ends, where that can be told.
    values: HashMap<Vec<u8>, usize>,
}

impl Written {
    fn of(parsed: &Parsed<'_>, call: Option<&AnyCall<'_>>) -> Self {
        let Some(span) = call.and_then(AnyCall::span) else {
            return Self { end: None, values: HashMap::new() };
        };
        // Where a dialect writes a call as an object of JSON. Elsewhere its values are settled where it ends.
        let call = entries(parsed.text, span);
        let under = |key: &[u8]| call.iter().rev().find(|entry| entry.key == key);
        let parameters = under(b"parameters").or_else(|| under(b"arguments"));
        let parameters = parameters.map(|entry| entries(parsed.text, entry.value_span)).unwrap_or_default();
        // Of a parameter that is given again the last value counts.
        let values = parameters.into_iter().map(|entry| (entry.key, entry.value_span.end)).collect();
        Self { end: Some(span.end), values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Rubric};

    const GOLD: &str = "<think>a</think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {\"x\": 1, \"y\": \"b\"}}\n\
                        {\"name\": \"g\", \"parameters\": {\"z\": [2]}}\n</tool_call>";

    fn parts_of(reply: &str) -> (Vec<Part>, f64) {
        let reference = Reference::parse(GOLD).unwrap();
        let parsed = toolrl_grammar::parse(reply);
        let score = Rubric::toolrl().score(&parsed, &reference, &Context::evaluation()).unwrap();
        (parts(&parsed, &reference, &score), score.total)
    }

    #[test]
    fn parts_add_up_whatever_the_reply_is() {
        let replies = [
            GOLD.to_owned(),
            GOLD.replace("\"b\"", "\"c\""),
            GOLD.replace("\"y\": \"b\"", "\"w\": \"b\""),
            GOLD.replace("\"g\"", "\"h\""),
            GOLD.replace("</tool_call>", ""),
            GOLD.replace("<think>", ""),
            "<think>a</think>\n<tool_call>\n{\"name\": \"g\", \"parameters\": {\"z\": 3}}\n</tool_call>"
                .to_owned(),
            "<think>a</think>\n<tool_call>\n[1]\n</tool_call>".to_owned(),
            String::new(),
        ];
        for reply in replies {
            let (parts, total) = parts_of(&reply);
            let sum: f64 = parts.iter().map(|part| part.reward).sum();
            assert!((sum - total).abs() < 1e-9, "{reply}: {sum}, not {total}: {parts:?}");
        }
    }

    #[test]
    fn a_part_is_settled_where_its_text_ends() {
        let reply = GOLD.replace("\"b\"", "\"other\"");
        let (parts, _) = parts_of(&reply);
        let part = |id: PartId| parts.iter().find(|part| part.id == id).unwrap();
        let end = |text: &str| reply.find(text).map(|at| at + text.len());
        // Six points there are worth one each: names, two lists of parameters' names, three values.
        let cases = [
            (PartId::Names, 1.0, None),
            (PartId::Keys(0), 1.0, end("\"other\"}}")),
            (PartId::Value(0, "x".to_owned()), 1.0, end("\"x\": 1")),
            (PartId::Value(0, "y".to_owned()), 0.0, end("\"other\"")),
            (PartId::Keys(1), 1.0, end("[2]}}")),
            (PartId::Value(1, "z".to_owned()), 1.0, end("[2]")),
            (PartId::Term("correctness".to_owned()), -3.0, None),
            (PartId::Term("format".to_owned()), 1.0, None),
        ];
        assert_eq!(parts.len(), cases.len());
        for (id, reward, settled) in cases {
            let found = part(id.clone());
            assert!((found.reward - reward).abs() < 1e-9, "{found:?}");
            assert_eq!(found.settled, settled, "{found:?}");
        }
    }

    #[test]
    fn equal_calls_have_the_parts_of_compared_ones() {
        let ids =
            |reply: &str| -> Vec<PartId> { parts_of(reply).0.into_iter().map(|part| part.id).collect() };
        assert_eq!(ids(GOLD), ids(&GOLD.replace("[2]", "[3]")));
        let missing = "<think>a</think>\n<tool_call>\n{\"name\": \"g\", \"parameters\": {}}\n</tool_call>";
        assert_eq!(ids(GOLD), ids(missing));
    }
}

//! How much two lists of names have in common: 1 when equal, else their Jaccard index.

use std::collections::HashMap;

use toolrl_grammar::json::{Object, PyInt, Value, float_repr, identical_or_equal};

use super::Matching;
use crate::{Defect, Side, Unscorable};

/// Compares the parameters' names of two calls. Within a call none repeats.
pub(super) fn compare_keys(gold: &Object<'_>, predicted: &Object<'_>, equal_only: bool) -> f64 {
    if gold.keys().eq(predicted.keys()) {
        return 1.0;
    }
    if equal_only {
        return 0.0;
    }
    let common = gold.keys().filter(|key| predicted.contains_key(key.as_bytes())).count();
    jaccard(common, gold.len() + predicted.len() - common)
}

/// Compares the tools' names of two lists of calls. A name may be any JSON value.
///
/// # Errors
/// [`Defect::UnhashableName`], when the lists are not equal.
pub(super) fn compare_names(
    gold: &[&Value<'_>],
    predicted: &[&Value<'_>],
    equal_only: bool,
    matching: Matching,
) -> Result<f64, Unscorable> {
    let equal =
        gold.len() == predicted.len() && gold.iter().zip(predicted).all(|(a, b)| identical_or_equal(a, b));
    if equal {
        return Ok(1.0);
    }
    if equal_only {
        return Ok(0.0);
    }
    let mut counts: HashMap<String, (usize, usize)> = HashMap::new();
    for (call, name) in gold.iter().enumerate() {
        counts.entry(hash_key(name, Side::Reference, call)?).or_default().0 += 1;
    }
    for (call, name) in predicted.iter().enumerate() {
        counts.entry(hash_key(name, Side::Reply, call)?).or_default().1 += 1;
    }
    let (mut common, mut all) = (0, 0);
    for &(gold, predicted) in counts.values() {
        let (gold, predicted) = match matching {
            Matching::Parity | Matching::BestAssignment => (gold, predicted),
            Matching::Paper => (gold.min(1), predicted.min(1)),
        };
        common += gold.min(predicted);
        all += gold.max(predicted);
    }
    Ok(jaccard(common, all))
}

fn jaccard(common: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { common as f64 / all as f64 }
}

/// A text that two names share if and only if they are one key of a Python dictionary.
fn hash_key(name: &Value<'_>, side: Side, call: usize) -> Result<String, Unscorable> {
    match name {
        Value::List(_) | Value::Object(_) => Err(Unscorable { side, call, defect: Defect::UnhashableName }),
        Value::Bool(flag) => Ok(u8::from(*flag).to_string()),
        Value::Int(PyInt::Big(digits)) => Ok(digits.to_string()),
        Value::Float(x) if *x == 0.0 => Ok("0".into()),
        Value::Float(x) if x.fract() == 0.0 => Ok(format!("{x:.0}")),
        Value::Float(x) => Ok(float_repr(*x)),
        Value::Null | Value::Int(_) | Value::Str(_) => Ok(name.to_string()),
    }
}

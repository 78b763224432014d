//! One call of the reference against one of the reply.

use toolrl_grammar::json::{Object, Value, equal};

use super::{Granularity, names::compare_keys};
use crate::call::Parameters;
use crate::{AnyCall, CallPoints, CallScore, Defect, Loss, Points, Side, Unscorable};

/// A call of which the name was read.
pub(super) struct Call<'a> {
    pub side: Side,
    pub index: usize,
    pub call: &'a AnyCall<'a>,
    pub name: Value<'a>,
}

impl<'a> Call<'a> {
    /// Reads a call's name.
    pub fn read(side: Side, index: usize, call: &'a AnyCall<'a>) -> Result<Self, Unscorable> {
        let unnamed = || Unscorable { side, call: index, defect: call.without_name() };
        let name = call.name().ok_or_else(unnamed)?;
        Ok(Self { side, index, call, name })
    }

    /// Its parameters, of whatever type.
    pub fn parameters(&self) -> Result<Parameters<'a, 'a>, Unscorable> {
        self.call.parameters().ok_or(self.fault(Defect::Missing("parameters")))
    }

    /// Its parameters as an object.
    fn entries(&self) -> Result<&'a Object<'a>, Unscorable> {
        match self.parameters()? {
            Parameters::Object(entries) => Ok(entries),
            Parameters::Other(_) => Err(self.fault(Defect::ParametersNotAnObject)),
        }
    }

    /// What `defect` of this call is called.
    pub fn fault(&self, defect: Defect) -> Unscorable {
        Unscorable { side: self.side, call: self.index, defect }
    }
}

/// What a pair of calls earns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PairScore {
    Parts { keys: f64, values: f64 },
    Whole(f64),
}

impl PairScore {
    /// Its points.
    pub fn points(self) -> f64 {
        match self {
            Self::Parts { keys, values } => keys + values,
            Self::Whole(points) => points,
        }
    }
}

/// Scores a pair; `None` when the names differ, compared bare, so that a name `NaN` matches none.
pub(super) fn score_pair(
    gold: &Call<'_>,
    predicted: &Call<'_>,
    granularity: Granularity,
) -> Result<Option<PairScore>, Unscorable> {
    if !equal(&predicted.name, &gold.name) {
        return Ok(None);
    }
    if granularity.scores_whole_calls() {
        let same = gold.call.same(predicted.call);
        return Ok(Some(PairScore::Whole(if same { 1.0 } else { 0.0 })));
    }
    let (wanted, found) = (gold.entries()?, predicted.entries()?);
    let keys = compare_keys(wanted, found, granularity.wants_equal_lists());
    let right = |key: &[u8], value| found.get(key).is_some_and(|other| equal(other, value));
    let values = wanted.iter().filter(|(key, value)| right(key.as_bytes(), value)).count();
    Ok(Some(PairScore::Parts { keys, values: values as f64 }))
}

/// The breakdown of a call of the reference, matched or not.
pub(super) fn explain_pair(gold: &Call<'_>, matched: Option<(&Call<'_>, PairScore)>) -> CallScore {
    let score = matched.map(|(_, score)| score);
    let wanted = gold.call.parameter_count().unwrap_or(0) as f64;
    let points = match score {
        Some(PairScore::Whole(gained)) => CallPoints::Whole(Points { gained, possible: 1.0 }),
        Some(PairScore::Parts { keys, values }) => parts(keys, values, wanted),
        None => parts(0.0, 0.0, wanted),
    };
    CallScore {
        matched: matched.map(|(predicted, _)| predicted.index),
        points,
        losses: matched.map_or_else(Vec::new, |(predicted, score)| losses(gold, predicted, score)),
    }
}

fn parts(keys: f64, values: f64, wanted: f64) -> CallPoints {
    CallPoints::Parts {
        keys: Points { gained: keys, possible: 1.0 },
        values: Points { gained: values, possible: wanted },
    }
}

/// What keeps a matched pair from earning all its points.
fn losses(gold: &Call<'_>, predicted: &Call<'_>, score: PairScore) -> Vec<Loss> {
    let (Ok(wanted), Ok(found)) = (gold.entries(), predicted.entries()) else {
        return Vec::new();
    };
    let PairScore::Parts { keys, values } = score else {
        return Vec::new();
    };
    if keys == 1.0 && values == wanted.len() as f64 {
        return Vec::new();
    }
    let mut losses = Vec::new();
    for (key, value) in wanted {
        let name = key.lossy().into_owned();
        match found.get(key.as_bytes()) {
            None => losses.push(Loss::MissingKey(name)),
            Some(other) if equal(other, value) => {}
            Some(other) => losses.push(Loss::WrongValue {
                key: name,
                expected: value.to_string(),
                found: other.to_string(),
            }),
        }
    }
    let extra = found.keys().filter(|key| !wanted.contains_key(key.as_bytes()));
    losses.extend(extra.map(|key| Loss::ExtraKey(key.lossy().into_owned())));
    let same_keys = |loss: &Loss| matches!(loss, Loss::WrongValue { .. });
    if keys < 1.0 && losses.iter().all(same_keys) {
        losses.push(Loss::KeyOrder);
    }
    losses
}

//! The points that one list of calls earns against another.

use super::assign::{best_assignment, greedy_assignment};
use super::names::compare_names;
use super::pair::{Call, PairScore, explain_pair, score_pair};
use super::{CorrectnessSettings, Matching};
use crate::scale::Range;
use crate::{AnyCall, CallPoints, CallScore, Comparison, Defect, Points, Side, Unscorable};

/// Compares the calls of a reply with those of the reference.
///
/// # Errors
/// [`Unscorable`] when a call that the comparison touches is not one.
pub(super) fn compare<'a>(
    gold: &'a [AnyCall<'a>],
    predicted: &'a [AnyCall<'a>],
    settings: &CorrectnessSettings,
    (min, max): Range,
) -> Result<Comparison, Unscorable> {
    let gold = read_all(Side::Reference, gold)?;
    let predicted = read_all(Side::Reply, predicted)?;
    let names = name_points(&gold, &predicted, settings)?;
    let possible = possible_points(&gold, settings)?;
    let pair = |g: usize, p: usize| score_pair(&gold[g], &predicted[p], settings.granularity);
    let matches = match settings.matching {
        Matching::Parity => greedy_assignment(gold.len(), predicted.len(), pair)?,
        Matching::BestAssignment | Matching::Paper => best_assignment(gold.len(), predicted.len(), pair)?,
    };

    let mut spare = vec![true; predicted.len()];
    let mut gained = names;
    let mut calls = Vec::with_capacity(gold.len());
    for (call, found) in gold.iter().zip(&matches) {
        if let Some((place, score)) = *found {
            spare[place] = false;
            gained += score.points();
        }
        let found = found.map(|(place, score)| (&predicted[place], score));
        calls.push(call_score(call, found, settings));
    }
    let spare = (0..spare.len()).filter(|&place| spare[place]).collect();
    Ok(Comparison {
        points: Points { gained, possible },
        names: Points { gained: names, possible: 1.0 },
        reward_per_point: (max - min) / possible,
        calls,
        spare,
    })
}

fn read_all<'a>(side: Side, calls: &'a [AnyCall<'a>]) -> Result<Vec<Call<'a>>, Unscorable> {
    calls.iter().enumerate().map(|(index, call)| Call::read(side, index, call)).collect()
}

fn name_points(
    gold: &[Call<'_>],
    predicted: &[Call<'_>],
    settings: &CorrectnessSettings,
) -> Result<f64, Unscorable> {
    let names_of_gold: Vec<_> = gold.iter().map(|call| &call.name).collect();
    let names_predicted: Vec<_> = predicted.iter().map(|call| &call.name).collect();
    let equal_only = settings.granularity.wants_equal_lists();
    compare_names(&names_of_gold, &names_predicted, equal_only, settings.matching)
}

/// S: one for the tools' names, and per call one, and one for each of its parameters unless it is
/// scored as a whole.
fn possible_points(gold: &[Call<'_>], settings: &CorrectnessSettings) -> Result<f64, Unscorable> {
    let mut possible = 1.0;
    for call in gold {
        let parameters = call.parameters()?;
        possible += if settings.granularity.scores_whole_calls() {
            1.0
        } else {
            let count = parameters.len().ok_or(call.fault(Defect::ParametersWithoutLength))?;
            1.0 + count as f64
        };
    }
    Ok(possible)
}

fn call_score(
    gold: &Call<'_>,
    found: Option<(&Call<'_>, PairScore)>,
    settings: &CorrectnessSettings,
) -> CallScore {
    let score = explain_pair(gold, found);
    if found.is_none() && settings.granularity.scores_whole_calls() {
        let nothing = CallPoints::Whole(Points { gained: 0.0, possible: 1.0 });
        return CallScore { points: nothing, ..score };
    }
    score
}

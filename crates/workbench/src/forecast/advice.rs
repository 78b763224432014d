//! Which normalisation of the advantage would help, by rules with fixed thresholds.

use serde::Serialize;
use toolrl_grpo::AdvantageKind;

use super::ForecastReport;

/// A rule that applies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    /// What would help; none where no normalisation does.
    pub advantage: Option<AdvantageKind>,
    /// Which rule.
    pub reason: Reason,
    /// What it saw, and what to do, in a sentence.
    pub text: String,
}

/// The rules, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// At least half of the groups have no spread.
    FewUsefulGroups,
    /// One term has at least 0.8 of the advantage's variance while another that varies has at most 0.1.
    OneTermDrowns,
    /// At least a tenth of the ties within groups are between different mixtures of terms.
    MixedTies,
    /// Among groups with a spread, the standard deviation at 90% is at least 5 times that at 10%.
    UnequalSpread,
    /// Groups have at most 3 replies on average, whose standard deviation says little.
    SmallGroups,
    /// None of these.
    Nothing,
}

/// The thresholds.
const FLAT: f64 = 0.5;
const DOMINANT: f64 = 0.8;
const DROWNED: f64 = 0.1;
const MIXED: f64 = 0.1;
const UNEQUAL: f64 = 5.0;
const SMALL: f64 = 3.0;

/// Every rule that applies. `stds` are the groups' standard deviations.
pub(super) fn advice(report: &ForecastReport, stds: &[f64]) -> Vec<Advice> {
    let mut all = Vec::new();
    let mut add = |advantage, reason, text| all.push(Advice { advantage, reason, text });
    let flat = report.zero_variance;
    if flat.share >= FLAT {
        let cause = if 2 * flat.all_best >= flat.groups {
            "most of them are solved: take harder tasks"
        } else if 2 * flat.all_worst >= flat.groups {
            "most of them fail altogether: take easier tasks, fine-tune first, or reward parts"
        } else {
            "sample more replies a prompt, or at a higher temperature"
        };
        let text = format!(
            "{:.0}% of the groups have no spread, and no normalisation within groups makes one: {cause}; \
             batch_normalized compares with other prompts instead",
            100.0 * flat.share
        );
        add(Some(AdvantageKind::BatchNormalized), Reason::FewUsefulGroups, text);
    }
    if let Some((first, second)) = drowned(report) {
        let text = format!(
            "{first} drives the advantage and drowns {second}: reward_decoupled (GDPO) normalises each by itself"
        );
        add(Some(AdvantageKind::RewardDecoupled), Reason::OneTermDrowns, text);
    }
    if report.mixed_ties >= MIXED {
        let text = format!(
            "{:.0}% of the ties within groups are between different mixtures of terms, which reward_decoupled \
             (GDPO) tells apart",
            100.0 * report.mixed_ties
        );
        add(Some(AdvantageKind::RewardDecoupled), Reason::MixedTies, text);
    }
    if let Some(ratio) = spread_ratio(stds).filter(|ratio| *ratio >= UNEQUAL) {
        let text = format!(
            "some groups have {ratio:.1} times the spread of others (90% against 10%), and dividing by the \
             group's own makes them equal: mean_centered (Dr. GRPO) or batch_whitened keep the difference"
        );
        add(Some(AdvantageKind::MeanCentered), Reason::UnequalSpread, text);
    }
    if report.group_size.mean <= SMALL {
        let text = format!(
            "groups of {:.1} replies: their standard deviation is mostly noise; leave_one_out (RLOO) does \
             without, or sample more replies a prompt",
            report.group_size.mean
        );
        add(Some(AdvantageKind::LeaveOneOut), Reason::SmallGroups, text);
    }
    if all.is_empty() {
        let text = "nothing speaks against group_normalized, the default".to_owned();
        all.push(Advice { advantage: Some(AdvantageKind::GroupNormalized), reason: Reason::Nothing, text });
    }
    all
}

/// A term that drives the advantage, and one that varies and is not heard.
fn drowned(report: &ForecastReport) -> Option<(String, String)> {
    let terms = || report.terms.iter().filter(|term| term.at_ends.is_some() && term.weight != 0.0);
    let first = terms().find(|term| term.share_normalized >= DOMINANT)?;
    let unheard = |share: f64| share <= DROWNED;
    let second = terms().find(|t| t.id != first.id && t.flat_groups < 1.0 && unheard(t.share_normalized))?;
    let named = |term: &super::TermForecast| format!("{} ({:.0}%)", term.id, 100.0 * term.share_normalized);
    Some((named(first), named(second)))
}

/// The standard deviation at 90% over that at 10%, of the groups that have a spread; at least 10 of them.
fn spread_ratio(stds: &[f64]) -> Option<f64> {
    let mut stds: Vec<f64> = stds.iter().copied().filter(|std| *std > 1e-9).collect();
    if stds.len() < 10 {
        return None;
    }
    stds.sort_by(f64::total_cmp);
    let at = |share: f64| stds[((stds.len() - 1) as f64 * share).round() as usize];
    Some(at(0.9) / at(0.1))
}

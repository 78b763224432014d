//! A forecast as text.

use std::fmt::{self, Display, Formatter};

use toolrl_grpo::AdvantageKind;

use super::share::Saturated;
use super::{ForecastReport, TermForecast};

impl Display for ForecastReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let size = &self.group_size;
        write!(
            f,
            "replies {} in {} groups of {} to {}, {:.1} on average",
            self.rows, self.groups, size.min, size.max, size.mean
        )?;
        for (count, what) in [(self.unscorable, "cannot be scored"), (self.skipped, "skipped: a term failed")]
        {
            if count > 0 {
                write!(f, "; {count} more {what}")?;
            }
        }
        let reward = &self.reward;
        writeln!(f, "\nreward mean {:.3}, standard deviation {:.3}", reward.mean, reward.std)?;
        writeln!(
            f,
            "within groups: standard deviation {:.3}, {:.1}% of the variance",
            reward.within_group_std,
            100.0 * reward.within_group_share
        )?;
        let flat = &self.zero_variance;
        writeln!(
            f,
            "groups without spread: {} ({:.1}%), of which {} all at the greatest reward, {} all at the least",
            flat.groups,
            100.0 * flat.share,
            flat.all_best,
            flat.all_worst
        )?;
        self.terms(f)?;
        writeln!(f, "\n{:<20}{:>14}{:>18}", "advantage", "useful groups", "effective groups")?;
        for row in &self.advantages {
            let kind = name(row.kind);
            writeln!(f, "{kind:<20}{:>14.1}{:>18.1}", row.useful_groups, row.effective_groups)?;
        }
        for pair in self.correlations.iter().filter(|pair| pair.r.is_some_and(|r| r.abs() >= 0.95)) {
            let r = pair.r.unwrap_or_default();
            writeln!(f, "\n{} and {} say the same within groups: r = {r:.2}", pair.terms.0, pair.terms.1)?;
        }
        writeln!(f)?;
        self.advice.iter().try_for_each(|advice| writeln!(f, "- {}", advice.text))
    }
}

impl ForecastReport {
    fn terms(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<20}{:>7}{:>8}{:>8}{:>8}{:>8}{:>8}{:>10}{:>12}{:>8}",
            "term", "weight", "mean", "std", "least", "most", "flat", "centred", "normalized", "gdpo"
        )?;
        for term in &self.terms {
            let percent = |share: Option<f64>| share.map_or("".to_owned(), |s| format!("{:.1}%", 100.0 * s));
            let ends = [term.at_ends.map(|ends| ends.0), term.at_ends.map(|ends| ends.1)].map(percent);
            write!(
                f,
                "{:<20}{:>7}{:>8.3}{:>8.3}{:>8}{:>8}{:>8}{:>10}{:>12}{:>8}",
                if term.at_ends.is_none() { term.id.replace("correctness/", "  ") } else { term.id.clone() },
                term.weight,
                term.mean,
                term.std,
                ends[0],
                ends[1],
                percent(Some(term.flat_groups)),
                percent(Some(term.share)),
                percent(Some(term.share_normalized)),
                percent(term.share_decoupled),
            )?;
            writeln!(f, "{}", remarks(term))?;
        }
        Ok(())
    }
}

fn remarks(term: &TermForecast) -> String {
    let mut remarks = match term.saturated {
        Some(Saturated::AtGreatest) => "  saturated: nearly all replies have all of it".to_owned(),
        Some(Saturated::AtLeast) => "  saturated: nearly no reply has any of it".to_owned(),
        Some(Saturated::Flat) => "  never varies within a group".to_owned(),
        None => String::new(),
    };
    if term.failures > 0 {
        remarks += &format!("  failed on {} replies", term.failures);
    }
    remarks
}

/// Its name in recipes.
fn name(kind: AdvantageKind) -> &'static str {
    match kind {
        AdvantageKind::GroupNormalized => "group_normalized",
        AdvantageKind::MeanCentered => "mean_centered",
        AdvantageKind::LeaveOneOut => "leave_one_out",
        AdvantageKind::BatchScaled => "batch_scaled",
        AdvantageKind::BatchNormalized => "batch_normalized",
        AdvantageKind::BatchWhitened => "batch_whitened",
        AdvantageKind::RewardDecoupled => "reward_decoupled",
        _ => "other",
    }
}

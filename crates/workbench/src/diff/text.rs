//! A comparison of two rewards as text.

use std::fmt::{self, Display, Formatter};

use super::{DiffReport, Scaling};

impl Display for DiffReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (letter, side) in [("A", &self.a), ("B", &self.b)] {
            let (least, greatest) = side.given;
            writeln!(f, "{letter} {}: mean {:.3}, from {least:.3} to {greatest:.3}", side.name, side.mean)?;
        }
        writeln!(f, "rows {}, of which {} cannot be scored", self.rows + self.unscorable, self.unscorable)?;
        let scaling = match self.scaling {
            Scaling::Range => "scaled to 0 to 1 by their ranges",
            Scaling::Given => "scaled to 0 to 1 by what was given, as a range is infinite",
        };
        writeln!(
            f,
            "scores differ on {} rows; mean B - A {:.3}; {scaling}: {:.4}, absolute {:.4}",
            self.differing,
            self.mean_difference,
            self.mean_scaled_difference,
            self.mean_absolute_scaled_difference
        )?;
        writeln!(f, "order differs in {} of {} groups", self.reordered_groups, self.groups)?;
        if self.pairs.all > 0 {
            writeln!(
                f,
                "pairs {}: {:.1}% flip, {:.1}% tie under one reward only (A breaks {}, B breaks {})",
                self.pairs.all,
                100.0 * self.flipped_share,
                100.0 * self.broken_tie_share,
                self.pairs.ties_broken_by_a,
                self.pairs.ties_broken_by_b
            )?;
        }
        match self.kendall_tau {
            Some(tau) => writeln!(f, "Kendall's tau-b, mean over groups: {tau:.3}")?,
            None => writeln!(f, "Kendall's tau-b: no group that both rewards order")?,
        }
        if !self.greatest.is_empty() {
            writeln!(f, "\nrows that differ most:")?;
        }
        for row in &self.greatest {
            let id = row.id.as_ref().map_or(String::new(), |id| format!(" ({id})"));
            write!(f, "  row {}{id}: A {:.3}, B {:.3}", row.row, row.a, row.b)?;
            for (name, a, b) in &row.terms {
                write!(f, "; {name} {} -> {}", number(*a), number(*b))?;
            }
            writeln!(f)?;
        }
        if !self.reordered.is_empty() {
            writeln!(f, "\npairs whose order differs, one a group:")?;
        }
        for pair in &self.reordered {
            let ((x, y), a, b) = (pair.rows, pair.a, pair.b);
            writeln!(f, "  rows {x} and {y}: A {:.3}, {:.3}; B {:.3}, {:.3}", a.0, a.1, b.0, b.1)?;
        }
        Ok(())
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("{value:.3}"))
}

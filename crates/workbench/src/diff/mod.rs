//! Where two rewards disagree: in the score of a reply, and in the order of a group.

mod kendall;
mod text;

use serde::Serialize;
use toolrl_reward::RewardError;

use crate::row::groups;
use crate::{GroupKey, Row, Scored};

pub use kendall::Pairs;

/// Collects what two rewards say of rows, a chunk of them at a time.
#[derive(Debug)]
pub struct Diff {
    names: [String; 2],
    limit: usize,
    rows: Vec<Judged>,
    unscorable: usize,
    /// Rows that may be among those with the greatest differences.
    greatest: Vec<RowDifference>,
}

/// Both rewards of one row.
#[derive(Debug)]
struct Judged {
    number: usize,
    totals: [f64; 2],
    scaled: Option<[f64; 2]>,
    key: (GroupKey, Option<String>),
}

/// What two rewards make of the same rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DiffReport {
    /// The two rewards.
    pub a: Side,
    /// The other.
    pub b: Side,
    /// Rows that both score.
    pub rows: usize,
    /// Rows that one of them cannot score.
    pub unscorable: usize,
    /// How rewards of different ranges were made to compare.
    pub scaling: Scaling,
    /// Rows whose scaled rewards differ by more than 1e-9.
    pub differing: usize,
    /// Mean over the rows of B - A, as they are.
    pub mean_difference: f64,
    /// Mean over the rows of B - A, each scaled to 0 to 1.
    pub mean_scaled_difference: f64,
    /// Mean over the rows of |B - A|, each scaled to 0 to 1.
    pub mean_absolute_scaled_difference: f64,
    /// Groups of two rows or more.
    pub groups: usize,
    /// Groups in whose order the rewards disagree: a pair flips, or a tie breaks.
    pub reordered_groups: usize,
    /// All pairs within groups.
    pub pairs: Pairs,
    /// Flipped pairs out of all; 0 without a pair.
    pub flipped_share: f64,
    /// Pairs that only one of the rewards orders, out of all; 0 without a pair.
    pub broken_tie_share: f64,
    /// Mean of the groups' Kendall tau-b, over those where it is defined; none where it never is.
    pub kendall_tau: Option<f64>,
    /// The rows with the greatest scaled differences.
    pub greatest: Vec<RowDifference>,
    /// A pair of each reordered group that flips, or else ties under one of the rewards.
    pub reordered: Vec<Reordered>,
}

/// One of the two rewards.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// Its name.
    pub name: String,
    /// Its mean over the rows.
    pub mean: f64,
    /// The smallest and the greatest that was given.
    pub given: (f64, f64),
}

/// How rewards of different ranges were made to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// By the least and the greatest total that the rubric can give.
    Range,
    /// By the least and the greatest that was given, because a range is infinite.
    Given,
}

/// A row on which the rewards differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowDifference {
    /// Its number, from 1.
    pub row: usize,
    /// Its id, as JSON.
    pub id: Option<String>,
    /// What A gives.
    pub a: f64,
    /// What B gives.
    pub b: f64,
    /// B - A, each scaled to 0 to 1 by its range; B - A where a range is infinite.
    pub scaled_difference: f64,
    /// The weighted terms that differ: name, A's and B's.
    pub terms: Vec<(String, Option<f64>, Option<f64>)>,
}

/// A pair of a group in whose order the rewards disagree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reordered {
    /// The two rows, the one that A ranks higher first.
    pub rows: (usize, usize),
    /// What A gives them.
    pub a: (f64, f64),
    /// What B gives them.
    pub b: (f64, f64),
}

/// Members of a group among which pairs to show are looked for.
const MEMBERS_SEARCHED: usize = 64;

/// What counts as different.
const TOLERANCE: f64 = 1e-9;

impl Diff {
    /// A comparison of two rewards that shows at most `limit` rows and `limit` pairs.
    pub fn new(a: &str, b: &str, limit: usize) -> Self {
        let names = [a.to_owned(), b.to_owned()];
        Self { names, limit, rows: Vec::new(), unscorable: 0, greatest: Vec::new() }
    }

    /// Takes in what both rewards say of a row.
    pub fn add(&mut self, row: &Row, a: &Result<Scored, RewardError>, b: &Result<Scored, RewardError>) {
        let (Ok(a), Ok(b)) = (a, b) else {
            self.unscorable += 1;
            return;
        };
        let totals = [a.score.total, b.score.total];
        let scaled = scale(totals[0], a.range).zip(scale(totals[1], b.range)).map(|(a, b)| [a, b]);
        let difference = scaled.map_or(totals[1] - totals[0], |[a, b]| b - a);
        self.rows.push(Judged { number: row.number, totals, scaled, key: (row.key.clone(), row.id.clone()) });
        if difference.abs() > TOLERANCE && self.limit > 0 {
            self.greatest.push(RowDifference {
                row: row.number,
                id: row.id.clone(),
                a: totals[0],
                b: totals[1],
                scaled_difference: difference,
                terms: differing_terms(a, b),
            });
            if self.greatest.len() >= 4 * self.limit {
                self.keep_greatest();
            }
        }
    }

    fn keep_greatest(&mut self) {
        let size = |row: &RowDifference| row.scaled_difference.abs();
        self.greatest.sort_by(|x, y| size(y).total_cmp(&size(x)).then(x.row.cmp(&y.row)));
        self.greatest.truncate(self.limit);
    }

    /// What was found.
    pub fn finish(mut self) -> DiffReport {
        self.keep_greatest();
        let side = |which: usize| {
            let values = self.rows.iter().map(|row| row.totals[which]);
            let given =
                values.clone().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), value| {
                    (least.min(value), greatest.max(value))
                });
            let mean = values.sum::<f64>() / self.rows.len().max(1) as f64;
            let given = if self.rows.is_empty() { (0.0, 0.0) } else { given };
            Side { name: self.names[which].clone(), mean, given }
        };
        let (a, b) = (side(0), side(1));
        let ranges_known = self.rows.iter().all(|row| row.scaled.is_some());
        let scaled: Vec<f64> = self
            .rows
            .iter()
            .map(|row| match row.scaled {
                Some([a, b]) if ranges_known => b - a,
                _ => {
                    let of = |which: usize, side: &Side| scale(row.totals[which], side.given).unwrap_or(0.0);
                    of(1, &b) - of(0, &a)
                }
            })
            .collect();
        let n = self.rows.len().max(1) as f64;
        let order = Order::of(&self.rows, self.limit);
        DiffReport {
            rows: self.rows.len(),
            unscorable: self.unscorable,
            scaling: if ranges_known { Scaling::Range } else { Scaling::Given },
            differing: scaled.iter().filter(|d| d.abs() > TOLERANCE).count(),
            mean_difference: b.mean - a.mean,
            mean_scaled_difference: scaled.iter().sum::<f64>() / n,
            mean_absolute_scaled_difference: scaled.iter().map(|d| d.abs()).sum::<f64>() / n,
            groups: order.groups,
            reordered_groups: order.reordered_groups,
            flipped_share: share(order.pairs.flipped, order.pairs.all),
            broken_tie_share: share(
                order.pairs.ties_broken_by_a + order.pairs.ties_broken_by_b,
                order.pairs.all,
            ),
            kendall_tau: (order.taus > 0).then(|| order.tau_sum / order.taus as f64),
            pairs: order.pairs,
            greatest: self.greatest,
            reordered: order.reordered,
            a,
            b,
        }
    }
}

/// The order of all groups under both rewards.
#[derive(Default)]
struct Order {
    groups: usize,
    reordered_groups: usize,
    pairs: Pairs,
    tau_sum: f64,
    taus: usize,
    reordered: Vec<Reordered>,
}

impl Order {
    fn of(rows: &[Judged], limit: usize) -> Self {
        let keys: Vec<_> = rows.iter().map(|row| row.key.clone()).collect();
        let mut order = Self::default();
        for group in groups(&keys).into_iter().filter(|group| group.len() > 1) {
            let of = |which: usize| group.iter().map(|&row| rows[row].totals[which]).collect::<Vec<_>>();
            let pairs = Pairs::of(&of(0), &of(1));
            order.groups += 1;
            order.pairs.add(&pairs);
            if let Some(tau) = pairs.tau() {
                order.tau_sum += tau;
                order.taus += 1;
            }
            if pairs.flipped + pairs.ties_broken_by_a + pairs.ties_broken_by_b > 0 {
                order.reordered_groups += 1;
                let left = limit.saturating_sub(order.reordered.len());
                order.reordered.extend(example(rows, &group).filter(|_| left > 0));
            }
        }
        order
    }
}

/// A pair of a reordered group that flips, or else one that ties under one of the rewards.
fn example(rows: &[Judged], group: &[usize]) -> Option<Reordered> {
    let members = &group[..group.len().min(MEMBERS_SEARCHED)];
    let mut found = None;
    for (place, &x) in members.iter().enumerate() {
        for &y in &members[..place] {
            let (x, y) = (&rows[x], &rows[y]);
            let pairs = Pairs::of(&[x.totals[0], y.totals[0]], &[x.totals[1], y.totals[1]]);
            if pairs.concordant + pairs.tied == 1 || (pairs.flipped == 0 && found.is_some()) {
                continue;
            }
            let falls = x.totals[0] < y.totals[0] - TOLERANCE;
            let (high, low) =
                if falls || y.number < x.number && pairs.ties_broken_by_b == 1 { (y, x) } else { (x, y) };
            found = Some(Reordered {
                rows: (high.number, low.number),
                a: (high.totals[0], low.totals[0]),
                b: (high.totals[1], low.totals[1]),
            });
            if pairs.flipped == 1 {
                return found;
            }
        }
    }
    found
}

/// A total from 0 to 1 within a finite range.
fn scale(total: f64, (least, greatest): (f64, f64)) -> Option<f64> {
    let width = greatest - least;
    match width.is_finite() {
        true if width > 0.0 => Some((total - least) / width),
        true => Some(0.0),
        false => None,
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The weighted terms whose values differ, or that only one of the rewards has.
fn differing_terms(a: &Scored, b: &Scored) -> Vec<(String, Option<f64>, Option<f64>)> {
    let weighted = |scored: &Scored, id: &str| {
        let term = scored.score.terms.iter().find(|term| term.id == id && term.weight != 0.0)?;
        Some(term.weight * term.score.value)
    };
    let mut ids: Vec<&String> = a.score.terms.iter().chain(&b.score.terms).map(|term| &term.id).collect();
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(*id));
    ids.into_iter()
        .map(|id| (id.clone(), weighted(a, id), weighted(b, id)))
        .filter(|(_, a, b)| a != b)
        .collect()
}

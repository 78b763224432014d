//! Which call of the reply is matched with which of the reference.

use super::pair::PairScore;
use crate::Unscorable;

/// For each call of the reference, the reply's call it is matched with and what that earns.
pub(super) type Assignment = Vec<Option<(usize, PairScore)>>;

/// In the reference's order, each call takes the unused call with the most points, the first on
/// ties; a pair without points is no match.
pub(super) fn greedy_assignment(
    gold: usize,
    predicted: usize,
    pair: impl Fn(usize, usize) -> Result<Option<PairScore>, Unscorable>,
) -> Result<Assignment, Unscorable> {
    let mut unused: Vec<usize> = (0..predicted).collect();
    let mut matches = Vec::with_capacity(gold);
    for g in 0..gold {
        let mut best: Option<(usize, PairScore)> = None;
        for &p in &unused {
            let Some(score) = pair(g, p)? else { continue };
            if score.points() > best.map_or(0.0, |(_, best)| best.points()) {
                best = Some((p, score));
            }
        }
        unused.retain(|&p| best.is_none_or(|(taken, _)| taken != p));
        matches.push(best);
    }
    Ok(matches)
}

/// The assignment with the most points in all; a pair without points is no match.
pub(super) fn best_assignment(
    gold: usize,
    predicted: usize,
    pair: impl Fn(usize, usize) -> Result<Option<PairScore>, Unscorable>,
) -> Result<Assignment, Unscorable> {
    let mut scores = vec![None; gold * predicted];
    for g in 0..gold {
        for p in 0..predicted {
            scores[g * predicted + p] = pair(g, p)?;
        }
    }
    let score = |g: usize, p: usize| scores.get(g * predicted + p).copied().flatten();
    // The Hungarian method wants no more rows than columns: further columns stand for "no match".
    let columns = predicted + gold;
    let cost = |g: usize, p: usize| {
        if p < predicted { -score(g, p).map_or(0.0, PairScore::points) } else { 0.0 }
    };
    let places = hungarian(gold, columns, cost);
    let matched = |(g, p): (usize, usize)| {
        let found = (p < predicted).then(|| score(g, p)).flatten();
        found.filter(|score| score.points() > 0.0).map(|score| (p, score))
    };
    Ok(places.into_iter().enumerate().map(matched).collect())
}

/// The column of each row in an assignment of least total cost; `rows <= columns`. The Hungarian
/// method with potentials (Kuhn 1955, Munkres 1957; shortest augmenting paths after Jonker and
/// Volgenant 1987), O(rows² columns). Row and column 0 are sentinels.
fn hungarian(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    let mut row_potential = vec![0.0; rows + 1];
    let mut column_potential = vec![0.0; columns + 1];
    let mut row_of = vec![0; columns + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let mut column = 0;
        let mut slack = vec![f64::INFINITY; columns + 1];
        let mut previous = vec![0; columns + 1];
        let mut done = vec![false; columns + 1];
        while row_of[column] != 0 {
            done[column] = true;
            let here = row_of[column];
            let (mut least, mut next) = (f64::INFINITY, 0);
            for other in (1..=columns).filter(|&other| !done[other]) {
                let reduced = cost(here - 1, other - 1) - row_potential[here] - column_potential[other];
                if reduced < slack[other] {
                    slack[other] = reduced;
                    previous[other] = column;
                }
                if slack[other] < least {
                    (least, next) = (slack[other], other);
                }
            }
            for other in 0..=columns {
                if done[other] {
                    row_potential[row_of[other]] += least;
                    column_potential[other] -= least;
                } else {
                    slack[other] -= least;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[previous[column]];
            column = previous[column];
        }
    }
    let mut places = vec![0; rows];
    for (column, &row) in row_of.iter().enumerate().skip(1) {
        if row != 0 {
            places[row - 1] = column - 1;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The best total over all assignments, by trying each.
    fn exhaustive(points: &[Vec<f64>], used: &mut Vec<bool>, row: usize) -> f64 {
        let Some(line) = points.get(row) else {
            return 0.0;
        };
        let mut best = exhaustive(points, used, row + 1);
        for column in 0..line.len() {
            if !used[column] {
                used[column] = true;
                best = best.max(line[column] + exhaustive(points, used, row + 1));
                used[column] = false;
            }
        }
        best
    }

    #[test]
    fn the_best_assignment_is_the_best() {
        let mut state = 7u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % below
        };
        for _ in 0..500 {
            let (rows, columns) = (draw(6) as usize, draw(6) as usize);
            let mut points = vec![vec![0.0; columns]; rows];
            points.iter_mut().flatten().for_each(|cell| *cell = draw(9) as f64 / 4.0);
            let pair =
                |g: usize, p: usize| Ok((points[g][p] > 0.25).then_some(PairScore::Whole(points[g][p])));
            let found = best_assignment(rows, columns, pair).unwrap();
            let mut taken: Vec<_> = found.iter().flatten().map(|(p, _)| *p).collect();
            let total: f64 = found.iter().flatten().map(|(_, score)| score.points()).sum();
            taken.sort_unstable();
            assert!(taken.windows(2).all(|pair| pair[0] != pair[1]), "a call is used once");
            points.iter_mut().flatten().for_each(|cell| *cell = if *cell > 0.25 { *cell } else { 0.0 });
            assert_eq!(total, exhaustive(&points, &mut vec![false; columns], 0));
        }
    }
}

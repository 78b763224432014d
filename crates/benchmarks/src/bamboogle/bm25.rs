//! The score of a text for a query, by the words that they share.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

/// How soon further occurrences of a word in a text add little.
const K1: f64 = 1.2;
/// How much a text's length counts against it.
const B: f64 = 0.75;
/// Bytes from which on a word is no word but a number, an address or the like, and is left out.
const LONG: usize = 40;

/// The words of texts, by which BM25 ranks them (Robertson and Zaragoza, "The Probabilistic Relevance Framework",
/// 2009). A query's word that n of N texts hold adds to a text that holds it f times
///
/// `ln(1 + (N - n + 0.5) / (n + 0.5)) * f * (k1 + 1) / (f + k1 * (1 - b + b * length / mean length))`,
///
/// with lengths in words, k1 = 1.2 and b = 0.75.
#[derive(Clone, Debug)]
pub(super) struct Bm25 {
    /// The texts that hold a word, in their order, and how often.
    holders: HashMap<String, Vec<(u32, u32)>>,
    /// The words of each text.
    lengths: Vec<u32>,
}

impl Bm25 {
    /// Counts the words of texts.
    pub(super) fn of(texts: impl Iterator<Item = String>) -> Self {
        let mut holders: HashMap<String, Vec<(u32, u32)>> = HashMap::new();
        let mut lengths = Vec::new();
        for (number, text) in (0..).zip(texts) {
            let mut length = 0;
            for word in words(&text) {
                length += 1;
                let holders = holders.entry(word).or_default();
                match holders.last_mut() {
                    Some((last, count)) if *last == number => *count += 1,
                    _ => holders.push((number, 1)),
                }
            }
            lengths.push(length);
        }
        Self { holders, lengths }
    }

    /// The best texts that share a word with the query, each with its score, the best first; of equal ones, the
    /// first. A word counts once, however often the query says it.
    pub(super) fn best(&self, query: &str, most: usize) -> Vec<(f64, usize)> {
        let total = self.lengths.len() as f64;
        let mean = self.lengths.iter().map(|&length| f64::from(length)).sum::<f64>() / total;
        let mut scores = vec![0.0; self.lengths.len()];
        for holders in words(query).collect::<BTreeSet<_>>().iter().filter_map(|word| self.holders.get(word))
        {
            let n = holders.len() as f64;
            let rarity = (1.0 + (total - n + 0.5) / (n + 0.5)).ln();
            for &(number, count) in holders {
                let (number, count) = (number as usize, f64::from(count));
                let length = f64::from(self.lengths[number]) / mean;
                scores[number] += rarity * count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length));
            }
        }
        let found = scores.into_iter().zip(0..).filter(|(score, _)| *score > 0.0);
        let mut found: Vec<(f64, usize)> = found.collect();
        if most < found.len() {
            found.select_nth_unstable_by(most, best_first);
            found.truncate(most);
        }
        found.sort_unstable_by(best_first);
        found
    }
}

fn best_first((score_a, a): &(f64, usize), (score_b, b): &(f64, usize)) -> Ordering {
    score_b.total_cmp(score_a).then(a.cmp(b))
}

/// The runs of letters and digits, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| (1..LONG).contains(&word.len()));
    words.map(|word| word.chars().flat_map(char::to_lowercase).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        let long = "x".repeat(LONG);
        let text = format!("Don't  go-to Zürich, ÄGÄIS 2x4 {long} {}", &long[1..]);
        let expected = ["don", "t", "go", "to", "zürich", "ägäis", "2x4", &long[1..]];
        assert_eq!(words(&text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_score_is_that_of_the_formula() {
        let index = Bm25::of(["x y x", "z"].map(str::to_owned).into_iter());
        let expected = (1.0 + 1.5 / 1.5_f64).ln() * 2.0 * 2.2 / (2.0 + 1.2 * (0.25 + 0.75 * 3.0 / 2.0));
        let best = index.best("x", 5);
        assert!(
            matches!(best[..], [(score, 0)] if (score - expected).abs() < 1e-12),
            "{best:?} is not {expected}"
        );
        assert!(Bm25::of(std::iter::empty()).best("x", 5).is_empty());
    }
}

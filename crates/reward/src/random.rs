//! The random term: a control.

use toolrl_grammar::Parsed;

use crate::{Context, Reference, RewardError, Term, TermScore};

/// 1 or 0, each for half of all replies, by a hash of the reply's text and the reference's: it says nothing of what a reply is
/// worth, and is the same whenever it is asked. What training gains by it, it gains without being told anything (Shao et al.,
/// Spurious Rewards, arXiv 2506.10947).
#[derive(Clone, Copy, Debug, Default)]
pub struct Random;

impl Random {
    /// The term's id.
    pub const ID: &'static str = "random";
}

impl Term for Random {
    fn id(&self) -> &str {
        Self::ID
    }

    fn range(&self, _: &Context) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn score(
        &self,
        parsed: &Parsed<'_>,
        reference: &Reference,
        _: &Context,
    ) -> Result<TermScore, RewardError> {
        let hash = [reference.text(), b"\0", parsed.text].into_iter().flatten().fold(FNV_BASIS, fnv);
        // FNV's low bits follow the last byte's; the finalizer of MurmurHash3 mixes them (Appleby, 2011).
        let mixed = (hash ^ hash >> 33).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        Ok(TermScore::new((mixed >> 63) as f64))
    }
}

/// Where FNV-1a begins (Fowler, Noll and Vo, RFC 9923).
const FNV_BASIS: u64 = 0xCBF2_9CE4_8422_2325;

/// FNV-1a's step.
fn fnv(hash: u64, byte: &u8) -> u64 {
    (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3)
}

#[cfg(test)]
mod tests {
    use toolrl_grammar::parse;

    use super::*;

    #[test]
    fn half_of_all_replies_earn_one_whatever_they_say() {
        let gold = "<think> t </think>\n<response> r </response>";
        let reference = Reference::parse(gold).unwrap();
        let score = |reply: &str, reference: &Reference| {
            Random.score(&parse(reply), reference, &Context::evaluation()).unwrap().value
        };
        let values: Vec<f64> = (0..2_000).map(|i| score(&format!("reply {i}"), &reference)).collect();
        let ones: f64 = values.iter().sum();
        // Five standard deviations of 2,000 throws of a coin.
        assert!((ones - 1_000.0).abs() < 112.0, "{ones}");
        assert_eq!(score("reply 7", &reference), values[7], "the same again");
        let other = Reference::parse("<think> t </think>\n<response> s </response>").unwrap();
        let changed = (0..2_000).filter(|&i| score(&format!("reply {i}"), &other) != values[i]).count();
        assert!((900..1_100).contains(&changed), "of another task it is another's throw: {changed}");
        let right = score(gold, &reference);
        assert!(right == 0.0 || right == 1.0);
    }
}

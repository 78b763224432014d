//! Train and held-out parts by seed.

use serde::{Deserialize, Serialize};

use crate::random::Rng;
use crate::{DataError, Loaded, Place, Sample};

/// How much of a dataset is held out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldOut {
    /// So many samples.
    Count(usize),
    /// This share of the samples, 0 to 1, rounded to the nearest count.
    Fraction(f64),
}

/// The two parts of a dataset; each keeps the dataset's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What is trained on.
    pub train: Vec<Sample>,
    /// What is only evaluated on.
    pub held_out: Vec<Sample>,
}

/// Splits by a shuffle of the positions that depends only on `seed` and the number of samples.
///
/// # Errors
/// [`DataError::Split`] when the held-out part is no part of the samples: more than there are, or a fraction
/// outside 0 to 1.
pub fn split(samples: Vec<Sample>, held_out: HeldOut, seed: u64) -> Result<Split, DataError> {
    let dialogues = (0..samples.len()).collect::<Vec<_>>();
    split_whole(samples, &dialogues, held_out, seed)
}

impl Loaded {
    /// As [`split`], the samples of one row together: a later reply of a dialogue shows the earlier ones. So the
    /// held-out part may be a few samples larger than was asked.
    ///
    /// # Errors
    /// As [`split`].
    pub fn split(self, held_out: HeldOut, seed: u64) -> Result<Split, DataError> {
        let mut dialogue = 0;
        let next = |pair: &[Place]| {
            dialogue += usize::from(pair[0] != pair[1]);
            dialogue
        };
        let dialogues: Vec<_> = std::iter::once(0).chain(self.places.windows(2).map(next)).collect();
        split_whole(self.samples, &dialogues, held_out, seed)
    }
}

/// Splits samples, each of which is of the dialogue whose number stands in its place.
fn split_whole(
    samples: Vec<Sample>,
    dialogues: &[usize],
    held_out: HeldOut,
    seed: u64,
) -> Result<Split, DataError> {
    let count = match held_out {
        HeldOut::Count(count) if count <= samples.len() => count,
        HeldOut::Fraction(share) if (0.0..=1.0).contains(&share) => {
            (share * samples.len() as f64).round() as usize
        }
        _ => {
            return Err(DataError::Split { held_out, samples: samples.len() });
        }
    };
    let mut replies = vec![0; dialogues.last().map_or(0, |last| last + 1)];
    dialogues.iter().for_each(|&dialogue| replies[dialogue] += 1);
    let mut order: Vec<_> = (0..replies.len()).collect();
    Rng::new(seed, &[]).shuffle(&mut order);
    let mut is_held_out = vec![false; replies.len()];
    let mut held = 0;
    for dialogue in order {
        if held >= count {
            break;
        }
        is_held_out[dialogue] = true;
        held += replies[dialogue];
    }
    let mut parts = Split { train: Vec::new(), held_out: Vec::new() };
    for (sample, &dialogue) in samples.into_iter().zip(dialogues) {
        if is_held_out[dialogue] { parts.held_out.push(sample) } else { parts.train.push(sample) }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Message, TaskKind};

    fn samples(count: usize) -> Vec<Sample> {
        let message = Message::new("user", "hello");
        let sample = |index| Sample {
            id: format!("s:{index}"),
            messages: vec![message.clone()],
            tools: Vec::new(),
            gold: "<think> a </think>".into(),
            kind: TaskKind::Other,
            unseen_tools: false,
        };
        (0..count).map(sample).collect()
    }

    fn held_out_ids(seed: u64) -> Vec<String> {
        let parts = split(samples(12), HeldOut::Count(4), seed).unwrap();
        assert_eq!(parts.train.len(), 8);
        parts.held_out.into_iter().map(|sample| sample.id).collect()
    }

    #[test]
    fn depends_on_the_seed_alone() {
        assert_eq!(held_out_ids(1), held_out_ids(1));
        assert_ne!(held_out_ids(1), held_out_ids(2));
        // Fixed: a change of the generator would silently change every split.
        assert_eq!(held_out_ids(0), PINNED);
    }

    const PINNED: [&str; 4] = ["s:5", "s:6", "s:7", "s:11"];

    #[test]
    fn counts_and_fractions() {
        for (held_out, expected) in [
            (HeldOut::Count(0), Some(0)),
            (HeldOut::Count(10), Some(10)),
            (HeldOut::Count(11), None),
            (HeldOut::Fraction(0.25), Some(3)),
            (HeldOut::Fraction(1.0), Some(10)),
            (HeldOut::Fraction(1.5), None),
            (HeldOut::Fraction(f64::NAN), None),
        ] {
            let found = split(samples(10), held_out, 5).ok().map(|parts| parts.held_out.len());
            assert_eq!(found, expected, "{held_out:?}");
        }
    }
}

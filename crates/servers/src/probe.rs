//! How it is found out which weights a server holds.

use crate::ServersError;

/// A text, and what the trainer's weights say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// At least two token ids.
    pub tokens: Vec<u32>,
    /// The trainer's log-probability in nats of each token but the first, at temperature 1.
    pub logprobs: Vec<f32>,
}

/// What came of a publication.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PublishReport {
    /// The servers that hold the version now.
    pub servers: Vec<ServerReport>,
    /// Servers that did not take it, and are left out until they do.
    pub left_out: Vec<String>,
    /// Seconds until the last of them was probed.
    pub seconds: f64,
}

/// A server that took a version.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerReport {
    /// Its address.
    pub url: String,
    /// Mean absolute difference between its log-probabilities of the probe and the trainer's, in nats a token.
    pub gap: f64,
    /// Which share of what the trainer's log-probabilities of the probe moved by since the last version is seen in its own:
    /// 1 but for rounding, 0 where it holds the last version still. None where the last probe had other tokens, or there
    /// was none.
    pub followed: Option<f64>,
    /// Seconds that it took.
    pub seconds: f64,
}

/// What a server was found to hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    version: u64,
    probe: Probe,
    /// The server's log-probabilities.
    scores: Vec<f32>,
    pub gap: f64,
    /// The smallest gap of any version so far.
    least: f64,
    pub followed: Option<f64>,
}

/// Standard errors by which a share has to be off before chance is ruled out.
const CERTAIN: f64 = 5.0;
/// A share below this is none of a server that followed.
const HALF: f64 = 0.5;
/// A trainer has moved if it did so by this many times what the server was off before.
const MOVED: f64 = 3.0;
/// A gap that is this many times the smallest so far is more than rounding.
const GROWN: f64 = 20.0;
/// The share of the limit within which gaps may grow.
const FREE: f64 = 0.01;

impl Found {
    /// What the log-probabilities that a server gives say, beside those that it gave of the version before.
    ///
    /// Let `t` be the differences of the trainer's log-probabilities between the versions, token by token, and `s` those of
    /// the server's. The share that it followed is the slope of `s` by `t`, `sum(s t) / sum(t t)`, with the standard error
    /// `sqrt(sum((s - slope t)^2) / ((n - 1) sum(t t)))`: what rounding and sums are off cancels in differences, so a step
    /// of training is seen that is far below the limit on the gap.
    ///
    /// # Errors
    /// [`ServersError::OtherWeights`]; [`ServersError::Behind`] where the slope is below a half beyond chance; and
    /// [`ServersError::Partly`] where the gap is [`GROWN`] times the smallest so far, and more than [`FREE`] of the limit: a
    /// server's rounding stays what it is, and what it left of a version's weights shows beside it.
    pub(crate) fn new(
        (url, version): (&str, u64),
        probe: &Probe,
        scores: Vec<f32>,
        (limit, before): (f64, Option<&Self>),
    ) -> Result<Self, ServersError> {
        let gap = mean_difference(&probe.logprobs, &scores);
        if gap > limit {
            return Err(ServersError::OtherWeights { url: url.to_owned(), version, gap, limit });
        }
        let (mut followed, mut least) = (None, gap);
        if let Some(before) = before.filter(|before| before.probe.tokens == probe.tokens) {
            let moved = mean_difference(&probe.logprobs, &before.probe.logprobs);
            let slope = slope(
                &differences(&probe.logprobs, &before.probe.logprobs),
                &differences(&scores, &before.scores),
            );
            if let Some((share, error)) = slope
                && share + CERTAIN * error < HALF
                && moved > MOVED * before.gap
            {
                let (url, before) = (url.to_owned(), before.version);
                return Err(ServersError::Behind { url, version, before, moved, followed: share });
            }
            if gap > (GROWN * before.least).max(FREE * limit) {
                let (url, least) = (url.to_owned(), before.least);
                return Err(ServersError::Partly { url, version, gap, least });
            }
            followed = slope.map(|(share, _)| share);
            least = gap.min(before.least);
        }
        Ok(Self { version, probe: probe.clone(), scores, gap, least, followed })
    }
}

fn differences(new: &[f32], old: &[f32]) -> Vec<f64> {
    new.iter().zip(old).map(|(new, old)| f64::from(*new) - f64::from(*old)).collect()
}

/// In nats a token.
fn mean_difference(own: &[f32], other: &[f32]) -> f64 {
    differences(own, other).iter().map(|difference| difference.abs()).sum::<f64>() / own.len().max(1) as f64
}

/// The slope of a line through zero, and its standard error; none where nothing moved.
fn slope(x: &[f64], y: &[f64]) -> Option<(f64, f64)> {
    let squares: f64 = x.iter().map(|x| x * x).sum();
    if squares <= 0.0 || x.len() < 2 {
        return None;
    }
    let slope = x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>() / squares;
    let rest: f64 = x.iter().zip(y).map(|(x, y)| (y - slope * x).powi(2)).sum();
    Some((slope, (rest / ((x.len() - 1) as f64 * squares)).sqrt()))
}

impl Probe {
    pub(crate) fn check(&self, version: u64) -> Result<(), ServersError> {
        let Self { tokens, logprobs } = self;
        let problem = if tokens.len() < 2 {
            format!("{} tokens tell nothing", tokens.len())
        } else if logprobs.len() + 1 != tokens.len() {
            format!("{} tokens have {} log-probabilities", tokens.len(), logprobs.len())
        } else if let Some(place) = logprobs.iter().position(|logprob| !logprob.is_finite()) {
            format!("the log-probability of token {} is {}", place + 1, logprobs[place])
        } else {
            return Ok(());
        };
        Err(ServersError::Probe { version, problem })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A trainer's log-probabilities, and the same as a server with this rounding gives them.
    fn scored(step: f32, rounding: f32) -> (Probe, Vec<f32>) {
        let noise = |i: usize, salt: usize| ((i * 7919 + salt * 104_729) % 1000) as f32 / 500.0 - 1.0;
        let logprobs: Vec<f32> = (0..64).map(|i| -2.0 + noise(i, 1) + step * noise(i, 2)).collect();
        let salt = 3 + (step * 1e5) as usize;
        let scores = logprobs.iter().enumerate().map(|(i, p)| p + rounding * noise(i, salt)).collect();
        (Probe { tokens: (0..65).collect(), logprobs }, scores)
    }

    #[test]
    fn a_server_that_is_a_step_behind_is_told_where_rounding_allows() {
        // The step, the rounding, and whether it can be seen that the server did not take the step.
        let cases = [(1e-3, 0.0, true), (1e-3, 1e-5, true), (1e-2, 1e-3, true), (1e-4, 1e-2, false)];
        for (step, rounding, seen) in cases {
            let (probe, scores) = scored(0.0, rounding);
            let before = Found::new(("a", 1), &probe, scores, (0.1, None)).unwrap();
            assert_eq!(before.followed, None);
            let (moved, own) = scored(step, rounding);
            let followed = Found::new(("a", 2), &moved, own, (0.1, Some(&before))).unwrap();
            let share = followed.followed.unwrap();
            assert!(!seen || (share - 1.0).abs() < 0.3, "{share}");

            let stale = before.scores.iter().enumerate();
            let stale = stale.map(|(i, p)| p + rounding * 0.1 * (i % 3) as f32).collect();
            let behind = Found::new(("a", 2), &moved, stale, (0.1, Some(&before)));
            match behind {
                Err(ServersError::Behind { version: 2, before: 1, followed, .. }) if seen => {
                    assert!(followed.abs() < 0.2, "{followed}");
                }
                other => assert!(!seen && other.is_ok(), "{other:?}"),
            }
        }
    }

    #[test]
    fn a_part_of_the_weights_is_told_from_all_of_them_where_rounding_allows() {
        for (step, rounding, seen) in [(1e-2, 1e-5, true), (1e-3, 1e-5, false), (1e-2, 1e-3, false)] {
            let (probe, scores) = scored(0.0, rounding);
            let before = Found::new(("a", 1), &probe, scores, (0.1, None)).unwrap();
            let (moved, own) = scored(step, rounding);
            let most = |i: usize| 0.75 * own[i] + 0.25 * before.scores[i];
            let found = Found::new(("a", 2), &moved, (0..64).map(most).collect(), (0.1, Some(&before)));
            match found {
                Err(ServersError::Partly { version: 2, gap, least, .. }) if seen => {
                    assert!(gap > 20.0 * least, "{gap} {least}");
                }
                other => assert!(!seen && other.is_ok(), "{step} {rounding}: {other:?}"),
            }
        }
    }

    #[test]
    fn other_tokens_and_a_trainer_that_stood_still_say_nothing() {
        let (probe, scores) = scored(0.0, 1e-4);
        let before = Found::new(("a", 1), &probe, scores.clone(), (0.1, None)).unwrap();
        let still = Found::new(("a", 2), &probe, scores.clone(), (0.1, Some(&before))).unwrap();
        assert_eq!(still.followed, None);
        let mut other = scored(1e-2, 0.0).0;
        other.tokens[0] = 9;
        assert_eq!(Found::new(("a", 2), &other, scores, (0.1, Some(&before))).unwrap().followed, None);
    }
}

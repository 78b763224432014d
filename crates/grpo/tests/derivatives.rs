//! Derivatives of the policy loss against finite differences, for every kind of loss with every setting.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use toolrl_grpo::*;

/// Tokens of each reply.
const LENGTHS: [usize; 4] = [3, 1, 5, 2];
/// How far a value is moved. The loss is computed in f64, and its derivatives are rounded to f32.
const H: f64 = 1e-5;
const TOLERANCE: f64 = 1e-6;

/// A table of values by reply and token.
type Rows = Vec<Vec<f64>>;

/// Values between `from` and `to`, scattered.
fn rows(seed: f64, from: f64, to: f64) -> Rows {
    let value = |s: usize, t: usize| from + (to - from) * (seed + 12.9898 * (7 * s + t) as f64).sin().abs();
    LENGTHS.iter().enumerate().map(|(s, &len)| (0..len).map(|t| value(s, t)).collect()).collect()
}

#[derive(Clone)]
struct Batch {
    logp: Rows,
    old: Rows,
    reference: Rows,
    sampler: Rows,
    entropy: Rows,
    advantages: Rows,
}

impl Batch {
    fn new() -> Self {
        let logp = rows(1.0, -3.0, -0.2);
        let off = |seed, by: f64| -> Rows {
            let pairs = logp.iter().zip(rows(seed, -by, by));
            pairs.map(|(logp, off)| logp.iter().zip(off).map(|(l, o)| l + o).collect()).collect()
        };
        let (old, reference, sampler) = (off(2.0, 0.5), off(3.0, 0.8), off(4.0, 0.9));
        Self { old, reference, sampler, entropy: rows(5.0, 0.1, 2.0), advantages: rows(6.0, -1.5, 1.5), logp }
    }

    fn loss(&self, config: &LossConfig, credit: Credit) -> LossOutput {
        let sequence = |s: usize| Sequence {
            logp: self.logp[s].as_slice(),
            old_logp: &self.old[s],
            ref_logp: Some(&self.reference[s]),
            entropy: Some(&self.entropy[s]),
            sampler_logp: Some(&self.sampler[s]),
            advantage: match credit {
                Credit::Reply => self.advantages[s][0].into(),
                Credit::Tokens => Advantage::Tokens(&self.advantages[s]),
            },
        };
        let sequences: Vec<_> = (0..LENGTHS.len()).map(sequence).collect();
        policy_loss(&sequences, BatchExtent::of(&sequences), config).unwrap()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Credit {
    Reply,
    Tokens,
}

/// Every setting of a loss, in every combination.
fn settings() -> Vec<(LossConfig, Credit)> {
    let kls = [KlEstimator::K1, KlEstimator::K2, KlEstimator::K3].into_iter().flat_map(|estimator| {
        [KlWeighting::None, KlWeighting::Ratio]
            .map(|weighting| Some(KlConfig { coef: 0.4, estimator, weighting, ..KlConfig::default() }))
    });
    let kls: Vec<_> = kls.chain([None]).collect();
    let mut all = Vec::new();
    for surrogate in [Surrogate::TokenRatio, Surrogate::SequenceRatio, Surrogate::Cispo] {
        for aggregation in [
            Aggregation::TokenMean,
            Aggregation::SequenceMean,
            Aggregation::SequenceSum,
            Aggregation::FixedLength { max_tokens: 16 },
        ] {
            for (clip_low, clip_high) in [(0.2, 0.2), (0.2, 0.28), (0.05, 0.1), (1.0, 9.0)] {
                for (kl, sampler_ratio_cap) in kls.iter().flat_map(|kl| [(*kl, None), (*kl, Some(1.3))]) {
                    let config = LossConfig {
                        surrogate,
                        clip_low,
                        clip_high,
                        aggregation,
                        kl,
                        entropy_coef: 0.3,
                        sampler_ratio_cap,
                        ..LossConfig::default()
                    };
                    all.extend([Credit::Reply, Credit::Tokens].map(|credit| (config, credit)));
                }
            }
        }
    }
    all
}

/// Whether the derivative is the loss's own. A sequence's ratio stands in all its tokens' terms: where these weigh
/// differently, each goes by its own weight, as GSPO-token has it, and the loss's value is another function.
fn is_exact((config, credit): &(LossConfig, Credit)) -> bool {
    let even = config.sampler_ratio_cap.is_none() && *credit == Credit::Reply;
    config.surrogate != Surrogate::SequenceRatio || even
}

/// The loss's slope by one value, which `moved` has moved by a little.
fn slope(batch: &Batch, config: &LossConfig, credit: Credit, moved: impl Fn(&mut Batch, f64)) -> f64 {
    let at = |by: f64| {
        let mut batch = batch.clone();
        moved(&mut batch, by);
        batch.loss(config, credit).loss
    };
    (at(H) - at(-H)) / (2.0 * H)
}

/// No ratio is so near a bound that the finite difference crosses it.
#[test]
fn the_numbers_stay_off_the_kinks() {
    let (batch, bounds) = (Batch::new(), [0.0, 0.8, 0.95, 1.1, 1.2, 1.28, 10.0]);
    let off = |row: (&Vec<f64>, &Vec<f64>)| row.0.iter().zip(row.1).map(|(a, b)| a - b).collect::<Vec<f64>>();
    let logs: Vec<_> = batch.logp.iter().zip(&batch.old).map(off).collect();
    let means = logs.iter().map(|row| row.iter().sum::<f64>() / row.len() as f64);
    let ratios: Vec<f64> = logs.iter().flatten().copied().chain(means).map(f64::exp).collect();
    let near = |ratio: &&f64| bounds.iter().any(|bound| (*ratio - bound).abs() < 10.0 * H);
    assert!(!ratios.iter().any(|ratio| near(&ratio)), "{ratios:?}");
    assert!(ratios.iter().any(|r| *r < 0.8) && ratios.iter().any(|r| *r > 1.28), "{ratios:?}");
    let capped = batch.old.iter().zip(&batch.sampler).flat_map(off).filter(|log| log.exp() > 1.3).count();
    assert!((1..11).contains(&capped), "{capped}");
}

#[test]
fn derivatives_by_log_probabilities_equal_finite_differences() {
    let batch = Batch::new();
    for setting @ (config, credit) in settings().iter().filter(|setting| is_exact(setting)) {
        // CISPO holds the token's weight constant: the old log-probabilities move along, and the divergence's ratio
        // would too.
        let held = config.surrogate == Surrogate::Cispo;
        if held && config.kl.is_some_and(|kl| kl.weighting == KlWeighting::Ratio) {
            continue;
        }
        let d_logp = batch.loss(config, *credit).d_logp;
        let places = LENGTHS.iter().enumerate().flat_map(|(s, &len)| (0..len).map(move |t| (s, t)));
        for (flat, (s, t)) in places.enumerate() {
            let slope = slope(&batch, config, *credit, |batch, by| {
                batch.logp[s][t] += by;
                if held {
                    batch.old[s][t] += by;
                    batch.sampler[s][t] += by;
                }
            });
            let gap = (f64::from(d_logp[flat]) - slope).abs();
            assert!(gap < TOLERANCE, "{s}/{t}: {} for {slope}: {setting:?}", d_logp[flat]);
        }
    }
}

#[test]
fn derivatives_by_entropies_equal_finite_differences() {
    let batch = Batch::new();
    for (config, credit) in settings() {
        let d_entropy = batch.loss(&config, credit).d_entropy;
        let places = LENGTHS.iter().enumerate().flat_map(|(s, &len)| (0..len).map(move |t| (s, t)));
        for (flat, (s, t)) in places.enumerate() {
            let slope = slope(&batch, &config, credit, |batch, by| batch.entropy[s][t] += by);
            assert!((f64::from(d_entropy[flat]) - slope).abs() < TOLERANCE, "{s}/{t}: {config:?}");
        }
    }
}

/// GSPO-token: each token's derivative has its own advantage and weight under the sequence's ratio, and stops where that
/// ratio is beyond the bound on the advantage's side.
#[test]
fn a_sequence_s_ratio_is_held_where_its_tokens_differ() {
    let batch = Batch::new();
    let mut stopped = 0;
    let settings = settings().into_iter().filter(|(config, _)| config.kl.is_none());
    for setting @ (config, _) in settings.filter(|setting| !is_exact(setting)) {
        let found = batch.loss(&config, setting.1).d_logp;
        let mut found = found.iter();
        for (s, &len) in LENGTHS.iter().enumerate() {
            let mean = (0..len).map(|t| batch.logp[s][t] - batch.old[s][t]).sum::<f64>() / len as f64;
            let ratio = mean.exp();
            for t in 0..len {
                let advantage = batch.advantages[s][if setting.1 == Credit::Tokens { t } else { 0 }];
                let sampler = (batch.old[s][t] - batch.sampler[s][t]).exp();
                let weight = config.sampler_ratio_cap.map_or(1.0, |cap| sampler.min(cap));
                let extent = BatchExtent { sequences: LENGTHS.len(), tokens: 11 };
                let weight = weight * config.aggregation.weight(len, extent);
                let beyond = (advantage > 0.0 && ratio > 1.0 + config.clip_high)
                    || (advantage < 0.0 && ratio < 1.0 - config.clip_low);
                stopped += usize::from(beyond);
                let expected = if beyond { 0.0 } else { -weight * ratio * advantage };
                let found = f64::from(*found.next().unwrap());
                assert!((found - expected).abs() < TOLERANCE, "{s}/{t}: {found} for {expected}: {setting:?}");
            }
        }
    }
    assert!(stopped > 0);
}

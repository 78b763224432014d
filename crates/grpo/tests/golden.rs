//! Losses and advantages against values computed with PyTorch in double precision.

mod common;

use common::{Case, assert_close, references, values};
use toolrl_grpo::*;

fn kl(weighting: KlWeighting) -> Option<KlConfig> {
    Some(KlConfig { coef: 0.04, estimator: KlEstimator::K3, weighting, ..KlConfig::default() })
}

/// The named variants of the golden file as our settings.
fn variants() -> Vec<(&'static str, LossConfig)> {
    let token_mean = LossConfig::default();
    let seq_mean = LossConfig { aggregation: Aggregation::SequenceMean, ..token_mean };
    let fixed = Aggregation::FixedLength { max_tokens: 16 };
    let dr_grpo = LossConfig { aggregation: fixed, ..token_mean };
    let gspo = LossConfig { surrogate: Surrogate::SequenceRatio, ..seq_mean };
    let cispo = LossConfig { surrogate: Surrogate::Cispo, ..token_mean };
    let plain = kl(KlWeighting::None);
    let weighted = kl(KlWeighting::Ratio);
    vec![
        ("token_mean", token_mean),
        ("token_mean_kl", LossConfig { kl: plain, ..token_mean }),
        ("seq_mean", seq_mean),
        ("seq_mean_kl", LossConfig { kl: plain, ..seq_mean }),
        ("dr_grpo", dr_grpo),
        ("dr_grpo_kl", LossConfig { kl: plain, ..dr_grpo }),
        ("dapo_clip_higher", LossConfig { clip_high: 0.28, ..token_mean }),
        ("gspo", gspo),
        ("gspo_kl", LossConfig { kl: plain, ..gspo }),
        ("gspo_clipped", LossConfig { clip_low: 0.08, clip_high: 0.1, ..gspo }),
        ("token_mean_kl_times_ratio", LossConfig { kl: weighted, ..token_mean }),
        ("seq_mean_kl_times_ratio", LossConfig { kl: weighted, ..seq_mean }),
        ("cispo", cispo),
        ("cispo_kl", LossConfig { kl: plain, ..cispo }),
        ("seq_mean_token_sum", LossConfig { aggregation: Aggregation::SequenceSum, ..token_mean }),
    ]
}

#[test]
fn losses_equal_pytorch() {
    for golden in references() {
        let case = Case::of(&golden);
        let expected = golden["variants"].as_object().unwrap();
        assert_eq!(variants().len(), expected.len(), "every variant of the file is covered");
        for (name, config) in variants() {
            let sequences = case.sequences();
            let output = policy_loss(&sequences, BatchExtent::of(&sequences), &config).unwrap();
            assert_close(output.loss, expected[name]["loss_f64"].as_f64().unwrap(), 1e-12, name);
        }
    }
}

#[test]
fn single_precision_log_probabilities_are_enough() {
    for golden in references() {
        let case = Case::of(&golden).in_f32();
        for (name, config) in variants() {
            let sequences = case.sequences();
            let output = policy_loss(&sequences, BatchExtent::of(&sequences), &config).unwrap();
            let expected = golden["variants"][name]["loss_f64"].as_f64().unwrap();
            assert_close(output.loss, expected, 2e-6, name);
        }
    }
}

#[test]
fn cispo_weighs_log_probabilities_and_drops_none() {
    for golden in references() {
        let case = Case::of(&golden);
        let sequences = case.sequences();
        let config = LossConfig { surrogate: Surrogate::Cispo, ..LossConfig::default() };
        let output = policy_loss(&sequences, BatchExtent::of(&sequences), &config).unwrap();
        for (flat, (s, t)) in case.positions().into_iter().enumerate() {
            let ratio = (case.logp[s][t] - case.old[s][t]).exp().min(1.2);
            let what = format!("{s}/{t}");
            assert_close(
                f64::from(output.d_logp[flat]),
                -ratio * case.advantage[s] / case.tokens() as f64,
                1e-7,
                &what,
            );
        }
    }
}

#[test]
fn diagnostics_equal_the_counts() {
    for golden in references() {
        let case = Case::of(&golden);
        let sequences = case.sequences();
        let output = policy_loss(&sequences, BatchExtent::of(&sequences), &LossConfig::default()).unwrap();
        let stats = &golden["stats"];
        let found = output.diagnostics;
        assert_eq!(found.tokens, case.tokens());
        let tokens = case.tokens() as f64;
        assert_close(found.clip_fraction_low * tokens, stats["clipped_low"].as_f64().unwrap(), 1e-9, "low");
        assert_close(
            found.clip_fraction_high * tokens,
            stats["clipped_high"].as_f64().unwrap(),
            1e-9,
            "high",
        );
        assert_close(found.approx_kl, stats["approx_kl_k1"].as_f64().unwrap(), 1e-9, "approx_kl");
        assert_close(found.ref_kl.unwrap(), stats["k3_mean"].as_f64().unwrap(), 1e-9, "ref_kl");
    }
}

/// Two micro-batches of three sequences: their sum is the whole, for every way to aggregate.
#[test]
fn micro_batches_add_up() {
    for golden in references() {
        let case = Case::of(&golden);
        let sequences = case.sequences();
        let batch = BatchExtent::of(&sequences);
        for (name, config) in variants() {
            let whole = policy_loss(&sequences, batch, &config).unwrap();
            let first = policy_loss(&sequences[..3], batch, &config).unwrap();
            let second = policy_loss(&sequences[3..], batch, &config).unwrap();
            assert_close(first.loss + second.loss, whole.loss, 1e-12, name);
            assert_eq!([first.d_logp, second.d_logp].concat(), whole.d_logp, "{name}");
            let mut diagnostics = first.diagnostics;
            diagnostics.merge(&second.diagnostics);
            assert_eq!(diagnostics.tokens, whole.diagnostics.tokens);
            assert_close(diagnostics.ratio_mean, whole.diagnostics.ratio_mean, 1e-12, name);
            assert_close(diagnostics.approx_kl, whole.diagnostics.approx_kl, 1e-12, name);
        }
        let parts = golden["gradient_accumulation"]["dapo"]["parts"].as_array().unwrap();
        for (range, expected) in [(0..3, &parts[0]), (3..6, &parts[1])] {
            let part = policy_loss(&sequences[range], batch, &LossConfig::default()).unwrap();
            assert_close(part.loss, expected.as_f64().unwrap(), 1e-12, "token-mean part");
        }
    }
}

#[test]
fn entropy_bonus_lowers_the_loss() {
    for golden in references() {
        let case = Case::of(&golden);
        let sequences = case.sequences();
        let batch = BatchExtent::of(&sequences);
        let plain = policy_loss(&sequences, batch, &LossConfig::default()).unwrap();
        let config = LossConfig { entropy_coef: 0.001, ..LossConfig::default() };
        let bonus = policy_loss(&sequences, batch, &config).unwrap();
        let entropy = golden["stats"]["entropy_mean"].as_f64().unwrap();
        assert_close(plain.loss - bonus.loss, 0.001 * entropy, 1e-12, "bonus");
        assert_eq!(bonus.d_logp, plain.d_logp);
        assert_eq!(bonus.d_entropy, vec![(-0.001 / case.tokens() as f64) as f32; case.tokens()]);
        assert!(plain.d_entropy.is_empty());
    }
}

/// A reply's advantage given to each of its tokens is the same loss; different ones weigh each token's own term.
#[test]
fn tokens_may_have_advantages_of_their_own() {
    for golden in references() {
        let case = Case::of(&golden);
        let sequences = case.sequences();
        let batch = BatchExtent::of(&sequences);
        let spread = |scale: &dyn Fn(usize) -> f64| -> Vec<Vec<f64>> {
            let row = |(s, logp): (usize, &Vec<f64>)| {
                (0..logp.len()).map(|t| case.advantage[s] * scale(t)).collect()
            };
            case.logp.iter().enumerate().map(row).collect()
        };
        let (same, own) = (spread(&|_| 1.0), spread(&|t| 1.0 - 0.3 * t as f64));
        for (name, config) in variants() {
            let loss = |advantages: &[Vec<f64>]| {
                let own = sequences.iter().zip(advantages);
                let sequences: Vec<_> =
                    own.map(|(s, a)| Sequence { advantage: Advantage::Tokens(a), ..*s }).collect();
                policy_loss(&sequences, batch, &config).unwrap()
            };
            assert_eq!(loss(&same), policy_loss(&sequences, batch, &config).unwrap(), "{name}");
            if config.kl.is_some() || config.surrogate != Surrogate::TokenRatio {
                continue;
            }
            let expected: f64 = case
                .positions()
                .into_iter()
                .map(|(s, t)| {
                    let ratio = (case.logp[s][t] - case.old[s][t]).exp();
                    let held = ratio.max(1.0 - config.clip_low).min(1.0 + config.clip_high);
                    let weight = config.aggregation.weight(case.logp[s].len(), batch);
                    -weight * (ratio * own[s][t]).min(held * own[s][t])
                })
                .sum();
            assert_close(loss(&own).loss, expected, 1e-12, name);
        }
    }
}

#[test]
fn tokens_of_another_sampler_weigh_by_the_truncated_ratio() {
    for golden in references() {
        let case = Case::of(&golden);
        let batch = BatchExtent::of(&case.sequences());
        let config = LossConfig { sampler_ratio_cap: Some(1.5), ..LossConfig::default() };
        // The sampler's log-probabilities are the old ones, some way off.
        let off = |t: usize| 0.4 * (t as f64).sin() - 0.3;
        let sampler: Vec<Vec<f64>> =
            case.old.iter().map(|row| row.iter().enumerate().map(|(t, l)| l + off(t)).collect()).collect();
        let sequences: Vec<_> = case
            .sequences()
            .into_iter()
            .zip(&sampler)
            .map(|(s, sampler)| Sequence { sampler_logp: Some(sampler), ..s })
            .collect();
        let plain = policy_loss(&case.sequences(), batch, &LossConfig::default()).unwrap();
        let found = policy_loss(&sequences, batch, &config).unwrap();
        let mut capped = 0;
        for (flat, (_, t)) in case.positions().into_iter().enumerate() {
            let weight = (-off(t)).exp().min(1.5);
            capped += usize::from(weight == 1.5);
            let expected = weight * f64::from(plain.d_logp[flat]);
            assert_close(f64::from(found.d_logp[flat]), expected, 1e-8, &format!("token {flat}"));
        }
        assert!((1..case.tokens()).contains(&capped), "{capped}");
        let missing = policy_loss(&case.sequences(), batch, &config).unwrap_err().to_string();
        assert!(missing.contains("sampler_logp"), "{missing}");
    }
}

#[test]
fn advantages_equal_pytorch() {
    for golden in references() {
        let golden = &golden["advantages"];
        let table = |key: &str| -> Vec<Vec<f64>> { serde_json::from_value(golden[key].clone()).unwrap() };
        let groups = table("rewards");
        let normalized = |eps| groups.iter().map(|g| group_normalized(g, eps)).collect::<Vec<_>>();
        let cases = [
            ("verl_std_eps1e_6", normalized(1e-6)),
            ("trl_std_eps1e_4", normalized(1e-4)),
            ("mean_only", groups.iter().map(|g| mean_centered(g)).collect()),
            ("trl_batch_std", batch_scaled(&groups, 1e-4)),
        ];
        for (key, found) in cases {
            for (found, expected) in found.concat().iter().zip(table(key).concat()) {
                assert_close(*found, expected, 1e-12, key);
            }
        }
        let flat: Vec<bool> = groups.iter().map(|g| has_no_spread(g)).collect();
        assert_eq!(flat, [false, true, false, false]);
    }
}

/// The norms of all gradients of a model, and the factor that a limit of 1 gives.
#[test]
fn gradient_norm_equals_pytorch() {
    for reference in toolrl_testing::references() {
        let golden = values(&reference);
        let bytes = std::fs::read(reference.values.join("full_grads_f32.safetensors")).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let squares: f64 = tensors
            .iter()
            .filter(|(name, _)| name.starts_with("token_mean_kl"))
            .map(|(_, view)| {
                let values: Vec<f32> =
                    view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
                squared_norm(&values)
            })
            .sum();
        let expected = golden["adamw"]["grad_norms_before_clip_f64"][0].as_f64().unwrap();
        assert_close(squares.sqrt(), expected, 1e-5, "norm");
        assert_close(clip_factor(squares.sqrt(), 1.0), 1.0 / expected, 1e-6, "factor");
    }
}

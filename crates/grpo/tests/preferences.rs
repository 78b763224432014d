//! DPO's loss and derivatives against values computed with PyTorch in double precision, by TRL's formula.
//!
//! The constants are those of this program (torch 2.15, the lines of `DPOTrainer._compute_loss` of TRL 1.16; `per` as its
//! loss type `sigmoid`, with cDPO's smoothing, or `sigmoid_norm`, and `sft` beside it):
//!
//! ```python
//! c, r = ([torch.tensor(x, requires_grad=True) for x in of] for of in (chosen, rejected))
//! chosen_logps, rejected_logps = (torch.stack([x.sum() for x in of]) for of in (c, r))
//! chosen_scores = chosen_logps - torch.tensor([a for a, _ in refs])
//! rejected_scores = rejected_logps - torch.tensor([b for _, b in refs])
//! if norm: delta = (chosen_scores / torch.tensor([float(len(x)) for x in c])
//!                   - rejected_scores / torch.tensor([float(len(x)) for x in r]))
//! else: delta = chosen_scores - rejected_scores
//! per = -F.logsigmoid(beta * delta) * (1 - eps) - F.logsigmoid(-beta * delta) * eps
//! loss = per.mean() + sft * -torch.cat(c).mean()
//! loss.backward()
//! ```

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(clippy::excessive_precision, reason = "as PyTorch prints them")]

use toolrl_grpo::*;

const CHOSEN: [&[f64]; 3] = [&[-0.5, -1.25, -0.125], &[-2.0], &[-0.75, -0.25]];
const REJECTED: [&[f64]; 3] = [&[-1.0, -0.5], &[-0.25, -3.0, -0.5, -0.125], &[-1.5]];
const REFERENCES: [(f64, f64); 3] = [(-2.5, -1.0), (-1.75, -4.5), (-0.5, -1.25)];
const EXTENT: PreferenceExtent = PreferenceExtent { pairs: 3, chosen_tokens: 6 };

fn pairs() -> Vec<Preference<'static, f64>> {
    let pair = |i: usize| Preference {
        chosen: PairReply { logp: CHOSEN[i], reference: REFERENCES[i].0 },
        rejected: PairReply { logp: REJECTED[i], reference: REFERENCES[i].1 },
    };
    (0..3).map(pair).collect()
}

fn config(beta: f64, label_smoothing: f64, log_ratio: LogRatio, sft_coef: f64) -> DpoLossConfig {
    DpoLossConfig { beta, label_smoothing, log_ratio, sft_coef }
}

fn losses(config: &DpoLossConfig) -> Vec<PreferenceLoss> {
    pairs().iter().map(|pair| dpo_loss(pair, EXTENT, config).unwrap()).collect()
}

fn assert_close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-14 * expected.abs().max(1.0), "{what}: {found}, not {expected}");
}

/// Settings, the loss, and its derivatives by a token of each chosen and of each rejected reply.
type Golden = (DpoLossConfig, f64, [f64; 3], [f64; 3]);

fn golden() -> [Golden; 5] {
    let (sum, mean) = (LogRatio::Sum, LogRatio::Mean);
    [
        (
            config(0.1, 0.0, sum, 0.0),
            0.69401919614239016,
            [-0.015730154186387096, -0.017395368465720051, -0.016874989149983682],
            [0.015730154186387096, 0.017395368465720051, 0.016874989149983682],
        ),
        (
            config(0.5, 0.1, sum, 0.0),
            0.71472362147555657,
            [-0.043828200919936132, -0.084610528305481936, -0.071868228895626024],
            [0.043828200919936132, 0.084610528305481936, 0.071868228895626024],
        ),
        (
            config(5.0, 0.0, mean, 0.0),
            0.98131955545127791,
            [-0.051008599827980401, -1.4733988029100553, -0.41666666666666663],
            [0.076512899741970605, 0.36834970072751383, 0.83333333333333326],
        ),
        (
            config(0.3, 0.2, mean, 0.5),
            1.0992403350215714,
            [-0.092189301877689839, -0.11637644252633009, -0.098333333333333328],
            [0.013283952816534767, 0.0082607772982491914, 0.029999999999999999],
        ),
        (
            config(0.1, 0.0, sum, 1.0),
            1.5065191961423903,
            [-0.18239682085305375, -0.1840620351323867, -0.18354165581665033],
            [0.015730154186387096, 0.017395368465720051, 0.016874989149983682],
        ),
    ]
}

#[test]
fn losses_and_derivatives_equal_pytorch() {
    for (config, loss, d_chosen, d_rejected) in golden() {
        let found = losses(&config);
        assert_close(found.iter().map(|pair| pair.loss).sum(), loss, &format!("{config:?}"));
        for (pair, (chosen, rejected)) in found.iter().zip(d_chosen.into_iter().zip(d_rejected)) {
            assert_close(pair.d_chosen, chosen, &format!("{config:?}: chosen"));
            assert_close(pair.d_rejected, rejected, &format!("{config:?}: rejected"));
        }
    }
}

/// TRL's `rewards/chosen`, `rewards/rejected`, `logps/chosen` and `logps/rejected`, which do not depend on the kind of the
/// log-ratio.
#[test]
fn rewards_equal_those_of_trl() {
    for log_ratio in [LogRatio::Sum, LogRatio::Mean] {
        let found = losses(&config(0.1, 0.0, log_ratio, 0.0));
        let of = |value: fn(&PreferenceLoss) -> f64| found.iter().map(value).collect::<Vec<_>>();
        let rewards = of(|pair| pair.chosen_reward).into_iter().chain(of(|pair| pair.rejected_reward));
        for (found, expected) in rewards.zip([0.0625, -0.025, -0.05, -0.05, 0.0625, -0.025]) {
            assert_close(found, expected, "reward");
        }
        assert_eq!(of(|pair| pair.chosen_logp), [-1.875, -2.0, -1.0]);
        assert_eq!(of(|pair| pair.rejected_logp), [-1.5, -3.875, -1.5]);
    }
}

#[test]
fn derivatives_are_those_of_finite_differences() {
    const H: f64 = 1e-6;
    for (config, ..) in golden() {
        for pair in pairs() {
            let loss = |chosen: f64, rejected: f64| {
                let moved = |reply: PairReply<'_, f64>, by: f64| {
                    reply
                        .logp
                        .iter()
                        .zip(0..)
                        .map(|(l, i)| l + if i == 0 { by } else { 0.0 })
                        .collect::<Vec<_>>()
                };
                let (c, r) = (moved(pair.chosen, chosen), moved(pair.rejected, rejected));
                let chosen = PairReply { logp: c.as_slice(), ..pair.chosen };
                let rejected = PairReply { logp: r.as_slice(), ..pair.rejected };
                dpo_loss(&Preference { chosen, rejected }, EXTENT, &config).unwrap()
            };
            let at = loss(0.0, 0.0);
            let by_chosen = (loss(H, 0.0).loss - loss(-H, 0.0).loss) / (2.0 * H);
            let by_rejected = (loss(0.0, H).loss - loss(0.0, -H).loss) / (2.0 * H);
            assert!((by_chosen - at.d_chosen).abs() < 1e-8, "{config:?}");
            assert!((by_rejected - at.d_rejected).abs() < 1e-8, "{config:?}");
        }
    }
}

/// A policy that is its reference has the loss of a coin, and one far from it no overflow.
#[test]
fn the_ends_of_the_range_are_finite() {
    let config = DpoLossConfig::default();
    let extent = PreferenceExtent { pairs: 1, chosen_tokens: 1 };
    let loss = |chosen: f64, rejected: f64| {
        let of = |logp: f64| [logp];
        let (c, r) = (of(chosen), of(rejected));
        let reply = |logp| PairReply { logp, reference: -1.0 };
        dpo_loss(&Preference { chosen: reply(&c[..]), rejected: reply(&r[..]) }, extent, &config).unwrap()
    };
    assert_close(loss(-1.0, -1.0).loss, std::f64::consts::LN_2, "the reference itself");
    let wrong = loss(-1e9, 0.0);
    assert!(wrong.loss > 9e7 && wrong.d_chosen == -0.1 && wrong.d_rejected == 0.1, "{wrong:?}");
    let right = loss(0.0, -1e9);
    assert!(right.loss == 0.0 && right.d_chosen == 0.0, "{right:?}");
}

#[test]
fn what_means_nothing_is_refused() {
    let with = |set: fn(&mut DpoLossConfig)| {
        let mut config = DpoLossConfig::default();
        set(&mut config);
        config.validate().unwrap_err().to_string()
    };
    let cases: [(String, &str); 6] = [
        (with(|c| c.beta = 0.0), "beta = 0: expected above 0"),
        (with(|c| c.beta = f64::NAN), "beta = NaN"),
        (with(|c| c.label_smoothing = 0.5), "label_smoothing = 0.5: expected 0 to below 0.5"),
        (with(|c| c.label_smoothing = -0.1), "label_smoothing = -0.1"),
        (with(|c| c.sft_coef = -1.0), "sft_coef = -1: expected 0 or more"),
        (with(|c| c.sft_coef = f64::INFINITY), "sft_coef = inf"),
    ];
    for (message, expected) in cases {
        assert!(message.starts_with(expected), "{message}");
    }
    let reply = |logp, reference| PairReply { logp, reference };
    let pair =
        Preference { chosen: reply(&[-1.0, -1.0][..], -1.0), rejected: reply(&[-1.0, f32::NAN][..], -1.0) };
    let message = dpo_loss(&pair, EXTENT, &DpoLossConfig::default()).unwrap_err().to_string();
    assert_eq!(message, "logp is NaN at token 1 of sequence 1");
    let pair = Preference { rejected: reply(&[-1.0][..], f64::NEG_INFINITY), ..pair };
    assert!(dpo_loss(&pair, EXTENT, &DpoLossConfig::default()).is_err());
}

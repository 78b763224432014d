//! Each choice of docs/grpo.md changes what it should, for two steps of two updates.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use toolrl_grpo::{
    AdvantageKind, Aggregation, BatchExtent, LossConfig, Sequence, Surrogate, policy_loss, soft_overlong,
};
use toolrl_record::{Completion, completions_path, read_completions};
use toolrl_rollout::FinishReason;

use crate::{TINY_GRPO, metrics, train};

/// In the first step most replies end and two do not, and two groups of four have equal rewards. The rate is so low that
/// a step's second update finds nearly the policy that sampled: its loss is then what the record of the replies says.
const SETTINGS: [&str; 6] = [
    "seed=6",
    "sampling.max_new_tokens=96",
    "sampling.temperature=1.2",
    "train.prompts=4",
    "train.updates=2",
    "train.optimizer.lr=1e-5",
];
const GROUP: usize = 4;

/// What a run left: its metrics, and the replies of both steps.
struct Run {
    rows: Vec<Value>,
    replies: [Vec<Completion>; 2],
}

fn run(dir: &Path, choice: &str) -> Run {
    let name = format!("run-{}", dir.read_dir().unwrap().count());
    train(dir, &["--run-dir", &name], &[&TINY_GRPO[..], &SETTINGS, &[choice]].concat()).ok();
    let dir = dir.join(name);
    let rows = metrics(&dir);
    let replies = [1, 2].map(|step| read_completions(&completions_path(&dir, step)).unwrap());
    Run { rows, replies }
}

impl Run {
    /// A number of the first step.
    fn number(&self, path: &str) -> f64 {
        let number = self.rows[0].pointer(path).and_then(Value::as_f64);
        number.unwrap_or_else(|| panic!("no {path}: {}", self.rows[0]))
    }

    fn advantages(&self) -> Vec<f64> {
        self.replies[0].iter().map(|reply| reply.advantage).collect()
    }

    /// Those replies of the first step that a kind of advantage trains on: prompt and member.
    fn trained(&self, kind: AdvantageKind) -> BTreeSet<(u64, usize)> {
        let advantages = of_kind(kind, &self.replies[0]);
        let trained = self.replies[0].iter().zip(advantages).filter(|(_, advantage)| advantage.is_some());
        trained.map(|(reply, _)| (reply.prompt_index, reply.member)).collect()
    }

    /// The advantages are those of a kind, out of the rewards and what the run took off them.
    fn has_advantages(&self, kind: AdvantageKind) {
        for replies in &self.replies {
            for (reply, expected) in replies.iter().zip(of_kind(kind, replies)) {
                let expected = expected.unwrap_or_default();
                assert!((reply.advantage - expected).abs() < 1e-6, "{} for {expected}", reply.advantage);
            }
        }
    }

    /// The loss is what a configuration makes of the replies that these are.
    fn has_loss(&self, config: &LossConfig, is_trained: impl Fn(&Completion) -> bool) {
        let of_update = |replies: &[Completion]| {
            let trained: Vec<_> = replies.iter().filter(|reply| is_trained(reply)).collect();
            let logp = |reply: &&Completion| vec![reply.logprob_sum / reply.tokens as f64; reply.tokens];
            let logp: Vec<Vec<f64>> = trained.iter().map(logp).collect();
            let sequences: Vec<_> =
                logp.iter().zip(&trained).map(|(l, r)| Sequence::new(l, l, r.advantage.into())).collect();
            policy_loss(&sequences, BatchExtent::of(&sequences), config).unwrap().loss
        };
        let updates: Vec<f64> = self.replies[0].chunks(2 * GROUP).map(of_update).collect();
        let (expected, found) = (updates.iter().sum::<f64>() / 2.0, self.number("/loss"));
        assert!((found - expected).abs() < 1e-3 * (1.0 + expected.abs()), "{found} for {expected}");
    }
}

/// The advantages of a step's replies.
fn of_kind(kind: AdvantageKind, replies: &[Completion]) -> Vec<Option<f64>> {
    let costs = |reply: &Completion| {
        let of = |cost| reply.components.get(cost).copied().unwrap_or_default();
        (reply.reward + of("kl_penalty") + of("overlong")).into()
    };
    let groups: Vec<Vec<_>> = replies.chunks(GROUP).map(|g| g.iter().map(costs).collect()).collect();
    kind.of_batch(&groups, 1e-6).concat()
}

/// What a choice should change, given the run without it and the run with it.
type Check = Box<dyn Fn(&Run, &Run)>;

/// Another advantage: its formula's, and the loss follows.
fn advantage(kind: AdvantageKind) -> Check {
    Box::new(move |base, run| {
        run.has_advantages(kind);
        // Replies that are left out of a group have no share in the means.
        let trained = run.trained(kind);
        run.has_loss(&LossConfig::default(), |reply| trained.contains(&(reply.prompt_index, reply.member)));
        assert_ne!(run.advantages(), base.advantages());
    })
}

/// Another loss of the same advantages.
fn loss(config: LossConfig, and: impl Fn(&Run, &Run) + 'static) -> Check {
    Box::new(move |base, run| {
        run.has_advantages(AdvantageKind::GroupNormalized);
        run.has_loss(&config, |_| true);
        assert_eq!(run.advantages(), base.advantages());
        and(base, run);
    })
}

fn near(found: f64, expected: f64, share: f64) {
    assert!((found - expected).abs() <= share * expected.abs(), "{found} for {expected}");
}

fn advantages() -> Vec<(&'static str, Check)> {
    vec![
        ("train.advantage=mean_centered", advantage(AdvantageKind::MeanCentered)),
        ("train.advantage=leave_one_out", advantage(AdvantageKind::LeaveOneOut)),
        ("train.advantage=batch_scaled", advantage(AdvantageKind::BatchScaled)),
        ("train.advantage=batch_normalized", advantage(AdvantageKind::BatchNormalized)),
        ("train.advantage=batch_whitened", advantage(AdvantageKind::BatchWhitened)),
        (
            "train.advantage={ max_variance = { keep = 3 } }",
            advantage(AdvantageKind::MaxVariance { keep: 3 }),
        ),
        (
            // By the reward's terms, which the record has no weights of: of mean 0 in a group, of deviation 1 in the step.
            "train.advantage=reward_decoupled",
            Box::new(|base, run| {
                let advantages = run.advantages();
                for group in advantages.chunks(GROUP) {
                    assert!(group.iter().sum::<f64>().abs() < 1e-6, "{group:?}");
                }
                let squares: f64 = advantages.iter().map(|a| a * a).sum();
                near(squares, advantages.len() as f64 - 1.0, 1e-4);
                run.has_loss(&LossConfig::default(), |_| true);
                assert_ne!(advantages, base.advantages());
            }),
        ),
    ]
}

fn losses() -> Vec<(&'static str, Check)> {
    let default = LossConfig::default();
    let aggregated = |aggregation| LossConfig { aggregation, ..default };
    let another = |base: &Run, run: &Run| assert_ne!(run.number("/loss"), base.number("/loss"));
    vec![
        ("train.loss.surrogate=sequence_ratio", loss(default, another)),
        ("train.loss.surrogate=cispo", loss(LossConfig { surrogate: Surrogate::Cispo, ..default }, another)),
        (
            // So near 1 that the second update meets it.
            "train.loss.clip_high=1e-6",
            loss(default, |base, run| {
                let clipped = |run: &Run| run.number("/update/clip_fraction_high");
                assert!(clipped(base) == 0.0 && clipped(run) > 0.01, "{}", clipped(run));
                assert_eq!(run.number("/update/clip_fraction_low"), 0.0);
            }),
        ),
        (
            "train.loss.clip_low=1e-6",
            loss(default, |base, run| {
                let clipped = |run: &Run| run.number("/update/clip_fraction_low");
                assert!(clipped(base) == 0.0 && clipped(run) > 0.01, "{}", clipped(run));
                assert_eq!(run.number("/update/clip_fraction_high"), 0.0);
            }),
        ),
        (
            "train.loss.aggregation=sequence_mean",
            loss(aggregated(Aggregation::SequenceMean), |base, run| {
                assert!((run.number("/loss") - base.number("/loss")).abs() > 1e-2);
            }),
        ),
        (
            "train.loss.aggregation=sequence_sum",
            loss(aggregated(Aggregation::SequenceSum), |base, run| {
                assert!(run.number("/grad_norm") > 20.0 * base.number("/grad_norm"));
            }),
        ),
        (
            "train.loss.aggregation.fixed_length.max_tokens=32",
            loss(aggregated(Aggregation::FixedLength { max_tokens: 32 }), |base, run| {
                assert!(run.number("/grad_norm") > 1.5 * base.number("/grad_norm"));
            }),
        ),
        (
            // In a step's first update the policy is the reference. Of so small a divergence k2 is k3, which is recorded.
            "train.loss.kl={ coef = 1e4, estimator = \"k2\", weighting = \"ratio\" }",
            Box::new(|base, run| {
                assert!(base.rows[0]["update"]["ref_kl"].is_null());
                let kl = run.number("/update/ref_kl");
                near(run.number("/loss") - base.number("/loss"), 1e4 * kl, 0.3);
            }),
        ),
        (
            "train.loss.entropy_coef=0.01",
            Box::new(|base, run| {
                near(run.number("/loss") - base.number("/loss"), -0.01 * run.number("/entropy"), 0.1);
            }),
        ),
        (
            // The local sampler is the trainer: every token's ratio is 1, and held to a half.
            "train.loss.sampler_ratio_cap=0.5",
            Box::new(|base, run| {
                near(run.number("/loss"), 0.5 * base.number("/loss"), 0.02);
                near(run.number("/grad_norm"), 0.5 * base.number("/grad_norm"), 0.02);
                near(run.number("/update/sampler_weight_mean"), 0.5, 1e-6);
                assert!(run.number("/update/sampler_cut_fraction") == 1.0);
                assert!(base.rows[0]["update"].get("sampler_weight_mean").is_none());
            }),
        ),
        (
            // The same masks every token, and leaves no gradient.
            "train.loss={ sampler_ratio_cap = 0.5, sampler_ratio_mode = \"token_mask\", entropy_coef = 1e-9 }",
            Box::new(|_, run| {
                let number = |name| run.number(&format!("/update/{name}"));
                assert_eq!((number("sampler_weight_mean"), number("sampler_cut_fraction")), (0.0, 1.0));
                assert!(run.number("/grad_norm") < 1e-6);
            }),
        ),
        (
            // A reply's ratio is 1 as well.
            "train.loss={ sampler_ratio_cap = 2.0, sampler_ratio_mode = \"sequence_mask\" }",
            loss(default, |_, run| {
                near(run.number("/update/sampler_weight_mean"), 1.0, 1e-2);
                assert_eq!(run.number("/update/sampler_cut_fraction"), 0.0);
            }),
        ),
        (
            // So near 1 that the second update meets it, where an advantage is negative.
            "train.loss.dual_clip=1.000001",
            loss(default, |base, run| {
                assert!(run.number("/update/dual_clip_fraction") > 0.01);
                assert!(base.rows[0]["update"].get("dual_clip_fraction").is_none());
            }),
        ),
    ]
}

fn rewards() -> Vec<(&'static str, Check)> {
    vec![
        (
            // The policy is the reference in the first step, and has left it in the second.
            "train.kl_penalty={ coef = 10.0, estimator = \"k1\" }",
            Box::new(|base, run| {
                run.has_advantages(AdvantageKind::GroupNormalized);
                let cost = |replies: &[Completion]| {
                    replies.iter().map(|r| r.components["kl_penalty"].abs()).sum::<f64>()
                };
                let [first, second] = &run.replies;
                assert!(cost(second) > 3.0 * cost(first), "{} and {}", cost(first), cost(second));
                assert!(!base.replies[1][0].components.contains_key("kl_penalty"));
            }),
        ),
        (
            "train.overlong={ buffer = 60, penalty = 0.5 }",
            Box::new(|base, run| {
                run.has_advantages(AdvantageKind::GroupNormalized);
                run.has_loss(&LossConfig::default(), |_| true);
                for reply in &run.replies[0] {
                    let cost = 0.5 * soft_overlong(reply.tokens, 96, 60);
                    assert!((reply.components["overlong"] - cost).abs() < 1e-12, "{reply:?}");
                }
                assert_ne!(run.advantages(), base.advantages());
            }),
        ),
        (
            "train.truncated=mask",
            Box::new(|base, run| {
                let ended = |reply: &Completion| reply.finish == FinishReason::Stop;
                let masked = |(base, reply): (f64, &Completion)| if ended(reply) { base } else { 0.0 };
                let expected: Vec<f64> =
                    base.advantages().into_iter().zip(&base.replies[0]).map(masked).collect();
                assert_eq!(run.advantages(), expected);
                assert_ne!(run.advantages(), base.advantages());
                run.has_loss(&LossConfig::default(), ended);
            }),
        ),
        (
            // The mean over a reply's tokens is recorded, which differs where a part was settled before the end.
            "train.credit=spans",
            Box::new(|base, run| {
                let pairs = base.advantages().into_iter().zip(run.advantages());
                assert!(pairs.clone().all(|(base, run)| base != 0.0 || run == 0.0));
                assert!(pairs.filter(|(base, run)| (base - run).abs() > 1e-3).count() > 2);
                assert_ne!(run.number("/loss"), base.number("/loss"));
            }),
        ),
    ]
}

/// How often a step trains on its replies, and what the policy is held to.
fn passes_and_references() -> Vec<(&'static str, Check)> {
    vec![
        (
            // The first pass is the whole of a run with one.
            "train.passes=3",
            Box::new(|base, run| {
                assert_eq!(run.number("/tokens_trained"), 3.0 * base.number("/tokens_trained"));
                let passes = run.rows[0]["passes"].as_array().unwrap();
                assert_eq!((passes.len(), &passes[0]), (3, &base.rows[0]["update"]));
                // Further from the policy that sampled in each pass.
                let far: Vec<f64> =
                    passes.iter().map(|p| (p["ratio_mean"].as_f64().unwrap() - 1.0).abs()).collect();
                assert!(far[1] > far[0] && far[2] > far[0], "{far:?}");
                assert!(base.rows[0].get("passes").is_none());
            }),
        ),
        (
            // The second step is held to the policy that the first left: in its first update there is no divergence.
            "train={ method = \"grpo\", steps = 2, prompts = 4, updates = 2, max_prompt_tokens = 512, optimizer = { lr = 1e-5 }, \
             kl_penalty = { coef = 10.0 }, reference = { every = 1 } }",
            Box::new(|_, run| {
                let cost = |replies: &[Completion]| {
                    replies.iter().map(|r| r.components["kl_penalty"].abs()).sum::<f64>()
                };
                let [first, second] = &run.replies;
                assert!(cost(second) < 3.0 * cost(first) + 1e-3, "{} and {}", cost(first), cost(second));
            }),
        ),
        (
            "train.kl_penalty={ coef = 10.0, target = 4.0, horizon = 16 }",
            Box::new(|_, run| {
                let [first, second] = [0, 1].map(|row| &run.rows[row]["adaptive_kl"]["kl_penalty"]);
                let number = |row: &Value, name: &str| row[name].as_f64().unwrap();
                // No divergence yet: the error is at its bound.
                assert!(number(first, "coef") == 10.0 && number(first, "divergence").abs() < 0.1, "{first}");
                near(number(second, "coef"), 10.0 * (1.0 - 0.2 * 16.0 / 16.0), 1e-9);
            }),
        ),
    ]
}

/// Which groups are trained on: there are some of equal rewards.
fn groups() -> Vec<(&'static str, Check)> {
    let flat = |run: &Run| run.number("/zero_variance_groups");
    vec![
        (
            "train.groups=with_spread",
            Box::new(move |base, run| {
                assert!(flat(base) >= 1.0 && base.number("/left_out_groups") == 0.0);
                assert_eq!((run.number("/groups"), run.number("/left_out_groups")), (4.0, flat(base)));
                assert_ne!(run.number("/loss"), base.number("/loss"));
            }),
        ),
        (
            // Rounds of four prompts, until four groups have spread or three rounds are done.
            "train.groups.resample.max_rounds=3",
            Box::new(move |base, run| {
                let (all, left_out) = (run.number("/groups"), run.number("/left_out_groups"));
                assert!(all > base.number("/groups") && all % 4.0 == 0.0, "{all}");
                assert!(all - left_out <= 4.0 && left_out >= flat(run), "{left_out} of {all}");
            }),
        ),
    ]
}

#[test]
fn each_choice_of_the_grpo_family_changes_what_it_should() {
    let dir = tempfile::tempdir().unwrap();
    let base = run(dir.path(), "train.advantage=group_normalized");
    base.has_advantages(AdvantageKind::GroupNormalized);
    base.has_loss(&LossConfig::default(), |_| true);
    for (choice, check) in
        [advantages(), losses(), rewards(), passes_and_references(), groups()].into_iter().flatten()
    {
        let run = run(dir.path(), choice);
        // Told where a check fails.
        eprintln!("{choice}");
        // The first step asks the same policy the same.
        let sampled = |run: &Run| -> Vec<_> {
            run.replies[0]
                .iter()
                .map(|r| (r.completion.clone(), r.reward, r.logprob_sum))
                .take(4 * GROUP)
                .collect()
        };
        if !choice.contains("groups") {
            assert_eq!(sampled(&run), sampled(&base));
        }
        check(&base, &run);
        assert!(run.rows.len() == 2 && run.rows.iter().all(|row| row["loss"].is_f64()), "{:?}", run.rows);
        assert!(run.number("/grad_norm") > 0.0);
    }
}

//! What becomes of a policy whose reward also likes style: groups kept by the spread of the reward against groups kept by
//! the outcome, on a small model of the case in which verl-recipe's `gsm8k_outcome_gating` found it (pull request 125).
//!
//! The policy has a habit that all tasks share, how often it gives up with a short reply, and a skill of each task, how
//! often an attempt is right. The reward is 1 for a right reply and 0.3 more for a short one, which never is right.

use toolrl_grpo::{AdvantageKind, has_mixed_outcome, has_no_spread};

const TASKS: usize = 64;
const GROUP: usize = 8;
const PROMPTS: usize = 16;
const RATE: f64 = 0.05;

/// Which groups are trained on.
#[derive(Clone, Copy, Debug)]
enum Filter {
    All,
    WithSpread,
    MixedOutcome,
}

#[derive(Clone, Copy, PartialEq)]
enum Reply {
    Right,
    Wrong,
    Short,
}

struct Policy {
    /// Logit of giving up.
    habit: f64,
    /// Logit of being right, of each task.
    skills: Vec<f64>,
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Policy {
    /// It gives up one time in ten. Three tasks of four are hard for it.
    fn new() -> Self {
        let skill = |task| if task % 4 == 0 { 1.0 } else { -3.0 };
        Self { habit: (0.1_f64 / 0.9).ln(), skills: (0..TASKS).map(skill).collect() }
    }

    fn reply(&self, task: usize, u: f64) -> Reply {
        let short = sigmoid(self.habit);
        let right = (1.0 - short) * sigmoid(self.skills[task]);
        if u < short {
            Reply::Short
        } else if u < short + right {
            Reply::Right
        } else {
            Reply::Wrong
        }
    }

    /// Share of right replies, in expectation.
    fn success(&self) -> f64 {
        let skill = self.skills.iter().map(|&s| sigmoid(s)).sum::<f64>() / TASKS as f64;
        (1.0 - sigmoid(self.habit)) * skill
    }

    /// A step along the advantage-weighted gradient of the replies' log-probabilities.
    fn step(&mut self, groups: &[(usize, Vec<Reply>)], advantages: &[Vec<Option<f64>>]) {
        let (short, mut habit) = (sigmoid(self.habit), 0.0);
        let mut skills = vec![0.0; TASKS];
        for ((task, replies), advantages) in groups.iter().zip(advantages) {
            let right = sigmoid(self.skills[*task]);
            for (reply, advantage) in replies.iter().zip(advantages.iter().flatten()) {
                habit += advantage * if *reply == Reply::Short { 1.0 - short } else { -short };
                skills[*task] += match reply {
                    Reply::Right => advantage * (1.0 - right),
                    Reply::Wrong => advantage * -right,
                    Reply::Short => 0.0,
                };
            }
        }
        self.habit += RATE * habit;
        self.skills.iter_mut().zip(skills).for_each(|(skill, d)| *skill += RATE * d);
    }
}

/// The share of right replies before and after so many steps.
fn run(filter: Filter, seed: u64, steps: usize) -> (f64, f64) {
    let (mut policy, mut state) = (Policy::new(), seed);
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let before = policy.success();
    for step in 0..steps {
        let tasks = (0..PROMPTS).map(|i| (step * PROMPTS + i) % TASKS);
        let sampled: Vec<(usize, Vec<Reply>)> =
            tasks.map(|task| (task, (0..GROUP).map(|_| policy.reply(task, uniform())).collect())).collect();
        let rewards = |replies: &[Reply]| -> Vec<f64> {
            let reward = |reply: &Reply| match reply {
                Reply::Right => 1.0,
                Reply::Wrong => 0.0,
                Reply::Short => 0.3,
            };
            replies.iter().map(reward).collect()
        };
        let kept = |(_, replies): &(usize, Vec<Reply>)| match filter {
            Filter::All => true,
            Filter::WithSpread => !has_no_spread(&rewards(replies)),
            Filter::MixedOutcome => has_mixed_outcome(replies.iter().map(|reply| *reply == Reply::Right)),
        };
        let groups: Vec<_> = sampled.into_iter().filter(kept).collect();
        let of_group =
            |(_, replies): &(usize, Vec<Reply>)| rewards(replies).into_iter().map(Into::into).collect();
        let batch: Vec<Vec<_>> = groups.iter().map(of_group).collect();
        policy.step(&groups, &AdvantageKind::GroupNormalized.of_batch(&batch, 1e-6));
    }
    (before, policy.success())
}

#[test]
fn spread_of_a_shaped_reward_unlearns_the_outcome_and_the_gate_learns_it() {
    for seed in 1..=5 {
        let [all, with_spread, mixed] =
            [Filter::All, Filter::WithSpread, Filter::MixedOutcome].map(|filter| run(filter, seed, 200));
        let (unlearnt, learnt) = (all.1.max(with_spread.1), mixed.1);
        assert!(unlearnt < 0.001 && learnt > 0.85, "seed {seed}: {all:?}, {with_spread:?}, {mixed:?}");
    }
}

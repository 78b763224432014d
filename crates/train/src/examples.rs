//! Which sampled replies a report shows: the best and the worst of evenly spread steps.

use toolrl_reward::{Context, Rubric};

use crate::record::Completion;
use crate::report::Example;
use crate::score::{Scored, explanation};
use crate::task::Task;

/// Steps that the report shows replies of.
const STEPS: u64 = 6;

/// Collects examples while a run goes on.
#[derive(Default)]
pub(crate) struct Examples(pub Vec<Example>);

impl Examples {
    /// Keeps the best and the worst reply of every so many steps, first and last included.
    pub(crate) fn add(&mut self, step: u64, steps: u64, scored: &[Scored], tasks: &[Task], rubric: &Rubric) {
        let every = steps.div_ceil(STEPS).max(1);
        if step != 1 && step != steps && !step.is_multiple_of(every) {
            return;
        }
        let by_reward = |a: &&Scored, b: &&Scored| a.reward.total_cmp(&b.reward);
        let (best, worst) = (scored.iter().max_by(by_reward), scored.iter().min_by(by_reward));
        for scored in best.into_iter().chain(worst) {
            let task = &tasks[scored.task];
            let explanation = explanation(scored, task, rubric, &Context::training(step, steps));
            self.0.push(Example { completion: completion(step, scored, task), explanation });
        }
    }
}

/// A scored reply as a row of the completions file.
pub(crate) fn completion(step: u64, scored: &Scored, task: &Task) -> Completion {
    let trajectory = &scored.trajectory;
    Completion {
        step,
        prompt_index: task.prompt.index,
        sample_id: task.sample.id.clone(),
        kind: task.sample.kind.to_string(),
        member: trajectory.member,
        prompt: task.prompt.text.clone(),
        completion: trajectory.text.clone(),
        gold: task.sample.gold.clone(),
        reward: scored.reward,
        components: scored.components.clone(),
        advantage: scored.advantage,
        finish: trajectory.finish,
        tokens: trajectory.tokens.len(),
        logprob_sum: trajectory.logprobs.iter().map(|&l| f64::from(l)).sum(),
    }
}

//! Which sampled replies a report shows: the best and the worst of evenly spread steps.

use toolrl_reward::{Context, Rubric};

use crate::record::Completion;
use crate::report::Example;
use crate::rl::Credited;
use crate::score::{Scored, explanation};
use crate::task::Task;

/// Steps that the report shows replies of.
const STEPS: u64 = 6;

/// Collects examples while a run goes on.
#[derive(Default)]
pub(crate) struct Examples(pub Vec<Example>);

impl Examples {
    /// Keeps the best and the worst reply of every so many steps, first and last included.
    pub(crate) fn add(
        &mut self,
        step: u64,
        steps: u64,
        credited: &[Credited],
        tasks: &[Task],
        rubric: &Rubric,
    ) {
        let every = steps.div_ceil(STEPS).max(1);
        if step != 1 && step != steps && !step.is_multiple_of(every) {
            return;
        }
        let reward = |reply: &Credited| AsRef::<Scored>::as_ref(reply).reward;
        let by_reward = |a: &&Credited, b: &&Credited| reward(a).total_cmp(&reward(b));
        let (best, worst) = (credited.iter().max_by(by_reward), credited.iter().min_by(by_reward));
        for reply in best.into_iter().chain(worst) {
            let scored: &Scored = reply.as_ref();
            let task = &tasks[scored.task];
            let explanation = explanation(scored, task, rubric, &Context::training(step, steps));
            self.0.push(Example { completion: completion(step, reply, task), explanation });
        }
    }
}

/// A scored reply as a row of the completions file.
pub(crate) fn completion(step: u64, reply: &Credited, task: &Task) -> Completion {
    let scored: &Scored = reply.as_ref();
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
        advantage: reply.mean_advantage(),
        finish: trajectory.finish,
        tokens: trajectory.tokens.len(),
        logprob_sum: trajectory.logprobs.iter().map(|&l| f64::from(l)).sum(),
    }
}

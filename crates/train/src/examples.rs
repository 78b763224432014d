//! Which sampled replies a report shows: the best and the worst of evenly spread steps.

use std::borrow::Cow;
use std::path::Path;

use toolrl_chat::Chat;
use toolrl_data::Sample;
use toolrl_eval::asked;
use toolrl_grammar::Dialect;
use toolrl_record::report::Example;
use toolrl_record::{Completion, EpisodeRecord, completions_path, read_completions};
use toolrl_reward::{Context, Reference, Rubric, explain};
use toolrl_rollout::Prompt;

use crate::TrainError;
use crate::rl::Credited;
use crate::task::Task;

/// Steps that the report shows replies of.
const STEPS: u64 = 6;

/// The best and the worst reply of every so many steps of a run on these samples, first and last included, from what it
/// wrote down.
pub(crate) fn examples(
    run_dir: &Path,
    steps: u64,
    (rubric, dialect): (&Rubric, &'static dyn Dialect),
    samples: &[Sample],
) -> Result<Vec<Example>, TrainError> {
    let every = steps.div_ceil(STEPS).max(1);
    let shown = (1..=steps).filter(|&step| step == 1 || step == steps || step.is_multiple_of(every));
    let mut examples = Vec::new();
    for step in shown {
        let path = completions_path(run_dir, step);
        if !path.exists() {
            continue;
        }
        let rows = read_completions(&path)?;
        let by_reward = |a: &&Completion, b: &&Completion| a.reward.total_cmp(&b.reward);
        let (best, worst) = (rows.iter().max_by(by_reward), rows.iter().min_by(by_reward));
        for row in best.into_iter().chain(worst) {
            let sample = samples.iter().find(|sample| sample.id == row.sample_id);
            let explanation = explanation(row, sample, (rubric, dialect), &Context::training(step, steps));
            examples.push(Example { completion: row.clone(), explanation });
        }
    }
    Ok(examples)
}

/// Why a reply has its score, as text.
fn explanation(
    row: &Completion,
    sample: Option<&Sample>,
    (rubric, dialect): (&Rubric, &'static dyn Dialect),
    context: &Context,
) -> String {
    let tools = sample.map_or(&[][..], |sample| &sample.tools);
    let explained = Reference::of_task(&row.gold, dialect, tools).and_then(|reference| {
        let reference = match sample {
            Some(sample) => asked(&reference, sample, rubric),
            None => Cow::Borrowed(&reference),
        };
        let parsed = reference.read(row.completion.as_bytes());
        let score = rubric.score(&parsed, &reference, context)?;
        Ok(explain(&parsed, &reference, &score))
    });
    explained.unwrap_or_else(|error| error.to_string())
}

/// A credited episode as a row of the completions file: its last turn, after everything that stands before it.
pub(crate) fn completion(
    step: u64,
    (prompt, member): (&Prompt, &Credited),
    task: &Task,
    chat: &Chat,
) -> Result<Completion, TrainError> {
    let scored = &member.measured.scored;
    let episode = &scored.episode;
    let last = episode.turns().pop().unwrap_or_default();
    let before = chat.decode(&episode.tokens[..last.start], false)?;
    Ok(Completion {
        step,
        prompt_index: prompt.index,
        sample_id: task.sample.id.clone(),
        kind: task.sample.kind.to_string(),
        member: episode.member,
        prompt: format!("{}{before}", prompt.text),
        prompt_cut: prompt.cut as u64,
        completion: episode.reply().text.clone(),
        gold: task.sample.gold.text().to_owned(),
        reward: scored.reward,
        components: scored.components.clone(),
        advantage: member.mean_advantage(),
        finish: episode.finish(),
        tokens: episode.sampled(),
        logprob_sum: episode.logprobs.iter().map(|&l| f64::from(l)).sum(),
        episode: Some(EpisodeRecord {
            token_ids: episode.tokens.clone(),
            turns: episode.turns(),
            skipped: scored.skipped,
        }),
    })
}

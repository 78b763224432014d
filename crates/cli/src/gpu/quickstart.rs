//! Some steps of the quickstart recipe on the device.

use toolrl_record::{StepMetrics, read_rows};
use toolrl_train::{Job, PolicySource, Stop, run};

use super::Context;
use super::report::Row;
use crate::train::block_on;
use crate::{recipes, starter};

/// Trains for a while; rewards of the evaluations and of the first and last steps.
pub(super) fn check(context: &Context) -> anyhow::Result<Vec<Row>> {
    let (steps, held_out, prompts) = if context.tiny() { (1, 4, 2) } else { (20, 200, 32) };
    let dir = std::env::temp_dir().join(format!("toolrl-quickstart-{}", std::process::id()));
    let overrides = [
        format!("train.steps={steps}"),
        format!("eval.limit={held_out}"),
        format!("train.prompts={prompts}"),
        format!("device=\"{}\"", context.args.device),
    ];
    let mut recipe = recipes::find("quickstart", &overrides)?;
    let start = dir.join("start");
    starter::unpack(&start)?;
    recipe.policy = Some(PolicySource::Dir(start));
    let parts = recipe.parts(context.registry)?;
    let run_dir = dir.join("run");
    let job = Job {
        recipe: &recipe,
        parts: &parts,
        run_dir: &run_dir,
        before: None,
        resume: None,
        stop: Stop::default(),
        last_step: None,
    };
    let outcome = block_on(run(job, &mut ()))?;
    let steps: Vec<StepMetrics> = read_rows(&run_dir.join("metrics.jsonl"))?;
    let _ = std::fs::remove_dir_all(&dir);
    let summary = &outcome.summary;
    let mut rows = vec![
        Row::new("mean reward before", summary.before.overall.mean_reward, ""),
        Row::new("mean reward after", summary.after.overall.mean_reward, ""),
        Row::new("the whole run", summary.seconds, "s"),
    ];
    if let Some(last) = steps.last() {
        rows.extend(
            last.scalars().into_iter().map(|(name, value)| Row::new(format!("last step, {name}"), value, "")),
        );
    }
    Ok(rows)
}

//! Evaluations in TRL: sampled replies to held-out tasks, by the training's reward.

use toolrl_train::Recipe;

use crate::settings::Mapping;
use crate::shared;

use super::Batch;

/// So many of the held-out tasks.
pub(super) const LIMIT: &str = "settings.EVAL_LIMIT";

pub(super) fn map(map: &mut Mapping, recipe: &Recipe, batch: &Batch) {
    let eval = &recipe.eval;
    shared::eval(map, recipe);
    map.there("eval.every", "eval_strategy", if eval.every > 0 { "steps" } else { "no" });
    if eval.every > 0 {
        map.there("eval.every", "eval_steps", eval.every * batch.updates_a_step());
        map.there("eval.every", "num_generations_eval", 1);
        map.but("counted in updates; a reply of each task is sampled as in training, not the greedy one");
    } else {
        map.but("none before and after training");
    }
    map.there("eval.limit", LIMIT, eval.limit);
    let same = eval.max_new_tokens == recipe.sampling.max_new_tokens;
    map.lost_unless(same, "eval.max_new_tokens", "evaluations have the training's max_completion_length");
    let none = eval.samples == 0;
    for key in ["eval.samples", "eval.temperature", "eval.top_p"] {
        map.lost_unless(none, key, "evaluations sample one reply of each task, as in training");
    }
    shared::trackers(map, recipe, "report_to");
}

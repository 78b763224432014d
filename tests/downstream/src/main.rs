//! A downstream project: one reward term, and every command of `toolrl` with it.

use std::process::ExitCode;

use toolrl_grammar::Parsed;
use toolrl_reward::{Context, Reference, Registry, RewardError, Term, TermScore, settings};

/// Charges for every word of a thought beyond a limit.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Brevity {
    words: usize,
    price: f64,
}

impl Term for Brevity {
    fn id(&self) -> &str {
        "brevity"
    }

    fn range(&self, _: &Context) -> (f64, f64) {
        (-1.0, 0.0)
    }

    fn score(&self, parsed: &Parsed<'_>, _: &Reference, _: &Context) -> Result<TermScore, RewardError> {
        let thoughts = parsed.turn.thoughts.as_ref().map_or(&[][..], |thoughts| thoughts.as_bytes());
        let words = toolrl_grammar::text::count_words(thoughts);
        let cost = self.price * words.saturating_sub(self.words) as f64;
        Ok(TermScore::new(-cost.min(1.0)).with_note(format!("{words} words, {} free", self.words)))
    }
}

fn main() -> ExitCode {
    let mut registry = Registry::builtin();
    registry.register("brevity", |table| Ok(Box::new(settings::<Brevity>("brevity", table)?)));
    toolrl_cli::main_with(registry)
}

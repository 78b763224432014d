//! What a dataset holds, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::{Sample, TaskKind};

/// Counts and mean lengths of a dataset. It displays as a few lines of text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// How many samples there are.
    pub samples: usize,
    /// How many of them have tools that were held out from training.
    pub unseen_tools: usize,
    /// How many there are of each kind; kinds without a sample are left out.
    pub by_kind: BTreeMap<TaskKind, usize>,
    /// The mean length of a prompt, all its messages together, in characters. 0 without samples.
    pub mean_prompt_chars: f64,
    /// The longest prompt, in characters.
    pub max_prompt_chars: usize,
    /// The mean length of a gold reply, in characters. 0 without samples.
    pub mean_gold_chars: f64,
    /// The longest gold reply, in characters.
    pub max_gold_chars: usize,
}

/// Describes a dataset.
pub fn describe(samples: &[Sample]) -> Stats {
    let chars = |text: &str| text.chars().count();
    let prompts =
        samples.iter().map(|sample| sample.messages.iter().map(|m| chars(&m.content)).sum::<usize>());
    let golds = samples.iter().map(|sample| chars(&sample.gold));
    let mean = |total: usize| total as f64 / samples.len().max(1) as f64;
    let mut by_kind = BTreeMap::new();
    for sample in samples {
        *by_kind.entry(sample.kind).or_insert(0) += 1;
    }
    Stats {
        samples: samples.len(),
        unseen_tools: samples.iter().filter(|sample| sample.unseen_tools).count(),
        by_kind,
        mean_prompt_chars: mean(prompts.clone().sum()),
        max_prompt_chars: prompts.max().unwrap_or_default(),
        mean_gold_chars: mean(golds.clone().sum()),
        max_gold_chars: golds.max().unwrap_or_default(),
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} samples, {} with tools held out from training", self.samples, self.unseen_tools)?;
        for (kind, count) in &self.by_kind {
            writeln!(f, "  {kind}: {count}")?;
        }
        writeln!(
            f,
            "prompt: mean {:.0}, at most {} characters",
            self.mean_prompt_chars, self.max_prompt_chars
        )?;
        write!(f, "gold reply: mean {:.0}, at most {} characters", self.mean_gold_chars, self.max_gold_chars)
    }
}

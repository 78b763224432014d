//! The wide world: tasks for tools by the thousand, of domains, verbs and parameters that are put together anew.
//!
//! What one can do with a class of things (`words/*/classes.toml`) meets the things of a domain (`domains.toml`); a tool
//! gets a name, a description and a choice of parameters, and a request is composed of phrases that state their values.
//! Held-out tools have words of their own: other domains, verbs, parameters and wordings.

mod asked;
mod config;
mod deed;
mod english;
mod kind;
mod naming;
mod param;
mod phrases;
mod request;
mod shelf;
mod sound;
mod task;
mod tool;
mod values;
mod words;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde_json::Value;
use toolrl_grammar::Turn;

use crate::random::{Rng, hash};
use crate::world::{ATTEMPTS, Part, WorldTasks, kind_of, part_of};
use crate::{DataError, Gold, Message, Sample, TaskKind};
use shelf::Shelf;
use task::{Maker, Task};
use values::{Day, Draw};
use words::Words;

pub use config::{GoldOf, Thoughts, WideConfig, WideMix};

/// The generator.
pub struct WideWorld<'a> {
    config: &'a WideConfig,
    /// The tools of training's tasks.
    train: Shelf,
    /// All tools of training's domains.
    seen: Shelf,
    /// Tools that training never shows.
    unseen: Shelf,
}

impl<'a> WideWorld<'a> {
    /// Makes the tasks of `config`.
    ///
    /// # Errors
    /// [`DataError::World`] for settings out of range or when the settings allow too few distinct tasks.
    pub fn generate(config: &'a WideConfig) -> Result<WorldTasks, DataError> {
        let world = Self::new(config)?;
        let mut train = world.part(Part::Train, config.train)?;
        if config.gold == GoldOf::Another {
            exchange_gold(&mut train, config.seed);
        }
        Ok(WorldTasks { train, held_out: world.part(Part::HeldOut, config.held_out)? })
    }

    fn new(config: &'a WideConfig) -> Result<Self, DataError> {
        let [train, held_out] = Words::both()?;
        config.check(train.domains.len())?;
        let listed = [config.min_tools, config.max_tools];
        let domains = config.domains.unwrap_or(train.domains.len());
        Ok(Self {
            config,
            train: Shelf::new(train, domains, listed),
            seen: Shelf::new(train, train.domains.len(), listed),
            unseen: Shelf::new(held_out, held_out.domains.len(), listed),
        })
    }

    fn part(&self, part: Part, count: usize) -> Result<Vec<Sample>, DataError> {
        let mut seen = HashSet::with_capacity(count);
        (0..count).map(|index| self.sample(part, index, &mut seen)).collect()
    }

    /// Task `index` of its part. Its kind depends on the seed and the index; its content also on the tasks before it,
    /// which it must not repeat.
    fn sample(&self, part: Part, index: usize, seen: &mut HashSet<u64>) -> Result<Sample, DataError> {
        let mut rng = Rng::new(self.config.seed, &[WIDE, part as u64, index as u64]);
        let kind = kind_of(&self.config.mix.weights(), &mut rng);
        let unseen_tools = part == Part::HeldOut && rng.chance(self.config.unseen_share);
        for attempt in 1..=ATTEMPTS {
            let mut rng = Rng::new(self.config.seed, &[WIDE, part as u64, index as u64, attempt]);
            let Some(task) = self.task(kind, part, unseen_tools, &mut rng) else {
                continue;
            };
            let schemas: Vec<_> = task.tools.iter().map(|tool| tool.schema()).collect();
            if chars(&task.messages, &schemas) > self.config.max_chars {
                continue;
            }
            // Thoughts change no task.
            let reply = Turn { thoughts: None, ..task.gold.clone() };
            let reply = Gold::of(reply).map_err(DataError::Gold)?;
            let gold = Gold::of(task.gold).map_err(DataError::Gold)?;
            let said = task.messages.iter().filter(|message| message.role != "system");
            let tools = task.tools.iter().map(|tool| tool.name.as_str());
            let text: Vec<_> = said.map(|m| m.content.as_str()).chain([reply.text()]).chain(tools).collect();
            let hash = hash(&text);
            if (unseen_tools || part_of(hash) == part) && seen.insert(hash) {
                let id = format!("{}:{index}", part.name());
                return Ok(Sample { id, messages: task.messages, tools: schemas, gold, kind, unseen_tools });
            }
        }
        Err(part.no_new_task(kind, index))
    }

    /// One draw of a task.
    fn task(&self, kind: TaskKind, part: Part, unseen_tools: bool, rng: &mut Rng) -> Option<Task> {
        let names = [&self.seen.words.names, &self.unseen.words.names];
        let names = if part == Part::Train { names } else { [names[1], names[0]] };
        let today = Day::draw(rng);
        let made_up = if part == Part::Train { self.config.made_up } else { 0.0 };
        let mut draw = Draw { rng, hard: self.config.hard_values, made_up, today, names };
        let shelf = match part {
            Part::Train => &self.train,
            Part::HeldOut if unseen_tools => &self.unseen,
            Part::HeldOut => &self.seen,
        };
        let task = Maker { shelf, thoughts: self.config.thoughts }.task(kind, &mut draw);
        task.filter(Task::is_sound)
    }
}

/// Gives each task the gold reply of the one behind it in a random round of all.
fn exchange_gold(tasks: &mut [Sample], seed: u64) {
    let mut round: Vec<usize> = (0..tasks.len()).collect();
    Rng::new(seed, &[WIDE, EXCHANGE]).shuffle(&mut round);
    let mut golds: Vec<Gold> = round.iter().map(|&task| tasks[task].gold.clone()).collect();
    golds.rotate_left(tasks.len().min(1));
    round.into_iter().zip(golds).for_each(|(task, gold)| tasks[task].gold = gold);
}

/// The length of a prompt, without what a chat template adds.
fn chars(messages: &[Message], tools: &[Value]) -> usize {
    let called = |message: &Message| message.tool_calls.as_ref().map_or(0, |calls| calls.to_string().len());
    let said = messages.iter().map(|message| message.content.len() + called(message));
    said.chain(tools.iter().map(|tool| tool.to_string().len())).sum()
}

/// Keeps the random numbers of this world apart from those of the other.
const WIDE: u64 = 0x77;

/// Keeps those of the exchange of gold replies apart from its tasks'.
const EXCHANGE: u64 = 0x6578;

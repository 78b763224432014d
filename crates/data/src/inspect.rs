//! What a dataset holds, beyond its counts: lengths, tools, duplicates, gold replies that cannot be scored.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::Serialize;
use toolrl_grammar::{ReplyKind, lenient, text};

use crate::lengths::Lengths;
use crate::{
    DataError, Faulty, GoldFault, LoadConfig, Loaded, Place, Reading, Sample, TaskKind, Turns, load_with,
};

/// What a dataset holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// The file.
    pub path: PathBuf,
    /// How it was read: the forms of its rows, and what was passed over or changed.
    pub reading: Reading,
    /// How many samples there are.
    pub samples: usize,
    /// How many of each kind; kinds without a sample are left out.
    pub by_kind: BTreeMap<TaskKind, usize>,
    /// Which parts the gold replies have.
    pub parts: Parts,
    /// Gold replies with calls that can be read, by their number of calls.
    pub calls: BTreeMap<usize, usize>,
    /// Prompts that hold earlier turns.
    pub with_history: usize,
    /// Prompts that hold what a tool returned: `<obs>`, or a tool's message.
    pub with_observations: usize,
    /// Tools of the prompts: those that the chat template lists, or that the system message lists by number, as
    /// `1. Name: …` or `1. name: …`; `None` if no prompt has any.
    pub tools: Option<Lengths>,
    /// Prompts in which no such list was found.
    pub without_tool_list: usize,
    /// Lengths of the prompts, all messages together, in characters.
    pub prompt_chars: Lengths,
    /// Lengths of the prompts in words.
    pub prompt_words: Lengths,
    /// Lengths of the gold replies in characters.
    pub gold_chars: Lengths,
    /// Lengths of the gold replies in words.
    pub gold_words: Lengths,
    /// Samples that repeat an earlier one's prompt.
    pub same_prompt: Vec<Repeat>,
    /// Those of them that repeat its gold reply too.
    pub same_prompt_and_gold: Vec<Repeat>,
    /// Gold replies that cannot be scored against, by cause.
    pub unscorable: Vec<UnscorableGroup>,
}

/// How many gold replies have which parts. As in the released reward, a tag counts wherever it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// Calls only.
    pub calls: usize,
    /// An answer only.
    pub response: usize,
    /// Both.
    pub both: usize,
    /// Neither.
    pub neither: usize,
}

/// A sample that repeats an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Repeat {
    /// Where it stands.
    pub at: Place,
    /// Where the first of its kind stands.
    pub first: Place,
}

/// Gold replies that cannot be scored against for one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnscorableGroup {
    /// Why.
    pub cause: GoldFault,
    /// Where each of them stands.
    pub places: Vec<Place>,
    /// What is wrong with the first of them, in full.
    pub example: String,
}

/// Reads a dataset and inspects it. The samples are given back for whatever else is asked of them. Rows that cannot be
/// read are in the report.
///
/// # Errors
/// As [`load_with`] where such rows are left out.
pub fn inspect(path: &Path, turns: Turns) -> Result<(Inspection, Vec<Sample>), DataError> {
    let loaded = load_with(path, LoadConfig { turns, faulty: Faulty::LeaveOut })?;
    let samples = &loaded.samples;
    let mut by_kind = BTreeMap::new();
    samples.iter().for_each(|sample| *by_kind.entry(sample.kind).or_insert(0) += 1);
    let count = |holds: fn(&Sample) -> bool| samples.iter().filter(|sample| holds(sample)).count();
    let tools: Vec<_> = samples.iter().filter_map(listed_tools).collect();
    let prompt = |measure: fn(&str) -> usize| {
        Lengths::of(samples.iter().map(|s| s.messages.iter().map(|m| measure(&m.content)).sum()))
    };
    let gold = |measure: fn(&str) -> usize| Lengths::of(samples.iter().map(|s| measure(&s.gold)));
    let words = |text: &str| text::count_words(text.as_bytes());
    let chars = |text: &str| text.chars().count();
    let inspection = Inspection {
        path: path.into(),
        reading: loaded.reading.clone(),
        samples: samples.len(),
        by_kind,
        parts: parts(samples),
        calls: calls(samples),
        with_history: count(has_history),
        with_observations: count(has_observation),
        without_tool_list: samples.len() - tools.len(),
        tools: (!tools.is_empty()).then(|| Lengths::of(tools.into_iter())),
        prompt_chars: prompt(chars),
        prompt_words: prompt(words),
        gold_chars: gold(chars),
        gold_words: gold(words),
        same_prompt: repeats(&loaded, |sample| (&sample.messages, &sample.tools, "")),
        same_prompt_and_gold: repeats(&loaded, |sample| {
            (&sample.messages, &sample.tools, sample.gold.text())
        }),
        unscorable: unscorable(&loaded),
    };
    Ok((inspection, loaded.samples))
}

fn parts(samples: &[Sample]) -> Parts {
    let mut parts = Parts::default();
    for sample in samples {
        match ReplyKind::of(&sample.gold) {
            ReplyKind::ToolCall => parts.calls += 1,
            ReplyKind::Response => parts.response += 1,
            ReplyKind::Both => parts.both += 1,
            ReplyKind::Thoughts => parts.neither += 1,
        }
    }
    parts
}

fn calls(samples: &[Sample]) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for calls in samples.iter().filter_map(|sample| lenient(&sample.gold)?.calls.ok()) {
        *counts.entry(calls.len()).or_insert(0) += 1;
    }
    counts
}

fn has_observation(sample: &Sample) -> bool {
    sample.messages.iter().any(|m| m.role == "tool" || m.role != "system" && m.content.contains("<obs>"))
}

fn has_history(sample: &Sample) -> bool {
    let users = sample.messages.iter().filter(|m| m.role == "user");
    let spoken: usize = users.map(|m| m.content.matches("<user>").count().max(1)).sum();
    spoken > 1 || has_observation(sample) || sample.messages.iter().any(|m| m.role == "assistant")
}

/// How many tools the chat template lists; or the length of the first list in the system message whose lines begin with
/// 1., 2. and so on.
fn listed_tools(sample: &Sample) -> Option<usize> {
    if !sample.tools.is_empty() {
        return Some(sample.tools.len());
    }
    let system = sample.messages.iter().find(|m| m.role == "system")?;
    let mut count = 0;
    for line in system.content.lines() {
        let item =
            line.split_once(". ").and_then(|(number, rest)| Some((number.parse::<usize>().ok()?, rest)));
        match item {
            Some((number, rest)) if number == count + 1 && rest.contains(':') => count += 1,
            // The next list begins.
            Some((1, _)) if count > 0 => break,
            _ => {}
        }
    }
    (count > 0).then_some(count)
}

fn repeats<'a, K: std::hash::Hash + Eq>(loaded: &'a Loaded, key: impl Fn(&'a Sample) -> K) -> Vec<Repeat> {
    let mut first = HashMap::new();
    let placed = loaded.samples.iter().zip(&loaded.places);
    let repeat = |(sample, &at): (&'a Sample, &Place)| {
        let first = *first.entry(key(sample)).or_insert(at);
        (first != at).then_some(Repeat { at, first })
    };
    placed.filter_map(repeat).collect()
}

fn unscorable(loaded: &Loaded) -> Vec<UnscorableGroup> {
    let mut groups: BTreeMap<GoldFault, UnscorableGroup> = BTreeMap::new();
    for found in &loaded.gold.unscorable {
        let group = groups.entry(found.cause).or_insert_with(|| UnscorableGroup {
            cause: found.cause,
            places: Vec::new(),
            example: found.reason.clone(),
        });
        group.places.extend(loaded.places.get(found.index));
    }
    groups.into_values().collect()
}

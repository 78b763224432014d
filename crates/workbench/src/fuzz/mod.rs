//! Looks for replies on which a reward breaks a promise, by damaging gold replies.
//!
//! A case is a gold reply, up to [`MOST_DAMAGES`] damages that do not meet, dealt one after the other, and one
//! other way of writing the result that says the same. A counter-example is made as small as it goes: damages,
//! calls and parameters that it can do without are taken out of it.

mod damage;
mod draft;
mod property;
mod random;
mod shrink;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;
use toolrl_reward::Rubric;

use crate::WorkbenchError;
use draft::Draft;
use property::{Case, Subject};
use random::Random;

pub use damage::{Damage, Edit, Tag};
pub use property::Property;

/// How much to look.
#[derive(Clone, Copy, Debug)]
pub struct FuzzSettings {
    /// Cases.
    pub cases: usize,
    /// Where the random numbers come from.
    pub seed: u64,
    /// Counter-examples of each property that are shown.
    pub limit: usize,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FuzzReport {
    /// Cases.
    pub cases: usize,
    /// Gold replies that they were made from.
    pub gold: usize,
    /// Gold replies that could not be taken apart.
    pub left_out: usize,
    /// The seed, which repeats the cases.
    pub seed: u64,
    /// Each promise.
    pub properties: Vec<PropertyReport>,
}

/// What was found of one promise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PropertyReport {
    /// Which.
    pub property: Property,
    /// How often it was looked at.
    pub checks: usize,
    /// How often it was broken.
    pub failures: usize,
    /// Kinds of counter-examples, the most frequent first.
    pub counter_examples: Vec<CounterExample>,
    /// Kinds that are not shown.
    pub not_shown: usize,
}

/// The smallest counter-example of its kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CounterExample {
    /// How often the kind was met, among the failures that were looked at closely.
    pub count: usize,
    /// What was done to the gold reply.
    pub damages: Vec<String>,
    /// The last damage, which should not have helped, or the other way of writing that should not matter.
    pub change: Option<String>,
    /// The terms that break the promise, with what they gave before and after the change.
    pub terms: Vec<(String, f64, f64)>,
    /// The total before the change; of the gold reply where that is the one compared with.
    pub before: f64,
    /// The total after it.
    pub after: f64,
    /// What is wrong, where it is not the total.
    pub message: Option<String>,
    /// The gold reply.
    pub gold: String,
    /// The reply before the change.
    pub reply_before: String,
    /// The reply after it.
    pub reply_after: String,
}

/// The most damages of a case.
pub const MOST_DAMAGES: usize = 4;

/// Failures of one property that are made small; the others are only counted.
const LOOKED_AT: usize = 200;

/// Replies that are tried to make them small, so that gold replies of hundreds of calls end too.
const STEPS: usize = 20_000;

/// Looks for counter-examples to a rubric's promises. `golds` are replies that are right.
///
/// # Errors
/// [`WorkbenchError::Nothing`] when no gold reply can be taken apart.
pub fn fuzz<'g>(
    rubric: &Rubric,
    golds: impl IntoIterator<Item = &'g [u8]>,
    settings: FuzzSettings,
) -> Result<FuzzReport, WorkbenchError> {
    let mut drafts = Vec::new();
    let mut left_out = 0;
    for gold in golds {
        match Draft::read(gold) {
            Some(draft) => drafts.push(draft),
            None => left_out += 1,
        }
    }
    if drafts.is_empty() {
        let what =
            format!("no gold reply can be taken apart ({left_out} have calls without name and parameters)");
        return Err(WorkbenchError::Nothing { what });
    }
    let mut random = Random::new(settings.seed);
    let mut steps = STEPS;
    let mut found: BTreeMap<Property, Found> = Property::ALL.map(|p| (p, Found::default())).into();
    for _ in 0..settings.cases {
        let draft = &drafts[random.below(drafts.len())];
        let case = random_case(draft, &mut random);
        let Some(subject) = Subject::new(rubric, draft) else { continue };
        for (property, broken) in property::check(&subject, &case) {
            let found = found.entry(property).or_default();
            found.checks += 1;
            let Some(case) = broken else { continue };
            found.failures += 1;
            if found.failures <= LOOKED_AT && steps > 0 {
                found.keep(shrink::shrink(rubric, draft.clone(), case, property, &mut steps));
            }
        }
    }
    Ok(FuzzReport {
        cases: settings.cases,
        gold: drafts.len(),
        left_out,
        seed: settings.seed,
        properties: found.into_iter().map(|(p, found)| found.report(p, settings.limit)).collect(),
    })
}

/// Damages that do not meet, in the order in which they are dealt, and another way of writing.
fn random_case(draft: &Draft, random: &mut Random) -> Case {
    let (all, edits) = (draft.damages(), draft.edits());
    let mut damages: Vec<Damage> = Vec::new();
    for _ in 0..=random.below(MOST_DAMAGES) {
        let damage = all[random.below(all.len())];
        if damages.iter().all(|earlier| !earlier.meets(damage)) {
            damages.push(damage);
        }
    }
    let edit = (!edits.is_empty()).then(|| edits[random.below(edits.len())]);
    Case { damages, edit }
}

/// What was found of one property so far.
#[derive(Default)]
struct Found {
    checks: usize,
    failures: usize,
    kinds: BTreeMap<Vec<String>, CounterExample>,
}

impl Found {
    /// Keeps the smallest example of each kind.
    fn keep(&mut self, (kind, example): (Vec<String>, CounterExample)) {
        let size = |example: &CounterExample| example.gold.len() + example.reply_after.len();
        match self.kinds.get_mut(&kind) {
            None => {
                self.kinds.insert(kind, example);
            }
            Some(kept) => {
                let count = kept.count + 1;
                if size(&example) < size(kept) {
                    *kept = example;
                }
                kept.count = count;
            }
        }
    }

    fn report(self, property: Property, limit: usize) -> PropertyReport {
        let mut examples: Vec<_> = self.kinds.into_values().collect();
        examples.sort_by_key(|example| std::cmp::Reverse(example.count));
        let not_shown = examples.len().saturating_sub(limit);
        examples.truncate(limit);
        let (checks, failures) = (self.checks, self.failures);
        PropertyReport { property, checks, failures, counter_examples: examples, not_shown }
    }
}

impl FuzzReport {
    /// How often a promise was broken.
    pub fn failures(&self) -> usize {
        self.properties.iter().map(|report| report.failures).sum()
    }
}

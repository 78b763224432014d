//! A tool with the values of a call, and the words that ask for it.

use toolrl_grammar::Call;

use super::english::{fill, holes};
use super::param::Param;
use super::tool::Tool;
use super::values::{Draw, Said};
use crate::random::Rng;
use crate::world::gold::argument;

/// A call that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) tool: Tool,
    /// The values by the places of their parameters, in the parameters' order.
    pub(crate) values: Vec<(usize, Said)>,
    /// A value that the request does not state: left out, or taken from a result.
    pub(crate) unsaid: Option<usize>,
}

/// Words that ask for a call: a core, and how the values that it leaves out are added.
pub(crate) struct Clause {
    pub(crate) core: String,
    /// Label, value and detail of each.
    pub(crate) rest: Vec<Detail>,
}

/// A value outside the core: `on the third of May`, or `date`: `the third of May`.
pub(crate) struct Detail {
    pub(crate) label: String,
    pub(crate) bare: String,
    pub(crate) phrase: String,
    /// Whether it can stand as label and value.
    pub(crate) labelled: bool,
}

/// How a request is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// A verb phrase.
    Order,
    /// A statement.
    Say,
    /// A question.
    Ask,
    /// A verb phrase about a row of a result.
    Hop,
}

impl Asked {
    /// Values for all that the tool needs, and for some of the rest.
    pub(crate) fn draw(tool: Tool, draw: &mut Draw<'_>) -> Self {
        let mut values = Vec::new();
        for (index, param) in tool.params.iter().enumerate() {
            if param.required || draw.rng.chance(0.45) {
                values.push((index, param.value(draw)));
            }
        }
        Self { tool, values, unsaid: None }
    }

    /// The call.
    pub(crate) fn call(&self) -> Call<'static> {
        let entry = |(index, said): &(usize, Said)| {
            let name = self.tool.params.get(*index).map(|param| param.name.clone()).unwrap_or_default();
            (name.into(), argument(&said.value))
        };
        Call::new(self.tool.name.clone(), self.values.iter().map(entry).collect())
    }

    /// What the request states.
    pub(crate) fn stated(&self) -> impl Iterator<Item = (&Param, &Said)> {
        let stated = self.values.iter().filter(|(index, _)| Some(*index) != self.unsaid);
        stated.filter_map(|(index, said)| Some((self.tool.params.get(*index)?, said)))
    }

    /// Whether the words depend on which day is today.
    pub(crate) fn is_relative(&self) -> bool {
        self.stated().any(|(_, said)| said.relative)
    }

    /// Words in that mood. `None` where there are none that say all that can be said in passing.
    pub(crate) fn clause(&self, mood: Mood, rng: &mut Rng) -> Option<Clause> {
        let frame = self.tool.deed.frame;
        let templates = match mood {
            Mood::Order => &frame.orders,
            Mood::Say => &frame.say,
            Mood::Ask => &frame.ask,
            Mood::Hop => &frame.hop,
        };
        let stated: Vec<_> = self.stated().collect();
        let in_passing = |template: &str| -> Option<usize> {
            let slots = holes(template).filter(|hole| !["one", "many", "a", "pick"].contains(hole));
            let found = slots.map(|hole| stated.iter().any(|(param, _)| param.id == hole).then_some(1));
            found.sum()
        };
        let best = |of: &[String]| of.iter().filter_map(|template| in_passing(template)).max();
        let most = if mood == Mood::Hop { best(templates)? } else { best(&frame.orders)? };
        let fit: Vec<_> = templates.iter().filter(|template| in_passing(template) == Some(most)).collect();
        if fit.is_empty() {
            return None;
        }
        let template = rng.pick(&fit).as_str();
        let mut core = self.tool.deed.worded(template);
        let mut rest = Vec::new();
        for (param, said) in stated {
            if holes(template).any(|hole| hole == param.id) {
                core = fill(&core, param.id, &said.bare);
            } else {
                rest.push(Detail::of(param, said, rng));
            }
        }
        if rng.chance(0.4) {
            rng.shuffle(&mut rest);
        }
        Some(Clause { core, rest })
    }
}

impl Detail {
    pub(crate) fn of(param: &Param, said: &Said, rng: &mut Rng) -> Self {
        let labelled = !param.slot.say.is_empty();
        let phrase = if labelled {
            rng.pick(&param.slot.say).replace("{on}", &said.adverb).replace("{}", &said.bare)
        } else {
            said.bare.clone()
        };
        let label = param.slot.names.first().cloned().unwrap_or_else(|| param.id.replace('_', " "));
        Self { label, bare: said.bare.clone(), phrase, labelled }
    }
}

impl Clause {
    /// All of it in one phrase.
    pub(crate) fn text(&self) -> String {
        joined(&self.core, self.rest.iter())
    }

    /// The core, with the details that cannot stand as label and value; and the others as these. `None` where fewer than
    /// two can, or labels repeat.
    pub(crate) fn with_labels(&self) -> Option<(String, Vec<String>)> {
        let (labelled, spoken): (Vec<_>, Vec<_>) = self.rest.iter().partition(|detail| detail.labelled);
        let mut labels: Vec<_> = labelled.iter().map(|detail| detail.label.as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        if labelled.len() < 2 || labels.len() < labelled.len() {
            return None;
        }
        let core = joined(&self.core, spoken.into_iter());
        Some((core, labelled.iter().map(|detail| format!("{}: {}", detail.label, detail.bare)).collect()))
    }
}

/// A core with its details.
fn joined<'d>(core: &str, details: impl Iterator<Item = &'d Detail>) -> String {
    let details = details.map(|detail| detail.phrase.as_str());
    std::iter::once(core).chain(details).collect::<Vec<_>>().join(" ")
}

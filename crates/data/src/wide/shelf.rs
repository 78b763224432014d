//! The tools that a prompt lists: those that are needed, and distractors near and far.

use super::deed::Deed;
use super::naming::Style;
use super::tool::{Key, Tool};
use super::values::Draw;
use super::words::Words;

/// Where tools come from.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) words: &'static Words,
    /// What can be done with each thing.
    things: Vec<Vec<Deed>>,
    /// The least and the greatest number of tools that a prompt lists.
    pub(crate) listed: [usize; 2],
}

/// What a prompt must list, and what it must not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'t> {
    pub(crate) needed: &'t [Tool],
    /// What is asked for and no tool does.
    pub(crate) absent: Option<Deed>,
    /// Whether tools that read of the same thing are left out: one might begin by them.
    pub(crate) no_looks: bool,
}

/// The share of distractors that come from the domain of what is asked for.
const NEAR: f64 = 0.65;
/// How many draws a prompt's distractors may take.
const ATTEMPTS: usize = 200;

impl Shelf {
    /// Everything that can be done in the first domains of these words.
    pub(crate) fn new(words: &'static Words, domains: usize, listed: [usize; 2]) -> Self {
        let mut things: Vec<Vec<Deed>> = Vec::new();
        for deed in words.domains.iter().take(domains).flat_map(|domain| Deed::of(words, domain)) {
            match things.last_mut().filter(|thing| thing.iter().all(|other| other.is_of_thing(&deed))) {
                Some(thing) => thing.push(deed),
                None => things.push(vec![deed]),
            }
        }
        Self { words, things, listed }
    }

    /// Some deed that `suits`, each thing as likely as another.
    pub(crate) fn deed(&self, draw: &mut Draw<'_>, suits: impl Fn(&Deed) -> bool) -> Option<Deed> {
        (0..ATTEMPTS).map(|_| self.any(draw)).find(|deed| suits(deed))
    }

    fn any(&self, draw: &mut Draw<'_>) -> Deed {
        let thing = draw.rng.pick(&self.things);
        *draw.rng.pick(thing)
    }

    /// The tools in random order.
    pub(crate) fn list(&self, wanted: Wanted<'_>, style: Style, draw: &mut Draw<'_>) -> Vec<Tool> {
        let [least, most] = self.listed;
        let extra = draw.rng.below(most - least + 1).min(draw.rng.below(most - least + 1));
        let count = (least + extra).max(wanted.needed.len() + 1);
        let mut tools = wanted.needed.to_vec();
        if !wanted.no_looks {
            tools.extend(wanted.needed.first().and_then(|tool| variant(tool, style, draw)));
        }
        let about: Vec<Deed> = wanted.needed.iter().map(|tool| tool.deed).chain(wanted.absent).collect();
        let near: Vec<Deed> =
            self.things.iter().flatten().copied().filter(|deed| is_near(deed, &about)).collect();
        for _ in 0..ATTEMPTS {
            if tools.len() >= count {
                break;
            }
            let is_near = draw.rng.chance(NEAR) && !near.is_empty();
            let deed = if is_near { *draw.rng.pick(&near) } else { self.any(draw) };
            let tempts = |other: &Deed| deed.is_like(other) || wanted.no_looks && looks(&deed, other);
            if about.iter().any(tempts) || tools.iter().any(|tool| same(&tool.deed, &deed)) {
                continue;
            }
            let tool = Tool::draw(deed, Key::Any, style, draw);
            tools.extend(tool.filter(|tool| tools.iter().all(|other| other.name != tool.name)));
        }
        draw.rng.shuffle(&mut tools);
        tools
    }
}

/// The same deed keyed by something else, at times, where the name of the tool tells what it is keyed by.
fn variant(tool: &Tool, style: Style, draw: &mut Draw<'_>) -> Option<Tool> {
    let key = tool.key.filter(|_| tool.tells_key && draw.rng.chance(0.6))?;
    Tool::draw(tool.deed, Key::Not(key), style, draw).filter(|other| other.name != tool.name)
}

fn is_near(deed: &Deed, about: &[Deed]) -> bool {
    about.iter().any(|other| std::ptr::eq(deed.domain, other.domain))
}

fn looks(deed: &Deed, other: &Deed) -> bool {
    deed.is_of_thing(other) && deed.frame.looks
}

fn same(a: &Deed, b: &Deed) -> bool {
    a.is_of_thing(b) && a.frame.sense == b.frame.sense
}

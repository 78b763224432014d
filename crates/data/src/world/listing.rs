//! The tools that a prompt lists, under the names that it gives them.

use super::tool::{Domain, Tool};
use crate::random::Rng;

/// A tool of a prompt.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// The tool.
    pub(crate) tool: &'static Tool,
    /// Its name in this prompt.
    pub(crate) name: String,
    /// Its parameters' names in this prompt, in the schema's order.
    pub(crate) params: Vec<String>,
}

impl Listed {
    fn plain(tool: &'static Tool) -> Self {
        let params = tool.params.iter().map(|param| param.name.to_owned()).collect();
        Self { tool, name: tool.name.to_owned(), params }
    }
}

/// Lists `needed` and distractors up to `count` tools, in random order. `absent` is not listed. Half of the
/// distractors come from the domain of the task where it has more tools.
pub(crate) fn list(
    domains: &[&'static Domain],
    needed: &[&'static Tool],
    absent: Option<&'static Tool>,
    count: usize,
    rng: &mut Rng,
) -> Vec<Listed> {
    let mut tools: Vec<&'static Tool> = Vec::new();
    for tool in needed {
        if tools.iter().all(|listed| listed.name != tool.name) {
            tools.push(tool);
        }
    }
    let task = needed.first().copied().or(absent);
    let near = domains
        .iter()
        .find(|domain| domain.tools.iter().any(|t| task.is_some_and(|task| task.name == t.name)));
    while tools.len() < count {
        let domain = match near {
            Some(near) if rng.chance(0.5) => near,
            _ => rng.pick(domains),
        };
        let candidate = rng.pick(domain.tools);
        let is_absent = absent.is_some_and(|absent| absent.name == candidate.name);
        if !is_absent && tools.iter().all(|listed| listed.name != candidate.name) {
            tools.push(candidate);
        }
    }
    rng.shuffle(&mut tools);
    tools.into_iter().map(Listed::plain).collect()
}

/// Replaces every name by an opaque one, as Hammer does (arXiv 2410.04587), so that only descriptions tell
/// the tools and their parameters apart.
pub(crate) fn mask(listing: &mut [Listed], rng: &mut Rng) {
    const IDS: usize = 40;
    let mut functions: Vec<_> = (0..IDS).collect();
    let mut arguments = functions.clone();
    rng.shuffle(&mut functions);
    rng.shuffle(&mut arguments);
    let mut arguments = arguments.into_iter().cycle();
    for (listed, function) in listing.iter_mut().zip(functions.into_iter().cycle()) {
        listed.name = format!("func_{function}");
        for (param, argument) in listed.params.iter_mut().zip(&mut arguments) {
            *param = format!("arg_{argument}");
        }
    }
}

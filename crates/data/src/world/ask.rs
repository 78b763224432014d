//! From a tool to a request for it and the call that answers it.

use serde_json::Value;
use toolrl_grammar::Call;

use super::gold::argument;
use super::listing::Listed;
use super::slot::{Draw, Drawn};
use super::tool::Tool;

/// A request for one call.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The tool to call.
    pub(crate) tool: &'static Tool,
    /// The request as a verb phrase: "book a table at Red Lion for two people".
    pub(crate) phrase: String,
    /// The values of the call by the parameter's position in the schema.
    arguments: Vec<(usize, Value)>,
}

/// Draws a request. `given` fixes one parameter's value and phrase.
pub(crate) fn ask(tool: &'static Tool, given: Option<(&str, Drawn)>, draw: &mut Draw<'_>) -> Asked {
    let mut phrase = (*draw.rng.pick(tool.leads)).to_owned();
    let mut fragments = Vec::new();
    let mut arguments = Vec::new();
    for (index, param) in tool.params.iter().enumerate() {
        let place = format!("{{{}}}", param.name);
        let in_lead = phrase.contains(&place);
        if param.optional && !in_lead && draw.rng.chance(0.6) {
            continue;
        }
        let drawn = match &given {
            Some((name, drawn)) if *name == param.name => drawn.clone(),
            _ => param.slot.draw(draw),
        };
        if in_lead {
            phrase = phrase.replace(&place, &drawn.phrase);
        } else {
            fragments.push(param.fragment.replace("{}", &drawn.phrase));
        }
        arguments.push((index, drawn.value));
    }
    draw.rng.shuffle(&mut fragments);
    for fragment in fragments {
        phrase.push(' ');
        phrase.push_str(&fragment);
    }
    Asked { tool, phrase, arguments }
}

impl Asked {
    /// The call, under the names of the listing.
    pub(crate) fn call(&self, listing: &[Listed]) -> Option<Call<'static>> {
        let listed = listing.iter().find(|listed| listed.tool.name == self.tool.name)?;
        let named = |(index, value): &(usize, Value)| {
            Some((listed.params.get(*index)?.clone().into(), argument(value)))
        };
        let arguments = self.arguments.iter().filter_map(named).collect();
        Some(Call::new(listed.name.clone(), arguments))
    }
}

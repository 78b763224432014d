//! Tools: a deed with a name, a description and parameters, as one prompt tells them.

use serde_json::{Map, Value, json};

use super::deed::Deed;
use super::english::{capital, third_person};
use super::kind::Kind;
use super::naming::Style;
use super::param::Param;
use super::values::Draw;
use super::words::Attrs;

/// A tool.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) deed: Deed,
    /// What it is keyed by, where there is a choice.
    pub(crate) key: Option<&'static str>,
    /// Whether its name tells what it is keyed by.
    pub(crate) tells_key: bool,
    pub(crate) name: String,
    pub(crate) description: String,
    /// Required ones first.
    pub(crate) params: Vec<Param>,
}

/// What a tool is keyed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// By the first key of its frame.
    First,
    /// By any of them; the name tells which.
    Any,
    /// By any but this one; the name tells which.
    Not(&'static str),
}

/// How many parameters a tool has beside those that it must have.
const OPTIONAL: [usize; 6] = [0, 0, 0, 1, 1, 2];

impl Tool {
    /// A tool that does this. `None` where the words have no such tool.
    pub(crate) fn draw(deed: Deed, key: Key, style: Style, draw: &mut Draw<'_>) -> Option<Self> {
        let keys: Vec<&'static str> = deed.frame.keys.iter().map(String::as_str).collect();
        let key = match key {
            _ if keys.is_empty() => None,
            Key::First => Some(keys[0]),
            Key::Any => Some(*draw.rng.pick(&keys)),
            Key::Not(other) => {
                let others: Vec<_> = keys.into_iter().filter(|key| *key != other).collect();
                Some(*draw.rng.pick(&others))
            }
        }
        .map(|id| (id, key != Key::First));
        let mut params = Vec::new();
        for (id, required) in parameters(deed, key.map(|(id, _)| id), draw) {
            params.extend(Param::draw(deed, id, required, style, &params, draw));
        }
        let suffix = key.filter(|(_, told)| *told).and_then(|(id, _)| deed.slot(id)?.suffix.as_deref());
        let words = deed.worded(draw.text(&deed.frame.name));
        let words = format!("{words} {}", suffix.unwrap_or_default());
        let tell = deed.worded(draw.text(&deed.frame.tell));
        let mut description = match draw.rng.below(3) {
            0 => capital(&tell),
            1 => capital(&third_person(&tell)),
            _ => format!("Use this to {tell}"),
        };
        if let Some(suffix) = suffix {
            description = format!("{description}, found {suffix}");
        }
        Some(Self {
            deed,
            key: key.map(|(id, _)| id),
            tells_key: suffix.is_some(),
            name: style.tool(&deed.domain.id, &words),
            description: description + ".",
            params,
        })
    }

    /// As chat templates are given it.
    pub(crate) fn schema(&self) -> Value {
        let properties: Map<_, _> = self.params.iter().map(|p| (p.name.clone(), p.schema())).collect();
        let required: Vec<_> = self.params.iter().filter(|p| p.required).map(|p| &p.name).collect();
        let mut parameters = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            parameters["required"] = json!(required);
        }
        let function = json!({"name": self.name, "description": self.description, "parameters": parameters});
        json!({"type": "function", "function": function})
    }

    /// Opaque names, so that only descriptions tell, after Hammer (arXiv 2410.04587).
    pub(crate) fn mask(&mut self, number: usize, draw: &mut Draw<'_>) {
        let word = *draw.rng.pick(&["func", "tool", "fn"]);
        self.name = format!("{word}_{number}");
        for (index, param) in self.params.iter_mut().enumerate() {
            param.name = format!("arg_{}", index + 1);
            param.described = true;
        }
    }
}

/// The parameters that a tool gets, and whether it needs them.
fn parameters(deed: Deed, key: Option<&'static str>, draw: &mut Draw<'_>) -> Vec<(&'static str, bool)> {
    let frame = deed.frame;
    let mut ids: Vec<(&'static str, bool)> = frame.must.iter().map(|id| (id.as_str(), true)).collect();
    if let (Some(first), Some(key)) = (ids.first_mut(), key) {
        first.0 = key;
    }
    let own = deed.thing.attrs.iter().map(String::as_str);
    let mut optional = Vec::new();
    match frame.attrs {
        Attrs::None => {}
        Attrs::All => ids.extend(own.map(|id| (id, true))),
        Attrs::Some => {
            for id in own {
                if draw.rng.chance(0.3) {
                    continue;
                }
                let is_flag = deed.slot(id).is_some_and(|slot| matches!(slot.is, Kind::Flag(_)));
                let required = !is_flag && draw.rng.chance(0.5);
                if required { ids.push((id, true)) } else { optional.push((id, false)) }
            }
        }
    }
    let mut may: Vec<_> = frame.may.iter().map(|id| (id.as_str(), false)).collect();
    draw.rng.shuffle(&mut may);
    optional.extend(may);
    let most = (*draw.rng.pick(&OPTIONAL)).max(usize::from(ids.is_empty()));
    ids.extend(optional.into_iter().take(most));
    ids
}

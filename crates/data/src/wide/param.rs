//! Parameters of tools.

use serde_json::Value;

use super::deed::Deed;
use super::english::capital;
use super::naming::Style;
use super::values::{Draw, Said, Type};
use super::words::Slot;

/// A parameter of a tool.
#[derive(Clone, Debug)]
pub(crate) struct Param {
    pub(crate) id: &'static str,
    pub(crate) slot: &'static Slot,
    pub(crate) name: String,
    pub(crate) about: String,
    /// Whether the tool describes it: where its name says all, some tools do not.
    pub(crate) described: bool,
    pub(crate) of: Type,
    pub(crate) required: bool,
    pub(crate) default: Option<Value>,
}

impl Param {
    /// The parameter with a name that none of `others` has.
    pub(super) fn draw(
        deed: Deed,
        id: &'static str,
        required: bool,
        style: Style,
        others: &[Self],
        draw: &mut Draw<'_>,
    ) -> Option<Self> {
        let slot = deed.slot(id)?;
        let own = [id.replace('_', " ")];
        let names = if slot.names.is_empty() { &own[..] } else { &slot.names[..] };
        let is_new = |name: &&String| others.iter().all(|other| other.name != style.parameter(name));
        let names: Vec<_> = names.iter().filter(is_new).collect();
        let name = if names.is_empty() { id } else { draw.rng.pick(&names).as_str() };
        let of = Type::of(&slot.is, deed.words, draw.rng)?;
        let default = match of {
            Type::Flag(_) if !required && draw.rng.chance(0.3) => Some(Value::Bool(false)),
            _ if !required && slot.default && draw.rng.chance(0.6) => Some(draw.value(&of).value),
            _ => None,
        };
        let about = deed.worded(draw.text(slot.about.all()));
        let described = of.form().is_some() || draw.rng.chance(0.4) || matches!(style, Style::MadeUp(_));
        Some(Self { id, slot, name: style.parameter(name), about, described, of, required, default })
    }

    /// A value that a request may mention: none that is meant without being said.
    pub(crate) fn value(&self, draw: &mut Draw<'_>) -> Said {
        let mut said = draw.value(&self.of);
        for _ in 0..40 {
            let denied = self.slot.only_yes && said.value == Value::Bool(false);
            if !denied && Some(&said.value) != self.default.as_ref() {
                break;
            }
            said = draw.value(&self.of);
        }
        said
    }

    /// Its JSON Schema.
    pub(super) fn schema(&self) -> Value {
        let mut schema = self.of.schema();
        if self.described {
            let form = self.of.form().map(|form| format!(", {form}"));
            schema["description"] = format!("{}{}", capital(&self.about), form.unwrap_or_default()).into();
        }
        if let Some(default) = &self.default {
            schema["default"] = default.clone();
        }
        schema
    }
}

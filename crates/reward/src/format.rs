//! The format term: is the reply well formed?

use serde::{Deserialize, Serialize};
use toolrl_grammar::Parsed;

use crate::scale::Scaled;
use crate::{Breakdown, Component, Context, Reference, RewardError, Scale, Term, TermScore};

/// Settings of [`Format`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FormatSettings {
    /// Changes of the range [0, 1], applied in order.
    pub scale: Vec<Scale>,
}

/// The greatest value for a reply that reads strictly as the reference's kind, else the least.
#[derive(Clone, Debug, Default)]
pub struct Format {
    settings: FormatSettings,
}

impl Format {
    /// The term's id.
    pub const ID: &'static str = "format";

    /// The term with these settings.
    pub fn new(settings: FormatSettings) -> Self {
        Self { settings }
    }
}

impl Term for Format {
    fn id(&self) -> &str {
        Self::ID
    }

    fn range(&self, context: &Context) -> (f64, f64) {
        Scaled::Format.range(&self.settings.scale, context)
    }

    fn score(
        &self,
        parsed: &Parsed<'_>,
        reference: &Reference,
        context: &Context,
    ) -> Result<TermScore, RewardError> {
        let (min, max) = self.range(context);
        let kind = reference.kind();
        let fault = parsed.dialect.strict(parsed.text, kind).err();
        let rate = if fault.is_none() { 1.0 } else { 0.0 };
        Ok(TermScore {
            value: if fault.is_none() { max } else { min },
            components: vec![Component { name: "rate".into(), value: rate }],
            breakdown: Breakdown::Format { kind, fault },
        })
    }
}

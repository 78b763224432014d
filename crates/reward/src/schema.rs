//! The schema term: do the calls fit the tools that were given?

use serde::{Deserialize, Serialize};
use toolrl_grammar::Parsed;

use crate::tools::{Misfit, Tools};
use crate::{AnyCall, Breakdown, CallCheck, Context, Reference, RewardError, Term, TermScore};

/// What calls that fit earn together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SchemaCredit {
    /// Their share of all calls.
    #[default]
    PerCall,
    /// 1 when every call fits, else 0.
    AllOrNothing,
}

/// Parameters that a tool's schema does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Additional {
    /// Are allowed unless the schema refuses them (`additionalProperties`), as JSON Schema has it.
    #[default]
    Schema,
    /// Are refused, whatever the schema says.
    Refused,
}

/// Settings of [`Schema`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SchemaSettings {
    /// What calls that fit earn.
    pub credit: SchemaCredit,
    /// What comes of parameters that a schema does not name.
    pub additional: Additional,
}

/// The share of a reply's calls that name a tool which was given, and whose arguments are valid by its JSON Schema.
///
/// A reply without a call earns 1 where the reference makes none, else 0; calls that cannot be read earn 0. A task
/// that lists no tools gives nothing to check, and every reply to it earns 1. A tool whose schema is none holds its
/// calls to nothing but its name; the component `unusable` counts them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Schema {
    settings: SchemaSettings,
}

impl Schema {
    /// The term's id.
    pub const ID: &'static str = "schema";

    /// The term with these settings.
    pub fn new(settings: SchemaSettings) -> Self {
        Self { settings }
    }

    fn check(&self, call: &AnyCall<'_>, tools: &Tools) -> CallCheck {
        let name = call.name();
        let Some(tool) = name.as_ref().and_then(|name| tools.get(name.as_bytes()?)) else {
            return CallCheck::UnknownTool;
        };
        let Some(arguments) = call.arguments() else {
            return CallCheck::Invalid("they are no object".to_owned());
        };
        match tool.check(arguments, self.settings.additional == Additional::Refused) {
            Ok(()) => CallCheck::Valid,
            Err(Misfit::Schema(why)) => CallCheck::UnusableSchema(why),
            Err(Misfit::Arguments(why)) => CallCheck::Invalid(why),
        }
    }
}

impl Term for Schema {
    fn id(&self) -> &str {
        Self::ID
    }

    fn range(&self, _: &Context) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn score(
        &self,
        parsed: &Parsed<'_>,
        reference: &Reference,
        _: &Context,
    ) -> Result<TermScore, RewardError> {
        let Some(tools) = reference.tools() else {
            return Ok(TermScore::new(1.0).with_note("the task lists no tools: there is nothing to check"));
        };
        let calls = match reference.written_calls(parsed) {
            Ok(calls) => calls,
            Err(fault) => {
                return Ok(TermScore::new(0.0).with_note(format!("the calls cannot be read: {fault}")));
            }
        };
        if calls.is_empty() {
            let value = if reference.calls().is_none() { 1.0 } else { 0.0 };
            return Ok(TermScore::new(value).with_note("the reply makes no call"));
        }
        let checks: Vec<CallCheck> = calls.iter().map(|call| self.check(call, tools)).collect();
        let share = |counts: fn(&CallCheck) -> bool| {
            checks.iter().filter(|&check| counts(check)).count() as f64 / checks.len() as f64
        };
        let valid = share(CallCheck::fits);
        let value = match self.settings.credit {
            SchemaCredit::PerCall => valid,
            SchemaCredit::AllOrNothing => valid.floor(),
        };
        let known = share(|check| *check != CallCheck::UnknownTool);
        let unusable = share(|check| matches!(check, CallCheck::UnusableSchema(_)));
        let score = TermScore::new(value)
            .with_component("known", known)
            .with_component("valid", valid)
            .with_component("unusable", unusable);
        Ok(TermScore { breakdown: Breakdown::Schema(checks), ..score })
    }
}

//! The binary term: is everything right?

use serde::{Deserialize, Serialize};
use toolrl_grammar::json::{Entries, Object, Value};
use toolrl_grammar::{Parsed, TurnPart};

use crate::call::Parameters;
use crate::{AnyCall, Context, Reference, RewardError, Term, TermScore, Thoughts};

/// What a reply may have beside what the reference has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Form {
    /// It is a whole, well-formed reply of its dialect, words beside calls or none.
    #[default]
    WellFormed,
    /// It reads strictly as the reference's kind, as the format term has it.
    Strict,
}

/// How the calls are held against the reference's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallOrder {
    /// In any order, as the released code does.
    #[default]
    Any,
    /// In the reference's order.
    Same,
}

/// Settings of [`Binary`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BinarySettings {
    /// Whether the reply must think.
    pub thoughts: Thoughts,
    /// What form it must have.
    pub form: Form,
    /// In which order its calls must stand.
    pub order: CallOrder,
}

/// 1 when the reply's form is right and its calls are the reference's, else 0: the reward of Tool-N1 (arXiv 2505.00024,
/// section 3.2).
///
/// Calls are the same when their names and their arguments are, as JSON with sorted keys, in which `1`, `1.0` and `true`
/// differ; as in the released code they may stand in any order. A reference without calls asks for a reply without.
#[derive(Clone, Copy, Debug, Default)]
pub struct Binary {
    settings: BinarySettings,
}

impl Binary {
    /// The term's id.
    pub const ID: &'static str = "binary";

    /// The term with these settings.
    pub fn new(settings: BinarySettings) -> Self {
        Self { settings }
    }

    /// What is wrong with a reply's form.
    fn form(&self, parsed: &Parsed<'_>, reference: &Reference) -> Result<(), String> {
        if let Some(fault) = self.settings.thoughts.fault(parsed, reference) {
            return Err(fault.to_owned());
        }
        match self.settings.form {
            // Whether thoughts may be missing is settled above.
            Form::WellFormed => {
                let mut faults = parsed.faults.iter().filter(|fault| fault.part != TurnPart::Thoughts);
                faults.next().map_or(Ok(()), |fault| Err(fault.error.to_string()))
            }
            Form::Strict => {
                let read = parsed.dialect.strict(parsed.text, reference.kind());
                read.map(|_| ()).map_err(|error| error.to_string())
            }
        }
    }

    /// How a reply's calls differ from the reference's.
    fn calls(&self, parsed: &Parsed<'_>, reference: &Reference) -> Result<(), String> {
        let found = reference.written_calls(parsed).map_err(|error| error.to_string())?;
        let wanted = reference.calls().unwrap_or_default();
        if found.len() != wanted.len() {
            return Err(format!("there are {} calls, not {}", found.len(), wanted.len()));
        }
        let same = self.keys(&found).zip(self.keys(wanted)).is_some_and(|(found, wanted)| found == wanted);
        if same { Ok(()) } else { Err("the calls are not the reference's".to_owned()) }
    }

    /// A text of each call, which two calls share if and only if they are the same; none where one is no call.
    fn keys(&self, calls: &[AnyCall<'_>]) -> Option<Vec<String>> {
        let mut keys: Vec<String> = calls.iter().map(key).collect::<Option<_>>()?;
        if self.settings.order == CallOrder::Any {
            keys.sort_unstable();
        }
        Some(keys)
    }
}

impl Term for Binary {
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
        let (form, calls) = (self.form(parsed, reference), self.calls(parsed, reference));
        let holds = |holds: bool| if holds { 1.0 } else { 0.0 };
        let score = TermScore::new(holds(form.is_ok() && calls.is_ok()))
            .with_component("form", holds(form.is_ok()))
            .with_component("calls", holds(calls.is_ok()));
        let note = match (form, calls) {
            (Ok(()), Ok(())) => "form and calls are right".to_owned(),
            (Ok(()), Err(why)) => format!("the form is right; {why}"),
            (Err(why), Ok(())) => format!("the calls are right; the form is not: {why}"),
            (Err(form), Err(calls)) => format!("the form is not right: {form}; nor are the calls: {calls}"),
        };
        Ok(score.with_note(note))
    }
}

fn key(call: &AnyCall<'_>) -> Option<String> {
    let (name, parameters) = (call.name()?, call.parameters()?);
    let parameters = match parameters {
        Parameters::Object(entries) => Entries(&sorted(entries)).to_string(),
        Parameters::Other(value) => with_sorted_keys(value).to_string(),
    };
    Some(format!("{name} {parameters}"))
}

fn sorted<'a>(entries: &Object<'a>) -> Object<'a> {
    let mut entries: Object<'a> =
        entries.iter().map(|(key, value)| (key.clone(), with_sorted_keys(value))).collect();
    entries.sort_unstable_keys();
    entries
}

/// The value with the keys of all its objects sorted.
fn with_sorted_keys<'a>(value: &Value<'a>) -> Value<'a> {
    match value {
        Value::List(items) => Value::List(items.iter().map(with_sorted_keys).collect()),
        Value::Object(entries) => Value::Object(sorted(entries)),
        other => other.clone(),
    }
}

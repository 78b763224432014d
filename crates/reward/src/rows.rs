//! Rows of prompt, reply and reference, as lines of Python's JSON.
//!
//! A row is an object with `solution_str` (the reply, with or without its prompt) and
//! `ground_truth`, and may have `template` (`qwen`, which is the default, `llama` or `none`), `step`
//! (default 0), `variant` (a map of the released code's flags) and `id`, which its score repeats.

use toolrl_grammar::json::{self, Object, PyInt, PyStr, Value};
use toolrl_grammar::{Parsed, parse};

use crate::released::{Template, Variant, extract_reply};
use crate::{Context, Correctness, Format, Length, Reference, RewardError, Score, explain};

/// The steps of the released training run.
const RELEASED_STEPS: u64 = 105;

/// A row that was read.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// Its `id`, of any type.
    pub id: Option<Value<'a>>,
    /// The reply, with or without its prompt.
    pub solution: PyStr<'a>,
    /// The reference reply.
    pub ground_truth: PyStr<'a>,
    /// How to tell the reply from its prompt.
    pub template: Template,
    /// The training step.
    pub step: u64,
    /// Which of the released rewards.
    pub variant: Variant,
}

impl<'a> Row<'a> {
    /// Reads a row.
    ///
    /// # Errors
    /// [`RewardError::RowSyntax`] for what is no JSON, [`RewardError::RowField`] for a field that is
    /// missing or of another type.
    pub fn parse<T: AsRef<[u8]> + ?Sized>(line: &'a T) -> Result<Self, RewardError> {
        let mut row = match json::parse(line).map_err(RewardError::RowSyntax)? {
            Value::Object(entries) => entries,
            other => return Err(unexpected("row", "an object", Some(&other))),
        };
        Ok(Self {
            solution: text_field(&mut row, "solution_str")?,
            ground_truth: text_field(&mut row, "ground_truth")?,
            template: template(row.get(&b"template"[..]))?,
            step: step(row.get(&b"step"[..]))?,
            variant: variant(row.get(&b"variant"[..]))?,
            id: row.swap_remove(&b"id"[..]),
        })
    }

    /// The reply alone, the reference and the score.
    fn with_score<T>(
        &self,
        then: impl FnOnce(&Parsed<'_>, &Reference, &Score) -> T,
    ) -> Result<T, RewardError> {
        let parsed = parse(extract_reply(self.solution.as_bytes(), self.template)?);
        let reference = Reference::parse(self.ground_truth.as_bytes())?;
        let context = Context::training(self.step, RELEASED_STEPS);
        let score = self.variant.rubric()?.score(&parsed, &reference, &context)?;
        Ok(then(&parsed, &reference, &score))
    }

    /// Scores the row under its variant.
    ///
    /// # Errors
    /// [`RewardError::NoTemplate`], or [`RewardError::Reference`].
    pub fn score(&self) -> Result<Score, RewardError> {
        self.with_score(|_, _, score| score.clone())
    }

    /// Scores the row and tells how the score came about.
    ///
    /// # Errors
    /// As [`Row::score`].
    pub fn explain(&self) -> Result<String, RewardError> {
        self.with_score(explain)
    }
}

/// The score of a row, or its error, as a JSON object: `id` where the row has one, then `score`,
/// `format`, `correctness`, `length` and `bits` (the four as the hexadecimal digits of an IEEE-754
/// double), or `error`.
///
/// ```
/// use toolrl_reward::rows::{Row, scored};
///
/// let row = Row::parse(r#"{"solution_str": "<think>a</think>", "ground_truth": ""}"#).unwrap();
/// let line = scored(&row).to_string();
/// assert!(line.starts_with(r#"{"score": 1.0, "format": 1.0, "correctness": 0.0, "length": 0.0"#));
/// ```
pub fn scored<'a>(row: &Row<'a>) -> Value<'a> {
    let mut entries = Object::default();
    if let Some(id) = &row.id {
        entries.insert("id".into(), id.clone());
    }
    match row.score() {
        Ok(score) => {
            let term = |id| score.value(id).unwrap_or(0.0);
            let parts = [score.total, term(Format::ID), term(Correctness::ID), term(Length::ID)];
            for (name, part) in ["score", "format", "correctness", "length"].into_iter().zip(parts) {
                entries.insert(name.into(), Value::Float(part));
            }
            let bits = parts.map(|part| Value::str(format!("{:016x}", part.to_bits())));
            entries.insert("bits".into(), Value::List(bits.into()));
        }
        Err(error) => {
            entries.insert("error".into(), Value::str(error.to_string()));
        }
    }
    Value::Object(entries)
}

fn text_field<'a>(row: &mut Object<'a>, field: &'static str) -> Result<PyStr<'a>, RewardError> {
    match row.get_mut(field.as_bytes()) {
        Some(Value::Str(text)) => Ok(std::mem::replace(text, "".into())),
        other => Err(unexpected(field, "a string", other.as_deref())),
    }
}

fn template(value: Option<&Value<'_>>) -> Result<Template, RewardError> {
    match value.map(Value::as_bytes) {
        None | Some(Some(b"qwen")) => Ok(Template::Qwen),
        Some(Some(b"llama")) => Ok(Template::Llama),
        Some(Some(b"none")) => Ok(Template::None),
        _ => Err(unexpected("template", "\"qwen\", \"llama\" or \"none\"", value)),
    }
}

fn step(value: Option<&Value<'_>>) -> Result<u64, RewardError> {
    match value {
        None => Ok(0),
        Some(Value::Int(PyInt::Small(step))) if *step >= 0 => Ok(step.unsigned_abs()),
        _ => Err(unexpected("step", "a whole number, not negative", value)),
    }
}

fn variant(value: Option<&Value<'_>>) -> Result<Variant, RewardError> {
    match value {
        None | Some(Value::Null) => Ok(Variant::default()),
        Some(flags @ Value::Object(_)) => Ok(Variant::from_flags(flags)),
        _ => Err(unexpected("variant", "a map of flags", value)),
    }
}

fn unexpected(field: &'static str, expected: &'static str, found: Option<&Value<'_>>) -> RewardError {
    RewardError::RowField { field, expected, found: Value::described(found) }
}

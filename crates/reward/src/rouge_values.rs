//! The rouge_values term: how alike are the calls, and the words of their values?

use serde::{Deserialize, Serialize};
use toolrl_grammar::json::{Object, PyStr, Value, equal};
use toolrl_grammar::pythonic::Python;
use toolrl_grammar::{Parsed, text};

use crate::rouge::rouge_l;
use crate::{AnyCall, Breakdown, CallSimilarity, Context, Reference, RewardError, Term, TermScore, Thoughts};

/// Settings of [`RougeValues`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RougeValuesSettings {
    /// What a reply is charged that cannot be read, or that names a tool or a parameter which was not given: its value
    /// is this, negated. At least 0.
    pub penalty: f64,
    /// Whether the reply must think.
    pub thoughts: Thoughts,
}

impl Default for RougeValuesSettings {
    /// Those of the released code.
    fn default() -> Self {
        Self { penalty: 1.0, thoughts: Thoughts::default() }
    }
}

/// How alike a reply and the reference are, from 0 to 1, as the released code of STAR has it (arXiv 2602.03022,
/// Sim-RL; `simrl.py` of github.com/Qwen-Applications/STAR):
///
/// ```text
/// calls   sum of s(p, g) / (P + G - M)     P calls of the reply, G of the reference, M pairs of them
/// s(p, g) sum of v(k) / |keys of p or g|   over the parameters k of both; 1 where neither has any
/// v(k)    ROUGE-L of strings; of other values 1 where they are equal, else 0
/// ```
///
/// Each call of the reply, in order, is paired with the most similar one left of the reference's calls of its name. A
/// reference without calls is compared by ROUGE-L of the words of the responses. Numbers and booleans are equal as
/// Python's are; anything else where Python's `str` writes both alike.
///
/// A reply that cannot be read, or that names a tool or a parameter which was not given, has the penalty instead. A
/// task that lists no tools refuses none.
#[derive(Clone, Copy, Debug, Default)]
pub struct RougeValues {
    settings: RougeValuesSettings,
}

impl RougeValues {
    /// The term's id.
    pub const ID: &'static str = "rouge_values";

    /// The term with these settings.
    ///
    /// # Errors
    /// [`RewardError::Settings`] for a penalty below 0, or that is no finite number.
    pub fn new(settings: RougeValuesSettings) -> Result<Self, RewardError> {
        let penalty = settings.penalty;
        if penalty.is_finite() && penalty >= 0.0 {
            return Ok(Self { settings });
        }
        let source = format!("penalty = {penalty} should be a finite number, at least 0").into();
        Err(RewardError::Settings { id: Self::ID.to_owned(), source })
    }

    /// The reply's calls, or why it has the penalty.
    fn calls<'p>(&self, parsed: &'p Parsed<'_>, reference: &Reference) -> Result<Vec<AnyCall<'p>>, String> {
        if let Some(fault) = self.settings.thoughts.fault(parsed, reference) {
            return Err(fault.to_owned());
        }
        let unreadable = |fault| format!("the calls cannot be read: {fault}");
        let calls = reference.written_calls(parsed).map_err(unreadable)?;
        for (call, place) in calls.iter().zip(1..) {
            let (name, arguments) = (call.name(), call.arguments());
            let (Some(name), Some(arguments)) = (name.as_ref().and_then(Value::as_bytes), arguments) else {
                return Err(format!("call {place} has no name, or no parameters that are an object"));
            };
            let Some(tools) = reference.tools() else { continue };
            let Some(tool) = tools.get(name) else {
                return Err(format!("call {place} names {:?}, which was not given", text::lossy(name)));
            };
            if let Some(unknown) = arguments.keys().find(|key| !tool.declares(key.as_bytes())) {
                return Err(format!(
                    "call {place} has a parameter {:?}, which there is not",
                    unknown.lossy()
                ));
            }
        }
        Ok(calls)
    }
}

impl Term for RougeValues {
    fn id(&self) -> &str {
        Self::ID
    }

    fn range(&self, _: &Context) -> (f64, f64) {
        (0.0 - self.settings.penalty, 1.0)
    }

    fn score(
        &self,
        parsed: &Parsed<'_>,
        reference: &Reference,
        context: &Context,
    ) -> Result<TermScore, RewardError> {
        let calls = match self.calls(parsed, reference) {
            Ok(calls) => calls,
            Err(why) => {
                let score = TermScore::new(self.range(context).0).with_note(why);
                return Ok(score.with_component("valid", 0.0).with_component("similarity", 0.0));
            }
        };
        let (similarity, breakdown) = match (reference.calls(), calls.is_empty()) {
            (Some(_), true) => (0.0, Breakdown::Note("the reply makes no call".to_owned())),
            (Some(gold), false) => {
                let (similarity, pairs) = compare(gold, &calls);
                (similarity, Breakdown::RougeValues(pairs))
            }
            (None, false) => (0.0, Breakdown::Note("the reference makes no call".to_owned())),
            (None, true) => {
                (words(parsed, reference), Breakdown::Note("ROUGE-L of the responses".to_owned()))
            }
        };
        let score =
            TermScore::new(similarity).with_component("valid", 1.0).with_component("similarity", similarity);
        Ok(TermScore { breakdown, ..score })
    }
}

/// How alike the responses are.
fn words(parsed: &Parsed<'_>, reference: &Reference) -> f64 {
    let gold = reference.read(reference.text());
    let text = |parsed: &Parsed<'_>| {
        parsed.turn.response.as_ref().map_or(String::new(), |words| words.text.lossy().into_owned())
    };
    let (wanted, found) = (text(&gold), text(parsed));
    if found.is_empty() { 0.0 } else { similarity_of_texts(&wanted, &found) }
}

fn similarity_of_texts(wanted: &str, found: &str) -> f64 {
    match wanted == found {
        true => 1.0,
        false => rouge_l(wanted, found),
    }
}

/// How alike two lists of calls are, and what each call of the reply was paired with.
fn compare(gold: &[AnyCall<'static>], predicted: &[AnyCall<'_>]) -> (f64, Vec<CallSimilarity>) {
    let mut left: Vec<usize> = (0..gold.len()).collect();
    let mut sum = 0.0;
    let mut pairs = Vec::with_capacity(predicted.len());
    for call in predicted {
        let mut best: Option<(usize, f64, Similarities<'_>)> = None;
        for &place in left.iter().filter(|&&place| same_name(&gold[place], call)) {
            let (similarity, values) = call_similarity(&gold[place], call);
            if best.as_ref().is_none_or(|(_, most, _)| similarity > *most) {
                best = Some((place, similarity, values));
            }
        }
        if let Some((place, similarity, _)) = &best {
            left.retain(|other| other != place);
            sum += similarity;
        }
        pairs.push(match best {
            Some((place, similarity, values)) => {
                let named = |(key, similarity): (&PyStr<'_>, f64)| (key.lossy().into_owned(), similarity);
                let values = values.into_iter().map(named).collect();
                CallSimilarity { gold: Some(place), similarity, values }
            }
            None => CallSimilarity { gold: None, similarity: 0.0, values: Vec::new() },
        });
    }
    // The reference has at least one call, and so has the reply.
    (sum / (left.len() + predicted.len()) as f64, pairs)
}

fn same_name(a: &AnyCall<'_>, b: &AnyCall<'_>) -> bool {
    a.name().zip(b.name()).is_some_and(|(a, b)| a.as_bytes().is_some() && a.as_bytes() == b.as_bytes())
}

/// Parameters that two calls have, each with how alike its values are.
type Similarities<'p> = Vec<(&'p PyStr<'p>, f64)>;

/// How alike two calls are, and of each parameter that both have how alike its values are.
fn call_similarity<'p>(gold: &AnyCall<'_>, predicted: &'p AnyCall<'_>) -> (f64, Similarities<'p>) {
    let count = |call: &AnyCall<'_>| call.arguments().map_or(0, Object::len);
    let mut values = Vec::new();
    for (key, value) in predicted.arguments().into_iter().flatten() {
        if let Some(other) = gold.arguments().and_then(|wanted| wanted.get(key.as_bytes())) {
            values.push((key, value_similarity(other, value)));
        }
    }
    let all = count(gold) + count(predicted) - values.len();
    let sum: f64 = values.iter().map(|(_, similarity)| similarity).sum();
    (if all > 0 { sum / all as f64 } else { 1.0 }, values)
}

fn value_similarity(wanted: &Value<'_>, found: &Value<'_>) -> f64 {
    let same = match (wanted, found) {
        (Value::Str(wanted), Value::Str(found)) => {
            return if wanted == found { 1.0 } else { rouge_l(&wanted.lossy(), &found.lossy()) };
        }
        (Value::Str(text), other) | (other, Value::Str(text)) => written_as(other, text),
        (a, b) if is_number(a) && is_number(b) => equal(a, b),
        (a, b) => a.to_string() == b.to_string(),
    };
    if same { 1.0 } else { 0.0 }
}

/// Whether Python's `str` of a value is this text.
fn written_as(value: &Value<'_>, text: &PyStr<'_>) -> bool {
    Python(value).to_string().as_bytes() == text.as_bytes()
}

/// Whether it is one of Python's `int`, `float` and `bool`.
fn is_number(value: &Value<'_>) -> bool {
    matches!(value, Value::Bool(_) | Value::Int(_) | Value::Float(_))
}

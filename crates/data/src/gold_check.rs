//! Can a gold reply be scored against?

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;
use toolrl_grammar::lenient;

use crate::Sample;

/// What the gold check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GoldReport {
    /// How many gold replies were checked.
    pub checked: usize,
    /// Those that no reply can be scored against, in the samples' order.
    pub unscorable: Vec<Unscorable>,
}

/// A sample whose gold reply cannot be scored against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unscorable {
    /// Its position among the checked samples.
    pub index: usize,
    /// [`Sample::id`].
    pub id: String,
    /// What is wrong with its gold reply, in a kind of its own.
    pub cause: GoldFault,
    /// What is wrong with its gold reply, in full.
    pub reason: String,
}

/// What can be wrong with a gold reply. It displays as a line of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GoldFault {
    /// The thoughts mention `<tool_call>`, and the calls are looked for there.
    TagInThoughts,
    /// `</tool_call>` is missing.
    NoClosingTag,
    /// A line of the block of calls is no JSON.
    NotJson,
    /// A call has no `name`.
    NoName,
    /// A call has no object `parameters`.
    NoParameters,
}

impl fmt::Display for GoldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TagInThoughts => "the thoughts mention <tool_call>, and the calls are looked for there",
            Self::NoClosingTag => "</tool_call> is missing",
            Self::NotJson => "a line of the calls is no JSON",
            Self::NoName => "a call has no `name`",
            Self::NoParameters => "a call has no object `parameters`",
        })
    }
}

impl GoldReport {
    /// Checks every gold reply under the released reading: what stands between the first `<tool_call>` and
    /// the next tag must be calls, one JSON object a line. A thought that mentions the tag breaks that, and
    /// the reply with it. A reply without the tag is always fine.
    pub fn of(samples: &[Sample]) -> Self {
        let unscorable = |(index, sample): (usize, &Sample)| {
            let (cause, reason) = fault(&sample.gold)?;
            Some(Unscorable { index, id: sample.id.clone(), cause, reason })
        };
        Self {
            checked: samples.len(),
            unscorable: samples.iter().enumerate().filter_map(unscorable).collect(),
        }
    }

    /// The samples that can be scored: those to train on by RL. `samples` are the checked ones, in the same order, or
    /// something of each.
    pub fn scorable<T>(&self, samples: Vec<T>) -> Vec<T> {
        let left_out: HashSet<_> = self.unscorable.iter().map(|found| found.index).collect();
        let kept = samples.into_iter().enumerate().filter(|(index, _)| !left_out.contains(index));
        kept.map(|(_, sample)| sample).collect()
    }
}

/// What is wrong with a gold reply, if anything.
pub(crate) fn fault(gold: &str) -> Option<(GoldFault, String)> {
    let block = lenient(gold)?;
    if !block.has_closing_tag {
        return Some((GoldFault::NoClosingTag, GoldFault::NoClosingTag.to_string()));
    }
    let calls = match block.calls {
        Ok(calls) => calls,
        Err(error) => {
            let thoughts_end = gold.find("</think>").unwrap_or(0);
            let in_thoughts = gold.find("<tool_call>").is_some_and(|at| at < thoughts_end);
            let cause = if in_thoughts { GoldFault::TagInThoughts } else { GoldFault::NotJson };
            return Some((cause, format!("after the first <tool_call>: {error}")));
        }
    };
    calls.iter().zip(1..).find_map(|(call, number)| {
        let parameters = call.value.get("parameters").and_then(|value| value.as_object());
        match (call.value.get("name"), parameters) {
            (Some(_), Some(_)) => None,
            (None, _) => Some((GoldFault::NoName, format!("call {number} has no `name`"))),
            (_, None) => Some((GoldFault::NoParameters, format!("call {number} has no object `parameters`"))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{GoldFault, fault};

    #[test]
    fn faults_of_gold_replies() {
        let call = r#"{"name": "f", "parameters": {"a": NaN}}"#;
        let not_json = "after the first <tool_call>";
        let cases = [
            (format!("<think> a </think>\n<tool_call>\n{call}\n</tool_call>"), None),
            ("<think> a </think>\n<response> b </response>".to_owned(), None),
            ("<think> a".to_owned(), None),
            (
                format!("<think> I use <tool_call> now </think>\n<tool_call>\n{call}\n</tool_call>"),
                Some((GoldFault::TagInThoughts, not_json)),
            ),
            (format!("<tool_call>\n{call}\n\n{call}\n</tool_call>"), Some((GoldFault::NotJson, not_json))),
            (format!("<tool_call>\n{call}"), Some((GoldFault::NoClosingTag, "</tool_call> is missing"))),
            (
                "<tool_call>\n{\"parameters\": {}}\n</tool_call>".to_owned(),
                Some((GoldFault::NoName, "call 1 has no `name`")),
            ),
            (
                format!("<tool_call>\n{call}\n{{\"name\": \"g\"}}\n</tool_call>"),
                Some((GoldFault::NoParameters, "call 2 has no object")),
            ),
        ];
        for (gold, expected) in cases {
            let found = fault(&gold);
            assert_eq!(found.as_ref().map(|f| f.0), expected.map(|e| e.0), "{gold}");
            let starts = found.iter().zip(expected).all(|(found, expected)| found.1.starts_with(expected.1));
            assert!(starts, "{gold}: {found:?}");
        }
    }
}

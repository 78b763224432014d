//! Can a gold reply be scored against?

use std::collections::HashSet;

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
    /// What is wrong with its gold reply.
    pub reason: String,
}

impl GoldReport {
    /// Checks every gold reply under the released reading: what stands between the first `<tool_call>` and
    /// the next tag must be calls, one JSON object a line. A thought that mentions the tag breaks that, and
    /// the reply with it. A reply without the tag is always fine.
    pub fn of(samples: &[Sample]) -> Self {
        let unscorable = |(index, sample): (usize, &Sample)| {
            let reason = fault(&sample.gold)?;
            Some(Unscorable { index, id: sample.id.clone(), reason })
        };
        Self {
            checked: samples.len(),
            unscorable: samples.iter().enumerate().filter_map(unscorable).collect(),
        }
    }

    /// The samples that can be scored: those to train on by RL. `samples` are the checked ones, in the same order.
    pub fn scorable(&self, samples: Vec<Sample>) -> Vec<Sample> {
        let left_out: HashSet<_> = self.unscorable.iter().map(|found| found.index).collect();
        let kept = samples.into_iter().enumerate().filter(|(index, _)| !left_out.contains(index));
        kept.map(|(_, sample)| sample).collect()
    }
}

/// What is wrong with a gold reply, if anything.
fn fault(gold: &str) -> Option<String> {
    let block = lenient(gold)?;
    if !block.has_closing_tag {
        return Some("</tool_call> is missing".to_owned());
    }
    let calls = match block.calls {
        Ok(calls) => calls,
        Err(error) => return Some(format!("after the first <tool_call>: {error}")),
    };
    calls.iter().zip(1..).find_map(|(call, number)| {
        let parameters = call.value.get("parameters").and_then(|value| value.as_object());
        match (call.value.get("name"), parameters) {
            (Some(_), Some(_)) => None,
            (None, _) => Some(format!("call {number} has no `name`")),
            (_, None) => Some(format!("call {number} has no object `parameters`")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn faults_of_gold_replies() {
        let call = r#"{"name": "f", "parameters": {"a": NaN}}"#;
        let cases = [
            (format!("<think> a </think>\n<tool_call>\n{call}\n</tool_call>"), None),
            ("<think> a </think>\n<response> b </response>".to_owned(), None),
            ("<think> a".to_owned(), None),
            (
                format!("<think> I use <tool_call> now </think>\n<tool_call>\n{call}\n</tool_call>"),
                Some("after the first <tool_call>"),
            ),
            (format!("<tool_call>\n{call}\n\n{call}\n</tool_call>"), Some("after the first <tool_call>")),
            (format!("<tool_call>\n{call}"), Some("</tool_call> is missing")),
            ("<tool_call>\n{\"parameters\": {}}\n</tool_call>".to_owned(), Some("call 1 has no `name`")),
            (format!("<tool_call>\n{call}\n{{\"name\": \"g\"}}\n</tool_call>"), Some("call 2 has no object")),
        ];
        for (gold, expected) in cases {
            let found = fault(&gold);
            match expected {
                None => assert_eq!(found, None, "{gold}"),
                Some(start) => {
                    assert!(found.as_ref().is_some_and(|f| f.starts_with(start)), "{gold}: {found:?}")
                }
            }
        }
    }
}

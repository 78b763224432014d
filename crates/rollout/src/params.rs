//! How tokens are drawn, and what ends a turn.

use serde::{Deserialize, Serialize};

use crate::RolloutError;

/// How tokens are drawn.
///
/// What is left out is decided as by `generate` of transformers, in this order: logits are divided by the temperature,
/// `top_k` keeps the most probable tokens, `top_p` the most probable ones of these, by their probabilities among these,
/// and `min_p` those of the rest that are probable enough beside the first. (vLLM applies `min_p` before the others, so
/// that with both `top_p` is a share of what `min_p` kept. Each alone is the same there.)
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplingParams {
    /// Divides the logits; 0 takes the most probable token (greedy), and nothing below says anything then.
    pub temperature: f32,
    /// So many of the most probable tokens are kept, and those that are as probable as the last of them; 0 keeps all.
    pub top_k: u32,
    /// Smallest set of tokens whose probability reaches this is kept; 1 keeps all (Holtzman et al., "The Curious Case of
    /// Neural Text Degeneration", arXiv 1904.09751).
    pub top_p: f32,
    /// Tokens are kept whose probability is at least this share of the most probable one's; 0 keeps all (Nguyen et al.,
    /// "Turning Up the Heat: Min-p Sampling for Creative and Coherent LLM Outputs", arXiv 2407.01082).
    pub min_p: f32,
    /// The limit on new tokens of a turn.
    pub max_new_tokens: usize,
    /// A turn ends with the token that completes one of these in its text, special tokens included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Whether the stop string that ended a turn belongs to its text, as vLLM names it. What was sampled behind it in the
    /// same token never does.
    #[serde(skip_serializing_if = "is_false")]
    pub include_stop_str_in_output: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            max_new_tokens: 256,
            stop: Vec::new(),
            include_stop_str_in_output: false,
        }
    }
}

impl SamplingParams {
    /// Greedy decoding of at most `max_new_tokens`.
    pub fn greedy(max_new_tokens: usize) -> Self {
        Self { temperature: 0.0, max_new_tokens, ..Self::default() }
    }

    /// Greedy decoding of turns that end as these do, or at `max_new_tokens`.
    #[must_use]
    pub fn greedily(&self, max_new_tokens: usize) -> Self {
        Self {
            stop: self.stop.clone(),
            include_stop_str_in_output: self.include_stop_str_in_output,
            ..Self::greedy(max_new_tokens)
        }
    }

    /// Whether tokens may be left out of a draw.
    pub fn truncates(&self) -> bool {
        self.temperature > 0.0 && (self.top_k > 0 || self.top_p < 1.0 || self.min_p > 0.0)
    }

    /// What is out of its range: the setting, its value and its range.
    pub fn problem(&self) -> Option<String> {
        let Self { temperature, top_p, min_p, .. } = *self;
        if !(temperature >= 0.0 && temperature.is_finite()) {
            return Some(format!("temperature {temperature} should be 0 or more"));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Some(format!("top_p {top_p} should be above 0 and at most 1"));
        }
        if !(0.0..=1.0).contains(&min_p) {
            return Some(format!("min_p {min_p} should be at least 0 and at most 1"));
        }
        if self.max_new_tokens == 0 {
            return Some("max_new_tokens should be at least 1".to_owned());
        }
        let has_empty = self.stop.iter().any(String::is_empty);
        has_empty.then(|| "stop has an empty string, which every text contains".to_owned())
    }

    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// [`RolloutError::Params`] with the [`problem`](Self::problem).
    pub fn check(&self) -> Result<(), RolloutError> {
        self.problem().map_or(Ok(()), |problem| Err(RolloutError::Params(problem)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut SamplingParams);

    #[test]
    fn what_is_out_of_range_is_named() {
        let with = |change: Change| {
            let mut params = SamplingParams::default();
            change(&mut params);
            params.problem()
        };
        assert_eq!(with(|_| ()), None);
        assert_eq!(with(|p| (p.top_k, p.min_p, p.stop) = (u32::MAX, 1.0, vec!["\n".into()])), None);
        let wrong: [(Change, &str); 8] = [
            (|p| p.temperature = -1.0, "temperature -1"),
            (|p| p.temperature = f32::INFINITY, "temperature inf"),
            (|p| p.top_p = 0.0, "top_p 0 "),
            (|p| p.top_p = f32::NAN, "top_p NaN"),
            (|p| p.min_p = 1.5, "min_p 1.5"),
            (|p| p.min_p = -0.1, "min_p -0.1"),
            (|p| p.max_new_tokens = 0, "max_new_tokens"),
            (|p| p.stop = vec!["a".into(), String::new()], "stop has an empty string"),
        ];
        for (change, part) in wrong {
            let problem = with(change).unwrap();
            assert!(problem.starts_with(part), "{problem}");
        }
    }
}

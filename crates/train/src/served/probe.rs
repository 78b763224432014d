//! A text by which it shows whether servers hold the trainer's weights.

use toolrl_chat::Chat;
use toolrl_policy::{Ids, Packing, Pass, Policy};
use toolrl_rollout::RolloutError;
use toolrl_servers::Probe;

/// What is asked about: words, numbers, a call and a thought, so that many of the model's weights have a part in it.
const TEXT: &str = "<think> The user asks for the weather in Kyoto and for 17 * 23, so two tools are called. </think>\n\
                    {\"name\": \"get_weather\", \"arguments\": {\"city\": \"Kyoto\", \"days\": 3}}\n\
                    {\"name\": \"calculate\", \"arguments\": {\"expression\": \"17 * 23\"}}\n\
                    Rain is expected on Tuesday; 17 times 23 is 391.";

/// Tokens of it, at most.
const TOKENS: usize = 128;

/// The text with the policy's log-probabilities at temperature 1.
pub(super) fn probe(policy: &Policy, chat: &Chat) -> Result<Probe, RolloutError> {
    let mut tokens = chat.encode(TEXT)?;
    tokens.truncate(TOKENS.min(policy.config().max_positions.saturating_sub(1)));
    let logprobs = logprobs(policy, &tokens);
    Ok(Probe { tokens, logprobs })
}

/// The log-probability of each token but the first.
pub(super) fn logprobs(policy: &Policy, tokens: &[u32]) -> Vec<f32> {
    let n = tokens.len().saturating_sub(1);
    let pass = Pass {
        tokens: Ids::new(tokens[..n].to_vec()),
        packing: Packing::single(n).into(),
        rows: Ids::new((0..n as u32).collect()),
        targets: Ids::new(tokens[1..].to_vec()),
    };
    let of_targets = policy.logprobs(&pass, 1.0).narrow(0, 0, 1);
    // The decoder computes in f32, so the conversion moves and cannot fail.
    of_targets.into_data().try_into_vec_as().unwrap_or_default()
}

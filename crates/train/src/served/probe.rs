//! A text by which it shows whether servers hold the trainer's weights.

use toolrl_chat::Chat;
use toolrl_policy::Policy;
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
    let logprobs = policy.sequence_logprobs(&tokens);
    Ok(Probe { tokens, logprobs })
}

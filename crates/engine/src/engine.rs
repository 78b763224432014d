//! The engine: a policy behind the `Sampler` trait.

use toolrl_chat::Chat;
use toolrl_policy::Policy;
use toolrl_rollout::{
    Request, RolloutError, Sampled, Sampler, Sampling, SamplingParams, StopStrings, StreamKey,
};

use crate::batch::Batch;

/// Samples from a policy in this process.
pub struct Engine<'a> {
    policy: &'a Policy,
    chat: Option<&'a Chat>,
    version: u64,
    slots: usize,
}

impl<'a> Engine<'a> {
    /// An engine over a policy. At most `slots` turns are decoded at a time.
    pub fn new(policy: &'a Policy, slots: usize) -> Self {
        Self { policy, chat: None, version: 0, slots }
    }

    /// Names the policy's version in what it samples.
    pub fn with_version(self, version: u64) -> Self {
        Self { version, ..self }
    }

    /// Finds stop strings in the text of this tokenizer.
    pub fn with_chat(self, chat: &'a Chat) -> Self {
        Self { chat: Some(chat), ..self }
    }

    fn check(&self, requests: &[Request<'_>], params: &SamplingParams) -> Result<(), RolloutError> {
        let wrong = |message: String| Err(RolloutError::Params(message));
        params.check()?;
        if !params.stop.is_empty() && self.chat.is_none() {
            return wrong("stop: there is no tokenizer that tells the text".to_owned());
        }
        let config = self.policy.config();
        for &Request { index: prompt, tokens, .. } in requests {
            let limit = config.max_positions.saturating_sub(1);
            match tokens.len() {
                0 => return Err(RolloutError::EmptyPrompt { prompt }),
                tokens if tokens > limit => {
                    return Err(RolloutError::PromptTooLong { prompt, tokens, limit });
                }
                _ => {}
            }
            let vocabulary = config.vocab_size;
            if let Some(id) = tokens.iter().find(|&&id| id as usize >= vocabulary) {
                return wrong(format!("prompt {prompt} has token {id}, the vocabulary {vocabulary} tokens"));
            }
        }
        Ok(())
    }

    /// The turns of each request's members.
    fn turns(
        &self,
        requests: &[Request<'_>],
        params: &SamplingParams,
        key: StreamKey,
    ) -> Result<Vec<Vec<Sampled>>, RolloutError> {
        self.check(requests, params)?;
        let stop = self.chat.and_then(|chat| StopStrings::new(chat, params));
        let batch = Batch::new((self.policy, self.version), requests, (params, stop), key, self.slots);
        let mut finished = batch.run()?;
        finished.sort_by_key(|done| (done.request, done.member));
        let mut turns: Vec<Vec<Sampled>> = requests.iter().map(|_| Vec::new()).collect();
        for done in finished {
            turns[done.request].push(done.turn);
        }
        Ok(turns)
    }
}

impl Sampler for Engine<'_> {
    fn sample<'a>(
        &'a mut self,
        requests: &'a [Request<'a>],
        params: &'a SamplingParams,
        key: StreamKey,
    ) -> Sampling<'a> {
        Box::pin(async move { self.turns(requests, params, key) })
    }
}

//! The engine: a policy and a tokenizer behind the `Sampler` trait.

use std::sync::Arc;

use toolrl_chat::Chat;
use toolrl_policy::Policy;
use toolrl_rollout::{Group, Prompt, SampleError, Sampler, SamplingParams, StreamKey, Trajectory};

use crate::batch::{Batch, Finished};

/// Samples from a policy in this process.
pub struct Engine<'a> {
    policy: &'a Policy,
    chat: Option<Arc<Chat>>,
    slots: usize,
    progress: Box<dyn FnMut(usize) + 'a>,
}

impl<'a> Engine<'a> {
    /// An engine over a policy. Without a `chat`, trajectories carry no text. At most `slots`
    /// replies are decoded at a time.
    pub fn new(policy: &'a Policy, chat: Option<Arc<Chat>>, slots: usize) -> Self {
        Self { policy, chat, slots, progress: Box::new(|_| ()) }
    }

    /// Calls `progress` with the number of tokens of every reply as it ends.
    pub fn with_progress(mut self, progress: impl FnMut(usize) + 'a) -> Self {
        self.progress = Box::new(progress);
        self
    }

    fn check(&self, prompts: &[Prompt], params: &SamplingParams) -> Result<(), SampleError> {
        let wrong = |message: String| Err(SampleError::Params(message));
        if !(params.temperature >= 0.0 && params.temperature.is_finite()) {
            return wrong(format!("temperature {} should be 0 or more", params.temperature));
        }
        if !(params.top_p > 0.0 && params.top_p <= 1.0) {
            return wrong(format!("top_p {} should be above 0 and at most 1", params.top_p));
        }
        if params.max_new_tokens == 0 {
            return wrong("max_new_tokens should be at least 1".to_owned());
        }
        let config = self.policy.config();
        for prompt in prompts {
            let (index, tokens) = (prompt.index, prompt.tokens.len());
            if tokens == 0 {
                return Err(SampleError::EmptyPrompt { prompt: index });
            }
            if tokens >= config.max_positions {
                return Err(SampleError::PromptTooLong {
                    prompt: index,
                    tokens,
                    limit: config.max_positions - 1,
                });
            }
            if let Some(id) = prompt.tokens.iter().find(|&&id| id as usize >= config.vocab_size) {
                return wrong(format!(
                    "prompt {index} has token {id}, the vocabulary {} tokens",
                    config.vocab_size
                ));
            }
        }
        Ok(())
    }

    fn trajectory(&self, reply: Finished) -> Result<Trajectory, SampleError> {
        let text = match &self.chat {
            Some(chat) => chat.decode(&reply.tokens, true).map_err(|e| SampleError::Backend(Box::new(e)))?,
            None => String::new(),
        };
        let Finished { member, tokens, logprobs, finish, .. } = reply;
        Ok(Trajectory { member, tokens, logprobs, finish, text })
    }
}

impl Sampler for Engine<'_> {
    async fn sample(
        &mut self,
        prompts: &[Prompt],
        members: usize,
        params: &SamplingParams,
        key: StreamKey,
    ) -> Result<Vec<Group>, SampleError> {
        self.check(prompts, params)?;
        let batch = Batch::new(self.policy, prompts, members, params, key, self.slots);
        let progress = &mut self.progress;
        let mut replies = batch.run(&mut |reply| progress(reply.tokens.len()))?;
        replies.sort_by_key(|r| (r.prompt, r.member));
        let mut groups: Vec<Group> =
            prompts.iter().map(|p| Group { prompt: p.clone(), trajectories: Vec::new() }).collect();
        for reply in replies {
            groups[reply.prompt].trajectories.push(self.trajectory(reply)?);
        }
        Ok(groups)
    }
}

//! Where a turn ends: the rule of the local engine, held against what a server sent.

use toolrl_chat::ChatError;
use toolrl_rollout::{FinishReason, Sampled, StopStrings};

use crate::ReplyProblem;
use crate::wire::Raw;

/// What ends a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending<'a> {
    pub stop_tokens: &'a [u32],
    pub stop_strings: Option<StopStrings<'a>>,
    /// The limit on new tokens.
    pub limit: usize,
    /// Ids that the model has.
    pub vocabulary: usize,
}

impl Ending<'_> {
    /// Why a turn ends with the last of these tokens, where it does.
    fn at(&self, tokens: &[u32]) -> Result<Option<FinishReason>, ChatError> {
        if tokens.last().is_some_and(|token| self.stop_tokens.contains(token)) {
            return Ok(Some(FinishReason::Stop));
        }
        if let Some(strings) = self.stop_strings
            && strings.end_at(tokens)?
        {
            return Ok(Some(FinishReason::StopString));
        }
        Ok((tokens.len() >= self.limit).then_some(FinishReason::Length))
    }

    /// The turn that a server sent. What it drew behind the turn's end, as servers do that draw several tokens at a time,
    /// is no part of it.
    pub(crate) fn turn(&self, raw: Raw, version: u64) -> Result<Result<Sampled, ReplyProblem>, ChatError> {
        let Raw { mut tokens, mut logprobs, finish: told } = raw;
        if let Err(problem) = self.check(&tokens, &logprobs) {
            return Ok(Err(problem));
        }
        for end in 1..=tokens.len() {
            if let Some(finish) = self.at(&tokens[..end])? {
                tokens.truncate(end);
                logprobs.truncate(end);
                return Ok(Ok(Sampled { tokens, logprobs, finish, version }));
            }
        }
        Ok(Err(ReplyProblem::Cut { tokens: tokens.len(), limit: self.limit, finish: told }))
    }

    fn check(&self, tokens: &[u32], logprobs: &[f32]) -> Result<(), ReplyProblem> {
        let (limit, vocabulary) = (self.limit, self.vocabulary);
        if tokens.len() != logprobs.len() {
            return Err(ReplyProblem::LogprobCount { tokens: tokens.len(), logprobs: logprobs.len() });
        }
        if tokens.is_empty() {
            return Err(ReplyProblem::Empty);
        }
        if tokens.len() > limit {
            return Err(ReplyProblem::TooLong { tokens: tokens.len(), limit });
        }
        match tokens.iter().find(|&&token| token as usize >= vocabulary) {
            Some(&token) => Err(ReplyProblem::Token { token, vocabulary }),
            None => Ok(()),
        }
    }
}

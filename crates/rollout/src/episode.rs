//! What was said in an episode, as token ids.

use std::ops::Range;

use crate::{FinishReason, Reply, Sampled};

/// A part of an episode, after its prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Tokens that the environment put there.
    Given {
        /// How many.
        len: usize,
    },
    /// A turn of the policy.
    Sampled {
        /// How many tokens, a final stop token included.
        len: usize,
        /// Which version of the policy: the number of training steps that made it.
        version: u64,
        /// Why it ended.
        finish: FinishReason,
    },
}

impl Segment {
    /// Its number of tokens.
    pub fn len(&self) -> usize {
        let (Self::Given { len } | Self::Sampled { len, .. }) = self;
        *len
    }

    /// Whether it holds no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why an episode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The environment had nothing to add.
    Closed,
    /// The last turn met the limit on new tokens.
    Cut,
    /// The limit on turns was met.
    OutOfTurns,
    /// The policy's context was full.
    OutOfContext,
}

/// An episode that has ended: the policy's turns and what the environment put between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// Which member of its group this is, from 0.
    pub member: usize,
    /// All tokens after the prompt.
    pub tokens: Vec<u32>,
    /// What they are, in order; the first and the last are sampled. None where the prompt left no room for a turn.
    pub segments: Vec<Segment>,
    /// The sampler's log-probability of each sampled token, in nats ([`Sampled::logprobs`]).
    pub logprobs: Vec<f32>,
    /// The policy's turns as text, one for each of `segments` that is sampled.
    pub replies: Vec<Reply>,
    /// Why it ended.
    pub ended: Ended,
    /// The environment's own verdict, where it has one.
    pub outcome: Option<f64>,
}

impl Episode {
    /// What the environment's verdict is called among the parts of a reward.
    pub const OUTCOME: &str = "outcome";

    /// An episode of one turn.
    pub fn of_turn(member: usize, turn: Sampled, reply: Reply) -> Self {
        let Sampled { tokens, logprobs, finish, version } = turn;
        let segments = vec![Segment::Sampled { len: tokens.len(), version, finish }];
        let ended = if finish == FinishReason::Length { Ended::Cut } else { Ended::Closed };
        Self { member, tokens, segments, logprobs, replies: vec![reply], ended, outcome: None }
    }

    /// The episode of a prompt that leaves no room in the policy's context.
    pub fn without_turn(member: usize) -> Self {
        let (tokens, segments, logprobs, replies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { member, tokens, segments, logprobs, replies, ended: Ended::OutOfContext, outcome: None }
    }

    /// The places of the sampled tokens among [`tokens`](Self::tokens), turn by turn.
    pub fn turns(&self) -> Vec<Range<usize>> {
        let mut end = 0;
        let place = |segment: &Segment| {
            end += segment.len();
            matches!(segment, Segment::Sampled { .. }).then(|| end - segment.len()..end)
        };
        self.segments.iter().filter_map(place).collect()
    }

    /// How many tokens were sampled.
    pub fn sampled(&self) -> usize {
        self.logprobs.len()
    }

    /// Why the last turn ended.
    pub fn finish(&self) -> FinishReason {
        let of = |segment: &Segment| match segment {
            Segment::Sampled { finish, .. } => Some(*finish),
            Segment::Given { .. } => None,
        };
        self.segments.iter().rev().find_map(of).unwrap_or(FinishReason::Length)
    }

    /// The policy's last turn.
    pub fn reply(&self) -> &Reply {
        const NONE: &Reply = &Reply::NONE;
        self.replies.last().unwrap_or(NONE)
    }
}

//! Pairs of replies to one prompt, of which one is the better: what DPO learns from.

use crate::OfflineConfig;
use crate::TrainError;
use crate::completions::{Sequence, UsedGroup};
use crate::limit::{OverlongCounts, WithLength};
use crate::pack::{Member, PackGroup, Place};

/// Two replies to one prompt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pair {
    /// At least one token.
    pub prompt: Vec<u32>,
    pub chosen: Sequence,
    pub rejected: Sequence,
}

/// The best and the worst reply of each group, in what becomes of those that are too long.
pub(crate) fn pairs(
    config: &OfflineConfig,
    groups: Vec<UsedGroup>,
    context: usize,
) -> Result<(Vec<Pair>, OverlongCounts), TrainError> {
    let whole = |UsedGroup { id, prompt, best, worst }: UsedGroup| {
        let sample = Pair { prompt: prompt.tokens.clone(), chosen: best, rejected: worst };
        WithLength { id, tokens: sample.prompt.len() + sample.longest(), sample }
    };
    let limit = config.limit(context);
    limit.apply(groups.into_iter().map(whole).collect(), |pair| Ok(pair.cut_to(limit.tokens)))
}

impl Pair {
    fn longest(&self) -> usize {
        self.chosen.tokens.len().max(self.rejected.tokens.len())
    }

    /// At most `n` tokens of the prompt with each reply: first the prompt loses its beginning, all but a token, then the
    /// replies their ends.
    fn cut_to(mut self, n: usize) -> Self {
        let room = n.saturating_sub(1).max(1);
        self.chosen.cut_to(room);
        self.rejected.cut_to(room);
        let kept = n.saturating_sub(self.longest()).clamp(1, self.prompt.len());
        self.prompt.drain(..self.prompt.len() - kept);
        self
    }

    /// The tokens that are computed of it, about.
    pub(crate) fn cost(&self) -> usize {
        self.prompt.len() + self.chosen.tokens.len() + self.rejected.tokens.len()
    }

    /// The prompt once, then the chosen reply and the rejected one.
    pub(crate) fn group(&self, number: usize) -> PackGroup<'_> {
        let replies = [&self.chosen, &self.rejected].into_iter().enumerate();
        let members = replies.map(|(member, reply)| Member {
            place: Place { group: number, member },
            tokens: &reply.tokens,
            targets: reply.turns.clone(),
        });
        PackGroup { prompt: &self.prompt, members: members.collect() }
    }
}

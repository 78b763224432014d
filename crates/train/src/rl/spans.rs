//! Credit by span: each token answers for those parts of the reward that were still open when it was written.

use std::collections::BTreeMap;
use std::ops::Range;

use toolrl_chat::Chat;
use toolrl_grpo::has_no_spread;
use toolrl_reward::{Part, PartId};
use toolrl_rollout::{Episode, Group};

use super::{Credit, Measured};

/// Credit of a group's members, whose rewards' differences from their mean are divided by `scale`.
///
/// The advantage of a reply is a sum over the parts of its reward, of each part's difference from the group's mean. A
/// token cannot have changed a part that was settled before it, so its advantage is the sum over the others: the
/// reward-to-go of policy gradients (Sutton and Barto, "Reinforcement Learning", section 13.3), part by part. The first
/// token of a reply has the reply's whole advantage.
pub(crate) fn credit(group: &Group<Measured>, chat: &Chat, scale: f64) -> Vec<Credit> {
    let rewarded: Vec<&Measured> = group.members.iter().filter(|reply| !reply.scored.skipped).collect();
    let totals: Vec<f64> = rewarded.iter().map(|reply| reply.reward().total).collect();
    if has_no_spread(&totals) {
        return vec![Credit::Reply(0.0); group.members.len()];
    }
    let mean_total = totals.iter().sum::<f64>() / totals.len() as f64;
    let means = means(&rewarded);
    let of_reply = |reply: &Measured| {
        if reply.scored.skipped {
            return Credit::LeftOut;
        }
        let whole = (reply.reward().total - mean_total) / scale;
        let starts = starts(&reply.scored.episode, chat);
        Credit::Tokens(to_go(&settled(&reply.scored.parts, &means), whole, scale, &starts))
    };
    group.members.iter().map(of_reply).collect()
}

/// Where each sampled token starts in the text of the last turn, which the reward has read. What stands before that turn
/// starts with it, as it answers for all of it.
fn starts(episode: &Episode, chat: &Chat) -> Vec<usize> {
    let last = episode.turns().pop().unwrap_or_default();
    let mut starts = vec![0; episode.sampled() - last.len()];
    let shift = episode.reply().shift;
    let of_text = |span: Range<usize>| span.start.saturating_add_signed(shift);
    starts.extend(chat.spans(&episode.tokens[last]).into_iter().map(of_text));
    starts
}

/// Mean reward of every part over the group; a reply that lacks a part earned nothing by it.
fn means<'g>(group: &[&'g Measured]) -> BTreeMap<&'g PartId, f64> {
    let mut means = BTreeMap::new();
    for part in group.iter().flat_map(|reply| &reply.scored.parts) {
        *means.entry(&part.id).or_insert(0.0) += part.reward / group.len() as f64;
    }
    means
}

/// The parts that are settled before the end of the reply: where, and the difference from the group's mean, in order.
fn settled(parts: &[Part], means: &BTreeMap<&PartId, f64>) -> Vec<(usize, f64)> {
    let difference = |part: &Part| part.reward - means.get(&part.id).copied().unwrap_or_default();
    let mut settled: Vec<_> =
        parts.iter().filter_map(|part| Some((part.settled?, difference(part)))).collect();
    settled.sort_by_key(|(end, _)| *end);
    settled
}

/// A token's advantage is the whole one less that of the parts that ended before the token starts. The token right
/// after a part's end is the one that ended it.
fn to_go(settled: &[(usize, f64)], whole: f64, scale: f64, starts: &[usize]) -> Vec<f64> {
    let (mut rest, mut left) = (settled, whole);
    let advantage = |&start: &usize| {
        while let Some(((end, difference), others)) = rest.split_first() {
            if *end >= start {
                break;
            }
            left -= difference / scale;
            rest = others;
        }
        left
    };
    starts.iter().map(advantage).collect()
}

#[cfg(test)]
#[path = "spans_tests.rs"]
mod tests;

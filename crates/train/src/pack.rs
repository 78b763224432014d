//! From prompts and replies to packed tensors: a group's shared prompt once, then its replies.

use toolrl_policy::{Packing, Pass};

/// A prompt with its replies.
#[derive(Clone, Debug)]
pub(crate) struct PackGroup<'a> {
    pub prompt: &'a [u32],
    /// Each with the number by which its caller knows it; none empty.
    pub replies: Vec<(usize, &'a [u32])>,
}

/// One forward and backward pass.
#[derive(Clone, Debug)]
pub(crate) struct Pack {
    /// Its targets are the tokens of the replies, reply after reply.
    pub pass: Pass,
    /// The replies in the order of `targets`: number and length.
    pub replies: Vec<(usize, usize)>,
}

/// Packs groups in order, at most `max_tokens` a pack; a group that does not fit is split between
/// its replies, its prompt then standing once in each pack.
pub(crate) fn pack(groups: &[PackGroup], max_tokens: usize) -> Vec<Pack> {
    let mut packs = Vec::new();
    let mut open = Open::default();
    for group in groups {
        let whole = group.prompt.len() + group.replies.iter().map(|(_, r)| r.len() - 1).sum::<usize>();
        if !open.fits(whole, max_tokens) {
            packs.extend(open.close());
        }
        let mut prompt = None;
        for (number, reply) in &group.replies {
            let cost = reply.len() - 1 + if prompt.is_none() { group.prompt.len() } else { 0 };
            if !open.fits(cost, max_tokens) {
                packs.extend(open.close());
                prompt = None;
            }
            let prompt = *prompt.get_or_insert_with(|| open.prompt(group.prompt));
            open.reply(prompt, *number, reply);
        }
    }
    packs.extend(open.close());
    packs
}

/// A pack being filled.
#[derive(Default)]
struct Open {
    tokens: Vec<u32>,
    packing: Packing,
    rows: Vec<u32>,
    targets: Vec<u32>,
    replies: Vec<(usize, usize)>,
}

impl Open {
    fn fits(&self, more: usize, max_tokens: usize) -> bool {
        self.tokens.is_empty() || self.tokens.len() + more <= max_tokens
    }

    /// Appends a prompt and returns its segment.
    fn prompt(&mut self, prompt: &[u32]) -> usize {
        self.tokens.extend_from_slice(prompt);
        self.packing.push(prompt.len(), None)
    }

    /// Appends a reply: its first token is predicted by the prompt's last row, its last token
    /// predicts nothing and so is no input.
    fn reply(&mut self, prompt: usize, number: usize, reply: &[u32]) {
        let segment = self.packing.segments()[prompt];
        let first = self.tokens.len() as u32;
        self.rows.push((segment.start + segment.len - 1) as u32);
        self.rows.extend(first..first + reply.len() as u32 - 1);
        self.tokens.extend_from_slice(&reply[..reply.len() - 1]);
        self.packing.push(reply.len() - 1, Some(prompt));
        self.targets.extend_from_slice(reply);
        self.replies.push((number, reply.len()));
    }

    fn close(&mut self) -> Option<Pack> {
        let Self { tokens, packing, rows, targets, replies } = std::mem::take(self);
        let pass = Pass {
            tokens: tokens.into(),
            packing: packing.into(),
            rows: rows.into(),
            targets: targets.into(),
        };
        (!replies.is_empty()).then_some(Pack { pass, replies })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_stands_once_and_predicts_every_first_token() {
        let group = PackGroup { prompt: &[1, 2, 3], replies: vec![(7, &[10, 11]), (8, &[20])] };
        let packs = pack(&[group], 100);
        assert_eq!(packs.len(), 1);
        let p = &packs[0];
        assert_eq!(*p.pass.tokens, [1, 2, 3, 10]);
        assert_eq!(*p.pass.rows, [2, 3, 2]);
        assert_eq!(*p.pass.targets, [10, 11, 20]);
        assert_eq!(p.replies, [(7, 2), (8, 1)]);
        assert_eq!(p.pass.packing.positions(), [0, 1, 2, 3]);
    }

    #[test]
    fn packs_keep_to_their_size_and_lose_nothing() {
        let (prompts, reply) = ([[1u32; 10], [2; 10]], [5u32; 6]);
        let groups: Vec<_> = prompts
            .iter()
            .enumerate()
            .map(|(g, prompt)| PackGroup {
                prompt,
                replies: (0..4).map(|i| (g * 4 + i, &reply[..])).collect(),
            })
            .collect();
        for max in [15, 20, 25, 30, 60, 1000] {
            let packs = pack(&groups, max);
            assert!(packs.iter().all(|p| p.pass.tokens.len() <= max));
            let numbers: Vec<usize> = packs.iter().flat_map(|p| p.replies.iter().map(|r| r.0)).collect();
            assert_eq!(numbers, (0..8).collect::<Vec<_>>(), "{max}");
        }
        // Two groups of 30 tokens: one pack each beats splitting the second.
        assert_eq!(pack(&groups, 45).len(), 2);
        // A sequence longer than the limit goes alone.
        assert_eq!(pack(&groups, 1).len(), 8);
    }
}

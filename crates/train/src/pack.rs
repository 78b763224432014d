//! From prompts and episodes to packed tensors: a group's shared prompt once, then its members.

use std::ops::Range;

use toolrl_policy::{Packing, Pass};

/// A prompt with what follows it.
#[derive(Clone, Debug)]
pub(crate) struct PackGroup<'a> {
    pub prompt: &'a [u32],
    pub members: Vec<Member<'a>>,
}

/// What follows a prompt in one member of its group.
#[derive(Clone, Debug)]
pub(crate) struct Member<'a> {
    pub place: Place,
    pub tokens: &'a [u32],
    /// Places of the tokens that a loss looks at, in order; at least one token.
    pub targets: Vec<Range<usize>>,
}

/// Where a member stands among the groups that its caller packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub group: usize,
    pub member: usize,
}

/// One forward and backward pass.
#[derive(Clone, Debug)]
pub(crate) struct Pack {
    /// Its targets are those of the members, member after member.
    pub pass: Pass,
    /// The members in the order of `targets`, with the number of their targets.
    pub members: Vec<(Place, usize)>,
}

impl PackGroup<'_> {
    /// The tokens that are computed.
    pub(crate) fn tokens(&self) -> usize {
        self.prompt.len() + self.members.iter().map(|member| member.inputs().len()).sum::<usize>()
    }
}

impl<'a> Member<'a> {
    /// A member all of whose tokens are targets.
    pub(crate) fn whole(place: Place, tokens: &'a [u32]) -> Self {
        Self { place, tokens, targets: std::iter::once(0..tokens.len()).collect() }
    }

    /// The tokens that are computed: the last target predicts nothing, and what follows it is not looked at.
    fn inputs(&self) -> &'a [u32] {
        let end = self.targets.last().map_or(1, |last| last.end.max(1));
        &self.tokens[..end - 1]
    }
}

/// Packs groups in order, at most `max_tokens` a pack; a group that does not fit is split between
/// its members, its prompt then standing once in each pack.
pub(crate) fn pack(groups: &[PackGroup], max_tokens: usize) -> Vec<Pack> {
    let mut packs = Vec::new();
    let mut open = Open::default();
    for group in groups.iter().filter(|group| !group.members.is_empty()) {
        if !open.fits(group.tokens(), max_tokens) {
            packs.extend(open.close());
        }
        let mut prompt = None;
        for member in &group.members {
            let cost = member.inputs().len() + if prompt.is_none() { group.prompt.len() } else { 0 };
            if !open.fits(cost, max_tokens) {
                packs.extend(open.close());
                prompt = None;
            }
            let prompt = *prompt.get_or_insert_with(|| open.prompt(group.prompt));
            open.member(prompt, member);
        }
    }
    packs.extend(open.close());
    packs
}

/// As [`pack`], so that each of so many devices has something to compute ([`share`]).
pub(crate) fn pack_for(devices: usize, groups: &[PackGroup], max_tokens: usize) -> Vec<Pack> {
    let computed = groups.iter().filter(|group| !group.members.is_empty());
    let sizes: Vec<usize> = computed.map(PackGroup::tokens).collect();
    pack(groups, share(devices, &sizes, max_tokens))
}

/// The tokens of a pass, at most, of which several devices have passes to compute: no more than a device's share of all,
/// unless a group, whose sizes these are, would be taken apart for that alone.
pub(crate) fn share(devices: usize, sizes: &[usize], max_tokens: usize) -> usize {
    let largest = sizes.iter().max().copied().unwrap_or_default();
    match devices {
        0 | 1 => max_tokens,
        _ => sizes.iter().sum::<usize>().div_ceil(devices).max(largest).min(max_tokens),
    }
}

/// Numbers of every target by place, out of those of each pack's targets. `shape` holds the number of members of each
/// group.
pub(crate) fn by_place(
    packs: &[Pack],
    shape: impl Iterator<Item = usize>,
    mut of_pack: impl FnMut(&Pack) -> Vec<f32>,
) -> Vec<Vec<Vec<f32>>> {
    let mut all: Vec<_> = shape.map(|members| vec![Vec::new(); members]).collect();
    for pack in packs {
        let numbers = of_pack(pack);
        for (place, own) in pack.split(&numbers) {
            all[place.group][place.member] = own.to_vec();
        }
    }
    all
}

impl Pack {
    /// Numbers of its targets, member by member.
    pub(crate) fn split<'n, T>(&self, numbers: &'n [T]) -> impl Iterator<Item = (Place, &'n [T])> {
        let mut rest = numbers;
        self.members.iter().map(move |&(place, len)| {
            let (own, others) = rest.split_at(len);
            rest = others;
            (place, own)
        })
    }
}

/// A pack being filled.
#[derive(Default)]
struct Open {
    tokens: Vec<u32>,
    packing: Packing,
    rows: Vec<u32>,
    targets: Vec<u32>,
    members: Vec<(Place, usize)>,
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

    /// Appends a member. A target is predicted by the row before it, the first token by the prompt's last row.
    fn member(&mut self, prompt: usize, member: &Member<'_>) {
        let segment = self.packing.segments()[prompt];
        let first = self.tokens.len();
        let row = |place: usize| match place {
            0 => segment.start + segment.len - 1,
            place => first + place - 1,
        };
        let places = || member.targets.iter().cloned().flatten();
        self.rows.extend(places().map(|place| row(place) as u32));
        self.targets.extend(places().map(|place| member.tokens[place]));
        let inputs = member.inputs();
        self.tokens.extend_from_slice(inputs);
        self.packing.push(inputs.len(), Some(prompt));
        self.members.push((member.place, places().count()));
    }

    fn close(&mut self) -> Option<Pack> {
        let Self { tokens, packing, rows, targets, members } = std::mem::take(self);
        let pass = Pass {
            tokens: tokens.into(),
            packing: packing.into(),
            rows: rows.into(),
            targets: targets.into(),
        };
        (!members.is_empty()).then_some(Pack { pass, members })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(group: usize, member: usize) -> Place {
        Place { group, member }
    }

    #[test]
    fn a_prompt_stands_once_and_predicts_every_first_token() {
        let members = vec![Member::whole(place(7, 0), &[10, 11]), Member::whole(place(7, 1), &[20])];
        let packs = pack(&[PackGroup { prompt: &[1, 2, 3], members }], 100);
        assert_eq!(packs.len(), 1);
        let p = &packs[0];
        assert_eq!(*p.pass.tokens, [1, 2, 3, 10]);
        assert_eq!(*p.pass.rows, [2, 3, 2]);
        assert_eq!(*p.pass.targets, [10, 11, 20]);
        assert_eq!(p.members, [(place(7, 0), 2), (place(7, 1), 1)]);
        assert_eq!(p.pass.packing.positions(), [0, 1, 2, 3]);
    }

    #[test]
    fn what_was_given_is_read_and_predicted_by_nothing() {
        // Two turns with three given tokens between them, and one after the last.
        let tokens = [10, 11, 5, 6, 7, 12, 13, 8];
        let member = Member { place: place(0, 0), tokens: &tokens, targets: vec![0..2, 5..7] };
        let packs = pack(&[PackGroup { prompt: &[1, 2], members: vec![member] }], 100);
        let p = &packs[0];
        assert_eq!(*p.pass.tokens, [1, 2, 10, 11, 5, 6, 7, 12]);
        assert_eq!(*p.pass.targets, [10, 11, 12, 13]);
        assert_eq!(*p.pass.rows, [1, 2, 6, 7]);
        assert_eq!(p.members, [(place(0, 0), 4)]);
        let numbers = by_place(&packs, [1].into_iter(), |_| vec![0.5, 1.5, 2.5, 3.5]);
        assert_eq!(numbers, [[[0.5, 1.5, 2.5, 3.5]]]);
    }

    #[test]
    fn packs_keep_to_their_size_and_lose_nothing() {
        let (prompts, reply) = ([[1u32; 10], [2; 10]], [5u32; 6]);
        let groups: Vec<_> = prompts
            .iter()
            .enumerate()
            .map(|(g, prompt)| PackGroup {
                prompt,
                members: (0..4).map(|m| Member::whole(place(g, m), &reply)).collect(),
            })
            .collect();
        for max in [15, 20, 25, 30, 60, 1000] {
            let packs = pack(&groups, max);
            assert!(packs.iter().all(|p| p.pass.tokens.len() <= max));
            let places: Vec<_> = packs.iter().flat_map(|p| p.members.iter().map(|m| m.0)).collect();
            assert_eq!(places, (0..8).map(|i| place(i / 4, i % 4)).collect::<Vec<_>>(), "{max}");
        }
        // Two groups of 30 tokens: one pack each beats splitting the second.
        assert_eq!(pack(&groups, 45).len(), 2);
        // A sequence longer than the limit goes alone.
        assert_eq!(pack(&groups, 1).len(), 8);
    }

    #[test]
    fn several_devices_each_have_a_pack_where_groups_are_enough() {
        let (prompts, reply) = ([[1u32; 10], [2; 10], [3; 10]], [5u32; 6]);
        let group = |(group, prompt)| PackGroup {
            prompt,
            members: (0..4).map(|member| Member::whole(place(group, member), &reply)).collect(),
        };
        let mut groups: Vec<_> = prompts.iter().map(|prompt| &prompt[..]).enumerate().map(group).collect();
        // Nothing is computed of a group without members.
        groups.push(PackGroup { prompt: &[4; 100], members: Vec::new() });
        let tokens = |devices, max| -> Vec<usize> {
            pack_for(devices, &groups, max).iter().map(|pack| pack.pass.tokens.len()).collect()
        };
        assert_eq!(tokens(1, 1000), [90]);
        assert_eq!(tokens(2, 1000), [30, 30, 30], "of 45 tokens at most");
        assert_eq!(tokens(3, 1000), [30, 30, 30]);
        assert_eq!(tokens(8, 1000), [30, 30, 30], "no group is taken apart for that");
        assert_eq!(
            tokens(8, 20),
            pack(&groups, 20).iter().map(|pack| pack.pass.tokens.len()).collect::<Vec<_>>()
        );
    }
}

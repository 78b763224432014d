//! Blocks of keys and the queries that see them, for the gradient by keys and values: a workgroup goes through the
//! queries of a part one tile after the other, and the parts of a block are summed in their order.

use cubecl::ir::ElemType;
use cubecl::prelude::*;
use toolrl_layout::{Heads, Segment};

use super::layout::{RUN, lanes};
use crate::launch::{UNITS, elementwise};
use crate::{Buffer, Dtype, Indices};

/// Numbers of a part of a block of keys: first row, rows, position of the first in its segment, where its runs of queries
/// begin and end, and its first row among the parts' results.
pub(crate) const KEY_BLOCK: usize = 6;

/// Tokens with queries that a part has at most: about those that the first keys of a long segment have of their own, so
/// that a prompt's keys, which a whole group sees, are not the last to be done.
const PART: usize = 1024;

/// The blocks on a device.
#[derive(Clone, Debug)]
pub(crate) struct KeyBlocks {
    /// [`KEY_BLOCK`] numbers each.
    pub blocks: Indices,
    /// Runs of queries, [`RUN`] numbers each.
    pub runs: Indices,
    /// Rows of the parts' results.
    rows: usize,
    /// The rows of the parts' results that are a key's, in their order, and where each key's begin.
    places: Indices,
    starts: Indices,
}

impl KeyBlocks {
    /// Blocks of at most `size` keys.
    pub(crate) fn new(client: &Client, segments: &[Segment], size: usize) -> Self {
        let found = Found::of(segments, size);
        let upload = |numbers: &[u32]| Indices::from_slice(client, numbers);
        let mut starts = vec![0];
        for places in &found.places {
            starts.push(starts[starts.len() - 1] + places.len() as u32);
        }
        let wide = |numbers: &[usize]| numbers.iter().map(|&n| n as u32).collect::<Vec<_>>();
        Self {
            blocks: upload(&wide(found.blocks.as_flattened())),
            runs: upload(&wide(found.runs.as_flattened())),
            rows: found.rows,
            places: upload(&found.places.concat()),
            starts: upload(&starts),
        }
    }

    /// Parts of blocks.
    pub(crate) fn parts(&self) -> usize {
        self.blocks.len() / KEY_BLOCK
    }

    /// Room for the parts' results, by keys and by values: `[rows, kv heads * dim]`, f32.
    pub(crate) fn results(&self, client: &Client, heads: Heads) -> [Buffer; 2] {
        [0, 1].map(|_| Buffer::empty(client, self.rows * heads.kv * heads.dim, Dtype::F32))
    }

    /// Sums each key's results.
    pub(crate) fn join(&self, client: &Client, results: &[Buffer; 2], outs: [&Buffer; 2], heads: Heads) {
        let lanes = lanes(client, heads.dim);
        let (count, dim) = elementwise(client, outs[0].len() / lanes);
        // SAFETY: the kernel leaves out units beyond the end; places are rows of the results.
        unsafe {
            join::launch_unchecked(
                client,
                count,
                dim,
                lanes,
                results[0].arg(),
                results[1].arg(),
                self.places.arg(),
                self.starts.arg(),
                outs[0].arg(),
                outs[1].arg(),
                heads.kv * heads.dim / lanes,
                outs[0].dtype().elem(),
            );
        }
    }
}

/// Blocks as they are found.
#[derive(Default)]
struct Found {
    blocks: Vec<[usize; KEY_BLOCK]>,
    runs: Vec<[usize; RUN]>,
    rows: usize,
    /// By key.
    places: Vec<Vec<u32>>,
}

impl Found {
    /// The parts with the most queries first; these are of the rest of the keys' own segment, and of every segment that
    /// has it as its prefix.
    fn of(segments: &[Segment], size: usize) -> Self {
        let tokens = segments.iter().map(|s| s.len).sum();
        let mut found = Self { places: vec![Vec::new(); tokens], ..Self::default() };
        for s in segments {
            let after = segments.iter().filter(|o| o.prefix == (s.start, s.len) && s.len > 0);
            let after: Vec<[usize; RUN]> = after.map(|o| [o.start, o.len, s.len]).collect();
            for first in (0..s.len).step_by(size) {
                let own = [s.start + first, s.len - first, first];
                let keys = [s.start + first, size.min(s.len - first), first];
                found.add(keys, std::iter::once(&own).chain(&after));
            }
        }
        let runs = &found.runs;
        let queries =
            |block: &[usize; KEY_BLOCK]| runs[block[3]..block[4]].iter().map(|run| run[1]).sum::<usize>();
        found.blocks.sort_by_key(|block| std::cmp::Reverse(queries(block)));
        found
    }

    /// Adds a block, given as first row, rows and position of the first, with its runs cut into parts.
    fn add<'a>(&mut self, keys: [usize; 3], runs: impl Iterator<Item = &'a [usize; RUN]> + Clone) {
        let queries: usize = runs.clone().map(|run| run[1]).sum();
        let of_part = queries.div_ceil(queries.div_ceil(PART).max(1));
        let (mut from, mut left) = (self.runs.len(), of_part);
        for &[mut start, mut len, mut position] in runs {
            while len > 0 {
                let taken = len.min(left);
                self.runs.push([start, taken, position]);
                (start, len, position, left) = (start + taken, len - taken, position + taken, left - taken);
                if left == 0 {
                    self.part(keys, from);
                    (from, left) = (self.runs.len(), of_part);
                }
            }
        }
        if self.runs.len() > from {
            self.part(keys, from);
        }
    }

    /// A part of a block, whose runs begin at `from`.
    fn part(&mut self, [first, rows, position]: [usize; 3], from: usize) {
        self.blocks.push([first, rows, position, from, self.runs.len(), self.rows]);
        for row in 0..rows {
            self.places[first + row].push((self.rows + row) as u32);
        }
        self.rows += rows;
    }
}

/// A unit sums one vector of a key's results.
#[cube(launch_unchecked)]
fn join<F: Float, N: Size>(
    by_key: &[Vector<f32, N>],
    by_value: &[Vector<f32, N>],
    places: &[u32],
    starts: &[u32],
    dk: &mut [Vector<F, N>],
    dv: &mut [Vector<F, N>],
    #[comptime] width: usize,
    #[define(F)] _storage: ElemType,
) {
    let at = CUBE_POS * comptime!(UNITS as usize) + UNIT_POS as usize;
    if at >= dk.len() {
        terminate!();
    }
    let (key, column) = (at / width, at % width);
    let mut of_key = Vector::<f32, N>::new(0.0f32);
    let mut of_value = Vector::<f32, N>::new(0.0f32);
    for i in starts[key]..starts[key + 1] {
        let place = places[i as usize] as usize * width + column;
        of_key += by_key[place];
        of_value += by_value[place];
    }
    dk[at] = Vector::cast_from(of_key);
    dv[at] = Vector::cast_from(of_value);
}

#[cfg(test)]
mod tests {
    use toolrl_layout::Packing;

    use super::*;

    /// Every query that sees a key is in one part of its block, at its own position, and no part is long.
    #[test]
    fn parts_hold_every_query_once() {
        let mut packing = Packing::single(700);
        for len in [900, 3, 2500, 0, 40] {
            packing.push(len, Some(0));
        }
        let (segments, size) = (packing.segments(), 64);
        let found = Found::of(segments, size);
        let mut seen = vec![std::collections::BTreeMap::new(); 700];
        for &[first, rows, position, from, to, _] in &found.blocks {
            let runs = &found.runs[from..to];
            assert!(!runs.is_empty() && runs.iter().map(|run| run[1]).sum::<usize>() <= PART);
            for key in (first..first + rows).filter(|&key| key < 700) {
                assert_eq!(key - first + position, key);
                for &[start, len, position] in runs {
                    for i in 0..len {
                        assert_eq!(seen[key].insert(start + i, position + i), None);
                    }
                }
            }
        }
        for (key, seen) in seen.iter().enumerate() {
            let first = key / size * size;
            let own = (first..700).map(|token| (token, token));
            let others = segments[1..].iter().flat_map(|s| (0..s.len).map(|i| (s.start + i, 700 + i)));
            assert!(
                seen.iter().map(|(&token, &position)| (token, position)).eq(own.chain(others)),
                "key {key}"
            );
        }
        let mut places: Vec<u32> = found.places.concat();
        places.sort_unstable();
        assert!(places.into_iter().eq(0..found.rows as u32));
        assert!(found.places[0].len() > 3 && found.places[4100].len() == 1);
    }
}

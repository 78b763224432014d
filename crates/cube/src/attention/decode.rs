//! Attention of one new token a sequence over a cache. The rows that a group shares are read once for all its members;
//! long runs are cut, and the parts joined, so that a few long sequences occupy the device as well as many short ones.

use cubecl::ir::ElemType;
use cubecl::prelude::*;
use toolrl_layout::{CacheSpans, DecodeRoom, Heads};

use super::forward::{ALL, Run, check_qkv, forward_tile};
use super::layout::{BLOCK, lanes};
use super::warps;
use crate::launch::{UNITS, divide, elementwise};
use crate::{Buffer, CubeError, Dtype, Indices, Runs};

/// Cached rows of a part. Parts are cut by position alone, so that a sequence's result does not depend on the others.
const PART: usize = 256;

/// Which parts of the cache each sequence of a decoding step sees, on a device: made once a step, used by all layers.
#[derive(Clone, Debug)]
pub struct DecodePlan {
    heads: Heads,
    room: DecodeRoom,
    runs: Runs,
    /// Parts seen by several sequences and by one, six numbers each, as the forward pass of attention takes them.
    shared: Indices,
    single: Indices,
    /// The most rows of queries of a shared part.
    shared_rows: usize,
    /// The sequence of each place; a part has one place for each of its members.
    members: Indices,
    /// The places of each sequence, in the order of its parts, and where each sequence's begin.
    places: Indices,
    starts: Indices,
}

impl DecodePlan {
    /// The plan of a step.
    ///
    /// # Errors
    /// [`CubeError::Layout`] for a sequence that sees nothing and for sizes of heads that do not fit,
    /// [`CubeError::SharedMemory`] for heads that are too wide for the device.
    pub fn new(client: &Client, spans: &[CacheSpans], heads: Heads) -> Result<Self, CubeError> {
        let parts = Parts::of(spans, together(client, heads)?);
        let members = parts.shared.iter().map(|part| part[1] as usize).max().unwrap_or(0);
        let room = DecodeRoom::of(spans, members);
        room.check(spans)?;
        let lens = [parts.shared.len() * BLOCK, parts.single.len() * BLOCK, parts.members.len()];
        let plan = Self::empty(client, heads, room, lens);
        plan.put(client, &parts);
        Ok(plan)
    }

    /// A plan of no spans, with room for others.
    ///
    /// # Errors
    /// As [`DecodePlan::new`].
    pub fn with_room(client: &Client, room: DecodeRoom, heads: Heads) -> Result<Self, CubeError> {
        let members = room.members.min(together(client, heads)?);
        let [shared, single] = [room.prefix, room.own].map(|rows| room.sequences * rows.div_ceil(PART));
        let room = DecodeRoom { members, ..room };
        let plan = Self::empty(client, heads, room, [shared * BLOCK, single * BLOCK, shared + single]);
        plan.put(client, &Parts::default());
        Ok(plan)
    }

    /// Writes the plan of other spans over this one.
    ///
    /// # Errors
    /// [`CubeError::Layout`] for spans that there is no room for, or that see nothing.
    pub fn write(&self, client: &Client, spans: &[CacheSpans]) -> Result<(), CubeError> {
        self.room.check(spans)?;
        self.put(client, &Parts::of(spans, self.room.members));
        Ok(())
    }

    /// The heads' sizes.
    pub fn heads(&self) -> Heads {
        self.heads
    }

    fn empty(client: &Client, heads: Heads, room: DecodeRoom, [shared, single, places]: [usize; 3]) -> Self {
        let runs = Runs::empty(client, &[shared, single, places, places, room.sequences + 1]);
        let [shared, single, members, places, starts] = [0, 1, 2, 3, 4].map(|run| runs.indices(run));
        let shared_rows = room.members * heads.group();
        Self { heads, room, runs, shared, single, shared_rows, members, places, starts }
    }

    fn put(&self, client: &Client, parts: &Parts) {
        let mut starts = vec![0];
        for sequence in 0..self.room.sequences {
            let places = parts.places.get(sequence).map_or(0, Vec::len);
            starts.push(starts[sequence] + places as u32);
        }
        let (shared, single) = (parts.shared.as_flattened(), parts.single.as_flattened());
        let places = parts.places.concat();
        self.runs.write(client, [shared, single, &parts.members, &places, &starts]);
    }
}

/// The most sequences of a group that one workgroup takes.
fn together(client: &Client, heads: Heads) -> Result<usize, CubeError> {
    heads.check()?;
    let most = forward_tile(client, heads, lanes(client, heads.dim), ALL)?.rows / heads.group();
    Ok(warps::together(client, heads).map_or(most, |together| together.min(most)))
}

/// Parts as they are found.
#[derive(Default)]
struct Parts {
    shared: Vec<[u32; BLOCK]>,
    single: Vec<[u32; BLOCK]>,
    members: Vec<u32>,
    places: Vec<Vec<u32>>,
}

impl Parts {
    /// The parts of a step, of which one that is shared has at most so many members.
    fn of(spans: &[CacheSpans], most: usize) -> Self {
        let mut parts = Self { places: vec![Vec::new(); spans.len()], ..Self::default() };
        let mut order: Vec<usize> = (0..spans.len()).collect();
        order.sort_by_key(|&i| spans[i].prefix);
        for same in order.chunk_by(|&a, &b| spans[a].prefix == spans[b].prefix) {
            for members in same.chunks(most.max(1)) {
                let part = parts.cut(members, spans[members[0]].prefix);
                parts.shared.extend(part);
            }
        }
        for (i, span) in spans.iter().enumerate() {
            let part = parts.cut(&[i], span.own);
            parts.single.extend(part);
        }
        parts
    }

    /// Cuts a run of cached rows, given as (start, len), that some sequences see.
    fn cut(&mut self, members: &[usize], (start, len): (usize, usize)) -> Vec<[u32; BLOCK]> {
        let of_part = |first: usize| {
            let rows = PART.min(len - first);
            let place = self.members.len();
            for (i, &member) in members.iter().enumerate() {
                self.members.push(member as u32);
                self.places[member].push((place + i) as u32);
            }
            [place, members.len(), 0, 0, start + first, rows].map(|n| n as u32)
        };
        (0..len).step_by(PART).map(of_part).collect()
    }
}

/// Attention of row i of the queries over the cached rows of the i-th spans of the plan, in their order, stored as the
/// queries are. Has no gradient.
///
/// # Shapes
/// `q_si` `[s, query heads * dim]`, the caches `[c, kv heads * dim]`.
///
/// # Cost
/// Reads each cached row that anything sees once for each group that shares it: the floor. `4 dim` operations and an
/// exponential for each query head and row that it sees. For each 256 rows of a run, a result in f32 is written and
/// read.
///
/// # Errors
/// [`CubeError::Length`], [`CubeError::Index`], [`CubeError::Size`] or [`CubeError::Storage`] when the buffers do not fit
/// the plan.
pub fn decode_attention(
    client: &Client,
    q_si: &Buffer,
    k_ci: &Buffer,
    v_ci: &Buffer,
    plan: &DecodePlan,
) -> Result<Buffer, CubeError> {
    let heads = plan.heads;
    let cached = divide("the width of a cached row", k_ci.len(), heads.kv * heads.dim)?;
    if cached < plan.room.rows {
        return Err(CubeError::Index { what: "cached row", value: plan.room.rows - 1, limit: cached });
    }
    check_qkv([q_si, k_ci, v_ci], plan.room.sequences, cached, heads)?;
    let (width, lanes) = (heads.query * heads.dim, lanes(client, heads.dim));
    let places = plan.members.len();
    let parts = Buffer::empty(client, places * width, Dtype::F32);
    let log_sums = Buffer::empty(client, places * heads.query, Dtype::F32);
    if warps::together(client, heads).is_some() && q_si.dtype() != Dtype::F32 {
        let counts = [&plan.shared, &plan.single].map(|blocks| blocks.len() / BLOCK);
        let of_plan = [&plan.shared, &plan.single, &plan.members].map(Indices::handle);
        let read = [[q_si, k_ci, v_ci].map(Buffer::handle), of_plan].concat();
        let written = [parts.handle(), log_sums.handle()];
        warps::launch(client, warps::Kernel::Decode, (heads, q_si.dtype()), counts, (&read, &written))?;
    } else {
        let members = Some(&plan.members);
        for (blocks, rows) in [(&plan.shared, plan.shared_rows), (&plan.single, heads.group())] {
            if !blocks.is_empty() {
                let tile = forward_tile(client, heads, lanes, rows)?;
                Run { blocks, members, heads, tile }.launch(client, [q_si, k_ci, v_ci], [&parts, &log_sums]);
            }
        }
    }
    let out = Buffer::empty(client, q_si.len(), q_si.dtype());
    let (count, dim) = elementwise(client, q_si.len() / lanes);
    // SAFETY: the kernel leaves out units beyond the end; places and starts are those of the plan.
    unsafe {
        join::launch_unchecked(
            client,
            count,
            dim,
            lanes,
            parts.arg(),
            log_sums.arg(),
            plan.places.arg(),
            plan.starts.arg(),
            out.arg(),
            heads.dim / lanes,
            heads.query,
            q_si.dtype().elem(),
        );
    }
    Ok(out)
}

/// A unit joins one vector of the parts of one query: their mean, weighted by their sums of e^score.
#[cube(launch_unchecked)]
fn join<F: Float, N: Size>(
    parts: &[Vector<f32, N>],
    log_sums: &[f32],
    places: &[u32],
    starts: &[u32],
    out: &mut [Vector<F, N>],
    #[comptime] dim: usize,
    #[comptime] query_heads: usize,
    #[define(F)] _storage: ElemType,
) {
    let at = CUBE_POS * comptime!(UNITS as usize) + UNIT_POS as usize;
    if at >= out.len() {
        terminate!();
    }
    let width = comptime!(query_heads * dim);
    let (sequence, column) = (at / width, at % width);
    let head = column / dim;
    let (start, end) = (starts[sequence], starts[sequence + 1]);
    if start == end {
        // It sees nothing.
        out[at] = Vector::cast_from(Vector::<f32, N>::new(0.0f32));
        terminate!();
    }
    let mut top = f32::new(-1e30);
    for i in start..end {
        top = max(top, log_sums[places[i as usize] as usize * query_heads + head]);
    }
    let mut sum = f32::new(0.0);
    let mut values = Vector::<f32, N>::new(0.0f32);
    for i in start..end {
        let place = places[i as usize] as usize;
        let weight = (log_sums[place * query_heads + head] - top).exp();
        sum += weight;
        values += Vector::new(weight) * parts[place * width + column];
    }
    out[at] = Vector::cast_from(values / Vector::new(sum));
}

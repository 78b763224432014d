//! Drawing a token from each row of logits, so that a decoding step hands the host ids and no logits.

use cubecl::ir::ElemType;
use cubecl::prelude::*;
use toolrl_layout::{Draws, Sampling};

use crate::launch::{divide, grid, plane_size, vector_size};
use crate::reduce::{team_max, team_sum, vector_total};
use crate::search::{Of, above, find, key_of, logit_of, measure, weights};
use crate::{Buffer, CubeError, Dtype, Indices};

/// The token of each row, on the device.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// Its id; `u32::MAX` where the logits hold a NaN, or their largest is infinite.
    pub token_n: Indices,
    /// Its log-probability, f32: see [`Draws`].
    pub logprob_n: Buffer,
}

impl Drawn {
    /// Ids and log-probabilities; waits for the device, once.
    ///
    /// # Errors
    /// [`CubeError::Device`] when a kernel that should have written them failed.
    pub fn read(&self, client: &Client) -> Result<Draws, CubeError> {
        let n = self.token_n.len();
        let handles = [self.token_n.handle(), self.logprob_n.handle()].map(Clone::clone);
        let both = client.read(handles.into())?;
        let [tokens, logprobs] = [0, 1].map(|i| both[i].as_chunks::<4>().0.iter().take(n));
        let token = |&bytes: &[u8; 4]| Some(u32::from_ne_bytes(bytes)).filter(|&token| token != u32::MAX);
        Ok(Draws {
            tokens: tokens.map(token).collect(),
            logprobs: logprobs.map(|&bytes| f32::from_ne_bytes(bytes)).collect(),
        })
    }
}

/// The most tokens of a vocabulary: f32 counts up to here.
const MOST_TOKENS: usize = 1 << 24;
/// Pieces of a row whose sums fit shared memory.
const PIECES: usize = 2048;

/// What is left out before the draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mode {
    /// All but the most probable token.
    Greedy,
    /// Nothing.
    Full,
    /// The least probable tokens.
    Truncated(Limits),
}

/// Which limits leave tokens out: what is off costs a kernel nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Limits {
    top_k: bool,
    top_p: bool,
    min_p: bool,
}

/// More tokens than there are with one logit.
const ALL_TIES: f64 = 1e8;

/// How a workgroup goes through a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Walk {
    /// Vectors of a row.
    pub vectors: usize,
    /// Units of the workgroup, each of which takes a vector of a piece.
    pub units: usize,
    /// See [`plane_size`].
    pub plane: u32,
}

impl Walk {
    /// Pieces of a row.
    pub fn pieces(self) -> usize {
        self.vectors.div_ceil(self.units)
    }
}

/// Draws a token from each row by inverting the cumulative distribution at the row's number: over all tokens in the
/// order of their ids, and where some are left out over the others from the most probable on, lower ids first on ties.
///
/// Sums are in f32: a number within some 1e-6 of where one token ends and the next begins may give either.
///
/// # Shapes
/// `logits_nv` `[n, v]`, and n numbers in [0, 1), f32. They come from the caller, so that a draw depends on neither the
/// batch nor the device: an f64 must be rounded down, not to 1.
///
/// # Cost
/// Reads the logits twice; with `top_k`, `top_p` or `min_p` some 20 times, from the cache, since the threshold of the draw
/// is found two bits at a time, and some 17 times more for each of `top_k` and `top_p`.
///
/// # Errors
/// [`CubeError::Setting`] for a temperature that is negative or not finite, a `top_p` outside of (0, 1] or a `min_p`
/// outside of [0, 1],
/// [`CubeError::Size`] or [`CubeError::Length`] when the buffers do not fit each other or there are more than 2^24
/// tokens.
pub fn sample(
    client: &Client,
    logits_nv: &Buffer,
    uniform_n: &Buffer,
    sampling: &Sampling,
) -> Result<Drawn, CubeError> {
    let rows = uniform_n.len();
    uniform_n.expect_dtype("the random numbers", Dtype::F32)?;
    let mode = mode(sampling)?;
    let draws =
        Drawn { token_n: Indices::empty(client, rows), logprob_n: Buffer::empty(client, rows, Dtype::F32) };
    if rows == 0 && logits_nv.is_empty() {
        return Ok(draws);
    }
    let vocabulary = divide("the number of random numbers", logits_nv.len(), rows)?;
    let lanes = vector_size(client, logits_nv.dtype().size(), &[vocabulary]);
    let most = client.properties().hardware.max_units_per_cube.clamp(1, 1024) as usize;
    let units = 1 << most.ilog2();
    let walk = Walk { vectors: vocabulary / lanes, units, plane: plane_size(client) };
    if vocabulary == 0 || vocabulary > MOST_TOKENS || walk.pieces() > PIECES {
        return Err(CubeError::Size { what: "the vocabulary", value: vocabulary, of: MOST_TOKENS });
    }
    // SAFETY: a workgroup takes one row and leaves out columns beyond its end.
    unsafe {
        draw::launch_unchecked(
            client,
            grid(client, rows),
            CubeDim::new_1d(units as u32),
            lanes,
            logits_nv.arg(),
            uniform_n.arg(),
            draws.token_n.arg(),
            draws.logprob_n.arg(),
            sampling.inverse_temperature(),
            sampling.top_k.min(MOST_TOKENS as u32) as f32,
            sampling.top_p,
            sampling.min_p_offset().max(f32::MIN),
            mode,
            walk,
            logits_nv.dtype().elem(),
        );
    }
    Ok(draws)
}

fn mode(sampling: &Sampling) -> Result<Mode, CubeError> {
    let Sampling { temperature, top_k, top_p, min_p } = *sampling;
    let in_range = [
        ("temperature", temperature, temperature.is_finite() && temperature >= 0.0),
        ("top_p", top_p, top_p > 0.0 && top_p <= 1.0),
        ("min_p", min_p, (0.0..=1.0).contains(&min_p)),
    ];
    if let Some(&(what, value, _)) = in_range.iter().find(|(_, _, is_in_range)| !is_in_range) {
        return Err(CubeError::Setting { what, value: f64::from(value) });
    }
    let limits = Limits { top_k: top_k > 0, top_p: top_p < 1.0, min_p: min_p > 0.0 };
    Ok(match sampling {
        greedy if greedy.is_greedy() => Mode::Greedy,
        limited if limited.truncates() => Mode::Truncated(limits),
        _ => Mode::Full,
    })
}

#[cube(launch_unchecked)]
fn draw<F: Float, N: Size>(
    logits: &[Vector<F, N>],
    uniform: &[f32],
    token: &mut [u32],
    logprob: &mut [f32],
    inverse_temperature: f32,
    top_k: f32,
    top_p: f32,
    min_p_offset: f32,
    #[comptime] mode: Mode,
    #[comptime] walk: Walk,
    #[define(F)] _storage: ElemType,
) {
    let mut scratch = Shared::<[f32]>::new_slice(walk.units);
    let mut pieces = Shared::<[f32]>::new_slice(comptime!(walk.pieces()));
    let row = CUBE_POS;
    if row >= token.len() {
        terminate!();
    }
    let start = row * comptime!(walk.vectors);
    let (units, plane) = comptime!((walk.units as u32, walk.plane));

    let mut best = f32::new(-1e38);
    let mut place = f32::new(0.0);
    let mut bad = f32::new(0.0);
    let mut column = UNIT_POS as usize;
    while column < walk.vectors {
        let z = Vector::<f32, N>::cast_from(logits[start + column]);
        #[unroll]
        for i in 0..N::value() {
            let bits = u32::reinterpret(z.extract(i)) & 0x7fff_ffff;
            // NaN, or infinity without its sign bit.
            if bits > 0x7f80_0000 || u32::reinterpret(z.extract(i)) == 0x7f80_0000 {
                bad = f32::new(1.0);
            }
            if z.extract(i) > best {
                best = z.extract(i);
                place = f32::cast_from((column * N::value() + i) as u32);
            }
        }
        column += walk.units;
    }
    let top = team_max(best, &mut scratch, units, plane);
    let bad = team_max(bad, &mut scratch, units, plane);
    let first = -team_max(select(best == top, -place, f32::new(-3e7)), &mut scratch, units, plane);
    let valid = bad == 0.0 && top > f32::new(-1e38);

    let mut sum = f32::new(0.0);
    for piece in 0..comptime!(walk.pieces()) {
        let column = piece * walk.units + UNIT_POS as usize;
        let mut mass = f32::new(0.0);
        if column < walk.vectors {
            let z = Vector::<f32, N>::cast_from(logits[start + column]);
            mass = vector_total(weights(z, top, inverse_temperature));
        }
        let mass = team_sum(mass, &mut scratch, units, plane);
        if UNIT_POS == 0 {
            pieces[piece] = mass;
        }
        sum += mass;
    }
    let total = sum;
    sync_cube();

    let mut drawn = u32::cast_from(first);
    let mut z = top;
    if comptime!(mode == Mode::Full) {
        let target = uniform[row] * total;
        drawn =
            find(logits, start, target, top, inverse_temperature, 0, &mut pieces, &mut scratch, false, walk);
        z = at(logits, start, drawn);
    }
    if let Mode::Truncated(limits) = comptime!(mode) {
        // Tokens whose keys reach `lowest` are kept, but of those that have it no more than `ties`.
        let mut lowest = 0u32;
        let mut ties = f32::new(ALL_TIES);
        let mut kept = total;
        if comptime!(limits.top_k) {
            lowest =
                above(logits, start, top_k, top, inverse_temperature, &mut scratch, false, Of::Count, walk);
            kept = measure(logits, start, lowest, top, inverse_temperature, &mut scratch, walk);
        }
        if comptime!(limits.top_p) {
            let wanted = top_p * kept;
            lowest =
                above(logits, start, wanted, top, inverse_temperature, &mut scratch, false, Of::Mass, walk);
            let mass = measure(logits, start, lowest + 1, top, inverse_temperature, &mut scratch, walk);
            let weight = weight_of(lowest, top, inverse_temperature);
            ties = max(((wanted - mass) / weight).ceil(), f32::new(1.0));
            kept = mass + ties * weight;
        }
        if comptime!(limits.min_p) {
            let least = key_of(top + min_p_offset);
            let mass = measure(logits, start, least, top, inverse_temperature, &mut scratch, walk);
            if least > lowest {
                lowest = least;
                ties = f32::new(ALL_TIES);
                kept = mass;
            }
        }
        let target = uniform[row] * kept;
        let reached =
            above(logits, start, target, top, inverse_temperature, &mut scratch, true, Of::Mass, walk);
        let key = max(reached, lowest);
        let mass = measure(logits, start, key + 1, top, inverse_temperature, &mut scratch, walk);
        let mut rank =
            max(((target - mass) / weight_of(key, top, inverse_temperature)).floor(), f32::new(0.0));
        if key == lowest {
            rank = min(rank, ties - f32::new(1.0));
        }
        drawn =
            find(logits, start, rank, top, inverse_temperature, key, &mut pieces, &mut scratch, true, walk);
        z = logit_of(key);
    }
    if UNIT_POS == 0 {
        token[row] = select(valid, drawn, u32::MAX.runtime());
        logprob[row] = (z - top) * inverse_temperature - total.ln();
    }
}

/// The logit of a token.
#[cube]
fn at<F: Float, N: Size>(logits: &[Vector<F, N>], start: usize, token: u32) -> f32 {
    let token = token as usize;
    let of_vector = Vector::<f32, N>::cast_from(logits[start + token / N::value()]);
    let mut z = of_vector.extract(0usize);
    #[unroll]
    for i in 1..N::value() {
        if token % N::value() == i {
            z = of_vector.extract(i);
        }
    }
    z
}

/// The weight of a logit, given its key.
#[cube]
fn weight_of(key: u32, top: f32, inverse_temperature: f32) -> f32 {
    max((logit_of(key) - top) * inverse_temperature, f32::new(-1e30)).exp()
}

//! What becomes of a layer's projections before attention over a cache, in one kernel.

use cubecl::ir::ElemType;
use cubecl::prelude::*;
use toolrl_layout::{Heads, NewRows, Projected};

use crate::launch::{divide, elementwise, vector_size};
use crate::{Angles, Buffer, CubeError, Indices};

/// Adds the biases, rotates queries and keys, and writes keys and values to the caches' rows: what
/// [`add_row`](crate::add_row), [`rope`](crate::rope()) and [`write_rows`](crate::write_rows) do one after the other,
/// with their roundings. Gives the queries.
///
/// # Arguments
/// - `table`: the angles of the s tokens.
/// - `at`: the caches' row of each.
///
/// # Shapes
/// The caches are `[c, kv heads * dim]`. No index below c stands twice in `at`; rows whose index is not are left out.
///
/// # Cost
/// Reads each row and writes it once.
///
/// # Errors
/// [`CubeError::Layout`], [`CubeError::Size`], [`CubeError::Length`] or [`CubeError::Storage`] when the shapes do not fit each other.
pub fn place(
    client: &Client,
    new: &NewRows<Buffer>,
    table: &Angles,
    at: &Indices,
    caches: [&Buffer; 2],
    heads: Heads,
) -> Result<Buffer, CubeError> {
    let (rows, half) = (at.len(), table.half);
    if 2 * half != heads.dim {
        return Err(CubeError::Size { what: "the table's half of a head", value: half, of: heads.dim });
    }
    table.check(rows)?;
    let [q, k, v] = check(new, rows, caches, heads)?;
    // A kernel is given something in place of biases that it does not read.
    let of = new.biases.as_ref().map_or([q; 3], |biases| biases.each_ref());
    let out = Buffer::empty(client, rows * heads.query * heads.dim, q.dtype());
    let size = q.dtype().size().max(of[0].dtype().size()).max(caches[0].dtype().size());
    let lanes = vector_size(client, size, &[half]);
    let (count, dim) = elementwise(client, rows * (heads.query + 2 * heads.kv) * half / lanes);
    let elems = [q.dtype().elem(), of[0].dtype().elem(), caches[0].dtype().elem()];
    // SAFETY: the kernel leaves out units beyond the last row, and rows beyond the caches; the rest is checked above.
    unsafe {
        placing::launch_unchecked(
            client,
            count,
            dim,
            lanes,
            q.arg(),
            k.arg(),
            v.arg(),
            of[0].arg(),
            of[1].arg(),
            of[2].arg(),
            table.cos.arg(),
            table.sin.arg(),
            at.arg(),
            out.arg(),
            caches[0].arg(),
            caches[1].arg(),
            half / lanes,
            heads,
            matches!(new.qkv, Projected::Joined(_)),
            new.biases.is_some(),
            elems,
        );
    }
    Ok(out)
}

/// Queries, keys and values, once everything fits; three times the same where they are joined.
fn check<'a>(
    new: &'a NewRows<Buffer>,
    rows: usize,
    caches: [&Buffer; 2],
    heads: Heads,
) -> Result<[&'a Buffer; 3], CubeError> {
    heads.check()?;
    let (queries, kv) = (heads.query * heads.dim, heads.kv * heads.dim);
    let alike = |what, buffer: &Buffer, len, like: &Buffer| {
        buffer.expect_len(what, len)?;
        buffer.expect_dtype(what, like.dtype())
    };
    let qkv = match &new.qkv {
        Projected::Apart([q, k, v]) => {
            q.expect_len("q", rows * queries)?;
            alike("k", k, rows * kv, q)?;
            alike("v", v, rows * kv, q)?;
            [q, k, v]
        }
        Projected::Joined(all) => {
            all.expect_len("q, k and v", rows * (queries + 2 * kv))?;
            [all; 3]
        }
    };
    for (what, cache) in [("the cache of keys", caches[0]), ("the cache of values", caches[1])] {
        divide(what, cache.len(), kv)?;
        alike(what, cache, caches[0].len(), caches[0])?;
    }
    if let Some([of_q, of_k, of_v]) = &new.biases {
        of_q.expect_len("q's bias", queries)?;
        alike("k's bias", of_k, kv, of_q)?;
        alike("v's bias", of_v, kv, of_q)?;
    }
    Ok(qkv)
}

/// A unit takes one vector of a head's first half with its partner of the second, of a query's head, a key's or a value's.
#[cube(launch_unchecked)]
fn placing<F: Float, W: Float, C: Float, N: Size>(
    q: &[Vector<F, N>],
    k: &[Vector<F, N>],
    v: &[Vector<F, N>],
    q_bias: &[Vector<W, N>],
    k_bias: &[Vector<W, N>],
    v_bias: &[Vector<W, N>],
    cos: &[Vector<f32, N>],
    sin: &[Vector<f32, N>],
    at: &[u32],
    out: &mut [Vector<F, N>],
    k_cache: &mut [Vector<C, N>],
    v_cache: &mut [Vector<C, N>],
    #[comptime] half: usize,
    #[comptime] heads: Heads,
    #[comptime] joined: bool,
    #[comptime] biased: bool,
    #[define(F, W, C)] _storage: [ElemType; 3],
) {
    let all = comptime!(heads.query + 2 * heads.kv);
    let of_queries = comptime!(heads.query * 2 * half);
    let width = comptime!(heads.kv * 2 * half);
    // From row to row of what comes in, and where keys and values begin in it.
    let (query_stride, stride) =
        comptime!(if joined { (all * 2 * half, all * 2 * half) } else { (of_queries, width) });
    let (keys, values) = comptime!(if joined { (of_queries, of_queries + width) } else { (0, 0) });
    let (column, head, row) =
        (ABSOLUTE_POS % half, ABSOLUTE_POS / half % all, ABSOLUTE_POS / comptime!(half * all));
    if row >= at.len() {
        terminate!();
    }
    let angle = row * half + column;
    let (cos, sin) = (cos[angle], sin[angle]);
    if head < heads.query {
        let within = head * comptime!(2 * half) + column;
        let (from, to) = (row * query_stride + within, row * of_queries + within);
        let a = with_bias(q, q_bias, from, within, biased);
        let b = with_bias(q, q_bias, from + half, within + half, biased);
        out[to] = Vector::cast_from(a * cos - b * sin);
        out[to + half] = Vector::cast_from(b * cos + a * sin);
    } else {
        let within = (head - heads.query) % comptime!(heads.kv) * comptime!(2 * half) + column;
        let cached = at[row] as usize;
        let target = cached * width + within;
        let there = cached < k_cache.len() / width;
        if there {
            if head < comptime!(heads.query + heads.kv) {
                let from = row * stride + keys + within;
                let a = with_bias(k, k_bias, from, within, biased);
                let b = with_bias(k, k_bias, from + half, within + half, biased);
                k_cache[target] = Vector::cast_from(Vector::<F, N>::cast_from(a * cos - b * sin));
                k_cache[target + half] = Vector::cast_from(Vector::<F, N>::cast_from(b * cos + a * sin));
            } else {
                let from = row * stride + values + within;
                let a = with_bias(v, v_bias, from, within, biased);
                let b = with_bias(v, v_bias, from + half, within + half, biased);
                v_cache[target] = Vector::cast_from(a);
                v_cache[target + half] = Vector::cast_from(b);
            }
        }
    }
}

/// A vector with its bias, rounded to how it is stored.
#[cube]
fn with_bias<F: Float, W: Float, N: Size>(
    x: &[Vector<F, N>],
    bias: &[Vector<W, N>],
    at: usize,
    column: usize,
    #[comptime] biased: bool,
) -> Vector<f32, N> {
    let mut value = Vector::<f32, N>::cast_from(x[at]);
    if comptime!(biased) {
        value =
            Vector::cast_from(Vector::<F, N>::cast_from(value + Vector::<f32, N>::cast_from(bias[column])));
    }
    value
}

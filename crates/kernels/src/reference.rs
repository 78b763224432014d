//! Each fused operation made of burn's plain operations: slower, and plainly right.

use burn::tensor::{Bool, Int, Tensor, TensorData, activation};

use crate::{CacheSpans, Heads, Packing, RopeTable};

/// As [`crate::linear`].
pub fn linear(x_ti: Tensor<2>, weight_oi: Tensor<2>) -> Tensor<2> {
    x_ti.matmul(weight_oi.transpose())
}

/// As [`crate::embedding`].
pub fn embedding(table_vi: Tensor<2>, ids: &[u32]) -> Tensor<2> {
    let ids: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
    let index = Tensor::<1, Int>::from_data(ids.as_slice(), &table_vi.device());
    table_vi.select(0, index)
}

/// As [`crate::rms_norm`].
pub fn rms_norm(x_ti: Tensor<2>, weight_i: Tensor<1>, eps: f32) -> Tensor<2> {
    let ([tokens, width], [part]) = (x_ti.dims(), weight_i.dims());
    let x = x_ti.reshape([tokens * width / part, part]);
    let mean = (x.clone() * x.clone()).mean_dim(1);
    (x / (mean + eps).sqrt() * weight_i.unsqueeze()).reshape([tokens, width])
}

/// As [`crate::rope()`].
pub fn rope(x_ti: Tensor<2>, table: &RopeTable, heads: usize) -> Tensor<2> {
    let ([tokens, width], half, device) = (x_ti.dims(), table.half(), x_ti.device());
    let (cos, sin): (Vec<_>, Vec<_>) = (0..tokens).map(|row| table.row(row)).unzip();
    let column = |rows: Vec<&[f32]>| {
        Tensor::<3>::from_data(TensorData::new(rows.concat(), [tokens, 1, half]), &device)
    };
    let (cos, sin) = (column(cos), column(sin));
    let x = x_ti.reshape([tokens, heads, 2 * half]);
    let (a, b) = (x.clone().narrow(2, 0, half), x.narrow(2, half, half));
    let first = a.clone() * cos.clone() - b.clone() * sin.clone();
    Tensor::cat(vec![first, b * cos + a * sin], 2).reshape([tokens, width])
}

/// As [`crate::swiglu`].
pub fn swiglu(gate_ti: Tensor<2>, up_ti: Tensor<2>) -> Tensor<2> {
    activation::silu(gate_ti) * up_ti
}

/// As [`crate::add_row`].
pub fn add_row(x_ti: Tensor<2>, row_i: Tensor<1>) -> Tensor<2> {
    x_ti + row_i.unsqueeze()
}

/// As [`crate::attention`]: all scores of all pairs, and a mask.
pub fn attention(
    q_ti: Tensor<2>,
    k_ti: Tensor<2>,
    v_ti: Tensor<2>,
    packing: &Packing,
    heads: Heads,
) -> Tensor<2> {
    let tokens = packing.tokens();
    let mut hidden = vec![true; tokens * tokens];
    for s in packing.segments() {
        for row in s.start..s.start + s.len {
            let seen = (s.prefix.0..s.prefix.0 + s.prefix.1).chain(s.start..=row);
            seen.for_each(|column| hidden[row * tokens + column] = false);
        }
    }
    let mask = Tensor::<2, Bool>::from_data(TensorData::new(hidden, [tokens, tokens]), &q_ti.device());
    let split = |x: Tensor<2>, n: usize| x.reshape([tokens, n, heads.dim]).swap_dims(0, 1);
    let repeat = |x: Tensor<2>| {
        // Without a repetition by one, whose gradient burn 0.23.0-pre.1 gets wrong on GPUs.
        if heads.group() == 1 {
            return split(x, heads.kv);
        }
        let x = split(x, heads.kv).reshape([heads.kv, 1, tokens, heads.dim]);
        x.repeat_dim(1, heads.group()).reshape([heads.query, tokens, heads.dim])
    };
    let scores = split(q_ti, heads.query).matmul(repeat(k_ti).swap_dims(1, 2)) * heads.scale();
    let weights = activation::softmax(scores.mask_fill(mask.unsqueeze(), f32::NEG_INFINITY), 2);
    weights.matmul(repeat(v_ti)).swap_dims(0, 1).reshape([tokens, heads.query * heads.dim])
}

/// As [`crate::logprob_entropy`]: all logits at once.
pub fn logprob_entropy(
    x_ni: Tensor<2>,
    weight_vi: Tensor<2>,
    targets: &[u32],
    inverse_temperature: f32,
) -> Tensor<2> {
    let n = targets.len();
    let ids: Vec<i64> = targets.iter().map(|&id| i64::from(id)).collect();
    let index = Tensor::<2, Int>::from_data(TensorData::new(ids, [n, 1]), &x_ni.device());
    let logp_nv = activation::log_softmax(linear(x_ni, weight_vi) * inverse_temperature, 1);
    let logp = logp_nv.clone().gather(1, index).reshape([1, n]);
    let entropy = (logp_nv.clone().exp() * logp_nv).sum_dim(1).neg().reshape([1, n]);
    Tensor::cat(vec![logp, entropy], 0)
}

/// As [`crate::decode_attention`]: each sequence packed by itself, its last row the new token's.
pub fn decode_attention(
    q_si: Tensor<2>,
    k_ci: Tensor<2>,
    v_ci: Tensor<2>,
    spans: &[CacheSpans],
    heads: Heads,
) -> Tensor<2> {
    let device = q_si.device();
    let rows = spans.iter().enumerate().map(|(i, spans)| {
        let seen: Vec<i64> = spans.rows().map(|r| r as i64).collect();
        let n = seen.len();
        let index = Tensor::<1, Int>::from_data(seen.as_slice(), &device);
        let (k, v) = (k_ci.clone().select(0, index.clone()), v_ci.clone().select(0, index));
        let q = q_si.clone().narrow(0, i, 1).repeat_dim(0, n);
        attention(q, k, v, &Packing::single(n), heads).narrow(0, n - 1, 1)
    });
    Tensor::cat(rows.collect(), 0)
}

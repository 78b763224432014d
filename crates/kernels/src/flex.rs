//! The fused operations on burn's CPU backend: tensors in, slices through [`crate::cpu`], tensors out.

use std::sync::Arc;

use burn::backend::Flex;
use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};

use crate::backend::{FusedGrads, FusedOps, Ids, SavedAttention};
use crate::cpu::attention::Qkv;
use crate::cpu::attention_grad::Saved;
use crate::cpu::gemm::{Mat, Threads, gemm};
use crate::cpu::head::Head;
use crate::cpu::{attention, attention_grad, decode, embedding, head, norm, rope, skinny, swiglu};
use crate::{CacheSpans, Heads, Packing, RopeTable};

/// The last dimension: how wide a row is.
fn width(t: &FlexTensor) -> usize {
    t.layout().shape().as_slice().last().copied().unwrap_or(1)
}

fn rows(t: &FlexTensor) -> usize {
    t.layout().num_elements() / width(t).max(1)
}

/// A contiguous f32 tensor's elements.
fn floats(t: &FlexTensor) -> &[f32] {
    t.storage::<f32>()
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape.into()), DType::F32)
}

fn like(values: Vec<f32>, t: &FlexTensor) -> FlexTensor {
    tensor(values, t.layout().shape().clone())
}

fn matrix(t: &FlexTensor) -> Mat<'_> {
    Mat::new(floats(t), rows(t), width(t), width(t))
}

fn product(lhs: Mat, rhs: Mat, rows: usize, cols: usize) -> FlexTensor {
    let mut out = vec![0.0; rows * cols];
    gemm(&mut out, cols, false, lhs, rhs, Threads::All);
    tensor(out, [rows, cols])
}

impl FusedOps for Flex {
    fn project(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let (rows, outputs) = (rows(&x), rows(&weight));
        if rows <= skinny::MAX_ROWS {
            return tensor(skinny::project(floats(&x), floats(&weight), width(&x)), [rows, outputs]);
        }
        product(matrix(&x), matrix(&weight).t(), rows, outputs)
    }

    fn gather_rows(table: FlexTensor, ids: Ids) -> FlexTensor {
        let (table, width) = (table.to_contiguous(), width(&table));
        tensor(embedding::gather(floats(&table), &ids, width), [ids.len(), width])
    }

    fn rms_norm(x: FlexTensor, weight: FlexTensor, eps: f32) -> FlexTensor {
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        like(norm::rms_norm(floats(&x), floats(&weight), eps), &x)
    }

    fn rope(x: FlexTensor, table: Arc<RopeTable>, heads: usize) -> FlexTensor {
        let x = x.to_contiguous();
        like(rope::rope(floats(&x), &table, heads, false), &x)
    }

    fn swiglu(gate: FlexTensor, up: FlexTensor) -> FlexTensor {
        let (gate, up) = (gate.to_contiguous(), up.to_contiguous());
        like(swiglu::swiglu(floats(&gate), floats(&up)), &gate)
    }

    fn packed_attention(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        packing: Arc<Packing>,
        heads: Heads,
    ) -> FlexTensor {
        Self::packed_attention_saving(q, k, v, packing, heads).0
    }

    fn logprob_entropy(
        x: FlexTensor,
        weight: FlexTensor,
        targets: Ids,
        inverse_temperature: f32,
    ) -> FlexTensor {
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let (mut logp, entropy) = head::logprob_entropy(head_of(&x, &weight, &targets, inverse_temperature));
        logp.extend(entropy);
        tensor(logp, [2, targets.len()])
    }

    fn decode_attention(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        spans: Arc<Vec<CacheSpans>>,
        heads: Heads,
    ) -> FlexTensor {
        let q = q.to_contiguous();
        like(decode::decode_attention(floats(&q), floats(&k), floats(&v), &spans, heads), &q)
    }

    fn write_rows(mut cache: FlexTensor, new: FlexTensor, at: Arc<Vec<usize>>) -> FlexTensor {
        let (new, width) = (new.to_contiguous(), width(&cache));
        decode::write_rows(cache.storage_mut(), floats(&new), &at, width);
        cache
    }
}

fn head_of<'a>(
    x: &'a FlexTensor,
    weight: &'a FlexTensor,
    targets: &'a [u32],
    inverse_temperature: f32,
) -> Head<'a> {
    Head { x: floats(x), weight: floats(weight), targets, width: width(x), inverse_temperature }
}

impl FusedGrads for Flex {
    fn project_grad(
        x: FlexTensor,
        weight: FlexTensor,
        grad: FlexTensor,
        wanted: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let (x, weight, grad) = (x.to_contiguous(), weight.to_contiguous(), grad.to_contiguous());
        let dx = wanted[0].then(|| product(matrix(&grad), matrix(&weight), rows(&x), width(&x)));
        let dw = wanted[1].then(|| product(matrix(&grad).t(), matrix(&x), rows(&weight), width(&weight)));
        [dx, dw]
    }

    fn gather_rows_grad(grad: FlexTensor, ids: Ids, rows: usize) -> FlexTensor {
        let (grad, width) = (grad.to_contiguous(), width(&grad));
        tensor(embedding::gather_grad(floats(&grad), &ids, rows, width), [rows, width])
    }

    fn rms_norm_grad(x: FlexTensor, weight: FlexTensor, grad: FlexTensor, eps: f32) -> [FlexTensor; 2] {
        let (x, weight, grad) = (x.to_contiguous(), weight.to_contiguous(), grad.to_contiguous());
        let (dx, dw) = norm::rms_norm_grad(floats(&x), floats(&weight), floats(&grad), eps);
        [like(dx, &x), like(dw, &weight)]
    }

    fn rope_grad(grad: FlexTensor, table: Arc<RopeTable>, heads: usize) -> FlexTensor {
        let grad = grad.to_contiguous();
        like(rope::rope(floats(&grad), &table, heads, true), &grad)
    }

    fn swiglu_grad(gate: FlexTensor, up: FlexTensor, grad: FlexTensor) -> [FlexTensor; 2] {
        let (gate, up, grad) = (gate.to_contiguous(), up.to_contiguous(), grad.to_contiguous());
        let (dgate, dup) = swiglu::swiglu_grad(floats(&gate), floats(&up), floats(&grad));
        [like(dgate, &gate), like(dup, &up)]
    }

    fn packed_attention_saving(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        packing: Arc<Packing>,
        heads: Heads,
    ) -> (FlexTensor, FlexTensor) {
        let (q, k, v) = (q.to_contiguous(), k.to_contiguous(), v.to_contiguous());
        let x = Qkv { q: floats(&q), k: floats(&k), v: floats(&v), heads };
        let (out, log_sum) = attention::attention(x, &packing);
        (like(out, &q), tensor(log_sum, [packing.tokens(), heads.query]))
    }

    fn packed_attention_grad(saved: SavedAttention<Self>, grad: FlexTensor) -> [FlexTensor; 3] {
        let [q, k, v] = saved.qkv.each_ref().map(FlexTensor::to_contiguous);
        let (out, log_sum, grad) =
            (saved.out.to_contiguous(), saved.log_sum.to_contiguous(), grad.to_contiguous());
        let x = Qkv { q: floats(&q), k: floats(&k), v: floats(&v), heads: saved.heads };
        let of = Saved { out: floats(&out), log_sum: floats(&log_sum), grad: floats(&grad) };
        let (dq, dk, dv) = attention_grad::attention_grad(x, of, &saved.packing);
        [like(dq, &q), like(dk, &k), like(dv, &v)]
    }

    fn logprob_entropy_grad(
        x: FlexTensor,
        weight: FlexTensor,
        targets: Ids,
        inverse_temperature: f32,
        grad: FlexTensor,
    ) -> [FlexTensor; 2] {
        let (x, weight, grad) = (x.to_contiguous(), weight.to_contiguous(), grad.to_contiguous());
        let (by_logp, by_entropy) = floats(&grad).split_at(targets.len());
        let head = head_of(&x, &weight, &targets, inverse_temperature);
        let (dx, dw) = head::logprob_entropy_grad(head, by_logp, by_entropy);
        [like(dx, &x), like(dw, &weight)]
    }
}

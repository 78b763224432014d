//! The backward passes.

use burn::backend::Flex;
use burn_flex::FlexTensor;

use super::head_of;
use super::tensor::{floats, like, of_numbers, rows, stored, tensor, width};
use crate::backend::{FusedGrads, SavedAttention, SavedHead};
use crate::{Heads, Ids, Mirrored, Packing, RopeTable, Rotation};
use toolrl_cpu::attention::Qkv;
use toolrl_cpu::attention_grad::Saved;
use toolrl_cpu::head::RowGrads;
use toolrl_cpu::{attention, attention_grad, bias, gemm, head, norm, rope, swiglu};

/// A gradient of a weight.
fn f32_like(values: Vec<f32>, weight: &FlexTensor) -> FlexTensor {
    tensor(values, weight.layout().shape().clone())
}

impl FusedGrads for Flex {
    fn project_grad(
        x: FlexTensor,
        weight: FlexTensor,
        grad: FlexTensor,
        wanted: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let (x, weight, grad) = (x.to_contiguous(), weight.to_contiguous(), grad.to_contiguous());
        let (outputs, width) = (rows(&weight), width(&weight));
        let dx = wanted[0].then(|| like(gemm::project_grad_x(stored(&grad), stored(&weight), width), &x));
        let dw = wanted[1].then(|| {
            let dw = gemm::project_grad_weight(stored(&x), stored(&grad), width, outputs);
            tensor(dw, [outputs, width])
        });
        [dx, dw]
    }

    fn rms_norm_grad(x: FlexTensor, weight: FlexTensor, grad: FlexTensor, eps: f32) -> [FlexTensor; 2] {
        let (x, weight, grad) = (x.to_contiguous(), weight.to_contiguous(), grad.to_contiguous());
        let (dx, dw) = norm::rms_norm_grad(stored(&x), stored(&weight), &floats(&grad), eps);
        [like(dx, &x), f32_like(dw, &weight)]
    }

    fn rope_grad(grad: FlexTensor, table: Mirrored<RopeTable>, heads: usize) -> FlexTensor {
        let grad = grad.to_contiguous();
        of_numbers(rope::rope(stored(&grad), &table, heads, Rotation::Backward), &grad)
    }

    fn swiglu_grad(gate: FlexTensor, up: FlexTensor, grad: FlexTensor) -> [FlexTensor; 2] {
        let (gate, up, grad) = (gate.to_contiguous(), up.to_contiguous(), grad.to_contiguous());
        let [dgate, dup] = swiglu::swiglu_grad(stored(&gate), stored(&up), &floats(&grad));
        [of_numbers(dgate, &gate), of_numbers(dup, &up)]
    }

    fn add_row_grad(grad: FlexTensor) -> FlexTensor {
        let (grad, width) = (grad.to_contiguous(), width(&grad));
        tensor(bias::add_row_grad(&floats(&grad), width), [width])
    }

    fn packed_attention_saving(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        packing: Mirrored<Packing>,
        heads: Heads,
    ) -> (FlexTensor, FlexTensor) {
        let (q, k, v) = (q.to_contiguous(), k.to_contiguous(), v.to_contiguous());
        let x = Qkv { q: stored(&q), k: stored(&k), v: stored(&v), heads };
        let (out, log_sum) = attention::attention(x, &packing);
        (like(out, &q), tensor(log_sum, [packing.tokens(), heads.query]))
    }

    fn packed_attention_grad(saved: SavedAttention<Self>, grad: FlexTensor) -> [FlexTensor; 3] {
        let [q, k, v] = saved.qkv.each_ref().map(FlexTensor::to_contiguous);
        let (out, log_sum, grad) =
            (saved.out.to_contiguous(), saved.log_sum.to_contiguous(), grad.to_contiguous());
        let x = Qkv { q: stored(&q), k: stored(&k), v: stored(&v), heads: saved.heads };
        let of = Saved { out: stored(&out), log_sum: &floats(&log_sum), grad: &floats(&grad) };
        let (dq, dk, dv) = attention_grad::attention_grad(x, of, &saved.packing);
        [like(dq, &q), like(dk, &k), like(dv, &v)]
    }

    fn logprob_entropy_saving(
        x: FlexTensor,
        weight: FlexTensor,
        targets: Ids,
        inverse_temperature: f32,
    ) -> (FlexTensor, Option<FlexTensor>) {
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        head_out(head::logprob_entropy(head_of(&x, &weight, &targets, inverse_temperature)))
    }

    fn logprob_entropy_grad(saved: SavedHead<Self>, grad: FlexTensor) -> [FlexTensor; 2] {
        let SavedHead { operands, out, mut probabilities, targets, inverse_temperature } = saved;
        let [x, weight] = operands.each_ref().map(FlexTensor::to_contiguous);
        let (grad, out) = (grad.to_contiguous(), out.to_contiguous());
        let (grad, out) = (floats(&grad), floats(&out));
        let ((by_logp, by_entropy), (_, entropy)) =
            (grad.split_at(targets.len()), out.split_at(targets.len()));
        let head = head_of(&x, &weight, &targets, inverse_temperature);
        let kept = probabilities.as_mut().map(FlexTensor::storage_mut);
        let (dx, dw) = head::logprob_entropy_grad(head, RowGrads { by_logp, by_entropy, entropy }, kept);
        [like(dx, &x), f32_like(dw, &weight)]
    }
}

/// The head's output, and the probabilities where they were kept.
pub(super) fn head_out(rows: head::Rows) -> (FlexTensor, Option<FlexTensor>) {
    let head::Rows { mut logp, entropy, probabilities } = rows;
    let n = logp.len();
    logp.extend(entropy);
    let kept = (!probabilities.is_empty()).then(|| {
        let vocabulary = probabilities.len() / n;
        tensor(probabilities, [n, vocabulary])
    });
    (tensor(logp, [2, n]), kept)
}

//! The backward passes.

use burn::tensor::DType;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use toolrl_cube::Attention;

use super::head;
use super::product::product;
use super::tensor::{buffer, contiguous, fits, like, stored, tensor, transposed, width};
use crate::backend::{FusedGrads, SavedAttention, SavedHead};
use crate::{Heads, Ids, Mirrored, Packing, RopeTable, Rotation};

impl FusedGrads for CubeBackend {
    fn project_grad(
        x: CubeTensor,
        weight: CubeTensor,
        grad: CubeTensor,
        wanted: [bool; 2],
    ) -> [Option<CubeTensor>; 2] {
        let dtype = x.dtype;
        let dx = wanted[0].then(|| product(grad.clone(), weight, dtype));
        let dw = wanted[1].then(|| product(transposed(grad), x, DType::F32));
        [dx, dw]
    }

    fn rms_norm_grad(x: CubeTensor, weight: CubeTensor, grad: CubeTensor, eps: f32) -> [CubeTensor; 2] {
        let grad = contiguous(stored(grad, x.dtype));
        let (x, weight) = (contiguous(x), contiguous(weight));
        let [dx, dw] =
            fits(toolrl_cube::rms_norm_grad(&x.client, &buffer(&x), &buffer(&weight), &buffer(&grad), eps));
        [like(&x, &dx), like(&weight, &dw)]
    }

    fn rope_grad(grad: CubeTensor, table: Mirrored<RopeTable>, heads: usize) -> CubeTensor {
        rotate(grad, &table, heads, Rotation::Backward)
    }

    fn swiglu_grad(gate: CubeTensor, up: CubeTensor, grad: CubeTensor) -> [CubeTensor; 2] {
        let grad = contiguous(stored(grad, gate.dtype));
        let (gate, up) = (contiguous(gate), contiguous(up));
        let grads = toolrl_cube::swiglu_grad(&gate.client, &buffer(&gate), &buffer(&up), &buffer(&grad));
        fits(grads).map(|d| like(&gate, &d))
    }

    fn add_row_grad(grad: CubeTensor) -> CubeTensor {
        let (width, grad) = (width(&grad), contiguous(grad));
        let out = fits(toolrl_cube::sum_rows(&grad.client, &buffer(&grad), width));
        tensor(&grad, &out, [width])
    }

    fn packed_attention_saving(
        q: CubeTensor,
        k: CubeTensor,
        v: CubeTensor,
        packing: Mirrored<Packing>,
        heads: Heads,
    ) -> (CubeTensor, CubeTensor) {
        let dtype = k.dtype;
        let [q, k, v] = [q, k, v].map(|t| contiguous(stored(t, dtype)));
        let layout = packing.layout_beside(&q, heads);
        let saved = fits(toolrl_cube::attention(&q.client, &buffer(&q), &buffer(&k), &buffer(&v), &layout));
        let log_sum = tensor(&q, &saved.log_sum, [packing.tokens(), heads.query]);
        (like(&q, &saved.out_ti), log_sum)
    }

    fn packed_attention_grad(saved: SavedAttention<Self>, grad: CubeTensor) -> [CubeTensor; 3] {
        let SavedAttention { qkv, out, log_sum, packing, heads } = saved;
        let [q, k, v] = qkv.map(contiguous);
        let grad = contiguous(stored(grad, q.dtype));
        let layout = packing.layout_beside(&q, heads);
        let saved = Attention { out_ti: buffer(&contiguous(out)), log_sum: buffer(&contiguous(log_sum)) };
        let qkv = [&q, &k, &v].map(buffer);
        let grads = toolrl_cube::attention_grad(&q.client, qkv.each_ref(), &saved, &buffer(&grad), &layout);
        let [dq, dk, dv] = fits(grads);
        [like(&q, &dq), like(&k, &dk), like(&v, &dv)]
    }

    fn logprob_entropy_saving(
        x: CubeTensor,
        weight: CubeTensor,
        targets: Ids,
        inverse_temperature: f32,
    ) -> (CubeTensor, Option<CubeTensor>) {
        (head::forward(&x, &weight, &targets, inverse_temperature), None)
    }

    fn logprob_entropy_grad(saved: SavedHead<Self>, grad: CubeTensor) -> [CubeTensor; 2] {
        head::backward(saved, grad)
    }
}

/// Rotates by the angles of a table, or back.
pub(super) fn rotate(
    x: CubeTensor,
    table: &Mirrored<RopeTable>,
    heads: usize,
    rotation: Rotation,
) -> CubeTensor {
    let x = contiguous(x);
    let angles = table.beside(&x);
    like(&x, &fits(toolrl_cube::rope(&x.client, &buffer(&x), &angles, heads, rotation)))
}

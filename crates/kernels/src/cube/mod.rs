//! The fused operations on burn's GPU backend, by the kernels of `toolrl-cube`, on any runtime of CubeCL. Matrix products
//! that those do not compute, in f32 and on other devices than NVIDIA's, are burn's own.
//!
//! Results are stored as the first operand is, gradients of weights in f32 whatever the weights are. In a product of a
//! bf16 and an f32 tensor the latter is rounded to bf16, so that tensor cores can multiply them; sums are f32.

mod copies;
mod grads;
mod head;
mod product;
mod step;
mod tensor;

use burn::backend::ops::FloatTensorOps;
use burn::tensor::DType;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use toolrl_cube::GatherOrder;

use crate::backend::{FusedGrads, FusedOps};
use crate::containers::{RowTensors, Tensors};
use crate::step::{ReplayedSteps, StepRoom};
use crate::{AdamWState, AdamWStep, CacheSpans, Heads, Ids, Mirrored, Packing, RopeTable, Rotation};
use product::product;
use tensor::{buffer, contiguous, fits, like, stored, tensor, transposed, width, writable};

pub(crate) use copies::Copies;

impl FusedOps for CubeBackend {
    fn project(x: CubeTensor, weight: CubeTensor) -> CubeTensor {
        let dtype = x.dtype;
        product(x, transposed(weight), dtype)
    }

    fn gather_rows(table: CubeTensor, ids: Ids) -> CubeTensor {
        let (ids, width) = (ids.beside(&table), width(&table));
        if !table.is_contiguous() {
            // A large table whose rows have gaps between them is better read as it is than copied.
            let (client, device, shape) = (table.client.clone(), table.device.clone(), [ids.len()].into());
            let ids = CubeTensor::new_contiguous(client, device, shape, ids.handle().clone(), DType::I32);
            return contiguous(CubeBackend::float_select(table, 0, ids));
        }
        let out = fits(toolrl_cube::gather_rows(&table.client, &buffer(&table), &ids, width));
        tensor(&table, &out, [ids.len(), width])
    }

    fn rms_norm(x: CubeTensor, weight: CubeTensor, eps: f32) -> CubeTensor {
        let (x, weight) = (contiguous(x), contiguous(weight));
        let out = fits(toolrl_cube::rms_norm(&x.client, &buffer(&x), &buffer(&weight), eps));
        like(&x, &out)
    }

    fn rope(x: CubeTensor, table: Mirrored<RopeTable>, heads: usize) -> CubeTensor {
        grads::rotate(x, &table, heads, Rotation::Forward)
    }

    fn swiglu(gate: CubeTensor, up: CubeTensor) -> CubeTensor {
        let (gate, up) = (contiguous(gate), contiguous(up));
        let out = fits(toolrl_cube::swiglu(&gate.client, &buffer(&gate), &buffer(&up)));
        like(&gate, &out)
    }

    fn add_row(x: CubeTensor, row: CubeTensor) -> CubeTensor {
        let (x, row) = (contiguous(x), contiguous(row));
        let out = fits(toolrl_cube::add_row(&x.client, &buffer(&x), &buffer(&row)));
        like(&x, &out)
    }

    fn packed_attention(
        q: CubeTensor,
        k: CubeTensor,
        v: CubeTensor,
        packing: Mirrored<Packing>,
        heads: Heads,
    ) -> CubeTensor {
        Self::packed_attention_saving(q, k, v, packing, heads).0
    }

    fn logprob_entropy(
        x: CubeTensor,
        weight: CubeTensor,
        targets: Ids,
        inverse_temperature: f32,
    ) -> CubeTensor {
        head::forward(&x, &weight, &targets, inverse_temperature)
    }

    fn decode_attention(
        q: CubeTensor,
        k: CubeTensor,
        v: CubeTensor,
        spans: Mirrored<Vec<CacheSpans>>,
        heads: Heads,
    ) -> CubeTensor {
        let dtype = q.dtype;
        let (q, k, v) = (contiguous(stored(q, k.dtype)), contiguous(k), contiguous(v));
        let plan = spans.plan_beside(&q, heads);
        let out =
            fits(toolrl_cube::decode_attention(&q.client, &buffer(&q), &buffer(&k), &buffer(&v), &plan));
        stored(like(&q, &out), dtype)
    }

    fn sum_by_id(rows: CubeTensor, ids: Ids, count: usize) -> CubeTensor {
        let (width, rows) = (width(&rows), contiguous(rows));
        let order = fits(GatherOrder::new(&rows.client, &ids, count));
        let out = fits(toolrl_cube::gather_rows_grad(&rows.client, &buffer(&rows), &order, width));
        tensor(&rows, &out, [count, width])
    }

    fn write_rows(cache: CubeTensor, new: CubeTensor, at: Ids) -> CubeTensor {
        let (cache, new) = (writable(contiguous(cache)), contiguous(new));
        let (at, width) = (at.beside(&cache), width(&cache));
        fits(toolrl_cube::write_rows(&cache.client, &buffer(&cache), &buffer(&new), &at, width));
        cache
    }

    fn norm(of: Tensors<Self>) -> f64 {
        let (client, buffers) = of.buffers();
        f64::from(fits(toolrl_cube::norm(&client, &buffers)))
    }

    fn checksums(of: Tensors<Self>) -> Vec<u32> {
        let (client, buffers) = of.buffers();
        fits(toolrl_cube::checksums(&client, &buffers))
    }

    fn add_rms_norm(x: CubeTensor, y: CubeTensor, weight: CubeTensor, eps: f32) -> (CubeTensor, CubeTensor) {
        let y = contiguous(stored(y, x.dtype));
        let (x, weight) = (contiguous(x), contiguous(weight));
        let both = toolrl_cube::add_rms_norm(&x.client, [&buffer(&x), &buffer(&y)], &buffer(&weight), eps);
        fits(both).map(|result| like(&x, &result)).into()
    }

    fn gated_project(x: CubeTensor, gate: CubeTensor, up: CubeTensor) -> CubeTensor {
        product::gated(&x, &gate, &up)
            .unwrap_or_else(|| Self::swiglu(Self::project(x.clone(), gate), Self::project(x, up)))
    }

    fn place(
        new: RowTensors<Self>,
        keys: CubeTensor,
        values: CubeTensor,
        table: Mirrored<RopeTable>,
        at: Ids,
        heads: Heads,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let new = new.0.map(contiguous, contiguous);
        let first = new.qkv.first().clone();
        let (table, at) = (table.beside(&first), at.beside(&first));
        let [keys, values] = [keys, values].map(|cache| writable(contiguous(cache)));
        let caches = [&keys, &values].map(buffer);
        let new = new.map(|t| buffer(&t), |t| buffer(&t));
        let q = fits(toolrl_cube::place(&first.client, &new, &table, &at, caches.each_ref(), heads));
        (tensor(&first, &q, [at.len(), heads.query * heads.dim]), keys, values)
    }

    fn adamw(
        param: CubeTensor,
        mean: CubeTensor,
        mean_square: CubeTensor,
        grad: CubeTensor,
        grad_scale: Mirrored<f32>,
        step: &AdamWStep,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let [param, mean, mean_square] = [param, mean, mean_square].map(|t| writable(contiguous(t)));
        let (grad, scale) = (contiguous(grad), grad_scale.beside(&param));
        let state =
            AdamWState { param: buffer(&param), mean: buffer(&mean), mean_square: buffer(&mean_square) };
        fits(toolrl_cube::adamw_step(&param.client, &state, &buffer(&grad), &scale, step));
        (param, mean, mean_square)
    }

    fn project_kernels(x: &CubeTensor, weight: &CubeTensor) -> Vec<String> {
        product::kernels(x.clone(), transposed(weight.clone()))
    }

    fn project_by(x: CubeTensor, weight: CubeTensor, kernel: usize) -> CubeTensor {
        let dtype = x.dtype;
        product::by_kernel(x, transposed(weight), dtype, kernel)
    }

    fn step_graph(beside: CubeTensor, room: &StepRoom) -> Option<Box<dyn ReplayedSteps>> {
        Some(Box::new(step::StepGraph::new(beside, room)))
    }
}

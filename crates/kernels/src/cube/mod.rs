//! The fused operations on burn's GPU backend, by the kernels of `toolrl-cube`, on any runtime of CubeCL. Matrix products
//! that those do not compute, in f32 and on other devices than NVIDIA's, are burn's own.
//!
//! Results are stored as the first operand is, gradients of weights in f32 whatever the weights are. In a product of a
//! bf16 and an f32 tensor the latter is rounded to bf16, so that tensor cores can multiply them; sums are f32.

mod decoding;
mod draw;
mod grads;
mod head;
mod optimizer;
mod product;
mod step;
mod tensor;
mod upload;

use std::sync::Arc;

use burn::backend::ops::FloatTensorOps;
use burn::tensor::DType;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use crate::backend::{FusedGrads, FusedOps, Ids};
use crate::{CacheSpans, Heads, Packing, RopeTable};
use product::product;
use tensor::{buffer, contiguous, fits, like, stored, tensor, transposed, width, writable};

pub(crate) use decoding::{add_rms_norm, holds, place};
pub(crate) use draw::draw;
pub(crate) use optimizer::{adamw, checksums, norm};
pub(crate) use product::{gated_linear, linear_kernels};
pub(crate) use step::StepGraph;

impl FusedOps for CubeBackend {
    fn project(x: CubeTensor, weight: CubeTensor) -> CubeTensor {
        let dtype = x.dtype;
        product(x, transposed(weight), dtype)
    }

    fn gather_rows(table: CubeTensor, ids: Ids) -> CubeTensor {
        let (ids, width) = (upload::ids(&ids, &table), width(&table));
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

    fn rope(x: CubeTensor, table: Arc<RopeTable>, heads: usize) -> CubeTensor {
        grads::rotate(x, &table, heads, toolrl_cube::Rotation::Forward)
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
        packing: Arc<Packing>,
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
        spans: Arc<Vec<CacheSpans>>,
        heads: Heads,
    ) -> CubeTensor {
        let dtype = q.dtype;
        let (q, k, v) = (contiguous(stored(q, k.dtype)), contiguous(k), contiguous(v));
        let plan = upload::plan(&spans, heads, &q);
        let out =
            fits(toolrl_cube::decode_attention(&q.client, &buffer(&q), &buffer(&k), &buffer(&v), &plan));
        stored(like(&q, &out), dtype)
    }

    fn sum_by_id(rows: CubeTensor, ids: Ids, count: usize) -> CubeTensor {
        Self::gather_rows_grad(rows, ids, count)
    }

    fn write_rows(cache: CubeTensor, new: CubeTensor, at: Arc<Vec<usize>>) -> CubeTensor {
        let (cache, new) = (writable(contiguous(cache)), contiguous(new));
        let (places, width) = (upload::places(&at, &cache), width(&cache));
        fits(toolrl_cube::write_rows(&cache.client, &buffer(&cache), &buffer(&new), &places, width));
        cache
    }
}

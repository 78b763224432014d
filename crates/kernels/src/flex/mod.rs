//! The fused operations on burn's CPU backend: tensors in, slices through [`toolrl_cpu`], tensors out.
//!
//! Results are stored as the first operand is, gradients of weights in f32 whatever the weights are.

mod grads;
mod tensor;

use burn::backend::Flex;
use burn_flex::FlexTensor;

use crate::backend::{FusedGrads, FusedOps};
use crate::containers::Tensors;
use crate::{CacheSpans, Heads, Ids, Mirrored, Packing, RopeTable, Rotation};
pub(super) use tensor::stored;
use tensor::{bf16_tensor, cast, floats, like, of_numbers, rows, stored_as, tensor, width};
use toolrl_cpu::decode::decode_attention;
use toolrl_cpu::head::Head;
use toolrl_cpu::numbers::Floats;
use toolrl_cpu::{bias, checksum, decode, embedding, gemm, head, norm, rope, skinny, swiglu};

impl FusedOps for Flex {
    fn project(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let project = if rows(&x) <= skinny::MAX_ROWS { skinny::project } else { gemm::project };
        let out = project(stored(&x), stored(&weight), width(&x));
        stored_as(&x, out, [rows(&x), rows(&weight)])
    }

    fn gather_rows(table: FlexTensor, ids: Ids) -> FlexTensor {
        let (table, width) = (table.to_contiguous(), width(&table));
        let shape = [ids.len(), width];
        match stored(&table) {
            Floats::F32(table) => tensor(embedding::gather(table, &ids, width), shape),
            Floats::Bf16(table) => bf16_tensor(embedding::gather(table, &ids, width), shape),
        }
    }

    fn rms_norm(x: FlexTensor, weight: FlexTensor, eps: f32) -> FlexTensor {
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        of_numbers(norm::rms_norm(stored(&x), stored(&weight), eps), &x)
    }

    fn rope(x: FlexTensor, table: Mirrored<RopeTable>, heads: usize) -> FlexTensor {
        let x = x.to_contiguous();
        of_numbers(rope::rope(stored(&x), &table, heads, Rotation::Forward), &x)
    }

    fn swiglu(gate: FlexTensor, up: FlexTensor) -> FlexTensor {
        let (gate, up) = (gate.to_contiguous(), up.to_contiguous());
        of_numbers(swiglu::swiglu(stored(&gate), stored(&up)), &gate)
    }

    fn add_row(x: FlexTensor, row: FlexTensor) -> FlexTensor {
        let (x, row) = (x.to_contiguous(), row.to_contiguous());
        like(bias::add_row(&floats(&x), stored(&row)), &x)
    }

    fn packed_attention(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        packing: Mirrored<Packing>,
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
        grads::head_out(head::logprob_entropy(head_of(&x, &weight, &targets, inverse_temperature))).0
    }

    fn decode_attention(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        spans: Mirrored<Vec<CacheSpans>>,
        heads: Heads,
    ) -> FlexTensor {
        let q = q.to_contiguous();
        let rows = floats(&q);
        let out = decode_attention(&rows, [stored(&k), stored(&v)], &spans, heads);
        like(out, &q)
    }

    fn sum_by_id(rows: FlexTensor, ids: Ids, count: usize) -> FlexTensor {
        let (rows, width) = (rows.to_contiguous(), width(&rows));
        tensor(embedding::gather_grad(&floats(&rows), &ids, count, width), [count, width])
    }

    fn write_rows(mut cache: FlexTensor, new: FlexTensor, at: Ids) -> FlexTensor {
        let width = width(&cache);
        match stored(&cast(new, cache.dtype())) {
            Floats::F32(new) => decode::write_rows(cache.storage_mut(), new, &at, width),
            Floats::Bf16(new) => decode::write_rows(cache.storage_mut(), new, &at, width),
        }
        cache
    }

    fn norm(of: Tensors<Self>) -> f64 {
        let squares = |t: &FlexTensor| -> f64 {
            floats(&t.to_contiguous()).iter().map(|&x| f64::from(x).powi(2)).sum()
        };
        of.0.iter().map(squares).sum::<f64>().sqrt()
    }

    fn checksums(of: Tensors<Self>) -> Vec<u32> {
        of.0.iter().map(|t| checksum::checksum(&floats(&t.to_contiguous()))).collect()
    }
}

pub(super) fn head_of<'a>(
    x: &'a FlexTensor,
    weight: &'a FlexTensor,
    targets: &'a [u32],
    inverse_temperature: f32,
) -> Head<'a> {
    Head { x: stored(x), weight: stored(weight), targets, width: width(weight), inverse_temperature }
}

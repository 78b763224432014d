//! The fused operations' place in burn's autodiff graph: what each keeps, and its backward step.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, TensorMetadata};

use crate::backend::{FusedGrads, FusedOps, SavedAttention, SavedHead};
use crate::containers::Tensors;
use crate::{CacheSpans, Heads, Ids, Mirrored, Packing, RopeTable};

/// Declares a backward step: its name, number of inputs, state, and the gradients by input.
macro_rules! backward {
    ($name:ident<$b:ident>, $n:literal, $state:ty, |$saved:ident, $grad:ident, $parents:ident| $grads:expr) => {
        #[derive(Debug)]
        struct $name;
        impl<$b: FusedOps + FusedGrads> Backward<$b, $n> for $name {
            type State = $state;
            fn backward(self, ops: Ops<Self::State, $n>, grads: &mut Gradients, _: &mut Checkpointer) {
                let ($saved, $grad, $parents) = (ops.state, grads.consume::<$b>(&ops.node), ops.parents);
                let by_input: [Option<FloatTensor<$b>>; $n] = $grads;
                for (parent, grad) in $parents.into_iter().zip(by_input) {
                    if let (Some(parent), Some(grad)) = (parent, grad) {
                        grads.register::<$b>(parent.id, grad);
                    }
                }
            }
        }
    };
}

type Pair<B> = (FloatTensor<B>, FloatTensor<B>);

backward!(Project<B>, 2, Pair<B>, |saved, grad, parents| {
    B::project_grad(saved.0, saved.1, grad, parents.each_ref().map(Option::is_some))
});
backward!(GatherRows<B>, 1, (Ids, usize), |saved, grad, parents| {
    [Some(B::sum_by_id(grad, saved.0, saved.1))]
});
backward!(RmsNorm<B>, 2, (Pair<B>, f32), |saved, grad, parents| {
    let ((x, weight), eps) = saved;
    B::rms_norm_grad(x, weight, grad, eps).map(Some)
});
backward!(Rope<B>, 1, (Mirrored<RopeTable>, usize), |saved, grad, parents| {
    [Some(B::rope_grad(grad, saved.0, saved.1))]
});
backward!(SwiGlu<B>, 2, Pair<B>, |saved, grad, parents| B::swiglu_grad(saved.0, saved.1, grad).map(Some));
backward!(AddRow<B>, 2, (), |_saved, grad, parents| {
    let row = parents[1].is_some().then(|| B::add_row_grad(grad.clone()));
    [Some(grad), row]
});
backward!(Attention<B>, 3, SavedAttention<B>, |saved, grad, parents| {
    B::packed_attention_grad(saved, grad).map(Some)
});
backward!(LogprobEntropy<B>, 2, SavedHead<B>, |saved, grad, parents| {
    B::logprob_entropy_grad(saved, grad).map(Some)
});

impl<B: FusedOps + FusedGrads, C: CheckpointStrategy> FusedOps for Autodiff<B, C> {
    fn project(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let out = B::project(x.clone(), weight.clone());
        match Project.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, weight), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn gather_rows(table: FloatTensor<Self>, ids: Ids) -> FloatTensor<Self> {
        let (table, node) = table.into_parts();
        let rows = table.shape()[0];
        let out = B::gather_rows(table, ids.clone());
        match Backward::<B, 1>::prepare::<C>(GatherRows, [node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((ids, rows), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f32) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let out = B::rms_norm(x.clone(), weight.clone(), eps);
        match RmsNorm.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(((x, weight), eps), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn rope(x: FloatTensor<Self>, table: Mirrored<RopeTable>, heads: usize) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let out = B::rope(x, table.clone(), heads);
        match Backward::<B, 1>::prepare::<C>(Rope, [node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((table, heads), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((gate, gate_node), (up, up_node)) = (gate.into_parts(), up.into_parts());
        let out = B::swiglu(gate.clone(), up.clone());
        match SwiGlu.prepare::<C>([gate_node, up_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((gate, up), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn add_row(x: FloatTensor<Self>, row: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((x, x_node), (row, row_node)) = (x.into_parts(), row.into_parts());
        let out = B::add_row(x, row);
        match AddRow.prepare::<C>([x_node, row_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn packed_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        packing: Mirrored<Packing>,
        heads: Heads,
    ) -> FloatTensor<Self> {
        let ((q, q_node), (k, k_node), (v, v_node)) = (q.into_parts(), k.into_parts(), v.into_parts());
        let (out, log_sum) =
            B::packed_attention_saving(q.clone(), k.clone(), v.clone(), packing.clone(), heads);
        match Attention.prepare::<C>([q_node, k_node, v_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let saved = SavedAttention { qkv: [q, k, v], out: out.clone(), log_sum, packing, heads };
                prep.finish(saved, out)
            }
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn logprob_entropy(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        targets: Ids,
        inverse_temperature: f32,
    ) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let prep = LogprobEntropy.prepare::<C>([x_node, weight_node]).compute_bound().stateful();
        match prep {
            OpsKind::Tracked(prep) => {
                let operands = [x.clone(), weight.clone()];
                let (out, probabilities) =
                    B::logprob_entropy_saving(x, weight, targets.clone(), inverse_temperature);
                let saved =
                    SavedHead { operands, out: out.clone(), probabilities, targets, inverse_temperature };
                prep.finish(saved, out)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::logprob_entropy(x, weight, targets, inverse_temperature))
            }
        }
    }

    fn decode_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        spans: Mirrored<Vec<CacheSpans>>,
        heads: Heads,
    ) -> FloatTensor<Self> {
        let [q, k, v] = [q, k, v].map(|t| t.into_parts().0);
        Self::FloatTensorPrimitive::new(B::decode_attention(q, k, v, spans, heads))
    }

    fn sum_by_id(rows: FloatTensor<Self>, ids: Ids, count: usize) -> FloatTensor<Self> {
        Self::FloatTensorPrimitive::new(B::sum_by_id(rows.into_parts().0, ids, count))
    }

    fn write_rows(cache: FloatTensor<Self>, new: FloatTensor<Self>, at: Ids) -> FloatTensor<Self> {
        let [cache, new] = [cache, new].map(|t| t.into_parts().0);
        Self::FloatTensorPrimitive::new(B::write_rows(cache, new, at))
    }

    fn norm(of: Tensors<Self>) -> f64 {
        B::norm(without_gradients(of))
    }

    fn checksums(of: Tensors<Self>) -> Vec<u32> {
        B::checksums(without_gradients(of))
    }
}

fn without_gradients<B: Backend, C: CheckpointStrategy>(of: Tensors<Autodiff<B, C>>) -> Tensors<B> {
    Tensors(of.0.into_iter().map(|t| t.into_parts().0).collect())
}

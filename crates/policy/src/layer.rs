//! One layer: attention and feed-forward, each with its norm before, and in Gemma 3 behind too.

use burn::module::{Module, Param};
use burn::tensor::{Device, FloatDType, Tensor};
use toolrl_kernels::{
    Ids, Mirrored, RopeTable, add_row, embedding, gated_linear, linear, rms_norm, rope, swiglu,
};

use crate::Precision;
use crate::decoder::Constants;
use crate::geglu::geglu;
use crate::lora::Lora;

/// A weight with an optional bias and an optional adapter.
#[derive(Module, Debug)]
pub(crate) struct Linear {
    /// `[out, in]`.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// Trained in the weight's stead, where there is one.
    pub lora: Option<Lora>,
}

impl Linear {
    /// With weight and bias 0.
    pub(crate) fn zeros(inputs: usize, outputs: usize, precision: Precision, device: &Device) -> Self {
        let weight = precision.tensor(vec![0.0; outputs * inputs], [outputs, inputs], device);
        let bias = precision.tensor(vec![0.0; outputs], [outputs], device);
        Self { weight: Param::from_tensor(weight), bias: Some(Param::from_tensor(bias)), lora: None }
    }

    pub(crate) fn forward(&self, x_ti: Tensor<2>) -> Tensor<2> {
        let y = linear(x_ti.clone(), self.weight.val());
        let y = match &self.bias {
            Some(bias) => add_row(y, bias.val()),
            None => y,
        };
        match &self.lora {
            Some(lora) => y + lora.forward(x_ti),
            None => y,
        }
    }
}

/// The weight of an RMSNorm.
#[derive(Module, Debug)]
pub(crate) struct Norm {
    pub weight: Param<Tensor<1>>,
    /// Whether 1 is added to it, as in Gemma.
    #[module(skip)]
    pub from_one: bool,
}

impl Norm {
    pub(crate) fn forward(&self, x_ti: Tensor<2>, eps: f32) -> Tensor<2> {
        rms_norm(x_ti, self.factors(), eps)
    }

    /// What normalised numbers are multiplied by. The sum with 1 is made in f32, as it has few digits in bf16.
    pub(crate) fn factors(&self) -> Tensor<1> {
        let weight = self.weight.val();
        if self.from_one { weight.cast(FloatDType::F32) + 1.0 } else { weight }
    }
}

/// Grouped-query attention's projections.
#[derive(Module, Debug)]
pub(crate) struct Attention {
    pub q_proj: Linear,
    pub k_proj: Linear,
    pub v_proj: Linear,
    pub o_proj: Linear,
    /// Qwen3 and Gemma 3 alone.
    pub q_norm: Option<Norm>,
    pub k_norm: Option<Norm>,
}

/// The gated feed-forward layer.
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    pub gate_proj: Linear,
    pub up_proj: Linear,
    pub down_proj: Linear,
    /// Whether the gate is GELU and not SiLU.
    #[module(skip)]
    pub gelu: bool,
}

/// One layer.
#[derive(Module, Debug)]
pub(crate) struct Layer {
    pub self_attn: Attention,
    pub mlp: Mlp,
    pub input_layernorm: Norm,
    /// Before the feed-forward; in Gemma 3 what it says, and what follows is around the feed-forward.
    pub post_attention_layernorm: Norm,
    pub pre_feedforward_layernorm: Option<Norm>,
    pub post_feedforward_layernorm: Option<Norm>,
}

impl Layer {
    /// `attend(q, k, v)` says how tokens see each other. The result is of `rows` alone, where they are named: the
    /// other tokens only have keys and values then. Without a table nothing is rotated.
    pub(crate) fn forward(
        &self,
        x: Tensor<2>,
        table: Option<&Mirrored<RopeTable>>,
        c: &Constants,
        rows: Option<&Ids>,
        attend: impl FnOnce(Tensor<2>, Tensor<2>, Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        let normed = self.input_layernorm.forward(x.clone(), c.eps);
        let (q, k, v) = self.self_attn.project(normed, table, c);
        let of_rows = |x: Tensor<2>| match rows {
            Some(rows) => rows_of(x, rows),
            None => x,
        };
        let attended = of_rows(attend(q, k, v));
        let x = of_rows(x) + self.after_attention(self.self_attn.o_proj.forward(attended), c);
        let normed = self.before_mlp().forward(x.clone(), c.eps);
        x + self.after_mlp(self.mlp.forward(normed), c)
    }

    /// The norm before the feed-forward.
    pub(crate) fn before_mlp(&self) -> &Norm {
        self.pre_feedforward_layernorm.as_ref().unwrap_or(&self.post_attention_layernorm)
    }

    /// What attention's output adds to the residual stream.
    pub(crate) fn after_attention(&self, y: Tensor<2>, c: &Constants) -> Tensor<2> {
        match &self.pre_feedforward_layernorm {
            Some(_) => self.post_attention_layernorm.forward(y, c.eps),
            None => times(y, c.multipliers.residual),
        }
    }

    /// What the feed-forward's output adds to it.
    pub(crate) fn after_mlp(&self, y: Tensor<2>, c: &Constants) -> Tensor<2> {
        match &self.post_feedforward_layernorm {
            Some(norm) => norm.forward(y, c.eps),
            None => times(y, c.multipliers.residual),
        }
    }
}

/// Some rows, whose gradient is stored as they are. (That of a table's rows is f32.)
fn rows_of(x_ti: Tensor<2>, rows: &Ids) -> Tensor<2> {
    let stored = FloatDType::from(x_ti.dtype());
    embedding(x_ti.cast(FloatDType::F32), rows.clone()).cast(stored)
}

/// `x` times a factor, as it is where that is 1. The product is made in f32, as a factor in bf16 would be another.
pub(crate) fn times(x: Tensor<2>, factor: f32) -> Tensor<2> {
    if factor == 1.0 {
        return x;
    }
    let stored = FloatDType::from(x.dtype());
    (x.cast(FloatDType::F32) * factor).cast(stored)
}

impl Attention {
    /// Queries, keys and values, rotated where there is a table.
    fn project(
        &self,
        x: Tensor<2>,
        table: Option<&Mirrored<RopeTable>>,
        c: &Constants,
    ) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
        let [q, k, v] = self.projected(x, c.eps);
        let rotated = |x: Tensor<2>, heads| match table {
            Some(table) => rope(x, table.clone(), heads),
            None => x,
        };
        (times(rotated(q, c.heads.query), c.multipliers.queries), rotated(k, c.heads.kv), v)
    }

    /// Queries, keys and values before they are rotated.
    pub(crate) fn projected(&self, x: Tensor<2>, eps: f32) -> [Tensor<2>; 3] {
        let normed = |x: Tensor<2>, norm: &Option<Norm>| match norm {
            Some(norm) => norm.forward(x, eps),
            None => x,
        };
        let q = normed(self.q_proj.forward(x.clone()), &self.q_norm);
        let k = normed(self.k_proj.forward(x.clone()), &self.k_norm);
        [q, k, self.v_proj.forward(x)]
    }
}

impl Mlp {
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (gate, up) = (self.gate_proj.forward(x.clone()), self.up_proj.forward(x));
        self.down_proj.forward(if self.gelu { geglu(gate, up) } else { swiglu(gate, up) })
    }

    /// As [`Self::forward`], of a decoding step's few tokens.
    pub(crate) fn decode(&self, x: Tensor<2>) -> Tensor<2> {
        let plain = |projection: &Linear| projection.bias.is_none() && projection.lora.is_none();
        if self.gelu || !plain(&self.gate_proj) || !plain(&self.up_proj) {
            return self.forward(x);
        }
        self.down_proj.forward(gated_linear(x, self.gate_proj.weight.val(), self.up_proj.weight.val()))
    }
}

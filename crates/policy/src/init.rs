//! Where a decoder's parameters come from: one walk over the tree, for files and for fresh weights.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::decoder::{Backbone, Constants, Decoder, Embedding};
use crate::layer::{Attention, Layer, Linear, Mlp, Norm};
use crate::precision::data;
use crate::{Architecture, ModelConfig, Precision};

/// Gives the values of each parameter, asked for by name and shape.
pub(crate) trait Source {
    /// Row-major values of that shape, f32 or bf16. `None` where there are none: the caller of [`build`] then
    /// drops what was built.
    fn values(&mut self, name: &str, shape: &[usize]) -> Option<TensorData>;
}

/// Builds a decoder, asking `source` for every parameter.
pub(crate) fn build(config: &ModelConfig, source: &mut dyn Source, device: &Device) -> Decoder {
    let mut build = Build { config, source, device };
    let embed_tokens = build.embedding("model.embed_tokens");
    let layers = (0..config.layers).map(|i| build.layer(&format!("model.layers.{i}"))).collect();
    let norm = build.norm("model.norm", config.hidden_size);
    let own_head = !config.tie_word_embeddings && !config.value_head;
    let lm_head = own_head.then(|| build.embedding("lm_head"));
    let score = config.value_head.then(|| build.linear("score", config.hidden_size, 1, true));
    let model = Backbone { embed_tokens, layers, norm };
    Decoder { model, lm_head, score, constants: Constants::new(config) }
}

/// Has no values.
pub(crate) struct Nothing;

impl Source for Nothing {
    fn values(&mut self, _: &str, _: &[usize]) -> Option<TensorData> {
        None
    }
}

/// Weights that mean nothing: ones for norms, zeros for biases, and the same small numbers again and again else.
pub(crate) struct Noise {
    precision: Precision,
    numbers: Vec<f32>,
}

impl Noise {
    pub(crate) fn new(precision: Precision) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        // A prime many, so that rows begin at different ones.
        let numbers = (0..1_000_003).map(|_| rng.random_range(-0.03..0.03)).collect();
        Self { precision, numbers }
    }
}

impl Source for Noise {
    fn values(&mut self, name: &str, shape: &[usize]) -> Option<TensorData> {
        let n = shape.iter().product();
        let values = match shape.len() {
            1 => vec![if name.ends_with(".bias") { 0.0 } else { 1.0 }; n],
            _ => self.numbers.iter().copied().cycle().take(n).collect(),
        };
        Some(data(self.precision.numbers(values.into()), shape.to_vec()))
    }
}

struct Build<'a> {
    config: &'a ModelConfig,
    source: &'a mut dyn Source,
    device: &'a Device,
}

impl Build<'_> {
    fn param<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Param<Tensor<D>> {
        // Without values small, whatever size the configuration claims.
        let empty = || TensorData::new(vec![0.0f32], [1; D]);
        let data = self.source.values(name, &shape).unwrap_or_else(empty);
        let dtype = data.dtype();
        Param::from_tensor(Tensor::from_data(data, (self.device, dtype)))
    }

    fn embedding(&mut self, name: &str) -> Embedding {
        let shape = [self.config.vocab_size, self.config.hidden_size];
        Embedding { weight: self.param(&format!("{name}.weight"), shape) }
    }

    fn norm(&mut self, name: &str, width: usize) -> Norm {
        let from_one = self.config.architecture == Architecture::Gemma3;
        Norm { weight: self.param(&format!("{name}.weight"), [width]), from_one }
    }

    fn linear(&mut self, name: &str, input: usize, output: usize, bias: bool) -> Linear {
        let weight = self.param(&format!("{name}.weight"), [output, input]);
        let bias = bias.then(|| self.param(&format!("{name}.bias"), [output]));
        Linear { weight, bias, lora: None }
    }

    fn attention(&mut self, name: &str) -> Attention {
        let (c, heads) = (self.config, self.config.heads);
        let (hidden, query, kv) = (c.hidden_size, heads.query * heads.dim, heads.kv * heads.dim);
        let normed = c.architecture.norms_heads();
        Attention {
            q_proj: self.linear(&format!("{name}.q_proj"), hidden, query, c.qkv_bias),
            k_proj: self.linear(&format!("{name}.k_proj"), hidden, kv, c.qkv_bias),
            v_proj: self.linear(&format!("{name}.v_proj"), hidden, kv, c.qkv_bias),
            o_proj: self.linear(&format!("{name}.o_proj"), query, hidden, c.output_bias),
            q_norm: normed.then(|| self.norm(&format!("{name}.q_norm"), heads.dim)),
            k_norm: normed.then(|| self.norm(&format!("{name}.k_norm"), heads.dim)),
        }
    }

    fn layer(&mut self, name: &str) -> Layer {
        let (hidden, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let mlp = format!("{name}.mlp");
        let gemma = self.config.architecture == Architecture::Gemma3;
        Layer {
            self_attn: self.attention(&format!("{name}.self_attn")),
            mlp: Mlp {
                gate_proj: self.linear(&format!("{mlp}.gate_proj"), hidden, inner, false),
                up_proj: self.linear(&format!("{mlp}.up_proj"), hidden, inner, false),
                down_proj: self.linear(&format!("{mlp}.down_proj"), inner, hidden, false),
                gelu: gemma,
            },
            input_layernorm: self.norm(&format!("{name}.input_layernorm"), hidden),
            post_attention_layernorm: self.norm(&format!("{name}.post_attention_layernorm"), hidden),
            pre_feedforward_layernorm: gemma
                .then(|| self.norm(&format!("{name}.pre_feedforward_layernorm"), hidden)),
            post_feedforward_layernorm: gemma
                .then(|| self.norm(&format!("{name}.post_feedforward_layernorm"), hidden)),
        }
    }
}

/// Share of a value that a fresh attention layer adds to the residual stream.
const COPY: f32 = 0.2;

/// Fresh weights: ones for norms, zeros for biases, and a uniform distribution of standard deviation
/// `1/sqrt(inputs)` else. (0.02, which large models take, is far below that for the narrow ones that
/// are made here: their heads then attend evenly for hundreds of steps.)
///
/// Attention begins as a blurred identity: keys have the queries' weights, so that a token attends to
/// what resembles it, and the output projection is a share of the values' transposed, so that what it
/// attends to becomes more probable ("Mimetic Initialization of Self-Attention Layers", arXiv
/// 2305.09828, with the sign that copies). Calls are mostly copied from a request; from independent
/// weights a small policy takes thousands of steps to find that out.
pub(crate) struct Fresh {
    rng: ChaCha8Rng,
    /// The queries', then the values' weight of the layer that is being made.
    model: Vec<f32>,
}

impl Fresh {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), model: Vec::new() }
    }

    fn uniform(&mut self, n: usize, inputs: usize) -> Vec<f32> {
        let bound = (3.0 / inputs as f32).sqrt();
        (0..n).map(|_| self.rng.random_range(-bound..bound)).collect()
    }
}

impl Source for Fresh {
    fn values(&mut self, name: &str, shape: &[usize]) -> Option<TensorData> {
        Some(TensorData::new(self.fresh(name, shape), shape.to_vec()))
    }
}

impl Fresh {
    fn fresh(&mut self, name: &str, shape: &[usize]) -> Vec<f32> {
        let n = shape.iter().product();
        let &[outputs, inputs] = shape else {
            return vec![if name.ends_with(".bias") { 0.0 } else { 1.0 }; n];
        };
        // With fewer key-value heads than query heads the shapes differ, and nothing is shared.
        let shared = self.model.len() == n;
        if name.ends_with("k_proj.weight") && shared {
            return self.model.clone();
        }
        if name.ends_with("o_proj.weight") && shared {
            let transposed = |i: usize| self.model[i % inputs * outputs + i / inputs];
            return (0..n).map(|i| COPY * transposed(i)).collect();
        }
        let values = self.uniform(n, inputs);
        if name.ends_with("q_proj.weight") || name.ends_with("v_proj.weight") {
            self.model = values.clone();
        }
        values
    }
}

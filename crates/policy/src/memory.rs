//! What a policy will take in memory, from its configuration alone.

use burn::tensor::{Device, TensorData};

use crate::init::{Source, build};
use crate::{Activations, Architecture, ModelConfig, Precision};

/// Bytes of an f32.
const F32: u64 = 4;

/// The policy that divergences are measured from, as far as memory goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReferenceCopy {
    /// There is none.
    #[default]
    None,
    /// The policy that training begins with.
    Start,
    /// The policy of an earlier step.
    Every,
    /// A moving average of the policy, kept in f32 beside weights in bf16.
    MovingAverage,
}

/// Batch settings that decide how much memory training and sampling take.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// How weights, activations and cache are stored.
    pub precision: Precision,
    /// Parameters of the adapters that are trained, where it is not the weights.
    pub adapters: Option<u64>,
    /// The policy that divergences are measured from.
    pub reference: ReferenceCopy,
    /// Tokens of one forward and backward pass.
    pub micro_tokens: usize,
    /// What of a forward pass is kept.
    pub activations: Activations,
    /// Bytes of what sampling keeps of prompts for an update, at most.
    pub kept_prompts: u64,
    /// Replies in progress at a time.
    pub slots: usize,
    /// Tokens of the longest prompt.
    pub prompt_tokens: usize,
    /// Tokens of the longest reply.
    pub reply_tokens: usize,
}

impl Workload {
    /// Whether the update takes what sampling computed: where all weights are trained and all activations kept.
    fn keeps_prompts(&self) -> bool {
        self.adapters.is_none() && self.activations == Activations::Keep
    }
}

/// Bytes by purpose, estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Memory {
    /// The weights as they are held.
    pub weights: u64,
    /// What the reference holds beside them. Of adapters it shares the base, and the start is no copy.
    pub reference: u64,
    /// Gradients: those of a pass, and their sum over the passes of a step.
    pub gradients: u64,
    /// AdamW's two moments, and the f32 masters of weights in bf16.
    pub optimizer: u64,
    /// What a forward pass keeps for its backward pass.
    pub activations: u64,
    /// What sampling keeps of prompts for an update, at most.
    pub kept_prompts: u64,
    /// Keys and values while replies are sampled.
    pub cache: u64,
}

impl Memory {
    /// The peak of a GRPO run: the cache is gone when the backward pass begins.
    pub fn training(&self) -> u64 {
        let update = self.gradients + self.activations;
        self.weights + self.reference + self.optimizer + self.kept_prompts + update.max(self.cache)
    }

    /// The peak of sampling alone.
    pub fn sampling(&self) -> u64 {
        self.weights + self.cache
    }
}

impl ModelConfig {
    /// Names and shapes of the parameters, in the order of [`crate::Policy::parameters`].
    pub fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let mut shapes = Shapes(Vec::new());
        build(self, &mut shapes, &Device::flex());
        shapes.0
    }

    /// Estimates the memory of a workload. Buffers of single operations come on top.
    pub fn memory(&self, of: &Workload) -> Memory {
        let weights: u64 =
            self.parameter_shapes().iter().map(|(_, s)| s.iter().product::<usize>() as u64).sum();
        let trained = of.adapters.unwrap_or(weights);
        let (layers, hidden) = (self.layers as u64, self.hidden_size as u64);
        let kv = (self.heads.kv * self.heads.dim) as u64;
        let tokens = of.micro_tokens as u64;
        let kept = match of.activations {
            Activations::Keep => layers * self.kept_of_a_layer(),
            Activations::Recompute => layers * hidden + self.kept_of_a_layer(),
        };
        let rows = (of.slots * (of.prompt_tokens + of.reply_tokens)) as u64;
        let stored = of.precision.bytes() as u64;
        let masters = if of.precision == Precision::F32 { 0 } else { 1 };
        Memory {
            weights: stored * (weights + of.adapters.unwrap_or(0)),
            reference: match of.reference {
                ReferenceCopy::None => 0,
                ReferenceCopy::Start => of.adapters.map_or(stored * weights, |_| 0),
                ReferenceCopy::Every => stored * trained,
                ReferenceCopy::MovingAverage => (stored + masters * F32) * trained,
            },
            gradients: 2 * F32 * trained,
            optimizer: (2 + masters) * F32 * trained,
            activations: stored * tokens * kept,
            kept_prompts: if of.keeps_prompts() { of.kept_prompts } else { 0 },
            cache: stored * rows * layers * 2 * kv,
        }
    }

    /// Bytes of a prompt's token that sampling has computed and keeps: a row of each of the activations of
    /// [`toolrl_cpu::layer`].
    pub(crate) fn kept_of_a_token(&self, precision: Precision) -> u64 {
        let (query, kv) = (self.heads.query * self.heads.dim, self.heads.kv * self.heads.dim);
        let stored = 2 * (self.hidden_size + query + kv + self.intermediate_size);
        (self.layers * (precision.bytes() * stored + 4 * self.heads.query)) as u64
    }

    /// Numbers a token that a layer's backward pass needs: the inputs of both norms and their outputs,
    /// queries, keys, values, attention's output with its sums, gate, up, and their product.
    fn kept_of_a_layer(&self) -> u64 {
        let (query, kv) = (self.heads.query * self.heads.dim, self.heads.kv * self.heads.dim);
        // Gemma's norms behind attention and feed-forward, and the plain operations of its gate.
        let (norms, gate) = if self.architecture == Architecture::Gemma3 { (2, 4) } else { (0, 0) };
        let (hidden, inner) = ((4 + norms) * self.hidden_size, (3 + gate) * self.intermediate_size);
        (hidden + 2 * query + 2 * kv + self.heads.query + inner) as u64
    }
}

/// Notes what is asked for, and gives nothing.
struct Shapes(Vec<(String, Vec<usize>)>);

impl Source for Shapes {
    fn values(&mut self, name: &str, shape: &[usize]) -> Option<TensorData> {
        self.0.push((name.to_owned(), shape.to_vec()));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Generation, Heads, LoraConfig, Policy};

    #[test]
    fn shapes_are_those_of_the_policy() {
        let config = ModelConfig::tiny(32, 16, 2, Heads { query: 2, kv: 1, dim: 8 }, 0);
        let policy = Policy::fresh(config.clone(), Generation::default(), 1, &Device::flex());
        let built: Vec<_> = policy.parameters().into_iter().map(|p| (p.name, p.shape)).collect();
        assert_eq!(config.parameter_shapes(), built);
    }

    #[test]
    fn gemma3_270m_by_hand() {
        // 268,098,176 parameters, 167,772,160 of them of the table that is the head too.
        let config = ModelConfig::from_value(serde_json::json!({
            "model_type": "gemma3_text", "vocab_size": 262_144, "hidden_size": 640, "intermediate_size": 2048,
            "num_hidden_layers": 18, "num_attention_heads": 4, "num_key_value_heads": 1,
        }));
        let config = config.unwrap();
        let weights: usize = config.parameter_shapes().iter().map(|(_, s)| s.iter().product::<usize>()).sum();
        assert_eq!(weights, 268_098_176);
        assert_eq!(config.kept_of_a_layer(), 6 * 640 + 2 * 1024 + 2 * 256 + 4 + 7 * 2048);
    }

    #[test]
    fn smollm2_by_hand() {
        // SmolLM2-135M's sizes: 134,515,008 parameters.
        let heads = Heads { query: 9, kv: 3, dim: 64 };
        let mut config = ModelConfig::tiny(49_152, 576, 30, heads, 0);
        config.intermediate_size = 1536;
        let workload = Workload {
            precision: Precision::F32,
            adapters: None,
            reference: ReferenceCopy::None,
            micro_tokens: 1024,
            activations: Activations::Keep,
            kept_prompts: 1 << 31,
            slots: 16,
            prompt_tokens: 700,
            reply_tokens: 100,
        };
        let memory = config.memory(&workload);
        assert_eq!(memory.weights, 4 * 134_515_008);
        assert_eq!(memory.activations, 4 * 1024 * 30 * (4 * 576 + 2 * 576 + 2 * 192 + 9 + 3 * 1536));
        assert_eq!(config.kept_of_a_token(Precision::F32), 30 * 4 * 5769);
        assert_eq!(config.kept_of_a_token(Precision::Bf16), 30 * (2 * 5760 + 4 * 9));
        assert_eq!(memory.kept_prompts, 1 << 31);
        assert_eq!(memory.cache, 4 * 16 * 800 * 30 * 2 * 192);
        let recomputed = config.memory(&Workload { activations: Activations::Recompute, ..workload.clone() });
        assert!(recomputed.activations * 8 < memory.activations);
        assert_eq!(recomputed.kept_prompts, 0);
        assert_eq!(recomputed.sampling(), memory.sampling());
        let narrow = config.memory(&Workload { precision: Precision::Bf16, ..workload.clone() });
        assert_eq!(2 * narrow.weights, memory.weights);
        assert_eq!(2 * narrow.sampling(), memory.sampling());
        assert_eq!(
            (2 * narrow.activations, 2 * narrow.optimizer),
            (memory.activations, 3 * memory.optimizer)
        );
        let copies = |precision, adapters| {
            let kinds = [ReferenceCopy::Start, ReferenceCopy::Every, ReferenceCopy::MovingAverage];
            kinds.map(|reference| {
                let with = config.memory(&Workload { reference, precision, adapters, ..workload.clone() });
                let without = config.memory(&Workload { precision, adapters, ..workload.clone() });
                assert_eq!(
                    (with.sampling(), with.training()),
                    (without.sampling(), without.training() + with.reference)
                );
                with.reference
            })
        };
        let all = memory.weights;
        assert_eq!(copies(Precision::F32, None), [all; 3]);
        assert_eq!(copies(Precision::Bf16, None), [all / 2, all / 2, all / 2 + all]);
        assert_eq!(copies(Precision::F32, Some(10)), [0, 40, 40]);
        assert_eq!(copies(Precision::Bf16, Some(10)), [0, 20, 60]);
        let lora = LoraConfig { target_modules: vec!["q_proj".to_owned()], ..LoraConfig::default() };
        let adapters = Some(config.lora_params(&(&lora).into()));
        let adapted = config.memory(&Workload { adapters, ..workload });
        let added = 30 * 16 * (576 + 576);
        assert_eq!((adapted.weights - memory.weights, adapted.optimizer), (4 * added, 8 * added));
    }
}

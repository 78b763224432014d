//! Drawing tokens.

/// How tokens are drawn: what is left out is decided in the order of the fields.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits; 0 takes the most probable token, the first on ties.
    pub temperature: f32,
    /// So many of the most probable tokens are kept, and those with the logit of the last of them; 0 keeps all.
    pub top_k: u32,
    /// The smallest set of most probable tokens that reaches this share of what `top_k` kept (Holtzman et al., "The
    /// Curious Case of Neural Text Degeneration", arXiv 1904.09751); 1 keeps all.
    pub top_p: f32,
    /// Tokens are kept whose probability is at least this share of the most probable one's (Nguyen et al., "Turning Up the
    /// Heat: Min-p Sampling for Creative and Coherent LLM Outputs", arXiv 2407.01082); 0 keeps all.
    pub min_p: f32,
}

impl Default for Sampling {
    /// From the policy as it is.
    fn default() -> Self {
        Self { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0 }
    }
}

impl Sampling {
    /// Whether the most probable token is taken.
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// What logits are multiplied by; 1 where the most probable token is taken.
    pub fn inverse_temperature(&self) -> f32 {
        if self.is_greedy() { 1.0 } else { 1.0 / self.temperature }
    }

    /// Whether tokens may be left out of a draw.
    pub fn truncates(&self) -> bool {
        self.top_k > 0 || self.top_p < 1.0 || self.min_p > 0.0
    }

    /// Beside the largest logit, the least that `min_p` keeps: `ln(min_p)` before the division by the temperature, at
    /// most 0; minus infinity where it keeps all.
    pub fn min_p_offset(&self) -> f32 {
        self.min_p.ln() / self.inverse_temperature()
    }
}

/// The token of each row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draws {
    /// Its id; none where the logits are no finite numbers.
    pub tokens: Vec<Option<u32>>,
    /// Its log-probability in nats under `softmax(logits / temperature)` before anything was left out; at temperature 0
    /// under `softmax(logits)`.
    pub logprobs: Vec<f32>,
}

//! Drawing tokens.

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits; 0 takes the most probable token, the first on ties.
    pub temperature: f32,
    /// The smallest set of most probable tokens that reaches this probability is kept (Holtzman et al., "The Curious
    /// Case of Neural Text Degeneration", arXiv 1904.09751); 1 keeps all.
    pub top_p: f32,
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

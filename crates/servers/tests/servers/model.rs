//! A language model of one number: what a server holds and a trainer trains.

use std::path::Path;

/// Ids that it has.
pub const VOCABULARY: usize = 300;
/// The token that ends a turn.
pub const END: u32 = 2;

/// A bigram model whose logits are this number times a fixed pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model(pub f64);

/// How tokens are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    pub temperature: f64,
    pub top_k: usize,
    pub seed: u64,
}

fn mixed(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Model {
    /// That in a folder.
    pub fn load(dir: &Path) -> Option<Self> {
        let file = ["adapter_model.safetensors", "model.safetensors"].map(|name| dir.join(name));
        let text = file.iter().find_map(|file| std::fs::read_to_string(file).ok())?;
        text.parse().ok().map(Self)
    }

    /// Writes it as a file of this name.
    pub fn save(self, dir: &Path, name: &str) {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join(name), self.0.to_string()).unwrap();
        std::fs::write(dir.join("adapter_config.json"), "{}").unwrap();
    }

    /// Log-probabilities of what follows a token, at a temperature.
    pub fn logprobs(self, previous: u32, temperature: f64) -> Vec<f64> {
        let logit = |token: usize| {
            let pattern = (mixed(u64::from(previous) << 32 | token as u64) % 1000) as f64 / 250.0;
            let pattern = if token == END as usize { 6.0 } else { pattern };
            self.0 * pattern / if temperature == 0.0 { 1.0 } else { temperature }
        };
        let logits: Vec<f64> = (0..VOCABULARY).map(logit).collect();
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        logits.iter().map(|logit| logit - sum.ln()).collect()
    }

    /// The log-probability of each token but the first.
    pub fn score(self, tokens: &[u32]) -> Vec<f64> {
        tokens.windows(2).map(|pair| self.logprobs(pair[0], 1.0)[pair[1] as usize]).collect()
    }

    /// The next token, and what is left of the distribution that it is drawn from.
    pub fn next(self, previous: u32, draw: Draw, position: usize) -> (u32, Vec<f64>) {
        let all = self.logprobs(previous, draw.temperature);
        let mut order: Vec<usize> = (0..VOCABULARY).collect();
        order.sort_by(|&a, &b| all[b].total_cmp(&all[a]));
        let kept = if draw.temperature == 0.0 { 1 } else { draw.top_k.clamp(1, VOCABULARY) };
        let mut left = vec![f64::NEG_INFINITY; VOCABULARY];
        let sum: f64 = order[..kept].iter().map(|&token| all[token].exp()).sum();
        for &token in &order[..kept] {
            left[token] = all[token] - sum.ln();
        }
        let mut uniform = mixed(draw.seed ^ mixed(position as u64)) as f64 / u64::MAX as f64;
        let token = order[..kept].iter().find(|&&token| {
            uniform -= left[token].exp();
            uniform <= 0.0
        });
        (*token.unwrap_or(&order[kept - 1]) as u32, left)
    }
}

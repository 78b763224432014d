//! How replies are drawn, as arguments.

use clap::Args;
use toolrl_rollout::SamplingParams;

/// How tokens are drawn, and what ends a reply.
#[derive(Debug, Args)]
pub struct SamplingArgs {
    /// Divides the logits; 0 takes the most probable token
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    pub temperature: f32,
    /// Sample from so many of the most probable tokens; 0 is all
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub top_k: u32,
    /// Sample from the most probable tokens that together reach this probability
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    pub top_p: f32,
    /// Sample from the tokens with at least this share of the most probable one's probability; 0 is all
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub min_p: f32,
    /// A reply ends where its text has this; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// Keep the text that --stop names in the reply
    #[arg(long, requires = "stop")]
    pub include_stop_str_in_output: bool,
    /// Where the random numbers come from
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

impl SamplingArgs {
    /// The settings of turns of at most `max_new_tokens`.
    ///
    /// # Errors
    /// With the setting that is out of its range.
    pub fn params(&self, max_new_tokens: usize) -> anyhow::Result<SamplingParams> {
        let params = SamplingParams {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            max_new_tokens,
            stop: self.stop.clone(),
            include_stop_str_in_output: self.include_stop_str_in_output,
        };
        params.check()?;
        Ok(params)
    }
}

//! The length term: does the reply think at length?

use serde::{Deserialize, Serialize};
use toolrl_grammar::{Parsed, text};

use crate::{Breakdown, Context, Reference, RewardError, Term, TermScore};

/// How many words of thought earn the whole value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LengthTarget {
    /// 512.
    #[default]
    Fixed,
    /// 384 + 256 step / 105, not bounded: the released code's schedule.
    Dynamic,
    /// 512 (1 + p), p the share of training done: the paper's text.
    DynamicPaper,
    /// This many: for policies that think in few words.
    Words(u32),
    /// This many times 1 + p.
    GrowingWords(u32),
}

impl LengthTarget {
    /// The target in words. In evaluation it is the fixed one.
    fn words(self, context: &Context) -> f64 {
        let fixed = match self {
            Self::Words(words) | Self::GrowingWords(words) => f64::from(words.max(1)),
            Self::Fixed | Self::Dynamic | Self::DynamicPaper => 512.0,
        };
        match (self, context.progress()) {
            (Self::Fixed | Self::Words(_), _) | (_, None) => fixed,
            (Self::Dynamic, Some(progress)) => (640.0 - 384.0) * progress.step as f64 / 105.0 + 384.0,
            (Self::DynamicPaper | Self::GrowingWords(_), Some(progress)) => {
                fixed * (1.0 + progress.step as f64 / progress.total_steps.max(1) as f64)
            }
        }
    }
}

/// Settings of [`Length`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LengthSettings {
    /// The words that earn the whole value.
    pub target: LengthTarget,
}

/// The words of the last thoughts over the target, in hundredths and at most 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Length {
    settings: LengthSettings,
}

impl Length {
    /// The term's id.
    pub const ID: &'static str = "length";

    /// The term with these settings.
    pub fn new(settings: LengthSettings) -> Self {
        Self { settings }
    }
}

impl Term for Length {
    fn id(&self) -> &str {
        Self::ID
    }

    fn range(&self, _: &Context) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn score(
        &self,
        parsed: &Parsed<'_>,
        reference: &Reference,
        context: &Context,
    ) -> Result<TermScore, RewardError> {
        let target = self.settings.target.words(context);
        let words = reference.thoughts_of(parsed).map(text::count_words);
        let value = words.map_or(0.0, |words| hundredths(words as f64 / target).min(1.0));
        Ok(TermScore { breakdown: Breakdown::Length { words, target }, ..TermScore::new(value) })
    }
}

/// Rounds to two decimals as Python does: the exact decimal value of `x`, ties to even. Multiplying
/// by 100 first would round twice.
fn hundredths(x: f64) -> f64 {
    format!("{x:.2}").parse().unwrap_or(x)
}

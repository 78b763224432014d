//! The limit on the tokens of a sample, and what becomes of longer ones.

use serde::{Deserialize, Serialize};

use crate::{OverlongPrompts, TrainError};

/// The limit on the tokens of a sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenLimit {
    /// Tokens, at most.
    pub tokens: usize,
    /// The setting that says so.
    pub setting: &'static str,
    /// What becomes of longer ones.
    pub overlong: OverlongPrompts,
}

/// How many samples were too long: in `run.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OverlongCounts {
    /// Samples that are not trained on.
    pub left_out: usize,
    /// Samples whose prompt lost its beginning.
    pub cut: usize,
}

/// A sample as it is trained on, with its length.
pub(crate) struct WithLength<T> {
    pub id: String,
    pub tokens: usize,
    pub sample: T,
}

impl TokenLimit {
    /// The limit of prompts that are replied to: the recipe's, or what the policy's context of `context` tokens leaves
    /// with one token of a reply.
    pub(crate) fn of_prompts(tokens: usize, context: usize, overlong: OverlongPrompts) -> Self {
        let room = context.saturating_sub(1);
        if tokens <= room {
            Self { tokens, setting: "train.max_prompt_tokens", overlong }
        } else {
            Self { tokens: room, setting: "the policy's context", overlong }
        }
    }

    /// What is trained on of these samples. `cut` takes the beginning of a prompt.
    ///
    /// # Errors
    /// [`TrainError::Overlong`] where longer ones are refused, [`TrainError::NoTasks`] where none is left.
    pub(crate) fn apply<T>(
        self,
        samples: Vec<WithLength<T>>,
        cut: impl Fn(T) -> Result<T, TrainError>,
    ) -> Result<(Vec<T>, OverlongCounts), TrainError> {
        let of = samples.len();
        let too_long = |sized: &&WithLength<T>| sized.tokens > self.tokens;
        let count = samples.iter().filter(too_long).count();
        let Some(WithLength { id, tokens, .. }) = samples.iter().find(too_long) else {
            return Ok((samples.into_iter().map(|sized| sized.sample).collect(), OverlongCounts::default()));
        };
        let Self { tokens: limit, setting, overlong } = self;
        let done = match overlong {
            OverlongPrompts::Refuse => {
                let (id, tokens) = (id.clone(), *tokens);
                return Err(TrainError::Overlong { id, tokens, setting, limit, count, of });
            }
            OverlongPrompts::LeaveOut => "left out",
            OverlongPrompts::Cut => "cut at the beginning",
        };
        tracing::warn!("{count} of {of} training samples are longer than {setting} = {limit} tokens: {done}");
        if overlong == OverlongPrompts::LeaveOut {
            let kept: Vec<_> = samples.into_iter().filter(|sized| sized.tokens <= limit).collect();
            if kept.is_empty() {
                let why = format!("all {of} samples are longer than {setting} = {limit} tokens");
                return Err(TrainError::NoTasks { what: "training data", why });
            }
            let counts = OverlongCounts { left_out: count, cut: 0 };
            return Ok((kept.into_iter().map(|sized| sized.sample).collect(), counts));
        }
        let fit =
            |sized: WithLength<T>| if sized.tokens > limit { cut(sized.sample) } else { Ok(sized.sample) };
        let samples = samples.into_iter().map(fit).collect::<Result<_, _>>()?;
        Ok((samples, OverlongCounts { left_out: 0, cut: count }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(
        overlong: OverlongPrompts,
        lengths: &[usize],
    ) -> Result<(Vec<usize>, OverlongCounts), TrainError> {
        let samples =
            lengths.iter().map(|&n| WithLength { id: format!("s{n}"), tokens: n, sample: n }).collect();
        TokenLimit::of_prompts(4, 100, overlong).apply(samples, |_| Ok(4))
    }

    #[test]
    fn longer_samples_are_refused_left_out_or_cut_and_counted() {
        let error = apply(OverlongPrompts::Refuse, &[3, 9, 4, 5]).unwrap_err().to_string();
        for part in ["s9", "9 tokens", "train.max_prompt_tokens = 4", "2 of 4"] {
            assert!(error.contains(part), "{error}");
        }
        let (kept, counts) = apply(OverlongPrompts::LeaveOut, &[3, 9, 4, 5]).unwrap();
        assert_eq!((kept, counts), (vec![3, 4], OverlongCounts { left_out: 2, cut: 0 }));
        let (kept, counts) = apply(OverlongPrompts::Cut, &[3, 9, 4, 5]).unwrap();
        assert_eq!((kept, counts), (vec![3, 4, 4, 4], OverlongCounts { left_out: 0, cut: 2 }));
        assert!(matches!(apply(OverlongPrompts::LeaveOut, &[9]), Err(TrainError::NoTasks { .. })));
        for overlong in [OverlongPrompts::Refuse, OverlongPrompts::LeaveOut, OverlongPrompts::Cut] {
            assert_eq!(apply(overlong, &[1, 4]).unwrap(), (vec![1, 4], OverlongCounts::default()));
        }
    }

    #[test]
    fn a_prompt_leaves_room_for_a_reply_in_the_context() {
        let limit = |tokens, context| {
            let limit = TokenLimit::of_prompts(tokens, context, OverlongPrompts::Refuse);
            (limit.tokens, limit.setting)
        };
        assert_eq!(limit(99, 100), (99, "train.max_prompt_tokens"));
        assert_eq!(limit(100, 100), (99, "the policy's context"));
    }
}

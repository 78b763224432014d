//! What only the paper's released code has: replies cut out of prompts, the thoughts that it measures, and its
//! variants by flag.

use toolrl_grammar::json::Value;
use toolrl_grammar::tags::{self, THINK};
use toolrl_grammar::text;

use crate::{
    Correctness, CorrectnessSettings, Format, FormatSettings, Granularity, Length, LengthSettings,
    LengthTarget, Matching, RewardError, Rubric, Scale, Term,
};

/// The chat template of a text that holds prompt and reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// Qwen's.
    Qwen,
    /// Llama 3's.
    Llama,
    /// None that is known.
    None,
}

/// Cuts the reply out of prompt and reply: what follows the last opening of an assistant's turn
/// (all of a text without one), up to the first mark that ends a turn, stripped.
///
/// # Errors
/// [`RewardError::NoTemplate`] for [`Template::None`].
///
/// ```
/// use toolrl_reward::released::{Template, extract_reply};
///
/// let text = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>a</think><|im_end|>";
/// assert_eq!(extract_reply(text, Template::Qwen).unwrap(), b"<think>a</think>");
/// ```
pub fn extract_reply<T: AsRef<[u8]> + ?Sized>(text: &T, template: Template) -> Result<&[u8], RewardError> {
    let (opening, end) = match template {
        Template::Qwen => ("<|im_start|>assistant", "<|im_end|>"),
        Template::Llama => ("<|start_header_id|>assistant<|end_header_id|>", "<|eot_id|>"),
        Template::None => return Err(RewardError::NoTemplate),
    };
    let whole = text.as_ref();
    let turn = tags::after_last(whole, opening).unwrap_or(whole);
    Ok(text::strip(tags::before(turn, end)))
}

/// The thoughts that the released code measures: from the last `<think>` to the next `</think>`, or
/// to the end. `None` unless both tags stand somewhere in the text.
///
/// ```
/// use toolrl_reward::released::last_thoughts;
///
/// assert_eq!(last_thoughts("<think>a</think><think>b c</think>"), Some(&b"b c"[..]));
/// assert_eq!(last_thoughts("</think><think>a"), Some(&b"a"[..]));
/// assert_eq!(last_thoughts("<think>a"), None);
/// ```
pub fn last_thoughts<T: AsRef<[u8]> + ?Sized>(text: &T) -> Option<&[u8]> {
    let text = text.as_ref();
    THINK.last(text).filter(|_| tags::has(text, THINK.close))
}

/// The variants of the released reward, as its flags name them. A flag is on only when its value
/// is the string `1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variant {
    correct_max_1: bool,
    max_1_step_30_max_3: bool,
    schedule_reward: bool,
    with_length: bool,
    schedule_length: bool,
    refined: bool,
    intermediate: bool,
    coarse: bool,
}

impl Variant {
    /// The variant that a map of flags names. Other flags are ignored.
    pub fn from_flags(flags: &Value<'_>) -> Self {
        let on = |flag: &str| flags.get(flag).and_then(Value::as_bytes) == Some(b"1");
        Self {
            correct_max_1: on("CORRECTMAX1"),
            max_1_step_30_max_3: on("MAX1STEP30MAX3"),
            schedule_reward: on("SCHEDULEREWARD"),
            with_length: on("WITHLENGTH"),
            schedule_length: on("SCHEDULELENGTH"),
            refined: on("REFINEDREWARD"),
            intermediate: on("INTERMEDIATEREWARD"),
            coarse: on("COARSEREWARD"),
        }
    }

    /// Its changes of range.
    pub fn scale(self) -> Vec<Scale> {
        let scales = [
            (self.correct_max_1, Scale::EqualMax),
            (self.max_1_step_30_max_3, Scale::TwoStage),
            (self.schedule_reward, Scale::Smooth),
        ];
        scales.into_iter().filter_map(|(on, scale)| on.then_some(scale)).collect()
    }

    /// Its granularity.
    pub fn granularity(self) -> Granularity {
        match (self.coarse, self.intermediate, self.refined) {
            (true, _, _) => Granularity::Coarse,
            (_, true, true) => Granularity::StrictIntermediate,
            (_, true, false) => Granularity::Intermediate,
            (_, false, true) => Granularity::Strict,
            (_, false, false) => Granularity::FineGrained,
        }
    }

    /// Its length term, when it has one.
    pub fn length(self) -> Option<LengthSettings> {
        let target = if self.schedule_length { LengthTarget::Dynamic } else { LengthTarget::Fixed };
        self.with_length.then_some(LengthSettings { target })
    }

    /// The rubric: format, correctness and perhaps length, in that order.
    ///
    /// # Errors
    /// None that a rubric of these terms can have.
    pub fn rubric(self) -> Result<Rubric, RewardError> {
        let scale = self.scale();
        let format: Box<dyn Term> = Box::new(Format::new(FormatSettings { scale: scale.clone() }));
        let correctness: Box<dyn Term> = Box::new(Correctness::new(CorrectnessSettings {
            granularity: self.granularity(),
            matching: Matching::Parity,
            scale,
        }));
        let mut terms = vec![(1.0, format), (1.0, correctness)];
        if let Some(settings) = self.length() {
            terms.push((1.0, Box::new(Length::new(settings))));
        }
        Rubric::new(terms)
    }
}

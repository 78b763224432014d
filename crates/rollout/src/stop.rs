//! Strings that end a turn.

use std::ops::Range;

use toolrl_chat::{Chat, ChatError};

use crate::{FinishReason, SamplingParams};

/// Tokens before those that a stop string may be written by: decoders write the first of a text otherwise than later
/// ones, and a character may have begun in the tokens before.
const MARGIN: usize = 8;

/// Where a text contains the first of some strings: of all places, that which ends first, and of those that end there the
/// longest. So it does not matter by which tokens the text is written.
fn first_stop(text: &str, strings: &[String]) -> Option<Range<usize>> {
    let places = strings.iter().filter_map(|string| {
        let start = text.find(string.as_str())?;
        Some(start..start + string.len())
    });
    places.min_by_key(|place| (place.end, place.start))
}

impl SamplingParams {
    /// The text of a turn that ended so: up to the stop string that ended it, or with it, as the settings say.
    pub fn cut(&self, mut text: String, finish: FinishReason) -> String {
        let stop = first_stop(&text, &self.stop).filter(|_| finish == FinishReason::StopString);
        if let Some(stop) = stop {
            text.truncate(if self.include_stop_str_in_output { stop.end } else { stop.start });
        }
        text
    }
}

/// Finds the end of a turn as it is sampled.
///
/// What is searched is the text of the last tokens alone, as many as the longest string may be written by, so that a
/// turn costs time in proportion to its length.
#[derive(Clone, Copy, Debug)]
pub struct StopStrings<'a> {
    chat: &'a Chat,
    strings: &'a [String],
    /// Tokens with a text that are looked back at.
    window: usize,
}

impl<'a> StopStrings<'a> {
    /// Those of the settings, in the text of this tokenizer; none where there are none.
    pub fn new(chat: &'a Chat, params: &'a SamplingParams) -> Option<Self> {
        let longest = params.stop.iter().map(String::len).max()?;
        Some(Self { chat, strings: &params.stop, window: longest + MARGIN })
    }

    /// Whether the last of a turn's tokens completes one of the strings.
    ///
    /// # Errors
    /// When the tokenizer's decoder fails.
    pub fn end_at(&self, tokens: &[u32]) -> Result<bool, ChatError> {
        if !tokens.last().is_some_and(|&id| self.chat.has_token(id)) {
            return Ok(false);
        }
        let with_text = tokens.iter().rev().filter(|&&id| self.chat.has_token(id));
        let mut tail: Vec<u32> = with_text.take(self.window).copied().collect();
        tail.reverse();
        Ok(first_stop(&self.chat.decode(&tail, false)?, self.strings).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_end_is_taken_and_of_those_the_longest() {
        let place = |text, strings: &[&str]| {
            let strings: Vec<String> = strings.iter().map(|&s| s.into()).collect();
            first_stop(text, &strings)
        };
        assert_eq!(place("abcd", &["abcd", "bc"]), Some(1..3));
        assert_eq!(place("xabc", &["bc", "abc", "c"]), Some(1..4));
        assert_eq!(place("a é a", &["é"]), Some(2..4));
        assert_eq!(place("abab", &["ab"]), Some(0..2));
        assert_eq!(place("ab", &["b a", "c"]), None);
        assert_eq!(place("ab", &[]), None);
    }

    #[test]
    fn a_text_ends_before_its_stop_string_or_behind_it() {
        let mut params = SamplingParams { stop: vec!["</a>".into()], ..SamplingParams::default() };
        let cut = |params: &SamplingParams, finish| params.cut("b</a>c</a>".into(), finish);
        assert_eq!(cut(&params, FinishReason::StopString), "b");
        assert_eq!(cut(&params, FinishReason::Length), "b</a>c</a>");
        params.include_stop_str_in_output = true;
        assert_eq!(cut(&params, FinishReason::StopString), "b</a>");
        assert_eq!(params.greedily(3).cut("</a>".into(), FinishReason::StopString), "</a>");
    }
}

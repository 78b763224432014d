//! The text of a reply as it is scored, wherever it comes from.

use std::borrow::Cow;

use crate::text;

/// The text of a reply as the paper's released code scores it: what the chat template opened of the turn (`<think>`
/// in some), then what the policy wrote until the token that ends a turn, without outer white space. Special tokens
/// within it stay: tags may be such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoredText<'a> {
    /// The text.
    pub text: Cow<'a, [u8]>,
    /// Where what the policy wrote begins in the text: before it, where white space was cut off.
    pub shift: isize,
}

impl<'a> ScoredText<'a> {
    /// What was opened and what was written.
    ///
    /// ```
    /// use toolrl_grammar::ScoredText;
    ///
    /// let scored = ScoredText::of("<think>\n", "a</think>\n<response>b</response>\n");
    /// assert_eq!(*scored.text, *b"<think>\na</think>\n<response>b</response>");
    /// assert_eq!(scored.shift, 8);
    /// ```
    pub fn of<T: AsRef<[u8]> + ?Sized>(opened: &str, written: &'a T) -> Self {
        let written = written.as_ref();
        if opened.is_empty() {
            let kept = text::strip(written);
            return Self { text: Cow::Borrowed(kept), shift: -cut(written, kept) };
        }
        let whole = [opened.as_bytes(), written].concat();
        let kept = text::strip(&whole);
        let shift = opened.len().cast_signed() - cut(&whole, kept);
        Self { text: Cow::Owned(kept.to_owned()), shift }
    }
}

/// How many bytes stand before a part of a text.
fn cut(whole: &[u8], part: &[u8]) -> isize {
    (part.as_ptr() as usize - whole.as_ptr() as usize).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outer_white_space_goes_and_inner_stays() {
        let cases = [("", "", "", 0), ("", " \n a \n b\u{3000}\n", "a \n b", -3), ("", " \n", "", -2)];
        for (opened, written, text, shift) in cases {
            let scored = ScoredText::of(opened, written);
            assert_eq!((&*scored.text, scored.shift), (text.as_bytes(), shift), "{written:?}");
        }
    }

    #[test]
    fn what_the_template_opened_belongs_to_the_reply() {
        let scored = ScoredText::of("\n<think>\n", " a </think> ");
        assert_eq!((&*scored.text, scored.shift), (&b"<think>\n a </think>"[..], 8));
    }
}

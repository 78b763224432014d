//! The reply that a task asks for.

use toolrl_grammar::json::Value;
use toolrl_grammar::{ReplyKind, lenient, text};

use crate::RewardError;

/// A task's reference reply, read once and scored against often.
#[derive(Clone, Debug)]
pub struct Reference {
    text: Vec<u8>,
    kind: ReplyKind,
    calls: Option<Vec<Value<'static>>>,
}

impl Reference {
    /// Reads a reference reply leniently. Its kind, too, is that of the released code: a tag
    /// mentioned in the thoughts counts.
    ///
    /// # Errors
    /// [`RewardError::Reference`] when it holds `<tool_call>` and what follows are no JSON lines.
    ///
    /// ```
    /// use toolrl_reward::Reference;
    ///
    /// let answer = Reference::parse("<think>a</think>\n<response>b</response>").unwrap();
    /// assert!(answer.calls().is_none());
    /// assert!(Reference::parse("<think>no <tool_call> here</think>").is_err());
    /// ```
    pub fn parse<T: AsRef<[u8]> + ?Sized>(reply: &T) -> Result<Self, RewardError> {
        let reply = reply.as_ref();
        let calls = lenient(reply).map(|block| block.calls).transpose().map_err(RewardError::Reference)?;
        let calls = calls.map(|calls| calls.into_iter().map(|call| call.value.into_owned()).collect());
        Ok(Self { text: reply.to_vec(), kind: ReplyKind::of(reply), calls })
    }

    /// The reply, in generalised UTF-8.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The reply for a reader.
    pub fn lossy(&self) -> std::borrow::Cow<'_, str> {
        text::lossy(&self.text)
    }

    /// Which parts a reply must have.
    pub fn kind(&self) -> ReplyKind {
        self.kind
    }

    /// The calls it makes, one value a line; `None` without `<tool_call>`.
    pub fn calls(&self) -> Option<&[Value<'static>]> {
        self.calls.as_deref()
    }
}

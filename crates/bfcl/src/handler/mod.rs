//! Handlers: prompts to a model, and the calls of its replies.
//!
//! A result records its handler, because the prompt decides much of a score.

mod decode;
mod docs;
mod native;
mod prompt;
mod template;

use std::fmt;
use std::str::FromStr;

use toolrl_grammar::json::{Object, PyStr, Value};

use crate::BfclError;
pub use decode::{DecodeError, decode_ast, decode_execute};
pub use native::{NativeFormat, tools};
pub use prompt::{Prompt, PromptFile, Said, Speaker};

/// Who words the prompt and reads the reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Handler {
    /// ToolRL's: a prompt of [`PromptFile`], calls by [`decode_ast`].
    #[default]
    Toolrl,
    /// The model's own: its chat template with [`tools`], calls as it was trained to write them.
    Native(NativeFormat),
}

/// Names and arguments of the calls to execute.
pub type Calls<'a> = Vec<(PyStr<'a>, Object<'a>)>;

impl Handler {
    /// Every handler.
    pub const ALL: [Self; 3] =
        [Self::Toolrl, Self::Native(NativeFormat::Hermes), Self::Native(NativeFormat::Json)];

    /// Its name in settings and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Toolrl => "toolrl",
            Self::Native(NativeFormat::Hermes) => "native-hermes",
            Self::Native(NativeFormat::Json) => "native-json",
        }
    }

    /// The calls of a reply as [`crate::check()`] takes them; none where the official handler raises.
    pub fn decode_ast<T: AsRef<[u8]> + ?Sized>(self, reply: &T) -> Option<Value<'_>> {
        match self {
            Self::Toolrl => Some(decode_ast(reply)),
            Self::Native(format) => {
                let calls = native::calls(reply.as_ref(), format)?;
                // Qwen's handler takes the entries of the arguments, so that anything else raises; Llama's does not.
                let raises = |(_, arguments): &(PyStr<'_>, Value<'_>)| {
                    format == NativeFormat::Hermes && !matches!(arguments, Value::Object(_))
                };
                if calls.iter().any(raises) {
                    return None;
                }
                let calls = calls.into_iter().map(|call| Value::Object(Object::from_iter([call])));
                Some(Value::List(calls.collect()))
            }
        }
    }

    /// The calls of a reply as Python source, as services execute them.
    ///
    /// # Errors
    /// [`DecodeError`] as in [`decode_execute`].
    pub fn decode_execute<T: AsRef<[u8]> + ?Sized>(
        self,
        reply: &T,
    ) -> Result<Vec<PyStr<'static>>, DecodeError> {
        let calls = self.calls(reply)?;
        Ok(calls.iter().map(|(name, arguments)| decode::source(name, arguments)).collect())
    }

    /// Names and arguments of the calls to execute.
    ///
    /// # Errors
    /// [`DecodeError`] as in [`decode_execute`].
    pub fn calls<T: AsRef<[u8]> + ?Sized>(self, reply: &T) -> Result<Calls<'_>, DecodeError> {
        let reply = reply.as_ref();
        match self {
            Self::Toolrl => decode::calls(reply),
            Self::Native(format) => {
                let calls = native::calls(reply, format).ok_or(DecodeError::Unreadable)?;
                calls
                    .into_iter()
                    .map(|(name, arguments)| Ok((name, native::entries(arguments, format)?)))
                    .collect()
            }
        }
    }
}

impl fmt::Display for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Handler {
    type Err = BfclError;

    fn from_str(name: &str) -> Result<Self, BfclError> {
        // Short for the form that most servers' templates have.
        let name = if name == "native" { "native-hermes" } else { name };
        let found = Self::ALL.into_iter().find(|handler| handler.name() == name);
        found.ok_or_else(|| BfclError::UnknownHandler { name: name.into() })
    }
}

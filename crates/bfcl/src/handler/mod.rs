//! Handlers: prompts to a model, and the calls of its replies.
//!
//! A result records its handler, because the prompt decides much of a score.

mod decode;
mod docs;
mod native;
mod prompt;
mod reading;
mod template;

use std::fmt;
use std::str::FromStr;

use toolrl_grammar::Dialect;
use toolrl_grammar::dialect::{ParameterTypes, named};
use toolrl_grammar::json::{Object, PyStr, Value};

use crate::{BfclError, FunctionDoc, Language};
pub use decode::{DecodeError, decode_ast, decode_execute};
pub use native::{NativeFormat, documents, tools};
pub use prompt::{Prompt, PromptFile, Said, Speaker};
pub use reading::ReplyReader;

/// Who words the prompt and reads the reply. Two are equal whose names are.
#[derive(Clone, Copy, Debug, Default)]
pub enum Handler {
    /// ToolRL's: a prompt of [`PromptFile`], calls by [`decode_ast`].
    #[default]
    Toolrl,
    /// The model's own, as bfcl-eval has it: its chat template with [`documents`], or a server with [`tools`]; calls as the
    /// official handlers read them.
    Native(NativeFormat),
    /// The model's own: its chat template with [`tools`], calls as a dialect reads them.
    Dialect(&'static dyn Dialect),
}

impl PartialEq for Handler {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Handler {}

/// Names and arguments of the calls to execute.
pub type Calls<'a> = Vec<(PyStr<'a>, Object<'a>)>;

impl Handler {
    /// Every handler, but for those of dialects, which are named as these are ([`toolrl_grammar::DIALECTS`]).
    pub const ALL: [Self; 3] =
        [Self::Toolrl, Self::Native(NativeFormat::Hermes), Self::Native(NativeFormat::Json)];

    /// Its name in settings and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Toolrl => "toolrl",
            Self::Native(NativeFormat::Hermes) => "native-hermes",
            Self::Native(NativeFormat::Json) => "native-json",
            Self::Dialect(dialect) => dialect.name(),
        }
    }

    /// A reader of replies to a case with these functions on offer.
    pub fn reading(self, functions: &[FunctionDoc], language: Language) -> ReplyReader {
        let types = match self {
            Self::Dialect(dialect) if !dialect.keeps_types() => {
                ParameterTypes::of(&Value::List(tools(functions, language)))
            }
            _ => ParameterTypes::default(),
        };
        ReplyReader::new(self, types)
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
            Self::Dialect(dialect) => reading::decoded(dialect, reply.as_ref(), &ParameterTypes::default()),
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
            Self::Dialect(dialect) => reading::executable(dialect, reply, &ParameterTypes::default()),
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
        let found = found.or_else(|| named(name).ok().map(Self::Dialect));
        found.ok_or_else(|| BfclError::UnknownHandler { name: name.into() })
    }
}

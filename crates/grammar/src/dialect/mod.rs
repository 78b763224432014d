//! Dialects: how models write what their replies mean. One file each.
//!
//! A dialect is chosen, never guessed: each answers for itself whether a text is of it, cut off or
//! malformed ([`Outcome`]). [`named`] finds one by its name.
//!
//! Beside [`ToolRl`] these are the forms of models that others have trained. They share one frame: thoughts, words,
//! calls, each of which may be missing ([`Native`]); only [`Harmony`] has a frame of its own. A reader of one is a
//! reader of the others' mistakes too: calls that were whole before a fault are kept, and the fault says where
//! the text stops being a reply.

mod compare;
mod deepseek;
mod function_gemma;
mod glm45;
mod granite;
mod harmony;
mod hermes;
mod kimi_k2;
mod lfm2;
mod llama3_json;
mod mistral;
mod native;
mod parsed;
mod phi4_mini;
mod productions;
mod pythonic;
mod qwen3_coder;
pub mod toolrl;
mod types;
mod xlam;

use std::fmt;

use crate::{ReplyKind, Span, SyntaxError, Turn};

pub use compare::writes;
pub use deepseek::{DEEPSEEK_V3, DEEPSEEK_V31};
pub use function_gemma::FUNCTION_GEMMA;
pub use glm45::GLM45;
pub use granite::GRANITE;
pub use harmony::Harmony;
pub use hermes::HERMES;
pub use kimi_k2::KIMI_K2;
pub use lfm2::LFM2;
pub use llama3_json::LLAMA3_JSON;
pub use mistral::{MISTRAL, MISTRAL_V11};
pub use native::Native;
pub use parsed::{Fault, Outcome, Parsed, TurnPart};
pub use phi4_mini::PHI4_MINI;
pub use pythonic::PYTHONIC;
pub use qwen3_coder::QWEN3_CODER;
pub use toolrl::ToolRl;
pub use types::{ParameterTypes, schema_type};
pub use xlam::XLAM;

use compare::same_calls;

/// A way to write replies.
pub trait Dialect: Send + Sync + fmt::Debug {
    /// Its name in settings.
    fn name(&self) -> &'static str;

    /// Reads a reply, whatever its bytes, in time linear in them. What is missing or broken is listed in
    /// [`Parsed::faults`].
    fn parse<'a>(&'a self, text: &'a [u8]) -> Parsed<'a>;

    /// Reads `text` as a whole, well-formed reply with these parts.
    ///
    /// # Errors
    /// [`SyntaxError`] at the first piece that is not as it must be.
    fn strict(&self, text: &[u8], kind: ReplyKind) -> Result<Layout, SyntaxError>;

    /// Writes a reply, without the token that ends a turn. It is well-formed ([`Dialect::strict`]) and reads as the
    /// same turn, but for call ids where the dialect has none, white space around passages, and the types of
    /// values where it does not keep them.
    ///
    /// # Errors
    /// [`WriteError`] for a turn that the dialect cannot say.
    fn write(&self, turn: &Turn<'_>) -> Result<String, WriteError>;

    /// What opens thoughts, where something does. A chat template may end its prompt with it; a reply then
    /// goes on from there.
    fn thoughts_opening(&self) -> Option<&'static str>;

    /// What marks calls: texts one of which opens them. A dialect of bare calls has none.
    fn marks(&self) -> &'static [&'static str];

    /// The texts one of which ends a turn, where the dialect has some of its own beside the tokenizer's end of text.
    fn turn_ends(&self) -> &'static [&'static str];

    /// Whether the text of a value tells its type. Where it does not, every argument is read as a string.
    fn keeps_types(&self) -> bool {
        true
    }

    /// The turn with the types that its tools declare: where the dialect keeps no types, arguments that are
    /// strings become what vLLM's servers make of them, but that no digit of an integer is lost. Elsewhere the
    /// turn as it is.
    fn typed<'a>(&self, mut turn: Turn<'a>, types: &ParameterTypes) -> Turn<'a> {
        if !self.keeps_types() {
            turn.calls.iter_mut().for_each(|call| types.apply(call.name.as_bytes(), &mut call.arguments));
        }
        turn
    }
}

/// Every dialect.
pub const DIALECTS: [&dyn Dialect; 17] = [
    &ToolRl,
    &HERMES,
    &LLAMA3_JSON,
    &PYTHONIC,
    &MISTRAL,
    &MISTRAL_V11,
    &QWEN3_CODER,
    &DEEPSEEK_V3,
    &DEEPSEEK_V31,
    &GLM45,
    &KIMI_K2,
    &Harmony,
    &XLAM,
    &GRANITE,
    &PHI4_MINI,
    &FUNCTION_GEMMA,
    &LFM2,
];

/// The dialect of a name.
///
/// # Errors
/// [`UnknownDialect`], which lists the names.
///
/// ```
/// use toolrl_grammar::dialect;
///
/// assert_eq!(dialect::named("hermes").unwrap().turn_ends()[0], "<|im_end|>");
/// assert!(dialect::named("herms").unwrap_err().to_string().contains("hermes, llama3_json"));
/// ```
pub fn named(name: &str) -> Result<&'static dyn Dialect, UnknownDialect> {
    let found = DIALECTS.into_iter().find(|dialect| dialect.name() == name);
    found.ok_or_else(|| UnknownDialect { name: name.into() })
}

/// A name that no dialect has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no dialect is named {name:?}; there are {}", DIALECTS.map(|dialect| dialect.name()).join(", "))]
pub struct UnknownDialect {
    /// The name.
    pub name: String,
}

/// Where the parts of a well-formed reply stand, what marks them left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The thoughts.
    pub thoughts: Option<Span>,
    /// All calls together.
    pub tool_calls: Option<Span>,
    /// The response.
    pub response: Option<Span>,
}

/// Why a dialect cannot say a turn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Its replies always have thoughts, and the turn has none.
    #[error("a reply must have thoughts, and the turn has none")]
    NoThoughts,
    /// A part holds what marks parts.
    #[error("the {part} hold {tag}, which marks a part of the reply")]
    Tag {
        /// The part.
        part: TurnPart,
        /// What it holds.
        tag: &'static str,
    },
    /// A part holds a lone surrogate, which no UTF-8 text can.
    #[error("the {part} hold a character that is no text: a lone surrogate or a broken byte")]
    NotText {
        /// The part.
        part: TurnPart,
    },
    /// A part would be read otherwise than it is.
    #[error("{dialect} cannot say the {part}: what it writes reads otherwise")]
    Unreadable {
        /// The dialect.
        dialect: &'static str,
        /// The part.
        part: TurnPart,
    },
}

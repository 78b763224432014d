//! The ToolRL handler: prompts to a model, and the calls of its replies.
//!
//! A result records its handler, because the prompt decides much of a score.

mod decode;
mod docs;
mod prompt;
mod template;

pub(crate) use decode::executable;
pub use decode::{DecodeError, decode_ast, decode_execute};
pub use prompt::{Prompt, PromptFile, Said, Speaker};

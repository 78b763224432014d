//! The ToolRL reply: thoughts, then tool calls or a response or both.
//!
//! ```text
//! <think> … </think>
//! <tool_call>
//! {"name": …, "parameters": {…}}
//! </tool_call>
//! <response> … </response>
//! ```
//!
//! Two readings, both those of the paper's released code: [`strict()`] asks whether the whole text
//! has the shape of a given [`ReplyKind`], which the format reward pays for; [`lenient()`] takes the
//! first block of calls wherever it stands, which the correctness reward scores. [`parse()`] gives
//! the lenient reading with everything else that a reader of the reply wants to know.

mod lenient;
mod parse;
mod strict;
mod tags;

pub use lenient::{Block, ToolCall, last_thoughts, lenient};
pub use parse::{Parsed, Reply, parse};
pub use strict::{Layout, ReplyKind, strict};

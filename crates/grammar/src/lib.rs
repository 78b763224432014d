//! Tool-call replies as text: a typed reply with spans, and JSON as Python reads it.
//!
//! Invariant: any bytes in, and no panic, no stack overflow, and time linear in the text. Nothing
//! here touches a file or prints.
//!
//! Text is a byte slice in *generalised UTF-8*: UTF-8 in which a lone surrogate may stand, encoded
//! as three bytes, because a Python string (and so a row of Python's JSON) may hold one. A `&str`
//! is such text, and every entry point takes anything that is `AsRef<[u8]>`.
//!
//! ```
//! let text = "<think> Ask the service. </think>\n<tool_call>\n\
//!             {\"name\": \"weather\", \"parameters\": {\"city\": \"Rome\"}}\n</tool_call>";
//! let parsed = toolrl_grammar::parse(text);
//! assert!(parsed.errors.is_empty());
//!
//! let thoughts = parsed.reply.thoughts.unwrap();
//! assert_eq!(thoughts.of(parsed.text), b" Ask the service. ");
//!
//! let block = parsed.reply.tool_calls.unwrap();
//! let calls = block.calls.unwrap();
//! assert_eq!(calls[0].value.get("name").unwrap().to_string(), "\"weather\"");
//! assert_eq!(&text[calls[0].span.range()][..8], "{\"name\":");
//! ```

mod fault;
mod scored;
mod span;

pub mod json;
pub mod pythonic;
pub mod reply;
pub mod text;

pub use fault::{SyntaxError, SyntaxErrorKind};
pub use reply::{Block, Layout, Parsed, Reply, ReplyKind, ToolCall, lenient, parse, strict};
pub use scored::ScoredText;
pub use span::Span;

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
//! assert!(parsed.faults.is_empty());
//!
//! let thoughts = parsed.turn.thoughts.unwrap();
//! assert_eq!(thoughts.as_bytes(), b"Ask the service.");
//!
//! let call = &parsed.turn.calls[0];
//! assert_eq!(call.name, "weather".into());
//! assert_eq!(call.argument("city").unwrap().to_string(), "\"Rome\"");
//! assert_eq!(&text[call.span.unwrap().range()][..8], "{\"name\":");
//! ```

mod fault;
mod scored;
mod span;
mod turn;

pub mod dialect;
pub mod json;
pub mod pythonic;
pub mod rows;
pub mod tags;
pub mod text;

pub use dialect::toolrl::{Block, ToolRl, lenient, parse, strict};
pub use dialect::{
    DIALECTS, Dialect, Fault, Layout, Outcome, ParameterTypes, Parsed, TurnPart, UnknownDialect, WriteError,
};
pub use fault::{SyntaxError, SyntaxErrorKind};
pub use scored::ScoredText;
pub use span::Span;
pub use turn::{Call, Passage, ReplyKind, Turn};

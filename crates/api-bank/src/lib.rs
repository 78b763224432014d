//! API-Bank as ToolRL evaluates it: cases, the released matching and a hard one.
//!
//! Invariant: a score depends on the reply and the case's one right call alone, and every reply,
//! whatever its bytes, has one, in time linear in the reply.
//!
//! ```
//! use toolrl_api_bank::{Call, Score, score};
//! use toolrl_grammar::json;
//!
//! let right = json::parse(r#"{"name": "Dictionary", "parameters": {"keyword": "solitude"}}"#).unwrap();
//! let right = Call::of(right).unwrap();
//! let reply = "<think> a word </think>\n<tool_call>\n{\"keyword\": \"solitude\"}\n</tool_call>";
//! assert_eq!(score(reply, &right), Score::Released);
//! ```

mod case;
mod error;
mod load;
mod reply;
mod score;
mod tally;

pub mod rows;

pub use case::{Call, Case, Level};
pub use error::ApiBankError;
pub use load::load;
pub use reply::Reply;
pub use score::{Score, score};
pub use tally::{LevelTally, Tally};

//! Calls in pythonic form: `[Get Weather(city="Rome", days=3), ping()]`.
//!
//! Llama-3.2 and ToolACE write calls so, and BFCL asks for them. Values are Python literals and become the
//! JSON values that `json.dumps` would make of them. Beyond Python, names may hold spaces, dots, slashes
//! and parentheses, `true`, `false` and `null` are read too, and a string may hold line breaks.
//!
//! ```
//! let text = r#"[Billboard Albums (All Time)(start='1980-01-01', top=[1, 2], exact=False)]"#;
//! let calls = toolrl_grammar::pythonic::parse(text).unwrap();
//! assert_eq!(calls[0].name, "Billboard Albums (All Time)".into());
//! assert_eq!(calls[0].arguments[&b"top"[..]].to_string(), "[1, 2]");
//!
//! let error = toolrl_grammar::pythonic::parse("[f(x)]").unwrap_err();
//! assert_eq!(error.span.start, 1);
//! ```

mod call;
mod literal;
mod number;
mod string;
mod write;

pub use call::{PythonicCall, parse};
pub(crate) use call::{begins_call, call};
pub(crate) use literal::ends_in_key;
pub use write::Python;

//! JSON as Python's `json` module reads, compares and writes it.
//!
//! Beyond the standard it takes `NaN`, `Infinity`, `-Infinity`, lone surrogates and numbers too
//! large for a double (infinity); a repeated key keeps its first place and its last value. It
//! refuses integers of more than [`MAX_INTEGER_DIGITS`] digits and nesting beyond [`MAX_DEPTH`].
//!
//! ```
//! use toolrl_grammar::json;
//!
//! let value = json::parse(r#"{"x": 1, "y": NaN, "x": [1e22]}"#).unwrap();
//! assert_eq!(value.to_string(), r#"{"x": [1e+22], "y": NaN}"#);
//!
//! let exact = json::parse("10000000000000000000000").unwrap();
//! assert!(json::equal(&exact, &json::parse("1e22").unwrap()));
//!
//! let error = json::parse("[01]").unwrap_err();
//! assert_eq!(error.span.start, 2);
//! ```

mod compare;
mod entries;
mod lines;
mod number;
mod read;
mod string;
mod value;
mod write;

pub use compare::{equal, identical_or_equal, same_entries};
pub use entries::{Entry, entries};
pub use lines::{Line, lines};
pub(crate) use read::{Notation, nested, space, value};
pub use read::{parse, parse_prefix};
pub use value::{Object, PyInt, PyStr, Value};
pub use write::{Entries, Unicode, float_repr};

/// The most digits of an integer: the default of `sys.set_int_max_str_digits`.
pub const MAX_INTEGER_DIGITS: usize = 4300;

/// The deepest nesting of lists and objects: what Python's default recursion limit of 1,000 leaves
/// to its decoder.
pub const MAX_DEPTH: usize = 990;

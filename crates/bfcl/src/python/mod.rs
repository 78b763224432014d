//! What replies and cases owe to Python: its `repr`, its numbers in text, its call expressions.

mod expression;
mod number;
mod repr;

pub use expression::{Argument, PythonCall, parse_call, parse_literals};
pub(crate) use number::{float, integer};
pub use repr::repr;

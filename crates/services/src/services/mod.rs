//! The eight services. Each file holds one class: its functions, its scenario, its state.
//!
//! The functions follow the released ones to the order in which arguments are looked at, because the
//! first fault decides what a call returns and what it has changed by then.

pub(crate) mod files;
pub(crate) mod math;
pub(crate) mod message;
pub(crate) mod posting;
pub(crate) mod ticket;
pub(crate) mod trading;
pub(crate) mod travel;
pub(crate) mod vehicle;

use crate::value::{Value, dict};

/// What most functions return for a request that they refuse.
fn refused(reason: impl Into<String>) -> Value {
    dict! {"error": reason.into()}
}

/// A length as an integer.
fn count(length: usize) -> Value {
    Value::Int(length.into())
}

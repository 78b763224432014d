//! toolrl for Python: what `python/toolrl` builds on.
//!
//! Invariant: a value has one meaning on both sides: text and JSON go in and out, numbers to the bit. What is not
//! understood is a `ValueError` that says where; no tensor library is linked, and the interpreter's lock is given back
//! for all work.

mod data;
mod dialects;
mod rubric;
mod verdicts;

use std::fmt::Display;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// An error as Python has it: the message and its causes.
fn value_error(error: impl Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// The same with what lies behind it.
fn refused(error: &dyn std::error::Error) -> PyErr {
    PyValueError::new_err(message(error))
}

/// An error's text, and those of its causes that it does not tell itself.
fn message(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source()).map(ToString::to_string);
    causes.fold(
        error.to_string(),
        |told, cause| if told.contains(&cause) { told } else { format!("{told}: {cause}") },
    )
}

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::data::{convert, load};
    #[pymodule_export]
    use super::dialects::{detect, dialects, parse, write};
    #[pymodule_export]
    use super::rubric::Rubric;
    #[pymodule_export]
    use super::verdicts::{ApiBank, Bfcl};
}

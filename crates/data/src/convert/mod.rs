//! Samples in the forms that others read: OpenAI's chat, and ToolRL's text.
//!
//! verl's form is what [`write_jsonl`](crate::write_jsonl()) and [`write_parquet`](crate::write_parquet()) write.

mod openai;
mod toolrl;

use serde::Serialize;

pub use openai::openai_rows;
pub use toolrl::in_toolrls_text;

/// What a conversion made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted<T> {
    /// One for each sample that the form can say, in their order.
    pub rows: Vec<T>,
    /// The samples that it cannot say.
    pub left_out: Vec<LeftOut>,
}

/// A sample that a form cannot say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// [`Sample::id`](crate::Sample::id).
    pub id: String,
    /// Why.
    pub reason: String,
}

impl<T> FromIterator<Result<T, LeftOut>> for Converted<T> {
    fn from_iter<I: IntoIterator<Item = Result<T, LeftOut>>>(found: I) -> Self {
        let (mut rows, mut left_out) = (Vec::new(), Vec::new());
        for found in found {
            match found {
                Ok(row) => rows.push(row),
                Err(left) => left_out.push(left),
            }
        }
        Self { rows, left_out }
    }
}

//! Replies read and written in the dialects of models.

use std::path::PathBuf;

use pyo3::prelude::*;
use toolrl_chat::{Chat, ChatError};
use toolrl_grammar::json::{self, Value};
use toolrl_grammar::{DIALECTS, Dialect, dialect, rows};

use crate::{refused, value_error};

type Answer = fn(&Value<'_>, &'static dyn Dialect) -> Result<Value<'static>, String>;

/// The names of all dialects.
#[pyfunction]
pub fn dialects() -> Vec<&'static str> {
    DIALECTS.map(|dialect| dialect.name()).to_vec()
}

/// What a row's text means, as JSON.
#[pyfunction]
pub fn parse(py: Python<'_>, row: &str, dialect: &str) -> PyResult<String> {
    answer(py, row, dialect, rows::parsed)
}

/// What a dialect writes of a message, as JSON.
#[pyfunction]
pub fn write(py: Python<'_>, row: &str, dialect: &str) -> PyResult<String> {
    answer(py, row, dialect, rows::written)
}

fn answer(py: Python<'_>, row: &str, name: &str, answer: Answer) -> PyResult<String> {
    let dialect = dialect::named(name).map_err(value_error)?;
    py.detach(|| {
        let row = json::parse(row).map_err(|error| error.to_string())?;
        answer(&row, dialect).map(|answer| answer.to_string())
    })
    .map_err(value_error)
}

/// The dialect that a model directory's chat template writes, and the call as it was rendered.
#[pyfunction]
pub fn detect(py: Python<'_>, directory: PathBuf) -> PyResult<(&'static str, String)> {
    let found: Result<_, ChatError> = py.detach(|| Chat::load(&directory)?.detect_dialect());
    found.map(|(dialect, rendered)| (dialect.name(), rendered)).map_err(|error| refused(&error))
}

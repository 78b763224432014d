//! The official verdicts of BFCL V3 and API-Bank.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::sync::Mutex;

use pyo3::prelude::*;
use toolrl_api_bank::{Case, Level};
use toolrl_bfcl::rows::Row;
use toolrl_bfcl::{Benchmark, BfclError, Category, Sources};
use toolrl_services::Cases;

use crate::{refused, value_error};

/// BFCL's cases; those of a category are read when its first row comes.
#[pyclass(frozen)]
pub struct Bfcl {
    sources: Sources,
    benchmarks: Mutex<HashMap<Option<Category>, Benchmark>>,
    multi_turn: Mutex<Option<Cases>>,
}

#[pymethods]
impl Bfcl {
    #[new]
    fn new(data: PathBuf) -> Self {
        Self { sources: Sources::new(data), benchmarks: Mutex::default(), multi_turn: Mutex::default() }
    }

    /// The verdict on a JSON row, as JSON.
    fn verdict(&self, py: Python<'_>, row: &str) -> PyResult<String> {
        py.detach(|| match Row::parse(row).map_err(|error| refused(&error))? {
            Row::MultiTurn(_) => self.multi_turn(row),
            of_one_turn => self.single_turn(&of_one_turn).map_err(|error| refused(&error)),
        })
    }
}

impl Bfcl {
    fn single_turn(&self, row: &Row<'_>) -> Result<String, BfclError> {
        let category = match row {
            Row::Ast { id, .. } => Category::of_id(id),
            _ => None,
        };
        let mut benchmarks = self.benchmarks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let benchmark = match benchmarks.entry(category) {
            Entry::Occupied(loaded) => loaded.into_mut(),
            Entry::Vacant(empty) => empty.insert(Benchmark::load(&self.sources, category.as_slice())?),
        };
        Ok(row.verdict(benchmark)?.to_string())
    }

    fn multi_turn(&self, row: &str) -> PyResult<String> {
        let mut cases = self.multi_turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let cases = match &mut *cases {
            Some(cases) => cases,
            none => none.insert(Cases::load(&self.sources.data).map_err(|error| refused(&error))?),
        };
        toolrl_services::rows::answer(row.as_bytes(), cases).map_err(|error| refused(&error))
    }
}

/// API-Bank's cases.
#[pyclass(frozen)]
pub struct ApiBank(Vec<Case>);

#[pymethods]
impl ApiBank {
    #[new]
    fn new(py: Python<'_>, data: PathBuf, levels: Vec<i64>) -> PyResult<Self> {
        let level = |&number| {
            Level::of(number).ok_or_else(|| value_error(format!("level {number}: expected 1 to 3")))
        };
        let levels = levels.iter().map(level).collect::<PyResult<Vec<_>>>()?;
        py.detach(|| toolrl_api_bank::load(&data, &levels)).map(Self).map_err(|error| refused(&error))
    }

    /// The scores of a JSON row, as JSON.
    fn verdict(&self, py: Python<'_>, row: &str) -> PyResult<String> {
        let scored = py.detach(|| toolrl_api_bank::rows::Row::parse(row)?.scored(&self.0));
        scored.map(|scored| scored.to_string()).map_err(|error| refused(&error))
    }
}

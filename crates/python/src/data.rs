//! Datasets in the forms that people keep them in.

use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use toolrl_data::convert::{Converted, LeftOut, in_toolrls_text, openai_rows};
use toolrl_data::{DataError, Faulty, LoadConfig, Sample, Turns, load_with, write_jsonl, write_parquet};

use crate::{refused, value_error};

fn samples(path: &Path, last_turns: bool, leave_out: bool) -> Result<Vec<Sample>, DataError> {
    let turns = if last_turns { Turns::Last } else { Turns::Each };
    let faulty = if leave_out { Faulty::LeaveOut } else { Faulty::Refuse };
    Ok(load_with(path, LoadConfig { turns, faulty })?.samples)
}

/// Samples that are left out, by their ids, and why.
type Reasons = Vec<(String, String)>;

/// The samples of a file as JSON rows of OpenAI's form, and why others have none.
#[pyfunction]
pub fn load(
    py: Python<'_>,
    path: PathBuf,
    last_turns: bool,
    leave_out: bool,
) -> PyResult<(Vec<String>, Reasons)> {
    let read = py.detach(|| {
        let converted = openai_rows(&samples(&path, last_turns, leave_out)?);
        Ok((converted.rows.iter().map(ToString::to_string).collect(), reasons(converted.left_out)))
    });
    read.map_err(|error: DataError| refused(&error))
}

/// Writes a file's samples in ToolRL's text or verl's rows; which were left out, and why.
#[pyfunction]
pub fn convert(
    py: Python<'_>,
    path: PathBuf,
    out: PathBuf,
    to: &str,
    prompt: Option<PathBuf>,
) -> PyResult<Reasons> {
    let is_table = out.extension().is_some_and(|extension| extension == "parquet");
    let write =
        |samples: &[Sample]| if is_table { write_parquet(&out, samples) } else { write_jsonl(&out, samples) };
    let done = match to {
        "verl" => py.detach(|| write(&samples(&path, false, false)?).map(|()| Vec::new())),
        "toolrl" => py.detach(|| {
            let Converted { rows, left_out } =
                in_toolrls_text(&samples(&path, false, false)?, prompt.as_deref())?;
            write(&rows).map(|()| reasons(left_out))
        }),
        other => return Err(value_error(format!("to = {other:?}: expected \"toolrl\" or \"verl\""))),
    };
    done.map_err(|error| refused(&error))
}

fn reasons(left_out: Vec<LeftOut>) -> Reasons {
    left_out.into_iter().map(|LeftOut { id, reason }| (id, reason)).collect()
}

//! Reading the benchmark's files.

use std::path::Path;

use toolrl_grammar::json::{self, Value};

use crate::{ApiBankError, Call, Case, Level};

/// Reads the cases of some levels from the folder of `level-1-api_processed.json` and its like.
///
/// # Errors
/// [`ApiBankError`] with the path and case of a file that is missing or of another form; a missing
/// file's error says where it comes from.
pub fn load(folder: &Path, levels: &[Level]) -> Result<Vec<Case>, ApiBankError> {
    let mut cases = Vec::new();
    for level in levels {
        cases.extend(load_level(&folder.join(level.file_name()), *level)?);
    }
    Ok(cases)
}

fn load_level(path: &Path, level: Level) -> Result<Vec<Case>, ApiBankError> {
    let bytes = std::fs::read(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ApiBankError::Missing { path: path.into(), source },
        _ => ApiBankError::Io { path: path.into(), source },
    })?;
    let file = json::parse(&bytes).map_err(|source| ApiBankError::Json { path: path.into(), source })?;
    let Value::List(rows) = &file else {
        return Err(field(path, 0, "file", "a list of cases", Some(&file)));
    };
    rows.iter().enumerate().map(|(index, row)| case(path, level, index, row)).collect()
}

fn case(path: &Path, level: Level, index: usize, row: &Value<'_>) -> Result<Case, ApiBankError> {
    let text = |name: &'static str| match row.get(name) {
        Some(Value::Str(text)) => Ok(text.lossy().into_owned()),
        other => Err(field(path, index, name, "a string", other)),
    };
    Ok(Case { level, index, system: text("system")?, user: text("user")?, answer: answer(path, index, row)? })
}

/// The right call: an object, or a list that holds just that.
fn answer(path: &Path, index: usize, row: &Value<'_>) -> Result<Call, ApiBankError> {
    let value = row.get("answer");
    let call = match value {
        Some(Value::List(calls)) if calls.len() == 1 => calls.first(),
        other => other,
    };
    let found = call.cloned().and_then(Call::of);
    found.ok_or_else(|| field(path, index, "answer", "one call with `name` and `parameters`", value))
}

fn field(
    path: &Path,
    index: usize,
    field: &'static str,
    expected: &'static str,
    found: Option<&Value<'_>>,
) -> ApiBankError {
    ApiBankError::Field { path: path.into(), index, field, expected, found: Value::described(found) }
}

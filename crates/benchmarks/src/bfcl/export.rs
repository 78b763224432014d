//! Result files for the official scorer.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toolrl_bfcl::{Case, ExportForm, Replies, Target, XLAM, result_files};

use super::Bfcl;
use crate::{BenchmarkError, Outcome};

/// Writes the replies of some outcomes as the files that `bfcl evaluate` reads, one a category, and returns
/// their paths. They stand in a folder of [`XLAM`], whose form of calls an unchanged `bfcl-eval` decodes.
///
/// # Errors
/// [`BenchmarkError::Io`].
pub fn export(bfcl: &Bfcl, outcomes: &[Outcome], folder: &Path) -> Result<Vec<PathBuf>, BenchmarkError> {
    let bytes = |reply: &String| reply.clone().into_bytes();
    let by_id: HashMap<&str, Vec<Vec<Vec<u8>>>> = outcomes
        .iter()
        .map(|outcome| {
            let turns = outcome.replies.iter().map(|steps| steps.iter().map(bytes).collect());
            (outcome.id.as_str(), turns.collect())
        })
        .collect();
    let results = bfcl.cases.iter().filter_map(|case: &Case| {
        let turns = by_id.get(case.id.as_str())?;
        let replies = match (&case.target, turns.first().and_then(|steps| steps.first())) {
            (Target::MultiTurn(_), _) => Replies::MultiTurn(turns),
            (_, reply) => Replies::Single(reply.map_or(&[], Vec::as_slice)),
        };
        Some((case, replies))
    });
    let mut written = Vec::new();
    for file in result_files(XLAM, ExportForm::Calls, bfcl.settings.handler, results) {
        let path = folder.join(&file.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(BenchmarkError::io(parent))?;
        }
        let text = file.lines.join("\n") + "\n";
        std::fs::write(&path, text).map_err(BenchmarkError::io(&path))?;
        written.push(path);
    }
    Ok(written)
}

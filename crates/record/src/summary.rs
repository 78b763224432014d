//! `summary.json`: what a run was and what it changed.

use std::fs;
use std::path::Path;

use toolrl_eval::EvalReport;

use super::{RecordError, write_whole};

/// What a finished run was, and its held-out evaluation before and after.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Summary {
    /// The recipe's name.
    pub recipe: String,
    /// The run's seed.
    pub seed: u64,
    /// Training steps done.
    pub steps: u64,
    /// Seconds of the whole run, both evaluations included.
    pub seconds: f64,
    /// The policy that the run began with.
    pub before: EvalReport,
    /// The policy that it ended with.
    pub after: EvalReport,
}

impl Summary {
    /// Writes it as indented JSON.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(json_error(path))?;
        bytes.push(b'\n');
        write_whole(path, &bytes)
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`RecordError::Io`]; [`RecordError::Json`] with the line.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let bytes = fs::read(path).map_err(RecordError::io(path))?;
        serde_json::from_slice(&bytes).map_err(json_error(path))
    }
}

fn json_error(path: &Path) -> impl FnOnce(serde_json::Error) -> RecordError + '_ {
    move |source| RecordError::Json { path: path.to_owned(), line: source.line(), source }
}

#[cfg(test)]
mod tests {
    use toolrl_eval::Rates;

    use super::*;

    fn report(policy: &str, mean_reward: f64) -> EvalReport {
        let overall = Rates { tasks: 4, mean_reward, ..Rates::default() };
        EvalReport { policy: policy.into(), overall, ..EvalReport::default() }
    }

    #[test]
    fn has_the_documented_fields_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("summary.json");
        let summary = Summary {
            recipe: "quickstart".into(),
            seed: 1,
            steps: 2,
            seconds: 3.5,
            before: report("start", 1.0),
            after: report("end", 2.0),
        };
        summary.write(&path).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(json["after"]["policy"], "end");
        assert_eq!(json["after"]["mean_reward"], 2.0);
        for field in ["format_rate", "exact_call_rate", "by_kind", "unseen_tools"] {
            assert!(json["before"].get(field).is_some(), "{field}");
        }
        assert_eq!(Summary::read(&path).unwrap(), summary);
        fs::write(&path, "{\n}").unwrap();
        let error = Summary::read(&path).unwrap_err().to_string();
        assert!(error.contains("summary.json:2: missing field"), "{error}");
    }
}

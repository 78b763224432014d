//! `summary.json`: what a run was and what it changed.

use std::fs;
use std::path::Path;

use toolrl_eval::EvalReport;

use super::{RecordError, write_whole};

/// What a finished run was, and its evaluations before and after.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Summary {
    /// The recipe's name.
    pub recipe: String,
    /// The run's seed.
    pub seed: u64,
    /// Training steps done.
    pub steps: u64,
    /// Seconds of the whole run, evaluations included: of steps that a checkpoint lost, those that were done again.
    pub seconds: f64,
    /// Seconds that the cores computed in it; none where the system does not tell, or the run was cut off and gone on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// The policy that the run began with.
    pub before: EvalReport,
    /// The policy that it ended with.
    pub after: EvalReport,
    /// The same on the recipe's further evaluation sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<SetSummary>,
    /// Why it ended before its last step, where evaluations ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_early: Option<StoppedEarly>,
    /// The step that `final` is of, where it is not the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_step: Option<u64>,
}

/// The evaluations before and after on one further set.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SetSummary {
    /// The set's name.
    pub name: String,
    /// The policy that the run began with.
    pub before: EvalReport,
    /// The policy that it ended with.
    pub after: EvalReport,
}

/// Evaluations without a gain, after which a run ended.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StoppedEarly {
    /// The evaluation set.
    pub by: String,
    /// The figure.
    pub score: String,
    /// Evaluations without a gain.
    pub without_gain: u32,
    /// The step with the highest figure.
    pub best_step: u64,
    /// That figure.
    pub best: f64,
}

impl std::fmt::Display for StoppedEarly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { by, score, without_gain, best_step, best } = self;
        let times = if *without_gain == 1 { "evaluation" } else { "evaluations" };
        write!(
            f,
            "{without_gain} {times} without a gain in {score} on {by}; its best is {best:.4}, after step {best_step}"
        )
    }
}

impl Summary {
    /// How it ended, where that is not by its last step: a sentence each.
    pub fn ending(&self) -> Vec<String> {
        let stopped =
            self.stopped_early.as_ref().map(|why| format!("Stopped early after step {}: {why}.", self.steps));
        let kept =
            self.final_step.map(|step| format!("The final policy is that after step {step}, the best one."));
        stopped.into_iter().chain(kept).collect()
    }

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
            cpu_seconds: None,
            before: report("start", 1.0),
            after: report("end", 2.0),
            ..Summary::default()
        };
        assert_eq!(summary.ending(), [""; 0]);
        summary.write(&path).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(json["after"]["policy"], "end");
        assert_eq!(json["after"]["mean_reward"], 2.0);
        for field in ["format_rate", "exact_call_rate", "by_kind", "unseen_tools"] {
            assert!(json["before"].get(field).is_some(), "{field}");
        }
        assert!(json.get("sets").is_none() && json.get("stopped_early").is_none(), "{json}");
        assert_eq!(Summary::read(&path).unwrap(), summary);
        let stopped = StoppedEarly {
            by: "mine".into(),
            score: "avg@8".into(),
            without_gain: 3,
            best_step: 4,
            best: 0.25,
        };
        let sets = vec![SetSummary { name: "mine".into(), ..SetSummary::default() }];
        let ended = Summary { sets, stopped_early: Some(stopped), final_step: Some(4), ..summary };
        ended.write(&path).unwrap();
        assert_eq!(Summary::read(&path).unwrap(), ended);
        let expected = "Stopped early after step 2: 3 evaluations without a gain in avg@8 on mine; its best is 0.2500, after step 4.";
        assert_eq!(ended.ending()[0], expected);
        fs::write(&path, "{\n}").unwrap();
        let error = Summary::read(&path).unwrap_err().to_string();
        assert!(error.contains("summary.json:2: missing field"), "{error}");
    }
}

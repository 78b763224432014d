//! The outcomes of an evaluation, task by task: `evaluations/step-00010/held-out.jsonl`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toolrl_eval::Outcome;

use super::{RecordError, write_whole};

/// The folder of a run's evaluations after a step.
pub fn evaluations_dir(run_dir: &Path, step: u64) -> PathBuf {
    run_dir.join(format!("evaluations/step-{step:05}"))
}

/// The file of a run's outcomes on an evaluation set after a step; 0 is before training.
pub fn outcomes_path(run_dir: &Path, step: u64, set: &str) -> PathBuf {
    evaluations_dir(run_dir, step).join(format!("{set}.jsonl"))
}

/// The outcomes of one evaluation, in the order of its tasks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskOutcomes {
    /// One a task.
    pub tasks: Vec<Outcome>,
}

impl TaskOutcomes {
    /// Writes them, a line of JSON each, in the place of older ones.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn write(path: &Path, tasks: &[Outcome]) -> Result<(), RecordError> {
        let mut bytes = Vec::new();
        for (task, line) in tasks.iter().zip(1..) {
            let failed = |source| RecordError::Json { path: path.to_owned(), line, source };
            serde_json::to_writer(&mut bytes, task).map_err(failed)?;
            bytes.push(b'\n');
        }
        write_whole(path, &bytes)
    }

    /// Reads them: of a run ([`outcomes_path`]), or the `outcomes.jsonl` of `toolrl eval --out`.
    ///
    /// # Errors
    /// [`RecordError::Io`]; [`RecordError::Json`] with the line.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let text = std::fs::read(path).map_err(RecordError::io(path))?;
        let lines = text.split(|&byte| byte == b'\n').zip(1..).filter(|(line, _)| !line.is_empty());
        let task = |(bytes, line)| {
            let failed = |source| RecordError::Json { path: path.to_owned(), line, source };
            serde_json::from_slice(bytes).map_err(failed)
        };
        Ok(Self { tasks: lines.map(task).collect::<Result<_, _>>()? })
    }

    /// The outcomes by the ids of their tasks.
    pub fn by_id(&self) -> BTreeMap<&str, &Outcome> {
        self.tasks.iter().map(|task| (task.id.as_str(), task)).collect()
    }

    /// Both outcomes of each task that two evaluations share, in the order of the first: what a paired test compares.
    pub fn paired<'a>(&'a self, other: &'a Self) -> Vec<(&'a Outcome, &'a Outcome)> {
        let others = other.by_id();
        self.tasks.iter().filter_map(|task| Some((task, *others.get(task.id.as_str())?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use toolrl_eval::{ReplyOutcome, TaskScore};
    use toolrl_rollout::FinishReason;

    use super::*;

    fn reply(total: f64, exact: bool) -> ReplyOutcome {
        let components = [("format".to_owned(), 1.0), ("correctness".to_owned(), total - 1.0)].into();
        ReplyOutcome {
            reply: "<think> a\n </think>\u{85}".to_owned(),
            score: Some(TaskScore { total, components, ..TaskScore::default() }),
            error: None,
            well_formed: true,
            exact,
            overlong: false,
            tokens: 7,
            finish: FinishReason::Stop,
        }
    }

    fn task(id: &str, samples: &[bool]) -> Outcome {
        let text = format!(
            r#"{{"id": "{id}", "kind": "one_call", "unseen_tools": true, "gold": "g", "reply": "", "score": null, "error": "e",
                "well_formed": false, "exact": false, "overlong": false, "tokens": 0, "finish": "length"}}"#
        );
        let samples =
            samples.iter().map(|&exact| reply(if exact { 4.0 } else { 0.1 + 0.2 }, exact)).collect();
        Outcome { samples, greedy: reply(-1.0 / 3.0, true), ..serde_json::from_str(&text).unwrap() }
    }

    #[test]
    fn outcomes_come_back_to_the_bit_and_pair_by_id() {
        let dir = tempfile::tempdir().unwrap();
        let path = outcomes_path(dir.path(), 12, "held-out");
        assert!(path.ends_with("evaluations/step-00012/held-out.jsonl"));
        let tasks = vec![task("b", &[]), task("a", &[true, false])];
        TaskOutcomes::write(&path, &tasks).unwrap();
        let read = TaskOutcomes::read(&path).unwrap();
        assert_eq!(read.tasks, tasks);
        let row: serde_json::Value =
            serde_json::from_str(std::fs::read_to_string(&path).unwrap().lines().next().unwrap()).unwrap();
        assert_eq!(
            (&row["id"], &row["exact"], &row["score"]["components"]["format"]),
            (&"b".into(), &true.into(), &1.0.into())
        );
        assert!(row.get("samples").is_none(), "greedy alone: {row}");

        let other = TaskOutcomes { tasks: vec![task("a", &[]), task("c", &[])] };
        let paired: Vec<_> = read.paired(&other).iter().map(|(a, b)| (a.samples.len(), &b.id)).collect();
        assert_eq!(paired, [(2, &"a".to_owned())]);
        assert_eq!(read.by_id().keys().collect::<Vec<_>>(), [&"a", &"b"]);

        std::fs::write(&path, "{}\n").unwrap();
        let message = TaskOutcomes::read(&path).unwrap_err().to_string();
        assert!(message.contains("held-out.jsonl:1: missing field"), "{message}");
    }
}

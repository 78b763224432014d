//! What became of one task, reply by reply.

use std::collections::BTreeMap;

use toolrl_data::{Sample, TaskKind};
use toolrl_grammar::{Dialect, ReplyKind, ToolRl};
use toolrl_reward::Score;
use toolrl_rollout::FinishReason;

use crate::score::Played;
use crate::{is_exact, makes_gold_calls};

/// A reply's reward.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TaskScore {
    /// The total.
    pub total: f64,
    /// Its parts, by term.
    pub components: BTreeMap<String, f64>,
    /// Why a term has no value of its own, by term; terms that did not fail are not there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<String, String>,
}

impl TryFrom<Score> for TaskScore {
    type Error = ScoreError;

    /// A reply that a failed term leaves out has no reward.
    fn try_from(score: Score) -> Result<Self, ScoreError> {
        let failures: BTreeMap<_, _> =
            score.failures().map(|(id, failure)| (id.to_owned(), failure.cause.to_string())).collect();
        if score.skipped {
            let each = failures.iter().map(|(id, cause)| format!("reward term {id:?}: {cause}"));
            return Err(each.collect::<Vec<_>>().join("; ").into());
        }
        Ok(Self { total: score.total, components: score.metrics().collect(), failures })
    }
}

/// Why a reply has no reward: for instance a gold reply that the rubric cannot read.
pub type ScoreError = Box<dyn std::error::Error + Send + Sync>;

/// What one reply to a task was.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ReplyOutcome {
    /// The policy's last turn, as it is scored.
    pub reply: String,
    /// The reward; none where it could not be computed.
    pub score: Option<TaskScore>,
    /// Why it could not.
    pub error: Option<String>,
    /// Whether the reply has the strict form that the gold reply asks for.
    pub well_formed: bool,
    /// Whether it makes the gold calls: [`is_exact`].
    pub exact: bool,
    /// Whether the prompt left no room in the policy's context, so that nothing was replied.
    pub overlong: bool,
    /// Tokens that were sampled.
    pub tokens: usize,
    /// Why the last turn ended.
    pub finish: FinishReason,
}

/// What became of one task.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Outcome {
    /// The sample's id, which no other task of the evaluation has.
    pub id: String,
    /// The kind of task.
    pub kind: TaskKind,
    /// Whether the prompt's tools were held out from training.
    pub unseen_tools: bool,
    /// The gold reply.
    pub gold: String,
    /// The greedy reply; its fields stand beside the task's.
    #[serde(flatten)]
    pub greedy: ReplyOutcome,
    /// The sampled replies, where some were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<ReplyOutcome>,
}

impl ReplyOutcome {
    /// One episode with its score.
    pub(crate) fn of(
        Played { sample, episode, gold }: Played<'_>,
        dialect: &'static dyn Dialect,
        score: Result<TaskScore, ScoreError>,
    ) -> Self {
        let (score, error) = match score {
            Ok(score) => (Some(score), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let reply = &episode.reply().text;
        let is_toolrl = dialect.name() == ToolRl.name();
        let kind = if is_toolrl { ReplyKind::of(&sample.gold) } else { sample.gold.turn().kind() };
        Self {
            reply: reply.clone(),
            score,
            error,
            well_formed: dialect.strict(reply.as_bytes(), kind).is_ok(),
            exact: match gold {
                Ok(reference) => makes_gold_calls(reply, (&sample.gold, reference), dialect),
                Err(_) => is_exact(reply, &sample.gold),
            },
            overlong: episode.replies.is_empty(),
            tokens: episode.sampled(),
            finish: episode.finish(),
        }
    }
}

impl Outcome {
    /// A task with its replies.
    pub(crate) fn new(sample: &Sample, greedy: ReplyOutcome, samples: Vec<ReplyOutcome>) -> Self {
        Self {
            id: sample.id.clone(),
            kind: sample.kind,
            unseen_tools: sample.unseen_tools,
            gold: sample.gold.text().to_owned(),
            greedy,
            samples,
        }
    }
}

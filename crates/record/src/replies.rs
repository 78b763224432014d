//! What a sampler said, as it said it: what a run learns from, so that it need not be asked again.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Float32Builder, ListBuilder, StringBuilder, UInt32Builder, UInt64Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use parquet::errors::ParquetError;
use toolrl_rollout::{Ended, FinishReason};

use super::RecordError;
use super::completions::{FINISHES, finish_name};
use super::table::{read_table, write_table};

/// An episode before it is scored: one row.
#[derive(Clone, Debug, PartialEq)]
pub struct SampledEpisode {
    /// The index of its prompt in the random streams.
    pub prompt_index: u64,
    /// The sample's id.
    pub sample_id: String,
    /// Which member of its group this is, from 0.
    pub member: usize,
    /// All token ids after the prompt, those that the environment put between turns included.
    pub token_ids: Vec<u32>,
    /// The sampler's log-probability of each sampled token, in nats.
    pub logprobs: Vec<f32>,
    /// The policy's turns.
    pub turns: Vec<SampledTurn>,
    /// Why it ended.
    pub ended: Ended,
    /// The environment's verdict, where it has one.
    pub outcome: Option<f64>,
}

/// A turn of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampledTurn {
    /// Its place among the episode's tokens.
    pub place: Range<usize>,
    /// The number of training steps that made the policy which said it.
    pub version: u64,
    /// Why it ended.
    pub finish: FinishReason,
}

/// The folder of the replies: `<run>/replies`.
pub fn replies_dir(run_dir: &Path) -> PathBuf {
    run_dir.join("replies")
}

/// The file of a step (from 1), and of one of the rounds in which it samples (from 0):
/// `<run>/replies/step-00001-round-0.parquet`.
pub fn replies_path(run_dir: &Path, step: u64, round: u64) -> PathBuf {
    replies_dir(run_dir).join(format!("step-{step:05}-round-{round}.parquet"))
}

/// The steps and the rounds of which a run has a file of replies, in order; none where there is no folder of them.
///
/// # Errors
/// [`RecordError::Io`].
pub fn replied_rounds(run_dir: &Path) -> Result<Vec<(u64, u64)>, RecordError> {
    let folder = replies_dir(run_dir);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut rounds = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(RecordError::io(&folder))? {
        let name = entry.map_err(RecordError::io(&folder))?.file_name();
        let numbers = name.to_str().and_then(|name| {
            let (step, round) =
                name.strip_prefix("step-")?.strip_suffix(".parquet")?.split_once("-round-")?;
            Some((step.parse().ok()?, round.parse().ok()?))
        });
        rounds.extend(numbers);
    }
    rounds.sort_unstable();
    Ok(rounds)
}

/// Writes the episodes of a round, Zstandard-compressed; the file appears whole or not at all.
///
/// # Errors
/// [`RecordError::Parquet`] and [`RecordError::Io`].
pub fn write_replies(path: &Path, episodes: &[SampledEpisode]) -> Result<(), RecordError> {
    write_table(path, columns(episodes))
}

/// Reads what [`write_replies`] wrote.
///
/// # Errors
/// [`RecordError::Io`]; [`RecordError::Parquet`], also for a column that is missing, and for lists that do not fit each
/// other.
pub fn read_replies(path: &Path) -> Result<Vec<SampledEpisode>, RecordError> {
    read_table(path, read_batch)
}

fn columns(episodes: &[SampledEpisode]) -> Vec<(String, ArrayRef, bool)> {
    let mut tokens = ListBuilder::new(UInt32Builder::new());
    let mut logprobs = ListBuilder::new(Float32Builder::new());
    let mut bounds = ListBuilder::new(UInt32Builder::new());
    let mut versions = ListBuilder::new(UInt64Builder::new());
    let mut finishes = ListBuilder::new(StringBuilder::new());
    for episode in episodes {
        tokens.values().append_slice(&episode.token_ids);
        tokens.append(true);
        logprobs.values().append_slice(&episode.logprobs);
        logprobs.append(true);
        for turn in &episode.turns {
            bounds.values().append_slice(&[turn.place.start as u32, turn.place.end as u32]);
            versions.values().append_value(turn.version);
            finishes.values().append_value(finish_name(turn.finish));
        }
        bounds.append(true);
        versions.append(true);
        finishes.append(true);
    }
    let whole = |of: &dyn Fn(&SampledEpisode) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(episodes.iter().map(of)))
    };
    let text = |of: &dyn Fn(&SampledEpisode) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(episodes.iter().map(of)))
    };
    let outcomes = Float64Array::from_iter(episodes.iter().map(|episode| episode.outcome));
    let columns: [(&str, ArrayRef); 10] = [
        ("prompt_index", whole(&|episode| episode.prompt_index)),
        ("sample_id", text(&|episode| episode.sample_id.clone())),
        ("member", whole(&|episode| episode.member as u64)),
        ("token_ids", Arc::new(tokens.finish())),
        ("logprobs", Arc::new(logprobs.finish())),
        ("turn_bounds", Arc::new(bounds.finish())),
        ("turn_versions", Arc::new(versions.finish())),
        ("turn_finishes", Arc::new(finishes.finish())),
        ("ended", text(&|episode| ended_name(episode.ended).to_owned())),
        ("outcome", Arc::new(outcomes)),
    ];
    columns.into_iter().map(|(name, column)| (name.to_owned(), column, name == "outcome")).collect()
}

fn read_batch(batch: &RecordBatch) -> Result<Vec<SampledEpisode>, ParquetError> {
    let missing = |name: &str| ParquetError::General(format!("no column {name:?} of the expected type"));
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
    let whole = |name| column(name)?.as_primitive_opt::<UInt64Type>().ok_or_else(|| missing(name));
    let text = |name| column(name)?.as_string_opt::<i32>().ok_or_else(|| missing(name));
    let list = |name| column(name)?.as_list_opt::<i32>().ok_or_else(|| missing(name));
    let (indices, members) = (whole("prompt_index")?, whole("member")?);
    let (ids, ends) = (text("sample_id")?, text("ended")?);
    let (tokens, logprobs, bounds) = (list("token_ids")?, list("logprobs")?, list("turn_bounds")?);
    let (versions, finishes) = (list("turn_versions")?, list("turn_finishes")?);
    let outcomes = column("outcome")?.as_primitive_opt::<Float64Type>().ok_or_else(|| missing("outcome"))?;
    let numbers = |values: ArrayRef, name: &str| {
        values.as_primitive_opt::<UInt32Type>().map(|v| v.values().to_vec()).ok_or_else(|| missing(name))
    };
    let episode = |i: usize| {
        let wrong = |what: &str| ParquetError::General(format!("row {i}: {what}"));
        let token_ids = numbers(tokens.value(i), "token_ids")?;
        let places = numbers(bounds.value(i), "turn_bounds")?;
        let of_row = logprobs.value(i);
        let logprobs = of_row.as_primitive_opt::<Float32Type>().ok_or_else(|| missing("logprobs"))?;
        let of_row = versions.value(i);
        let versions = of_row.as_primitive_opt::<UInt64Type>().ok_or_else(|| missing("turn_versions"))?;
        let of_row = finishes.value(i);
        let finishes = of_row.as_string_opt::<i32>().ok_or_else(|| missing("turn_finishes"))?;
        let (places, rest) = places.as_chunks::<2>();
        let is_within = places.last().is_none_or(|last| last[1] as usize <= token_ids.len());
        let in_order = places.as_flattened().is_sorted();
        if !rest.is_empty()
            || !is_within
            || !in_order
            || [versions.len(), finishes.len()] != [places.len(); 2]
        {
            return Err(wrong("the turns do not fit the tokens"));
        }
        let turn = |(t, &[start, end]): (usize, &[u32; 2])| {
            let finish = FINISHES.into_iter().find(|&of| finish_name(of) == finishes.value(t));
            let finish = finish.ok_or_else(|| wrong("an unknown reason why a turn ended"))?;
            let place = start as usize..end as usize;
            Ok(SampledTurn { place, version: versions.value(t), finish })
        };
        let turns = places.iter().enumerate().map(turn).collect::<Result<Vec<_>, ParquetError>>()?;
        if logprobs.len() != turns.iter().map(|turn| turn.place.len()).sum::<usize>() {
            return Err(wrong("the log-probabilities do not fit the turns"));
        }
        let ended = ENDS.into_iter().find(|&of| ended_name(of) == ends.value(i));
        Ok(SampledEpisode {
            prompt_index: indices.value(i),
            sample_id: ids.value(i).to_owned(),
            member: members.value(i) as usize,
            token_ids,
            logprobs: logprobs.values().to_vec(),
            turns,
            ended: ended.ok_or_else(|| wrong("an unknown reason why the episode ended"))?,
            outcome: outcomes.is_valid(i).then(|| outcomes.value(i)),
        })
    };
    (0..batch.num_rows()).map(episode).collect()
}

const ENDS: [Ended; 4] = [Ended::Closed, Ended::Cut, Ended::OutOfTurns, Ended::OutOfContext];

fn ended_name(ended: Ended) -> &'static str {
    match ended {
        Ended::Closed => "closed",
        Ended::Cut => "cut",
        Ended::OutOfTurns => "out_of_turns",
        Ended::OutOfContext => "out_of_context",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episodes() -> Vec<SampledEpisode> {
        let turn = |place, version, finish| SampledTurn { place, version, finish };
        let two_turns = SampledEpisode {
            prompt_index: 7,
            sample_id: "köln".into(),
            member: 1,
            token_ids: vec![1, u32::MAX, 3, 4],
            logprobs: vec![-0.1, f32::MIN_POSITIVE, -3.000_000_2],
            turns: vec![turn(0..1, 3, FinishReason::StopString), turn(2..4, u64::MAX, FinishReason::Length)],
            ended: Ended::Cut,
            outcome: Some(0.1),
        };
        let without_turn = SampledEpisode {
            token_ids: Vec::new(),
            logprobs: Vec::new(),
            turns: Vec::new(),
            ended: Ended::OutOfContext,
            outcome: None,
            ..two_turns.clone()
        };
        vec![two_turns, without_turn]
    }

    #[test]
    fn replies_come_back_to_the_bit() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(replied_rounds(dir.path()).unwrap(), []);
        for (step, round, rows) in [(12, 0, episodes()), (3, 1, Vec::new()), (3, 0, episodes())] {
            let path = replies_path(dir.path(), step, round);
            write_replies(&path, &rows).unwrap();
            assert_eq!(read_replies(&path).unwrap(), rows);
        }
        std::fs::write(replies_dir(dir.path()).join("step-00003-round-x.parquet"), "").unwrap();
        assert_eq!(replied_rounds(dir.path()).unwrap(), [(3, 0), (3, 1), (12, 0)]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("replies.parquet");
        let broken: [fn(&mut SampledEpisode); 4] = [
            |episode| episode.logprobs.truncate(2),
            |episode| episode.turns[1].place.end = 5,
            |episode| episode.turns.swap(0, 1),
            |episode| episode.turns[0].place.end = 3,
        ];
        for change in broken {
            let mut rows = episodes();
            change(&mut rows[0]);
            write_replies(&path, &rows).unwrap();
            assert!(matches!(read_replies(&path), Err(RecordError::Parquet { .. })));
        }
        std::fs::write(&path, "no table").unwrap();
        assert!(matches!(read_replies(&path), Err(RecordError::Parquet { .. })));
    }
}

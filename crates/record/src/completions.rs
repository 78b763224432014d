//! Sampled completions as Parquet: one file a step.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::DataType;
use parquet::errors::ParquetError;
use serde::Serialize;
use toolrl_rollout::FinishReason;

use super::table::{read_table, write_table};
use super::{EpisodeRecord, RecordError};

/// One sampled reply with its score: one row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Completion {
    /// The training step, from 1.
    pub step: u64,
    /// Position of the sample in its source.
    pub prompt_index: u64,
    /// The sample's id.
    pub sample_id: String,
    /// The sample's kind of task.
    pub kind: String,
    /// Which member of its group this is, from 0.
    pub member: usize,
    /// The rendered prompt, as the policy saw it.
    pub prompt: String,
    /// Tokens that the prompt lacks at its beginning, as the recipe had it cut.
    pub prompt_cut: u64,
    /// The reply, special tokens left out.
    pub completion: String,
    /// The gold reply.
    pub gold: String,
    /// The total reward.
    pub reward: f64,
    /// Every reward component by its term's name; the columns `reward_<name>`.
    pub components: BTreeMap<String, f64>,
    /// The advantage.
    pub advantage: f64,
    /// Why the reply ended.
    pub finish: FinishReason,
    /// Tokens of the reply.
    pub tokens: usize,
    /// Sum of the tokens' log-probabilities under the sampler, in nats.
    pub logprob_sum: f64,
    /// What another run can be trained on. None in files of earlier versions, which did not write it.
    pub episode: Option<EpisodeRecord>,
}

/// The groups of a file's rows: those of one prompt, sampled together.
pub fn groups(rows: &[Completion]) -> impl Iterator<Item = &[Completion]> {
    // A prompt that is sampled again in the same step begins again with the first member.
    rows.chunk_by(|a, b| {
        a.member < b.member && (a.prompt_index, &a.sample_id) == (b.prompt_index, &b.sample_id)
    })
}

/// The steps of which a run has a file of completions, in order.
///
/// # Errors
/// [`RecordError::Io`], also where there is no folder of them.
pub fn completed_steps(run_dir: &Path) -> Result<Vec<u64>, RecordError> {
    let folder = run_dir.join("completions");
    let mut steps = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(RecordError::io(&folder))? {
        let name = entry.map_err(RecordError::io(&folder))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("step-")?.strip_suffix(".parquet"));
        steps.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    steps.sort_unstable();
    Ok(steps)
}

/// The file of a step: `<run>/completions/step-00001.parquet`.
pub fn completions_path(run_dir: &Path, step: u64) -> PathBuf {
    run_dir.join("completions").join(format!("step-{step:05}.parquet"))
}

/// Writes the replies of a step, Zstandard-compressed; the file appears whole or not at all.
///
/// # Errors
/// [`RecordError::Parquet`] and [`RecordError::Io`].
pub fn write_completions(path: &Path, rows: &[Completion]) -> Result<(), RecordError> {
    write_table(path, columns(rows))
}

/// Reads what [`write_completions`] wrote.
///
/// # Errors
/// [`RecordError::Io`]; [`RecordError::Parquet`], also for a column that is missing or of another type.
pub fn read_completions(path: &Path) -> Result<Vec<Completion>, RecordError> {
    read_table(path, read_batch)
}

fn read_batch(batch: &RecordBatch) -> Result<Vec<Completion>, ParquetError> {
    let column = |name: &str, kind: DataType| {
        let found = batch.column_by_name(name).filter(|column| *column.data_type() == kind);
        found.ok_or_else(|| ParquetError::General(format!("no column {name:?} of type {kind}")))
    };
    let texts = |name| Ok::<_, ParquetError>(column(name, DataType::Utf8)?.as_string::<i32>());
    let whole = |name| Ok::<_, ParquetError>(column(name, DataType::UInt64)?.as_primitive::<UInt64Type>());
    let floats = |name| Ok::<_, ParquetError>(column(name, DataType::Float64)?.as_primitive::<Float64Type>());
    let (step, prompt_index, member, tokens) =
        (whole("step")?, whole("prompt_index")?, whole("member")?, whole("tokens")?);
    let (sample_id, kind, prompt) = (texts("sample_id")?, texts("kind")?, texts("prompt")?);
    let (completion, gold, finish) = (texts("completion")?, texts("gold")?, texts("finish")?);
    let (reward, advantage, logprob_sum) = (floats("reward")?, floats("advantage")?, floats("logprob_sum")?);
    // Files of earlier versions have no such columns.
    let prompt_cut = whole("prompt_cut").ok();
    let episodes = EpisodeRecord::read(batch)?;
    let schema = batch.schema();
    let names = schema.fields().iter().map(|field| field.name()).filter(|name| name.starts_with("reward_"));
    let components: Vec<_> = names
        .map(|name| Ok((name["reward_".len()..].to_owned(), floats(name)?)))
        .collect::<Result<_, ParquetError>>()?;
    let row = |i: usize| Completion {
        step: step.value(i),
        prompt_index: prompt_index.value(i),
        sample_id: sample_id.value(i).to_owned(),
        kind: kind.value(i).to_owned(),
        member: member.value(i) as usize,
        prompt: prompt.value(i).to_owned(),
        prompt_cut: prompt_cut.map_or(0, |cut| cut.value(i)),
        completion: completion.value(i).to_owned(),
        gold: gold.value(i).to_owned(),
        reward: reward.value(i),
        components: components
            .iter()
            .filter(|(_, values)| values.is_valid(i))
            .map(|(name, values)| (name.clone(), values.value(i)))
            .collect(),
        advantage: advantage.value(i),
        finish: FINISHES
            .into_iter()
            .find(|&f| finish.value(i) == finish_name(f))
            .unwrap_or(FinishReason::Length),
        tokens: tokens.value(i) as usize,
        logprob_sum: logprob_sum.value(i),
        episode: episodes.as_ref().map(|episodes| episodes[i].clone()),
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

/// Name, content and whether it may be null, of every column.
fn columns(rows: &[Completion]) -> Vec<(String, ArrayRef, bool)> {
    let mut columns = vec![
        integers("step", rows, |r| r.step),
        integers("prompt_index", rows, |r| r.prompt_index),
        strings("sample_id", rows, |r| &r.sample_id),
        strings("kind", rows, |r| &r.kind),
        integers("member", rows, |r| r.member as u64),
        strings("prompt", rows, |r| &r.prompt),
        integers("prompt_cut", rows, |r| r.prompt_cut),
        strings("completion", rows, |r| &r.completion),
        strings("gold", rows, |r| &r.gold),
        floats("reward", rows, |r| Some(r.reward)),
    ];
    let names: BTreeSet<&String> = rows.iter().flat_map(|r| r.components.keys()).collect();
    columns.extend(
        names
            .into_iter()
            .map(|name| floats(&format!("reward_{name}"), rows, |r| r.components.get(name).copied())),
    );
    columns.extend([
        floats("advantage", rows, |r| Some(r.advantage)),
        strings("finish", rows, |r| finish_name(r.finish)),
        integers("tokens", rows, |r| r.tokens as u64),
        floats("logprob_sum", rows, |r| Some(r.logprob_sum)),
    ]);
    let episodes: Option<Vec<_>> = rows.iter().map(|row| row.episode.as_ref()).collect();
    columns.extend(episodes.into_iter().flat_map(|episodes| EpisodeRecord::columns(&episodes)));
    columns
}

pub(super) const FINISHES: [FinishReason; 3] =
    [FinishReason::Stop, FinishReason::StopString, FinishReason::Length];

pub(super) fn finish_name(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop => "stop",
        FinishReason::StopString => "stop_string",
        FinishReason::Length => "length",
    }
}

fn integers(name: &str, rows: &[Completion], value: impl Fn(&Completion) -> u64) -> (String, ArrayRef, bool) {
    (name.into(), Arc::new(UInt64Array::from_iter_values(rows.iter().map(value))), false)
}

fn strings<'a>(
    name: &str,
    rows: &'a [Completion],
    value: impl Fn(&'a Completion) -> &'a str,
) -> (String, ArrayRef, bool) {
    (name.into(), Arc::new(StringArray::from_iter_values(rows.iter().map(value))), false)
}

fn floats(
    name: &str,
    rows: &[Completion],
    value: impl Fn(&Completion) -> Option<f64>,
) -> (String, ArrayRef, bool) {
    (name.into(), Arc::new(Float64Array::from_iter(rows.iter().map(value))), true)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    fn row(member: usize, components: &[(&str, f64)]) -> Completion {
        Completion {
            step: 7,
            prompt_index: 41,
            sample_id: "world-41".into(),
            kind: "one_call".into(),
            member,
            prompt: "What is the weather in Köln?\n".into(),
            prompt_cut: 3 * member as u64,
            completion: "<think> … </think>".into(),
            gold: "gold".into(),
            reward: 1.5,
            components: components.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect(),
            advantage: -0.25,
            finish: if member == 0 { FinishReason::StopString } else { FinishReason::Length },
            tokens: 12,
            logprob_sum: -3.5,
            episode: Some(EpisodeRecord {
                token_ids: vec![7, 8, 9, u32::MAX],
                turns: vec![0..1, 3..4],
                skipped: member == 1,
            }),
        }
    }

    #[test]
    fn files_of_earlier_versions_have_no_episodes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("old.parquet");
        let rows = [row(0, &[]), row(1, &[])].map(|row| Completion { episode: None, ..row });
        write_completions(&path, &rows).unwrap();
        assert_eq!(read_completions(&path).unwrap(), rows);
    }

    #[test]
    fn groups_are_rows_of_one_prompt_sampled_together() {
        let of = |index, member| Completion { prompt_index: index, ..row(member, &[]) };
        let rows = [of(4, 0), of(4, 1), of(5, 0), of(4, 0), of(4, 1), of(4, 2), of(4, 0)];
        assert_eq!(groups(&rows).map(<[_]>::len).collect::<Vec<_>>(), [2, 1, 3, 1]);
        let dir = tempfile::tempdir().unwrap();
        assert!(completed_steps(dir.path()).is_err());
        for step in [12, 3] {
            write_completions(&completions_path(dir.path(), step), &rows).unwrap();
        }
        std::fs::write(dir.path().join("completions/step-x.parquet"), "").unwrap();
        assert_eq!(completed_steps(dir.path()).unwrap(), [3, 12]);
    }

    #[test]
    fn columns_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = completions_path(dir.path(), 7);
        assert!(path.ends_with("completions/step-00007.parquet"));
        let rows = [row(0, &[("format", 1.0)]), row(1, &[("format", 0.0), ("length", 0.5)])];
        write_completions(&path, &rows).unwrap();
        assert_eq!(read_completions(&path).unwrap(), rows);
        let file = File::open(&path).unwrap();
        let mut reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        let batch = reader.next().unwrap().unwrap();
        assert_eq!(batch.num_rows(), 2);
        let column = |name: &str| batch.column_by_name(name).unwrap().clone();
        assert_eq!(column("step").as_primitive::<UInt64Type>().values(), &[7, 7]);
        assert_eq!(column("member").as_primitive::<UInt64Type>().values(), &[0, 1]);
        assert_eq!(column("prompt").as_string::<i32>().value(1), rows[1].prompt);
        assert_eq!(column("finish").as_string::<i32>().value(1), "length");
        assert_eq!(column("reward_format").as_primitive::<Float64Type>().values(), &[1.0, 0.0]);
        let length = column("reward_length");
        assert!(length.is_null(0) && !length.is_null(1), "a term that gave no value is null");
        assert_eq!(column("logprob_sum").as_primitive::<Float64Type>().value(0), -3.5);
    }

    #[test]
    fn a_step_without_replies_is_a_file_without_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = completions_path(dir.path(), 1);
        write_completions(&path, &[]).unwrap();
        let file = File::open(&path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }
}

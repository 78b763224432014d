//! Episodes as a run on them needs them: token ids, beside the text that people read.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, UInt32Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, BooleanArray, ListArray, RecordBatch};
use arrow_schema::DataType;
use parquet::errors::ParquetError;
use serde::Serialize;

/// An episode as a run on it needs it: what was sampled is never tokenised again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EpisodeRecord {
    /// All token ids after the task's prompt, those that the environment put between turns included.
    pub token_ids: Vec<u32>,
    /// The places of the sampled ones among them, turn by turn.
    pub turns: Vec<Range<usize>>,
    /// Whether a failed term of the reward leaves the reply out, so that its reward means nothing.
    pub skipped: bool,
}

impl EpisodeRecord {
    /// The turns as one list: where each begins and where it ends.
    fn bounds(&self) -> impl Iterator<Item = u32> {
        self.turns.iter().flat_map(|turn| [turn.start as u32, turn.end as u32])
    }

    /// An episode of such a list; none where it does not fit the tokens.
    fn of(token_ids: Vec<u32>, bounds: &[u32], skipped: bool) -> Option<Self> {
        let (pairs, rest) = bounds.as_chunks::<2>();
        let fits = rest.is_empty()
            && bounds.is_sorted()
            && bounds.last().is_none_or(|&end| end as usize <= token_ids.len());
        let turns = pairs.iter().map(|&[start, end]| start as usize..end as usize).collect();
        fits.then_some(Self { token_ids, turns, skipped })
    }

    /// The episodes of a batch, where it has their columns.
    pub(super) fn read(batch: &RecordBatch) -> Result<Option<Vec<Self>>, ParquetError> {
        let lists = |name| {
            let lists = batch.column_by_name(name).and_then(|column| column.as_list_opt::<i32>());
            lists.filter(|lists| *lists.values().data_type() == DataType::UInt32)
        };
        let skipped = batch.column_by_name("skipped").and_then(|column| column.as_boolean_opt());
        let (Some(tokens), Some(bounds), Some(skipped)) = (lists("token_ids"), lists("turn_bounds"), skipped)
        else {
            return Ok(None);
        };
        let list = |lists: &ListArray, i| lists.value(i).as_primitive::<UInt32Type>().values().to_vec();
        let episode = |i| {
            let episode = Self::of(list(tokens, i), &list(bounds, i), skipped.value(i));
            episode.ok_or_else(|| ParquetError::General(format!("row {i}: turn_bounds do not fit token_ids")))
        };
        (0..batch.num_rows()).map(episode).collect::<Result<_, _>>().map(Some)
    }

    /// Name, content and whether it may be null, of an episode's columns.
    pub(super) fn columns(episodes: &[&Self]) -> [(String, ArrayRef, bool); 3] {
        let lists = |name: &str, values: &dyn Fn(&Self) -> Vec<u32>| {
            let mut lists = ListBuilder::new(UInt32Builder::new());
            for episode in episodes {
                lists.values().append_slice(&values(episode));
                lists.append(true);
            }
            (name.to_owned(), Arc::new(lists.finish()) as ArrayRef, false)
        };
        let skipped = BooleanArray::from_iter(episodes.iter().map(|episode| Some(episode.skipped)));
        [
            lists("token_ids", &|episode| episode.token_ids.clone()),
            lists("turn_bounds", &|episode| episode.bounds().collect()),
            ("skipped".to_owned(), Arc::new(skipped), false),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_do_not_fit_are_no_episode() {
        let of =
            |bounds: &[u32]| EpisodeRecord::of(vec![5, 6, 7], bounds, false).map(|episode| episode.turns);
        assert_eq!(of(&[0, 1, 2, 3]), Some(vec![0..1, 2..3]));
        assert_eq!(of(&[]), Some(vec![]));
        for bad in [&[0, 4][..], &[0], &[2, 1], &[0, 2, 1, 3]] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
    }
}

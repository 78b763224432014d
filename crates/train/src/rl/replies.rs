//! The replies of a run whose sampler is not this process's, written down before they are learned from: a run that was
//! cut off goes on with them, where asking again would give others.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toolrl_chat::Chat;
use toolrl_record::{SampledEpisode, SampledTurn, read_replies, replied_rounds, replies_path, write_replies};
use toolrl_rollout::{Episode, Group, Prompt, Reply, Sampled, SamplingParams, Segment};

use crate::TrainError;
use crate::task::Task;

/// The replies of a run, by step and round.
#[derive(Clone, Debug)]
pub(crate) struct Replies {
    run_dir: PathBuf,
}

/// How replies are read as they were when they were sampled.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub chat: &'a Chat,
    pub params: &'a SamplingParams,
    pub tasks: &'a [Task],
    pub members: usize,
}

impl Replies {
    /// Those in a run's directory.
    pub(crate) fn of(run_dir: &Path) -> Self {
        Self { run_dir: run_dir.to_owned() }
    }

    /// Whether a round is written down.
    pub(super) fn has(&self, (step, round): (u64, u64)) -> bool {
        replies_path(&self.run_dir, step, round).exists()
    }

    /// Removes those of steps that `which` takes.
    pub(crate) fn forget(&self, which: impl Fn(u64) -> bool) -> Result<(), TrainError> {
        for (step, round) in replied_rounds(&self.run_dir)?.into_iter().filter(|(step, _)| which(*step)) {
            let path = replies_path(&self.run_dir, step, round);
            std::fs::remove_file(&path).map_err(|source| TrainError::Write { path, source })?;
        }
        Ok(())
    }

    pub(super) fn write(
        &self,
        (step, round): (u64, u64),
        groups: &[Group<Episode>],
        tasks: &[Task],
    ) -> Result<(), TrainError> {
        let members = groups.iter().flat_map(|group| group.members.iter().map(move |m| (&*group.prompt, m)));
        let row = |(prompt, episode): (&Prompt, &Episode)| row(prompt, episode, &tasks[prompt.task]);
        let rows: Vec<_> = members.map(row).collect();
        Ok(write_replies(&replies_path(&self.run_dir, step, round), &rows)?)
    }

    /// The groups of a round, whose prompts are these.
    ///
    /// # Errors
    /// [`TrainError::OtherReplies`] where they are of other prompts.
    pub(super) fn read(
        &self,
        (step, round): (u64, u64),
        prompts: &[Arc<Prompt>],
        reading: Reading<'_>,
    ) -> Result<Vec<Group<Episode>>, TrainError> {
        let path = replies_path(&self.run_dir, step, round);
        let rows = read_replies(&path)?;
        let other = |what: String| TrainError::OtherReplies { path: path.clone(), what };
        if rows.len() != prompts.len() * reading.members {
            return Err(other(format!("{} replies, not {}", rows.len(), prompts.len() * reading.members)));
        }
        let groups = prompts.iter().zip(rows.chunks(reading.members.max(1)));
        let group = |(prompt, rows): (&Arc<Prompt>, &[SampledEpisode])| {
            let episode = |(member, row): (usize, &SampledEpisode)| {
                let task = &reading.tasks[prompt.task].sample.id;
                if (row.prompt_index, &row.sample_id, row.member) != (prompt.index, task, member) {
                    return Err(other(format!("a reply to sample {}, not to {task}", row.sample_id)));
                }
                read(row, prompt, reading)
            };
            let members = rows.iter().enumerate().map(episode).collect::<Result<_, TrainError>>()?;
            Ok(Group { prompt: prompt.clone(), members })
        };
        groups.map(group).collect()
    }
}

fn row(prompt: &Prompt, episode: &Episode, task: &Task) -> SampledEpisode {
    let of_turn = |segment: &Segment| match *segment {
        Segment::Sampled { version, finish, .. } => Some((version, finish)),
        Segment::Given { .. } => None,
    };
    let turns = episode.turns().into_iter().zip(episode.segments.iter().filter_map(of_turn));
    SampledEpisode {
        prompt_index: prompt.index,
        sample_id: task.sample.id.clone(),
        member: episode.member,
        token_ids: episode.tokens.clone(),
        logprobs: episode.logprobs.clone(),
        turns: turns.map(|(place, (version, finish))| SampledTurn { place, version, finish }).collect(),
        ended: episode.ended,
        outcome: episode.outcome,
    }
}

/// The episode of a row; its text follows from its tokens.
fn read(row: &SampledEpisode, prompt: &Prompt, reading: Reading<'_>) -> Result<Episode, TrainError> {
    let Reading { chat, params, .. } = reading;
    let (mut segments, mut replies, mut end) = (Vec::new(), Vec::new(), 0);
    for SampledTurn { place, version, finish } in &row.turns {
        if place.start > end {
            segments.push(Segment::Given { len: place.start - end });
        }
        let (version, finish) = (*version, *finish);
        segments.push(Segment::Sampled { len: place.len(), version, finish });
        let tokens = row.token_ids[place.clone()].to_vec();
        let turn = Sampled { tokens, logprobs: Vec::new(), finish, version };
        replies.push(Reply::of_turn(chat, prompt, &turn, params)?);
        end = place.end;
    }
    Ok(Episode {
        member: row.member,
        tokens: row.token_ids.clone(),
        segments,
        logprobs: row.logprobs.clone(),
        replies,
        ended: row.ended,
        outcome: row.outcome,
    })
}

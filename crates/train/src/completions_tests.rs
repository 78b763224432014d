//! Which groups are used, which replies of them, and that recorded words are the policy's.

#![allow(clippy::single_range_in_vec_init, reason = "a reply may have one turn")]

use std::path::Path;

use toolrl_data::TaskKind;
use toolrl_record::write_completions;
use toolrl_rollout::GoldReply;

use super::*;
use crate::DataSource;
use crate::test_fixtures::World;

/// A reply with its reward, as text that is its tokens. `!` at the end: cut off; `?`: without a reward.
fn row(step: u64, index: u64, member: usize, (text, reward): (&str, f64), chat: &Chat) -> Completion {
    let (said, finish) = match text.strip_suffix('!') {
        Some(said) => (said, FinishReason::Length),
        None => (text, FinishReason::Stop),
    };
    let mut token_ids = chat.encode(said).unwrap();
    token_ids.extend(chat.eos_token_id().filter(|_| finish == FinishReason::Stop));
    let turns = std::iter::once(0..token_ids.len()).collect();
    Completion {
        step,
        prompt_index: index,
        sample_id: format!("task-{index}"),
        kind: "other".into(),
        member,
        prompt: prompt(index, chat),
        prompt_cut: 0,
        completion: said.into(),
        gold: "0".into(),
        reward,
        components: Default::default(),
        advantage: 0.0,
        finish,
        tokens: token_ids.len(),
        logprob_sum: -1.0,
        episode: Some(EpisodeRecord { token_ids, turns, skipped: said.ends_with('?') }),
    }
}

fn sample(index: u64) -> Sample {
    Sample {
        id: format!("task-{index}"),
        messages: vec![toolrl_chat::Message::new("user", format!("task {index}"))],
        tools: Vec::new(),
        gold: "0".into(),
        kind: TaskKind::Other,
        unseen_tools: false,
    }
}

fn prompt(index: u64, chat: &Chat) -> String {
    Prompt::of_sample(chat, &GoldReply, &sample(index), 0).unwrap().text
}

type Replies<'a> = &'a [(&'a str, f64)];

/// A run with these groups, by step.
fn run(dir: &Path, chat: &Chat, steps: &[&[(u64, Replies<'_>)]]) -> CompletionsConfig {
    std::fs::write(dir.join("config.toml"), "").unwrap();
    for (step, groups) in (1..).zip(steps) {
        let rows = groups.iter().flat_map(|&(index, replies)| {
            replies.iter().enumerate().map(move |(member, &reply)| row(step, index, member, reply, chat))
        });
        write_completions(&completions_path(dir, step), &rows.collect::<Vec<_>>()).unwrap();
    }
    let run = dir.to_owned();
    CompletionsConfig { run, first_step: 1, last_step: None, min_reward: None, min_margin: 0.0 }
}

fn used(config: &CompletionsConfig, of: Use) -> (Vec<(String, String)>, GroupCounts) {
    let mut taken = Vec::new();
    let counts = each_used(config, of, |ranked| {
        taken.push((ranked.best.0.completion.clone(), ranked.worst.0.completion.clone()));
        Ok(())
    });
    (taken, counts.unwrap())
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(best, worst)| ((*best).to_owned(), (*worst).to_owned())).collect()
}

#[test]
fn the_best_and_the_worst_are_the_first_of_equals() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new(1));
    let group: Replies<'_> = &[("a", 1.0), ("b", 3.0), ("c", 3.0), ("d", -1.0), ("e", -1.0)];
    let cut: Replies<'_> = &[("f!", 9.0), ("g?", 8.0), ("h", 2.0), ("i!", 0.0)];
    let config = run(dir.path(), &world.chat, &[&[(0, group), (1, cut)]]);
    let (taken, counts) = used(&config, Use::Pair);
    assert_eq!(
        taken,
        pairs(&[("b", "d"), ("h", "i")]),
        "what was cut off is no best, what failed is nothing"
    );
    assert_eq!((counts.groups, counts.used), (2, 2));
}

#[test]
fn each_group_that_is_not_used_is_counted_by_its_reason() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new(1));
    let steps: &[&[(u64, Replies<'_>)]] = &[
        &[(0, &[("a", 1.0), ("b", 0.0)]), (1, &[("a", 2.0), ("b", 2.0)]), (2, &[("a!", 1.0), ("b?", 0.0)])],
        &[(0, &[("a", 1.0), ("b", 0.0)]), (1, &[("c", 3.0), ("b", 0.5)]), (0, &[("a", 1.0), ("c", 0.0)])],
    ];
    let config = run(dir.path(), &world.chat, steps);
    let counts =
        GroupCounts { groups: 6, used: 3, without_reply: 1, below_margin: 1, repeated: 1, below_reward: 0 };
    assert_eq!(used(&config, Use::Pair), (pairs(&[("a", "b"), ("c", "b"), ("a", "c")]), counts));
    // A best reply that comes again is one demonstration, whatever stood beside it.
    let counts =
        GroupCounts { groups: 6, used: 3, without_reply: 1, below_margin: 0, repeated: 2, below_reward: 0 };
    assert_eq!(used(&config, Use::Best), (pairs(&[("a", "b"), ("a", "a"), ("c", "b")]), counts));
    let bounded = CompletionsConfig { min_reward: Some(1.5), min_margin: 1.0, ..config.clone() };
    let counts =
        GroupCounts { groups: 6, used: 1, without_reply: 1, below_margin: 1, repeated: 0, below_reward: 3 };
    assert_eq!(used(&bounded, Use::Best), (pairs(&[("c", "b")]), counts));
    let of_one = |first_step, last_step| {
        used(&CompletionsConfig { first_step, last_step, ..config.clone() }, Use::Best).1.groups
    };
    assert_eq!([of_one(1, Some(1)), of_one(2, None), of_one(2, Some(9))], [3; 3]);
    let message = CompletionsConfig { first_step: 3, ..config }.steps().unwrap_err().to_string();
    assert!(message.contains("no completions to learn from: none from step 3 on, of 2 steps"), "{message}");
}

#[test]
fn runs_that_have_no_episodes_are_refused_by_name() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new(1));
    let config = run(dir.path(), &world.chat, &[&[(0, &[("a", 1.0), ("b", 0.0)])]]);
    let rows = [row(1, 0, 0, ("a", 1.0), &world.chat)].map(|row| Completion { episode: None, ..row });
    write_completions(&completions_path(dir.path(), 1), &rows).unwrap();
    let method = Method::Sft(Default::default());
    let message = count_groups(&config, &method).unwrap_err().to_string();
    assert!(message.contains("earlier version"), "{message}");
    std::fs::remove_dir_all(dir.path().join("completions")).unwrap();
    let message = count_groups(&config, &method).unwrap_err().to_string();
    assert!(message.contains("has no completions to learn from"), "{message}");
    std::fs::remove_file(dir.path().join("config.toml")).unwrap();
    assert!(matches!(count_groups(&config, &method), Err(TrainError::NoRun { .. })));
    // Nor has one that learned from another's any of its own.
    std::fs::write(
        dir.path().join("config.toml"),
        "name = \"x\"\n[data.completions]\nrun = \"y\"\n[train]\nmethod = \"dpo\"\n",
    )
    .unwrap();
    write_completions(&completions_path(dir.path(), 1), &rows).unwrap();
    let message = crate::load_data(&DataSource::Completions(config), 0).unwrap_err().to_string();
    assert!(message.contains("its own data are completions"), "{message}");
}

#[test]
fn what_was_sampled_is_taken_as_it_is_and_held_to_its_text() {
    let (dir, world) = (tempfile::tempdir().unwrap(), World::new(1));
    let chat = &*world.chat;
    let groups = |rows: &[Completion], samples: &[Sample], vocab_size| {
        let config = run(dir.path(), chat, &[]);
        write_completions(&completions_path(dir.path(), 1), rows).unwrap();
        used_groups(&config, Use::Pair, samples, (chat, &GoldReply), (&SamplingParams::default(), vocab_size))
    };
    let rows = [("yes", 1.0), ("no", 0.0)].map(|reply| row(1, 0, usize::from(reply.1 == 0.0), reply, chat));
    let (found, counts) = groups(&rows, &[sample(0)], 259).unwrap();
    assert_eq!((counts.used, found.len()), (1, 1));
    assert_eq!(found[0].prompt.text, prompt(0, chat));
    let episode = rows[0].episode.clone().unwrap();
    assert_eq!(found[0].best, Sequence { tokens: episode.token_ids, turns: episode.turns });

    let refused = |change: fn(&mut [Completion]), samples: &[Sample], vocab_size, expected: &str| {
        let mut rows = rows.clone();
        change(&mut rows);
        let message = groups(&rows, samples, vocab_size).err().unwrap().to_string();
        assert!(message.contains(expected), "{message}");
    };
    let task = || [sample(0)];
    refused(
        |rows| rows[1].completion = "nO".into(),
        &task(),
        259,
        "step 1: the reply of sample task-0 is not",
    );
    refused(|rows| rows[1].prompt.push('x'), &task(), 259, "the prompt of sample task-0 is not");
    refused(|rows| rows[0].prompt_cut = 3, &task(), 259, "the prompt of sample task-0 is not");
    refused(|_| (), &task(), 10, "the reply of sample task-0 is not");
    refused(|_| (), &[sample(1)], 259, "sample task-0 is not among what the run trained on");
}

#[test]
fn a_reply_that_is_cut_loses_turns_that_begin_later() {
    let mut sequence = Sequence { tokens: (0..9).collect(), turns: vec![0..3, 5..6, 7..9] };
    sequence.cut_to(8);
    assert_eq!((sequence.tokens.len(), &sequence.turns), (8, &vec![0..3, 5..6, 7..8]));
    sequence.cut_to(5);
    assert_eq!(sequence.turns, [0..3]);
}

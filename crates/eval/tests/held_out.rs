//! An evaluation of a sampler that replies with prepared texts.

use std::collections::BTreeMap;

use toolrl_chat::{Chat, ChatError, train_bpe};
use toolrl_data::{Message, Sample, TaskKind};
use toolrl_eval::*;
use toolrl_rollout::*;

const CALL: &str = "<think> a </think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {}}\n</tool_call>";
const ANSWER: &str = "<think> a </think>\n<response> b </response>";

/// Replies with `texts[prompt.index]` and remembers what it was asked for.
struct Prepared {
    texts: Vec<&'static str>,
    params: Vec<SamplingParams>,
    members: usize,
}

impl Prepared {
    fn new(texts: &[&'static str]) -> Self {
        Self { texts: texts.to_vec(), params: Vec::new(), members: 1 }
    }
}

impl Sampler for Prepared {
    async fn sample(
        &mut self,
        prompts: &[Prompt],
        members: usize,
        params: &SamplingParams,
        _: StreamKey,
    ) -> Result<Vec<Group>, SampleError> {
        assert_eq!(members, 1);
        self.params.push(*params);
        let reply = |prompt: &Prompt, member| Trajectory {
            member,
            tokens: vec![1, 2, 3],
            logprobs: vec![-0.5; 3],
            finish: FinishReason::Stop,
            text: self.texts[prompt.index as usize].to_owned(),
        };
        let group = |prompt: &Prompt| Group {
            prompt: prompt.clone(),
            trajectories: (0..self.members).map(|member| reply(prompt, member)).collect(),
        };
        Ok(prompts.iter().map(group).collect())
    }
}

fn chat(dir: &std::path::Path) -> Result<Chat, ChatError> {
    let corpus = ["some text to learn from".to_owned()];
    train_bpe(corpus.into_iter(), 300, &[])?.save(dir)?;
    Chat::load(dir)
}

fn sample(id: usize, gold: &str, kind: TaskKind, unseen_tools: bool) -> Sample {
    let messages = vec![Message::new("user", format!("task {id}"))];
    Sample { id: format!("s{id}"), messages, tools: Vec::new(), gold: gold.into(), kind, unseen_tools }
}

/// 4 for the gold reply and -3 for any other; the third sample cannot be scored.
fn score(sample: &Sample, reply: &str) -> Result<TaskScore, ScoreError> {
    if sample.id == "s3" {
        return Err("the gold reply has no name".into());
    }
    let total = if reply == sample.gold.text() { 4.0 } else { -3.0 };
    let components = BTreeMap::from([("correctness".to_owned(), total - 1.0)]);
    Ok(TaskScore { total, components, ..TaskScore::default() })
}

/// The same for some replies.
async fn scores(replies: &[(&Sample, &str)]) -> Vec<Result<TaskScore, ScoreError>> {
    replies.iter().map(|(sample, reply)| score(sample, reply)).collect()
}

fn samples() -> Vec<Sample> {
    vec![
        sample(0, CALL, TaskKind::OneCall, false),
        sample(1, CALL, TaskKind::OneCall, true),
        sample(2, ANSWER, TaskKind::NoCall, false),
        sample(3, ANSWER, TaskKind::NoCall, true),
        sample(4, CALL, TaskKind::OneCall, false),
    ]
}

const TEXTS: [&str; 5] = [CALL, ANSWER, ANSWER, "no form, and no call either", " junk"];

#[tokio::test]
async fn rates_count_replies_by_kind_and_by_tools() {
    let dir = tempfile::tempdir().unwrap();
    let (chat, samples) = (chat(dir.path()).unwrap(), samples());
    let mut reports = Vec::new();
    for batch_size in [0, 2, 100] {
        let held_out =
            HeldOut { policy: "some/dir", chat: &chat, samples: &samples, max_new_tokens: 7, batch_size };
        let mut seen = Vec::new();
        let mut sampler = Prepared::new(&TEXTS);
        let progress = |done, all| seen.push((done, all));
        let found = evaluate(&mut sampler, &held_out, scores, progress).await.unwrap();
        assert_eq!(seen.last(), Some(&(5, 5)));
        assert!(sampler.params.iter().all(|p| *p == SamplingParams::greedy(7)));
        reports.push(found);
    }
    assert!(reports.iter().all(|r| *r == reports[0]), "the batch size changes nothing");

    let Evaluation { report, outcomes } = &reports[0];
    assert_eq!(report.policy, "some/dir");
    let overall = &report.overall;
    assert_eq!((overall.tasks, overall.errors), (5, 1));
    assert_eq!(overall.mean_reward, (4.0 - 3.0 + 4.0 - 3.0) / 4.0);
    assert_eq!(overall.format_rate, 2.0 / 5.0);
    assert_eq!(overall.exact_call_rate, 3.0 / 5.0);
    assert_eq!(overall.components["correctness"], -0.5);
    let kinds: Vec<_> = report.by_kind.iter().map(|(k, r)| (k.as_str(), r.tasks)).collect();
    assert_eq!(kinds, [("no_call", 2), ("one_call", 3)]);
    assert_eq!(report.by_kind["no_call"].exact_call_rate, 1.0);
    assert_eq!(report.by_kind["no_call"].mean_reward, 4.0);
    assert_eq!(report.unseen_tools.as_ref().unwrap().mean_reward, -3.0);
    assert_eq!(report.seen_tools.as_ref().unwrap().tasks, 3);
    assert_eq!(outcomes[3].error.as_deref(), Some("the gold reply has no name"));
    assert_eq!((outcomes[0].exact, outcomes[0].well_formed, outcomes[0].tokens), (true, true, 3));
}

#[tokio::test]
async fn no_tasks_and_missing_replies_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let (chat, samples) = (chat(dir.path()).unwrap(), samples());
    let held_out = HeldOut { policy: "p", chat: &chat, samples: &[], max_new_tokens: 7, batch_size: 2 };
    let mut sampler = Prepared::new(&TEXTS);
    let error = evaluate(&mut sampler, &held_out, scores, |_, _| ()).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no task to evaluate on");

    sampler.members = 0;
    let held_out = HeldOut { samples: &samples, ..held_out };
    let error = evaluate(&mut sampler, &held_out, scores, |_, _| ()).await.unwrap_err();
    assert_eq!(error.to_string(), "the sampler returned 0 replies to 2 prompts");

    sampler.members = 1;
    let none = async |_: &[(&Sample, &str)]| Vec::new();
    let error = evaluate(&mut sampler, &held_out, none, |_, _| ()).await.unwrap_err();
    assert_eq!(error.to_string(), "the scorer returned 0 scores for 2 replies");
}

#[tokio::test]
async fn tools_are_told_apart_only_where_some_are_held_out() {
    let dir = tempfile::tempdir().unwrap();
    let chat = chat(dir.path()).unwrap();
    let samples = [sample(0, CALL, TaskKind::OneCall, false)];
    let held_out = HeldOut { policy: "p", chat: &chat, samples: &samples, max_new_tokens: 7, batch_size: 1 };
    let found = evaluate(&mut Prepared::new(&TEXTS), &held_out, scores, |_, _| ()).await.unwrap();
    assert_eq!((found.report.seen_tools, found.report.unseen_tools), (None, None));
}

/// The rubric of the paper, on its scale of -3 to 4; a thought that mentions a tag makes a gold reply
/// that cannot be scored.
#[test]
fn a_rubric_scores_without_a_step() {
    let rubric = toolrl_reward::Rubric::toolrl();
    let wanted = sample(0, CALL, TaskKind::OneCall, false);
    for (reply, total, format) in [
        (format!("{CALL} \n"), 4.0, 1.0),
        (CALL.replace("\"f\"", "\"g\""), -2.0, 1.0),
        ("junk".to_owned(), -3.0, 0.0),
    ] {
        let found = rubric_score(&rubric, &wanted, &reply).unwrap();
        assert_eq!(found.total, total, "{reply}");
        assert_eq!(found.components["format"], format, "{reply}");
    }
    let broken = sample(1, "<think> no <tool_call> here </think>", TaskKind::Other, false);
    assert!(rubric_score(&rubric, &broken, CALL).is_err());
}

/// A term that fails leaves its cause with the task, counted; where it skips replies, they have no reward.
#[test]
fn failed_terms_are_counted_and_shown() {
    use toolrl_reward::{AnyTerm, FnTerm, OnFailure, Rubric, WeightedTerm};
    let wanted = sample(0, CALL, TaskKind::OneCall, false);
    let rubric = |on_failure| {
        let nan = FnTerm::new("nan", (0.0, 1.0), |_: &_, _: &_, _: &_| f64::NAN);
        Rubric::of(vec![WeightedTerm { term: AnyTerm::Sync(Box::new(nan)), weight: 1.0, on_failure }])
            .unwrap()
    };
    let found = rubric_score(&rubric(OnFailure::Zero), &wanted, CALL).unwrap();
    assert_eq!((found.total, found.failures["nan"].as_str()), (0.0, "its value is NaN"));
    let error = rubric_score(&rubric(OnFailure::SkipReply), &wanted, CALL).unwrap_err().to_string();
    assert_eq!(error, "reward term \"nan\": its value is NaN");
}

//! An evaluation of a sampler that replies with prepared texts.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::sync::LazyLock;

use toolrl_chat::{Chat, ChatError, train_bpe};
use toolrl_data::{Message, Sample, TaskKind};
use toolrl_eval::*;
use toolrl_reward::Rubric;
use toolrl_rollout::*;

const CALL: &str = "<think> a </think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {}}\n</tool_call>";
const ANSWER: &str = "<think> a </think>\n<response> b </response>";

/// Replies with `texts[index]` and remembers what it was asked for.
struct Prepared<'a> {
    chat: &'a Chat,
    texts: Vec<&'static str>,
    params: Vec<SamplingParams>,
    turns: usize,
}

impl<'a> Prepared<'a> {
    fn new(chat: &'a Chat, texts: &[&'static str]) -> Self {
        Self { chat, texts: texts.to_vec(), params: Vec::new(), turns: usize::MAX }
    }

    fn turn(&self, text: &str) -> Sampled {
        let mut tokens = self.chat.encode(text).unwrap();
        tokens.push(self.chat.eos_token_id().unwrap());
        Sampled { logprobs: vec![-0.5; tokens.len()], tokens, finish: FinishReason::Stop, version: 0 }
    }
}

impl Sampler for Prepared<'_> {
    fn sample<'a>(
        &'a mut self,
        requests: &'a [Request<'a>],
        params: &'a SamplingParams,
        key: StreamKey,
    ) -> Sampling<'a> {
        assert_eq!(key.step, 0, "no step of training reaches an evaluation");
        self.params.push(params.clone());
        let turns = |request: &Request<'_>| {
            assert_eq!(request.members.end, if params.temperature > 0.0 { 4 } else { 1 });
            let turn =
                |member: usize| self.turn(self.texts[(request.index as usize + member) % self.texts.len()]);
            request.members.clone().map(turn).take(self.turns).collect()
        };
        let turns = requests.iter().map(turns).collect();
        Box::pin(async { Ok(turns) })
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

/// A gold reply that cannot be scored against: a thought mentions a tag.
const BROKEN: &str = "<think> no <tool_call> here </think>";

fn samples() -> Vec<Sample> {
    vec![
        sample(0, CALL, TaskKind::OneCall, false),
        sample(1, CALL, TaskKind::OneCall, true),
        sample(2, ANSWER, TaskKind::NoCall, false),
        sample(3, BROKEN, TaskKind::NoCall, true),
        sample(4, CALL, TaskKind::OneCall, false),
    ]
}

const TEXTS: [&str; 5] = [CALL, ANSWER, ANSWER, "no form, and no call either", " junk"];

/// The tasks by the paper's rubric, in batches of so many.
fn held_out<'a>(chat: &'a Chat, samples: &'a [Sample], rubric: &'a Rubric, batch_size: usize) -> HeldOut<'a> {
    static SAMPLING: LazyLock<SamplingParams> = LazyLock::new(|| SamplingParams {
        max_new_tokens: 7,
        stop: vec!["zz".to_owned()],
        ..SamplingParams::default()
    });
    HeldOut {
        policy: "some/dir",
        chat,
        environment: &GoldReply,
        samples,
        rubric,
        sampling: &SAMPLING,
        max_turns: 1,
        context: 4096,
        cut_prompts_to: None,
        batch_size,
        sampled: None,
    }
}

#[tokio::test]
async fn rates_count_replies_by_kind_and_by_tools() {
    let dir = tempfile::tempdir().unwrap();
    let (chat, samples, rubric) = (chat(dir.path()).unwrap(), samples(), Rubric::toolrl());
    let mut reports = Vec::new();
    for batch_size in [0, 2, 100] {
        let mut seen = Vec::new();
        let mut sampler = Prepared::new(&chat, &TEXTS);
        let progress = |done, all| seen.push((done, all));
        let held_out = held_out(&chat, &samples, &rubric, batch_size);
        let found = evaluate(&mut sampler, &held_out, progress).await.unwrap();
        assert_eq!(seen.last(), Some(&(5, 5)));
        let greedy = SamplingParams { stop: vec!["zz".to_owned()], ..SamplingParams::greedy(7) };
        assert!(sampler.params.iter().all(|p| *p == greedy), "what ends a turn is kept");
        reports.push(found);
    }
    assert!(reports.iter().all(|r| *r == reports[0]), "the batch size changes nothing");

    let Evaluation { report, outcomes } = &reports[0];
    assert_eq!(report.policy, "some/dir");
    let overall = &report.overall;
    assert_eq!((overall.tasks, overall.errors), (5, 1));
    assert_eq!(overall.mean_reward, (4.0 - 3.0 + 1.0 - 3.0) / 4.0);
    assert_eq!(overall.format_rate, 2.0 / 5.0);
    assert_eq!(overall.exact_call_rate, 3.0 / 5.0);
    assert_eq!(overall.components["correctness"], (3.0 - 3.0 + 0.0 - 3.0) / 4.0);
    let kinds: Vec<_> = report.by_kind.iter().map(|(k, r)| (k.as_str(), r.tasks)).collect();
    assert_eq!(kinds, [("no_call", 2), ("one_call", 3)]);
    assert_eq!(report.by_kind["no_call"].exact_call_rate, 1.0);
    assert_eq!(report.by_kind["no_call"].mean_reward, 1.0);
    assert_eq!(report.unseen_tools.as_ref().unwrap().mean_reward, -3.0);
    assert_eq!(report.seen_tools.as_ref().unwrap().tasks, 3);
    assert!(outcomes[3].greedy.error.is_some());
    let (tokens, greedy) = (chat.encode(CALL).unwrap().len() + 1, &outcomes[0].greedy);
    assert_eq!((greedy.exact, greedy.well_formed, greedy.tokens), (true, true, tokens));
}

/// The greedy figures stay what they are, and those of four sampled replies stand beside them.
#[tokio::test]
async fn sampled_replies_are_counted_beside_the_greedy_one() {
    let dir = tempfile::tempdir().unwrap();
    let (chat, samples, rubric) = (chat(dir.path()).unwrap(), samples(), Rubric::toolrl());
    let params = SamplingParams { temperature: 1.0, top_p: 0.9, ..SamplingParams::greedy(7) };
    let mut found = Vec::new();
    for batch_size in [1, 2, 100] {
        let mut sampler = Prepared::new(&chat, &TEXTS);
        let sampled = Some(Draws { replies: 4, params: params.clone(), seed: 5 });
        let of = HeldOut { sampled, ..held_out(&chat, &samples, &rubric, batch_size) };
        found.push(evaluate(&mut sampler, &of, |_, _| ()).await.unwrap());
    }
    assert!(found.iter().all(|other| *other == found[0]), "the batch size changes nothing");
    let mut greedy = Prepared::new(&chat, &TEXTS);
    let greedy = evaluate(&mut greedy, &held_out(&chat, &samples, &rubric, 2), |_, _| ()).await.unwrap();
    let Evaluation { report, outcomes } = &found[0];
    let without = |rates: &Rates| Rates { sampled: None, ..rates.clone() };
    assert_eq!(without(&report.overall), greedy.report.overall);
    // Of TEXTS, the first alone makes the call, and all but the first make none.
    let exact = |o: &Outcome| o.samples.iter().map(|reply| reply.exact).collect::<Vec<_>>();
    let of_task: Vec<_> = outcomes.iter().map(exact).collect();
    assert_eq!(of_task[0], [true, false, false, false]);
    assert_eq!(of_task[1], [false; 4]);
    assert_eq!(of_task[2], [true, true, true, false]);
    let sampled = report.overall.sampled.as_ref().unwrap();
    // Right of four: 1, 0, 3, 3 and 1.
    let expected =
        [("avg@4", 8.0 / 20.0), ("pass@2", (0.5 + 0.0 + 1.0 + 1.0 + 0.5) / 5.0), ("pass@4", 4.0 / 5.0)];
    assert_eq!(sampled.exact_calls.len(), expected.len());
    for (name, value) in expected {
        assert!((sampled.exact_calls[name] - value).abs() < 1e-12, "{name}: {sampled:?}");
    }
    let table = report.table();
    assert!(table.lines().next().unwrap().ends_with("pass@4") && table.contains("40.0%"), "{table}");
    assert!(!EvalReport::comparison(&greedy.report, report).contains("pass@"), "one has none");
}

#[tokio::test]
async fn a_prompt_that_leaves_no_room_counts_as_unanswered() {
    let dir = tempfile::tempdir().unwrap();
    let (chat, mut samples, rubric) = (chat(dir.path()).unwrap(), samples(), Rubric::toolrl());
    samples.truncate(3);
    samples[1].messages[0].content += &" more".repeat(500);
    let mut sampler = Prepared::new(&chat, &[CALL, CALL, ANSWER]);
    let of = HeldOut { context: 400, ..held_out(&chat, &samples, &rubric, 2) };
    let Evaluation { report, outcomes } = evaluate(&mut sampler, &of, |_, _| ()).await.unwrap();
    let outcome = |o: &toolrl_eval::Outcome| (o.greedy.overlong, o.greedy.exact, o.greedy.tokens == 0);
    let found: Vec<_> = outcomes.iter().map(outcome).collect();
    assert_eq!(found, [(false, true, false), (true, false, true), (false, true, false)]);
    assert_eq!((report.overall.tasks, report.overall.overlong, report.overall.errors), (3, 1, 0));
    assert_eq!(report.overall.mean_reward, (4.0 - 3.0 + 1.0) / 3.0);
    // A recipe that cuts prompts in training cuts them here too.
    let mut sampler = Prepared::new(&chat, &[CALL, CALL, ANSWER]);
    let cut = HeldOut { cut_prompts_to: Some(300), ..of };
    let Evaluation { report, outcomes } = evaluate(&mut sampler, &cut, |_, _| ()).await.unwrap();
    assert_eq!((report.overall.overlong, outcomes[1].greedy.exact), (0, true));
}

#[tokio::test]
async fn no_tasks_and_missing_replies_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let (chat, samples, rubric) = (chat(dir.path()).unwrap(), samples(), Rubric::toolrl());
    let mut sampler = Prepared::new(&chat, &TEXTS);
    let error = evaluate(&mut sampler, &held_out(&chat, &[], &rubric, 2), |_, _| ()).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no task to evaluate on");

    sampler.turns = 0;
    let error = evaluate(&mut sampler, &held_out(&chat, &samples, &rubric, 2), |_, _| ()).await.unwrap_err();
    assert_eq!(error.to_string(), "the sampler was asked for 2 turns and gave 0");
}

#[tokio::test]
async fn tools_are_told_apart_only_where_some_are_held_out() {
    let dir = tempfile::tempdir().unwrap();
    let (chat, rubric) = (chat(dir.path()).unwrap(), Rubric::toolrl());
    let samples = [sample(0, CALL, TaskKind::OneCall, false)];
    let mut sampler = Prepared::new(&chat, &TEXTS);
    let found = evaluate(&mut sampler, &held_out(&chat, &samples, &rubric, 1), |_, _| ()).await.unwrap();
    assert_eq!((found.report.seen_tools, found.report.unseen_tools), (None, None));
}

/// One report says one thing: a reply that ends in a newline is well formed, and is paid for it.
#[tokio::test]
async fn the_format_rate_and_the_format_term_agree() {
    let dir = tempfile::tempdir().unwrap();
    let (chat, rubric) = (chat(dir.path()).unwrap(), Rubric::toolrl());
    let samples = [sample(0, ANSWER, TaskKind::NoCall, false)];
    let mut sampler = Prepared::new(&chat, &["\n<think> a </think>\n<response> b </response>\n \n"]);
    let found = evaluate(&mut sampler, &held_out(&chat, &samples, &rubric, 1), |_, _| ()).await.unwrap();
    let overall = &found.report.overall;
    assert_eq!((overall.format_rate, overall.components["format"], overall.mean_reward), (1.0, 1.0, 1.0));
}

/// A term that fails leaves its cause with the task, counted; where it skips replies, they have no reward.
#[tokio::test]
async fn failed_terms_are_counted_and_shown() {
    use toolrl_reward::{AnyTerm, FnTerm, OnFailure, WeightedTerm};
    let dir = tempfile::tempdir().unwrap();
    let chat = chat(dir.path()).unwrap();
    let samples = [sample(0, CALL, TaskKind::OneCall, false)];
    let rubric = |on_failure| {
        let nan = FnTerm::new("nan", (0.0, 1.0), |_: &_, _: &_, _: &_| f64::NAN);
        Rubric::of(vec![WeightedTerm { term: AnyTerm::Sync(Box::new(nan)), weight: 1.0, on_failure }])
            .unwrap()
    };
    let mut outcomes = Vec::new();
    for on_failure in [OnFailure::Zero, OnFailure::SkipReply] {
        let (rubric, mut sampler) = (rubric(on_failure), Prepared::new(&chat, &TEXTS));
        let found = evaluate(&mut sampler, &held_out(&chat, &samples, &rubric, 1), |_, _| ()).await.unwrap();
        outcomes.extend(found.outcomes);
    }
    let score = outcomes[0].greedy.score.as_ref().unwrap();
    assert_eq!((score.total, score.failures["nan"].as_str()), (0.0, "its value is NaN"));
    assert_eq!(outcomes[1].greedy.error.as_deref(), Some("reward term \"nan\": its value is NaN"));
}

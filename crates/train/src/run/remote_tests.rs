//! Runs whose replies come from elsewhere: by the engine of this process behind the door of servers, which never says the
//! same twice.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use pollster::block_on;
use toolrl_chat::{Chat, Message};
use toolrl_data::Sample;
use toolrl_engine::Engine;
use toolrl_policy::Policy;
use toolrl_record::{StepMetrics, read_replies, replies_path};
use toolrl_rollout::{
    Answer, Answering, Beginning, Ended, Environment, Reply, Request, RolloutError, Sampler, SamplerSource,
    Sampling, SamplingParams, Session, StreamKey,
};

use super::*;
use crate::test_fixtures::letters;
use crate::{Changes, Registry};

/// The engine of this process as a server would be asked.
#[derive(Default)]
struct StandIn {
    /// The version and the step of every question.
    asked: Mutex<Vec<(u64, u64)>>,
    /// Added to the seed, a step further each time; 0 for one that says what the engine says.
    mood: AtomicU64,
    /// The step of which it is away.
    away: Option<u64>,
    /// Whether its samplers hold the policy, so that nothing is sampled while it changes.
    holds_policy: bool,
    /// Whether it takes no weights ahead of a step.
    gone: bool,
    /// Tokens that its context holds, where it says so.
    context: Option<usize>,
}

struct Shared(Arc<StandIn>);

/// A version of the weights, as a server holds it.
struct Held<'a> {
    policy: Policy,
    chat: &'a Chat,
    version: u64,
    of: &'a StandIn,
}

impl SamplerSource<Policy> for Shared {
    fn at<'a>(
        &'a self,
        policy: &'a Policy,
        chat: &'a Chat,
        version: u64,
    ) -> Result<Box<dyn Sampler + 'a>, RolloutError> {
        Ok(Box::new(Held { policy: policy.clone(), chat, version, of: &self.0 }))
    }

    fn ahead<'a>(
        &'a self,
        policy: &Policy,
        chat: &'a Chat,
        version: u64,
    ) -> Result<Option<Box<dyn Sampler + Send + 'a>>, RolloutError> {
        if self.0.gone {
            return Err(RolloutError::Sampler("the server is gone".into()));
        }
        let held = Held { policy: policy.clone(), chat, version, of: &self.0 };
        Ok((!self.0.holds_policy).then(|| Box::new(held) as Box<dyn Sampler + Send + 'a>))
    }

    fn context(&self) -> Option<usize> {
        self.0.context
    }
}

impl Sampler for Held<'_> {
    fn sample<'a>(
        &'a mut self,
        requests: &'a [Request<'a>],
        params: &'a SamplingParams,
        key: StreamKey,
    ) -> Sampling<'a> {
        self.of.asked.lock().unwrap().push((self.version, key.step));
        let mood = self.of.mood.load(Ordering::Relaxed);
        if mood > 0 {
            self.of.mood.store(mood + 1, Ordering::Relaxed);
        }
        let key = StreamKey { seed: key.seed + mood, ..key };
        Box::pin(async move {
            if self.of.away == Some(key.step) {
                return Err(RolloutError::Sampler("the server is away".into()));
            }
            let engine = Engine::new(&self.policy, 8).with_version(self.version);
            engine.with_chat(self.chat).sample(requests, params, key).await
        })
    }
}

/// Answers every turn but an episode's second.
struct Echo;

struct Said(usize);

impl Environment for Echo {
    fn begin<'a>(&'a self, _: &'a Sample) -> Beginning<'a> {
        Box::pin(async { Ok(Box::new(Said(0)) as Box<dyn Session>) })
    }
}

impl Session for Said {
    fn answer<'a>(&'a mut self, _: &'a Reply) -> Answering<'a> {
        self.0 += 1;
        let answer =
            if self.0 == 1 { Answer::Messages(vec![Message::new("user", "go on")]) } else { Answer::End };
        Box::pin(async { Ok(answer) })
    }
}

const TEXT: &str = r#"
name = "remote"
slots = 8
seed = 3
policy.dir = "POLICY"
reward = [{ id = "letters" }]
[data.world]
train = 24
held_out = 2
[sampling]
max_new_tokens = 12
[train]
method = "grpo"
steps = 4
prompts = 2
max_prompt_tokens = 512
optimizer = { lr = 1e-3 }
loss = { sampler_ratio_cap = 2.0 }
checkpoint_every = 2
guards = { max_logprob_gap = 5.0 }
[eval]
limit = 0
"#;

fn recipe(kind: &str, set: &[&str]) -> Recipe {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/quickstart");
    let set: Vec<String> =
        set.iter().map(|&set| set.to_owned()).chain([format!("sampler.kind={kind}")]).collect();
    Recipe::parse(&TEXT.replace("POLICY", policy.to_str().unwrap()), &set).unwrap()
}

/// A run, or the rest of one, whose samplers are this one's.
fn train(dir: &Path, of: &Arc<StandIn>, recipe: &Recipe) -> Result<RunOutcome, TrainError> {
    let registry =
        Registry::from(letters()).with_sampler("stand-in", Shared(of.clone())).with_environment("echo", Echo);
    let goes_on = dir.join("config.toml").exists();
    let resume = goes_on.then(|| Resume::of(dir, &[], None, Changes::Refuse).unwrap());
    let recipe = resume.as_ref().map_or(recipe, |resume| &resume.recipe);
    let parts = recipe.parts(&registry).unwrap();
    let (run_dir, resume) = (dir, resume.as_ref());
    let job =
        Job { recipe, parts: &parts, run_dir, before: None, resume, stop: Stop::default(), last_step: None };
    block_on(run(job, &mut ()))
}

/// The rows of a run without what depends on time.
fn rows(dir: &Path) -> Vec<StepMetrics> {
    let rows: Vec<StepMetrics> = toolrl_record::read_rows(&dir.join("metrics.jsonl")).unwrap();
    rows.into_iter().map(|row| StepMetrics { seconds: Default::default(), ..row }).collect()
}

fn weights(dir: &Path) -> Vec<String> {
    rows(dir).into_iter().map(|row| row.weights.unwrap()).collect()
}

fn lags(dir: &Path) -> Vec<f64> {
    rows(dir).iter().map(|row| row.detail.sampled().unwrap().sampler["lag"]).collect()
}

/// The version that each step's replies are of, as written down.
fn versions(dir: &Path, steps: u64) -> Vec<u64> {
    let of_step = |step| {
        let rows = read_replies(&replies_path(dir, step, 0)).unwrap();
        let turns = rows.iter().flat_map(|row| row.turns.iter().map(|turn| turn.version));
        let versions: std::collections::BTreeSet<u64> = turns.collect();
        assert_eq!(versions.len(), 1, "a step's replies are of one version");
        versions.into_iter().next().unwrap()
    };
    (1..=steps).map(of_step).collect()
}

fn ready(mood: u64) -> Arc<StandIn> {
    Arc::new(StandIn { mood: mood.into(), ..StandIn::default() })
}

/// What differs between these runs is who samples: not the tokens, and so not the weights.
#[test]
fn the_same_tokens_make_the_same_weights() {
    let dir = tempfile::tempdir().unwrap();
    let [local, remote] = ["local", "remote"].map(|name| dir.path().join(name));
    train(&local, &ready(0), &recipe("local", &[])).unwrap();
    train(&remote, &ready(0), &recipe("stand-in", &[])).unwrap();
    assert_eq!(weights(&local), weights(&remote));
    assert!(!local.join("replies").exists(), "the engine says the same again");
    assert_eq!((versions(&remote, 4), lags(&remote)), (vec![0, 1, 2, 3], vec![0.0; 4]));
}

/// Settings under which a step samples in other ways: each with the questions of a step, at least.
fn ways() -> [(&'static str, Vec<&'static str>); 5] {
    let stale = "sampler.stale=1";
    [
        ("grpo", vec![]),
        ("stale", vec![stale]),
        ("ppo", vec!["train.method=ppo", "train.group_size=2", stale]),
        (
            "rounds",
            vec![
                "train.groups={ resample = { max_rounds = 3 } }",
                "train.tasks={ difficulty = {} }",
                "train.success={ reward = 0.5 }",
                stale,
            ],
        ),
        ("turns", vec!["environment.kind=echo", stale]),
    ]
}

/// A sampler that is away while a step is sampled ends the run. The steps whose replies were had since the last checkpoint
/// are done again with these: the sampler would not say them again.
#[test]
fn a_run_that_was_cut_off_learns_from_what_it_was_told() {
    let dir = tempfile::tempdir().unwrap();
    for (name, set) in ways() {
        let run = dir.path().join(name);
        let recipe = recipe("stand-in", &set);
        let away = Arc::new(StandIn { mood: 1.into(), away: Some(4), ..StandIn::default() });
        let failed = train(&run, &away, &recipe).unwrap_err().to_string();
        assert!(failed.contains("step 4: the sampler failed: the server is away"), "{name}: {failed}");
        let before = rows(&run);
        let stale = recipe.sampler.stale as usize;
        assert_eq!(before.len(), 3 - stale, "{name}: that step's update is done, and lost with it");
        let back = ready(1000);
        train(&run, &back, &recipe).unwrap();
        let asked = back.asked.lock().unwrap();
        assert!(!asked.is_empty() && asked.iter().all(|(_, step)| *step == 4), "{name}: {asked:?}");
        let after = rows(&run);
        assert_eq!((after.len(), &after[..before.len()]), (4, &before[..]), "{name}");
        drop(asked);
        // A third, which is told everything, is the same run, and asks no server to take weights.
        let again = dir.path().join(format!("{name}-again"));
        std::fs::create_dir_all(again.join("replies")).unwrap();
        for name in ["config.toml", "run.json"] {
            std::fs::copy(run.join(name), again.join(name)).unwrap();
        }
        for entry in std::fs::read_dir(run.join("replies")).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, again.join("replies").join(path.file_name().unwrap())).unwrap();
        }
        let never = Arc::new(StandIn { mood: 5000.into(), gone: true, ..StandIn::default() });
        train(&again, &never, &recipe).unwrap();
        assert_eq!(rows(&again), after, "{name}");
        assert!(never.asked.lock().unwrap().is_empty(), "{name}");
    }
}

/// One step is sampled while the one before is learned from; who holds the policy samples before that, to the same end.
#[test]
fn a_step_is_sampled_ahead_by_the_weights_that_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let run = |name: &str, of: StandIn, set: &[&str]| -> PathBuf {
        let run = dir.path().join(name);
        train(&run, &Arc::new(of), &recipe("stand-in", set)).unwrap();
        run
    };
    let one = run("one", StandIn::default(), &["sampler.stale=1"]);
    assert_eq!((versions(&one, 4), lags(&one)), (vec![0, 0, 1, 2], vec![0.0, 1.0, 1.0, 1.0]));
    let held = run("held", StandIn { holds_policy: true, ..StandIn::default() }, &["sampler.stale=1"]);
    assert_eq!(rows(&one), rows(&held));
    let two = run("two", StandIn::default(), &["sampler.stale=2"]);
    assert_eq!((versions(&two, 4), lags(&two)), (vec![0, 0, 0, 1], vec![0.0, 1.0, 2.0, 2.0]));
    let none = run("none", StandIn::default(), &[]);
    assert_eq!(weights(&none)[0], weights(&one)[0]);
    assert_ne!(weights(&none)[1], weights(&one)[1], "the second step's replies are of earlier weights");
}

/// Where replies are sampled, a context may hold less than the policy's: an episode without room there ends, here before its
/// first turn, and the run does not.
#[test]
fn an_episode_ends_with_the_context_of_those_who_sample() {
    let dir = tempfile::tempdir().unwrap();
    for (context, turns) in [(None, 2), (Some(8), 0)] {
        let run = dir.path().join(format!("{context:?}"));
        let of = StandIn { context, ..StandIn::default() };
        let set = ["environment.kind=echo", "train.steps=1", "sampling.max_new_tokens=4"];
        train(&run, &Arc::new(of), &recipe("stand-in", &set)).unwrap();
        let rows = read_replies(&replies_path(&run, 1, 0)).unwrap();
        for row in rows {
            let found = (row.turns.len(), row.ended == Ended::OutOfContext);
            assert_eq!(found, (turns, context.is_some()), "{context:?}");
        }
    }
}

/// Replies of another step's tasks are refused; those of weights that the trainer does not know are forgotten.
#[test]
fn replies_that_do_not_fit_are_not_learned_from() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let strict = recipe("stand-in", &["train.guards.max_logprob_gap=1e-9", "train.checkpoint_every=0"]);
    let failed = train(&run, &ready(0), &strict).unwrap_err();
    assert!(matches!(failed, TrainError::LogprobGap { step: 1, .. }), "{failed}");
    assert!(!replies_path(&run, 1, 0).exists(), "a run that goes on asks anew");

    let run = dir.path().join("other");
    let away = Arc::new(StandIn { away: Some(2), ..StandIn::default() });
    train(&run, &away, &recipe("stand-in", &["train.checkpoint_every=0"])).unwrap_err();
    std::fs::copy(replies_path(&run, 1, 0), replies_path(&run, 2, 0)).unwrap();
    let failed = train(&run, &ready(0), &strict).unwrap_err();
    assert!(matches!(failed, TrainError::OtherReplies { .. }), "{failed}");
}

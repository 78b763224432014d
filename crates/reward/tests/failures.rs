//! Terms that fail, wait, panic or are plain closures: what each costs, and that nothing else suffers.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_timer::Delay;
use pollster::block_on;
use toolrl_grammar::parse;
use toolrl_reward::{
    AnyTerm, AsyncFnTerm, Context, FailureCause, FnTerm, Limits, OnFailure, Reference, Registry, RewardError,
    Rubric, RubricConfig, Score, Term, TermScore, WeightedTerm, explain,
};

const GOLD: &str = "<think> a </think>\n<response> b </response>";

/// Fails on a reply as the reply says: `error`, `panic`, `nan`; else it gives 0.5.
struct Fragile;

impl Term for Fragile {
    fn id(&self) -> &str {
        "fragile"
    }

    fn range(&self, _: &Context) -> (f64, f64) {
        (-2.0, 1.0)
    }

    fn score(
        &self,
        parsed: &toolrl_grammar::Parsed<'_>,
        _: &Reference,
        _: &Context,
    ) -> Result<TermScore, RewardError> {
        match parsed.text {
            b"error" => Err(RewardError::Term { id: "fragile".into(), source: "no idea".into() }),
            b"panic" => panic!("out of {}", "tune"),
            b"nan" => Ok(TermScore::new(f64::NAN)),
            _ => Ok(0.5.into()),
        }
    }
}

fn rubric(weight: f64, on_failure: OnFailure) -> Rubric {
    let one = FnTerm::new("one", (0.0, 1.0), |_: &_, _: &_, _: &_| 1.0);
    let term = |term, weight| WeightedTerm { term: AnyTerm::Sync(term), weight, on_failure };
    Rubric::of(vec![term(Box::new(one), 1.0), term(Box::new(Fragile), weight)]).unwrap()
}

fn score(rubric: &Rubric, reply: &str) -> Result<Score, RewardError> {
    rubric.score(&parse(reply), &Reference::parse(GOLD).unwrap(), &Context::evaluation())
}

#[test]
fn a_failure_counts_as_its_policy_says() {
    use OnFailure::{Minimum, SkipReply, Zero};
    // Weight, policy, total, skipped: the range is [-2, 1], and the other term gives 1.
    let cases = [
        (1.0, Minimum, -1.0, false),
        (-1.0, Minimum, 0.0, false),
        (1.0, Zero, 1.0, false),
        (1.0, SkipReply, 1.0, true),
        (0.0, Minimum, 1.0, false),
        (0.0, SkipReply, 1.0, false),
        (0.0, OnFailure::Stop, 1.0, false),
    ];
    for (weight, policy, total, skipped) in cases {
        for (reply, kind) in [("error", "error"), ("panic", "panic"), ("nan", "not_finite")] {
            let score = score(&rubric(weight, policy), reply).unwrap();
            assert_eq!((score.total, score.skipped), (total, skipped), "{weight} {policy:?} {reply}");
            let failures: Vec<_> = score.failures().map(|(id, failure)| (id, failure.cause.kind())).collect();
            assert_eq!(failures, [("fragile", kind)]);
            let logged = score.metrics().any(|(name, _)| name == "fragile");
            assert_eq!(logged, weight != 0.0, "a failed term that is only logged has no value to log");
        }
        assert_eq!(score(&rubric(weight, policy), "fine").unwrap().total, 1.0 + 0.5 * weight);
    }
}

#[test]
fn stop_ends_the_work_with_the_cause() {
    let cases = [("error", "no idea"), ("panic", "it panicked: out of tune"), ("nan", "its value is NaN")];
    for (reply, message) in cases {
        let error = score(&rubric(1.0, OnFailure::Stop), reply).unwrap_err().to_string();
        assert!(error.contains("\"fragile\"") && error.contains(message), "{error}");
    }
}

#[test]
fn an_infinite_minimum_skips_the_reply() {
    let bottomless =
        FnTerm::new("bottomless", (f64::NEG_INFINITY, 0.0), |_: &_, _: &_, _: &_| f64::NEG_INFINITY);
    let rubric = Rubric::new(vec![(1.0, Box::new(bottomless) as Box<dyn Term>)]).unwrap();
    let score = score(&rubric, "").unwrap();
    assert_eq!((score.total, score.skipped), (0.0, true));
}

#[test]
fn explanations_show_failures() {
    let (parsed, reference) = (parse("panic"), Reference::parse(GOLD).unwrap());
    let score = rubric(1.0, OnFailure::Zero).score(&parsed, &reference, &Context::evaluation()).unwrap();
    let text = explain(&parsed, &reference, &score);
    let line = "fragile 0.000 of [-2, 1]: failed, on_failure = \"zero\": it panicked: out of tune";
    assert!(text.contains(line), "{text}");
}

/// A judge that takes the reply's number of milliseconds, at most `most` of them at a time.
fn judge(now: &Arc<AtomicUsize>, most: &Arc<AtomicUsize>) -> impl toolrl_reward::AsyncTerm + 'static {
    let (now, most) = (now.clone(), most.clone());
    AsyncFnTerm::new("judge", (0.0, 1.0), move |reply: String, _: String| {
        let (now, most) = (now.clone(), most.clone());
        async move {
            if reply == "panic" {
                panic!("judge");
            }
            let wait = reply.parse::<u64>()?;
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            Delay::new(Duration::from_millis(wait)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, std::num::ParseIntError>(wait as f64 / 1000.0)
        }
    })
}

#[test]
fn a_batch_is_awaited_together_in_order_and_within_its_limits() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let limits = Limits { timeout: Duration::from_millis(400), concurrency: 4 };
    let term = AnyTerm::Async(Box::new(judge(&now, &most)), limits);
    let judged = WeightedTerm { term, weight: 1.0, on_failure: OnFailure::Minimum };
    let rubric = Rubric::of(vec![judged]).unwrap();
    let reference = Reference::parse(GOLD).unwrap();
    let texts = ["40", "panic", "10", "60000", "x", "30", "20", "40", "10", "20"];
    let replies: Vec<_> = texts.iter().map(|text| (parse(*text), &reference)).collect();
    let clock = Instant::now();
    let scores = block_on(rubric.score_batch(&replies, &Context::evaluation()));
    assert!(clock.elapsed() < Duration::from_secs(10), "the hour-long judge was waited for");
    assert_eq!(most.load(Ordering::SeqCst), 4);
    for (text, score) in texts.iter().zip(scores) {
        let score = score.unwrap();
        let cause = score.failures().next().map(|(_, failure)| failure.cause.kind());
        let (value, kind) = match *text {
            "panic" => (0.0, Some("panic")),
            "x" => (0.0, Some("error")),
            "60000" => (0.0, Some("timeout")),
            millis => (millis.parse::<f64>().unwrap() / 1000.0, None),
        };
        assert_eq!((score.total, cause), (value, kind), "{text}");
    }
    let alone = rubric.score(&parse("60000"), &reference, &Context::evaluation()).unwrap();
    let (_, failure) = alone.failures().next().unwrap();
    assert!(matches!(failure.cause, FailureCause::TimedOut(after) if after == limits.timeout));
    assert_eq!(failure.cause.to_string(), "no answer within 0.4 s");
}

fn registry() -> Registry {
    let mut registry = Registry::builtin();
    registry.register_fn("bytes", (0.0, 9.0), |reply, gold, _| {
        TermScore::new(reply.text.len() as f64).with_note(format!("of {}", gold.text().len()))
    });
    registry.register_async_fn("judge", (0.0, 1.0), |reply: String, gold: String| async move {
        Ok::<_, std::convert::Infallible>(if reply == gold { 1.0 } else { 0.0 })
    });
    registry
}

fn from_recipe(recipe: &str) -> Result<Rubric, RewardError> {
    #[derive(serde::Deserialize)]
    struct Recipe {
        reward: RubricConfig,
    }
    let recipe: Recipe = toml::from_str(recipe).expect("TOML");
    let again = toml::to_string(&toml::Table::from_iter([(
        "reward".to_owned(),
        toml::Value::try_from(&recipe.reward).unwrap(),
    )]))
    .unwrap();
    assert_eq!(toml::from_str::<Recipe>(&again).unwrap().reward, recipe.reward, "{again}");
    Rubric::from_config(&recipe.reward, &registry())
}

#[test]
fn recipes_name_closures_and_their_limits() {
    let rubric = from_recipe(
        "[[reward]]\nid = \"bytes\"\nweight = 0.0\n[[reward]]\nid = \"judge\"\nweight = 2\n\
         timeout_seconds = 0.5\nconcurrency = 3\non_failure = \"skip_reply\"\n",
    )
    .unwrap();
    let judge = &rubric.terms()[1];
    assert_eq!(judge.on_failure, OnFailure::SkipReply);
    let AnyTerm::Async(_, limits) = &judge.term else { panic!("the judge is asynchronous") };
    assert_eq!(*limits, Limits { timeout: Duration::from_millis(500), concurrency: 3 });
    let found = score(&rubric, GOLD).unwrap();
    assert_eq!((found.total, found.value("bytes")), (2.0, Some(GOLD.len() as f64)));
    assert_eq!(rubric.range(&Context::evaluation()), (0.0, 2.0), "a logged term has no part in it");
}

#[test]
fn limits_that_cannot_be_kept_are_refused() {
    let cases = [
        ("id = \"format\"\ntimeout_seconds = 1", "\"format\": timeout_seconds and concurrency are for"),
        ("id = \"judge\"\ntimeout_seconds = -1", "timeout_seconds = -1 should be above 0"),
        ("id = \"judge\"\ntimeout_seconds = 0", "above 0"),
        ("id = \"judge\"\ntimeout_seconds = 1e300", "at most 86400"),
        ("id = \"judge\"\nconcurrency = 0", "at least 1"),
        ("id = \"bytes\"\nlimit = 1", "unknown field `limit`"),
    ];
    for (term, message) in cases {
        let error = from_recipe(&format!("[[reward]]\n{term}")).expect_err(term).to_string();
        assert!(error.contains(message), "{error}");
    }
}

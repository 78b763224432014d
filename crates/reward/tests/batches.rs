//! Terms that score many replies at once: how replies are cut into batches, and what a bad batch costs.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pollster::block_on;
use toolrl_grammar::{Parsed, parse};
use toolrl_reward::{
    Asked, BatchFuture, BatchTerm, Context, Limits, Reference, Registry, Rubric, RubricConfig, TermConfig,
};

/// Scores a reply by its place in its batch; panics, or answers too little, where a batch says so.
struct Placed {
    batches: Arc<Mutex<Vec<Vec<String>>>>,
}

impl BatchTerm for Placed {
    fn id(&self) -> &str {
        "placed"
    }

    fn range(&self, _: &Context) -> (f64, f64) {
        (-1.0, 9.0)
    }

    fn size(&self) -> usize {
        3
    }

    fn score<'a>(
        &'a self,
        replies: &[(&Parsed<'_>, &Reference)],
        _: &Context,
        timeout: Duration,
    ) -> BatchFuture<'a> {
        assert_eq!(timeout, Duration::from_secs(5), "the recipe's");
        let texts: Vec<_> =
            replies.iter().map(|(parsed, _)| String::from_utf8_lossy(parsed.text).into_owned()).collect();
        assert!(!texts.contains(&"panic".to_owned()), "a panic on purpose");
        let count = texts.iter().filter(|text| *text != "less").count();
        self.batches.lock().unwrap().push(texts);
        Box::pin(async move { (0..count).map(|place| Ok((place as f64).into())).collect() })
    }

    fn fingerprint(&self) -> Option<String> {
        Some("7".to_owned())
    }
}

#[test]
fn replies_are_cut_in_their_order_and_a_bad_batch_is_its_own_failure() {
    let batches = Arc::new(Mutex::new(Vec::new()));
    let mut registry = Registry::empty();
    let (seen, limits) = (batches.clone(), Limits { timeout: Duration::from_secs(9), concurrency: 1 });
    registry.register_batch("placed", limits, move |_| Ok(Box::new(Placed { batches: seen.clone() })));
    let term = TermConfig { timeout_seconds: Some(5.0), ..TermConfig::new("placed") };
    let rubric = Rubric::from_config(&RubricConfig { terms: vec![term] }, &registry).unwrap();
    assert_eq!(rubric.fingerprints().collect::<Vec<_>>(), [("placed", "7".to_owned())]);
    assert!(rubric.reads_questions() && !Rubric::toolrl().reads_questions());

    let asked = Asked { id: "t".to_owned(), messages: "[]".to_owned() };
    let reference = Reference::parse("").unwrap().with_asked(asked.clone());
    assert_eq!(reference.asked(), Some(&asked));
    let texts = ["a", "b", "c", "d", "panic", "e", "less", "f", "g", "h"];
    let replies: Vec<_> = texts.iter().map(|text| (parse(*text), &reference)).collect();
    let scores = block_on(rubric.score_batch(&replies, &Context::evaluation()));
    let outcomes: Vec<_> = scores
        .into_iter()
        .map(|score| {
            let score = score.unwrap();
            let cause = score.failures().next().map(|(_, failure)| failure.cause.to_string());
            cause.map_or(Ok(score.total), Err)
        })
        .collect();
    assert_eq!(outcomes[..3], [Ok(0.0), Ok(1.0), Ok(2.0)]);
    assert!(
        outcomes[3..6].iter().all(|o| o.as_ref().is_err_and(|cause| cause.contains("on purpose"))),
        "{outcomes:?}"
    );
    assert!(
        outcomes[6..9].iter().all(|o| o.as_ref().is_err_and(|c| c.contains("2 scores for 3 replies"))),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[9], Ok(0.0));
    assert_eq!(*batches.lock().unwrap(), [vec!["a", "b", "c"], vec!["less", "f", "g"], vec!["h"]]);
    let alone = rubric.score(&parse("z"), &reference, &Context::evaluation()).unwrap();
    assert_eq!(alone.total, 0.0);
}

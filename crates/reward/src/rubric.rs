//! Terms that add up to a reward.

use futures_util::future::join_all;
use toolrl_grammar::Parsed;

use crate::asynchronous::{bounded, call};
use crate::batch;
use crate::failure::guarded;
use crate::{
    AsyncTerm, BatchTerm, Context, Correctness, FailureCause, Format, Limits, OnFailure, Reference, Registry,
    RewardError, RubricConfig, Score, ScoredTerm, Term, TermConfig, TermFailure, TermScore,
};

/// Weighted terms in order.
pub struct Rubric {
    terms: Vec<WeightedTerm>,
}

/// A term of a [`Rubric`], and how it takes part.
pub struct WeightedTerm {
    /// The term.
    pub term: AnyTerm,
    /// What its value is multiplied by; with 0 it is only logged.
    pub weight: f64,
    /// What a reply counts for on which it fails.
    pub on_failure: OnFailure,
}

impl WeightedTerm {
    /// A term with its weight, and with [`OnFailure::Minimum`].
    pub fn new(weight: f64, term: Box<dyn Term>) -> Self {
        Self { term: AnyTerm::Sync(term), weight, on_failure: OnFailure::default() }
    }
}

/// A term of any kind.
pub enum AnyTerm {
    /// One that answers at once.
    Sync(Box<dyn Term>),
    /// One that is waited for.
    Async(Box<dyn AsyncTerm>, Limits),
    /// One that scores many replies at once.
    Batch(Box<dyn BatchTerm>, Limits),
}

impl AnyTerm {
    /// The term's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Sync(term) => term.id(),
            Self::Async(term, _) => term.id(),
            Self::Batch(term, _) => term.id(),
        }
    }

    /// The term's range.
    pub fn range(&self, context: &Context) -> (f64, f64) {
        match self {
            Self::Sync(term) => term.range(context),
            Self::Async(term, _) => term.range(context),
            Self::Batch(term, _) => term.range(context),
        }
    }
}

/// A reply that was read, and the reference that it is scored against.
pub type Reply<'a> = (Parsed<'a>, &'a Reference);

/// What a term gave for a reply.
type Outcome = Result<TermScore, FailureCause>;

impl Rubric {
    /// A rubric of these terms, each with its weight, and with [`OnFailure::Minimum`].
    ///
    /// # Errors
    /// As [`Rubric::of`].
    pub fn new(terms: Vec<(f64, Box<dyn Term>)>) -> Result<Self, RewardError> {
        Self::of(terms.into_iter().map(|(weight, term)| WeightedTerm::new(weight, term)).collect())
    }

    /// A rubric of these terms.
    ///
    /// # Errors
    /// [`RewardError::NoTerms`], [`RewardError::RepeatedTerm`] or [`RewardError::Weight`].
    pub fn of(terms: Vec<WeightedTerm>) -> Result<Self, RewardError> {
        if terms.is_empty() {
            return Err(RewardError::NoTerms);
        }
        for (i, WeightedTerm { term, weight, .. }) in terms.iter().enumerate() {
            let id = || term.id().to_string();
            if !weight.is_finite() {
                return Err(RewardError::Weight { id: id(), weight: *weight });
            }
            if terms[..i].iter().any(|earlier| earlier.term.id() == term.id()) {
                return Err(RewardError::RepeatedTerm { id: id() });
            }
        }
        Ok(Self { terms })
    }

    /// The rubric of a recipe.
    ///
    /// # Errors
    /// As [`Rubric::of`]; [`RewardError::UnknownTerm`]; or what a term says of its settings.
    pub fn from_config(config: &RubricConfig, registry: &Registry) -> Result<Self, RewardError> {
        let build = |config: &TermConfig| {
            let term = config.with_limits(registry.build(&config.id, &config.settings)?)?;
            Ok(WeightedTerm { term, weight: config.weight, on_failure: config.on_failure })
        };
        Self::of(config.terms.iter().map(build).collect::<Result<_, RewardError>>()?)
    }

    /// The paper's reward, in [-3, 4]: format and correctness with their default settings.
    pub fn toolrl() -> Self {
        let format: Box<dyn Term> = Box::new(Format::default());
        let correctness: Box<dyn Term> = Box::new(Correctness::default());
        Self { terms: vec![WeightedTerm::new(1.0, format), WeightedTerm::new(1.0, correctness)] }
    }

    /// The terms' ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(|weighted| weighted.term.id())
    }

    /// The terms, in order.
    pub fn terms(&self) -> &[WeightedTerm] {
        &self.terms
    }

    /// Whether a term looks at what was asked ([`Reference::asked`]).
    pub fn reads_questions(&self) -> bool {
        self.terms.iter().any(|weighted| matches!(weighted.term, AnyTerm::Batch(..)))
    }

    /// What decides the scores beside the terms' settings ([`BatchTerm::fingerprint`]), by term.
    pub fn fingerprints(&self) -> impl Iterator<Item = (&str, String)> {
        self.terms.iter().filter_map(|weighted| match &weighted.term {
            AnyTerm::Batch(term, _) => Some((term.id(), term.fingerprint()?)),
            AnyTerm::Sync(_) | AnyTerm::Async(..) => None,
        })
    }

    /// The least and the greatest total in this context.
    pub fn range(&self, context: &Context) -> (f64, f64) {
        let weighted = self.terms.iter().filter(|weighted| weighted.weight != 0.0);
        weighted.fold((0.0, 0.0), |(least, greatest), WeightedTerm { term, weight, .. }| {
            let (min, max) = term.range(context);
            let (a, b) = (weight * min, weight * max);
            (least + a.min(b), greatest + a.max(b))
        })
    }

    /// Scores a reply. An asynchronous term is waited for; [`Rubric::score_batch`] waits for those of many
    /// replies at once.
    ///
    /// # Errors
    /// The failure of a term under [`OnFailure::Stop`]. Any other stands in its [`ScoredTerm`].
    ///
    /// ```
    /// use toolrl_reward::{Context, Reference, Rubric};
    ///
    /// let gold = "<think>a</think>\n<tool_call>\n\
    ///             {\"name\": \"weather\", \"parameters\": {\"city\": \"Rome\"}}\n</tool_call>";
    /// let reference = Reference::parse(gold).unwrap();
    /// let reply = gold.replace("Rome", "Oslo");
    /// let parsed = toolrl_grammar::parse(&reply);
    ///
    /// let score = Rubric::toolrl().score(&parsed, &reference, &Context::evaluation()).unwrap();
    /// assert_eq!((score.value("format"), score.value("correctness")), (Some(1.0), Some(1.0)));
    /// assert_eq!(score.total, 2.0);
    /// ```
    pub fn score(
        &self,
        parsed: &Parsed<'_>,
        reference: &Reference,
        context: &Context,
    ) -> Result<Score, RewardError> {
        let outcome = |weighted: &WeightedTerm| match &weighted.term {
            AnyTerm::Sync(term) => at_once(&**term, parsed, reference, context),
            AnyTerm::Async(term, limits) => {
                pollster::block_on(call(&**term, *limits, parsed, reference, context))
            }
            AnyTerm::Batch(term, limits) => {
                let reply = [(parsed, reference)];
                pollster::block_on(batch::call(&**term, *limits, &reply, context)).swap_remove(0)
            }
        };
        self.sum(self.terms.iter().map(outcome), context)
    }

    /// Scores of some replies, in their order. What asynchronous terms say of them is waited for at once.
    ///
    /// # Errors
    /// Each reply's, as of [`Rubric::score`].
    pub async fn score_batch(
        &self,
        replies: &[Reply<'_>],
        context: &Context,
    ) -> Vec<Result<Score, RewardError>> {
        let columns = self.terms.iter().map(|weighted| async move {
            match &weighted.term {
                AnyTerm::Sync(term) => replies.iter().map(|(p, r)| at_once(&**term, p, r, context)).collect(),
                AnyTerm::Async(term, limits) => {
                    let calls = replies.iter().map(|(p, r)| call(&**term, *limits, p, r, context));
                    bounded(calls, limits.concurrency).await
                }
                AnyTerm::Batch(term, limits) => {
                    let replies: Vec<_> =
                        replies.iter().map(|(parsed, reference)| (parsed, *reference)).collect();
                    let batches = replies.chunks(term.size().max(1));
                    let calls = batches.map(|batch| batch::call(&**term, *limits, batch, context));
                    bounded(calls, limits.concurrency).await.into_iter().flatten().collect()
                }
            }
        });
        let columns: Vec<Vec<Outcome>> = join_all(columns).await;
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        replies.iter().map(|_| self.sum(columns.iter_mut().filter_map(Iterator::next), context)).collect()
    }

    /// Adds up what the terms gave for one reply.
    fn sum(&self, outcomes: impl Iterator<Item = Outcome>, context: &Context) -> Result<Score, RewardError> {
        let mut score = Score { total: 0.0, terms: Vec::with_capacity(self.terms.len()), skipped: false };
        for (weighted, outcome) in self.terms.iter().zip(outcomes) {
            let WeightedTerm { term, weight, on_failure } = weighted;
            let range = term.range(context);
            let (given, failure) = match outcome.and_then(finite) {
                Ok(given) => (given, None),
                Err(cause) if *on_failure == OnFailure::Stop && *weight != 0.0 => {
                    return Err(RewardError::Term { id: term.id().to_string(), source: Box::new(cause) });
                }
                Err(cause) => {
                    let (value, skip) = on_failure.value(*weight, range);
                    score.skipped |= skip;
                    (TermScore::new(value), Some(TermFailure { cause, policy: *on_failure }))
                }
            };
            if *weight != 0.0 {
                score.total += weight * given.value;
            }
            let id = term.id().to_string();
            score.terms.push(ScoredTerm { id, weight: *weight, range, score: given, failure });
        }
        Ok(score)
    }
}

/// What a term gives at once.
fn at_once(term: &dyn Term, parsed: &Parsed<'_>, reference: &Reference, context: &Context) -> Outcome {
    guarded(|| term.score(parsed, reference, context))?.map_err(|error| FailureCause::Error(error.into()))
}

fn finite(score: TermScore) -> Outcome {
    if score.value.is_finite() { Ok(score) } else { Err(FailureCause::NotFinite(score.value)) }
}

impl std::fmt::Debug for Rubric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.terms.iter().map(|w| (w.term.id(), w.weight))).finish()
    }
}

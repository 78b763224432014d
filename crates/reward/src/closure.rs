//! Terms that are plain closures.

use std::sync::Arc;

use toolrl_grammar::Parsed;

use crate::{AsyncTerm, Context, Reference, RewardError, ScoreFuture, Term, TermScore};

/// A closure as a [`Term`]; [`crate::Registry::register_fn`] makes one that recipes can name.
pub struct FnTerm<F> {
    id: String,
    range: (f64, f64),
    score: F,
}

impl<F> FnTerm<F> {
    /// The closure under this id, with the least and the greatest value that it gives.
    pub fn new<S: Into<TermScore>>(id: impl Into<String>, range: (f64, f64), score: F) -> Self
    where
        F: Fn(&Parsed<'_>, &Reference, &Context) -> S + Send + Sync,
    {
        Self { id: id.into(), range, score }
    }
}

impl<F, S> Term for FnTerm<F>
where
    F: Fn(&Parsed<'_>, &Reference, &Context) -> S + Send + Sync,
    S: Into<TermScore>,
{
    fn id(&self) -> &str {
        &self.id
    }

    fn range(&self, _: &Context) -> (f64, f64) {
        self.range
    }

    fn score(
        &self,
        parsed: &Parsed<'_>,
        reference: &Reference,
        context: &Context,
    ) -> Result<TermScore, RewardError> {
        Ok((self.score)(parsed, reference, context).into())
    }
}

/// An asynchronous closure from a reply's text and its reference's as an [`AsyncTerm`];
/// [`crate::Registry::register_async_fn`] makes one that recipes can name.
pub struct AsyncFnTerm<F> {
    id: String,
    range: (f64, f64),
    score: F,
}

/// Whatever says what went wrong.
pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;

impl<F> AsyncFnTerm<F> {
    /// The closure under this id, with the least and the greatest value that it gives.
    pub fn new<W, S, E>(id: impl Into<String>, range: (f64, f64), score: F) -> Self
    where
        F: Fn(String, String) -> W + Send + Sync,
        W: Future<Output = Result<S, E>> + Send,
        S: Into<TermScore>,
        E: Into<AnyError>,
    {
        Self { id: id.into(), range, score }
    }
}

impl<F, W, S, E> AsyncTerm for AsyncFnTerm<F>
where
    F: Fn(String, String) -> W + Send + Sync,
    W: Future<Output = Result<S, E>> + Send,
    S: Into<TermScore>,
    E: Into<AnyError>,
{
    fn id(&self) -> &str {
        &self.id
    }

    fn range(&self, _: &Context) -> (f64, f64) {
        self.range
    }

    fn score<'a>(
        &'a self,
        parsed: &'a Parsed<'a>,
        reference: &'a Reference,
        _: &'a Context,
    ) -> ScoreFuture<'a> {
        Box::pin(async move {
            let reply = toolrl_grammar::text::lossy(parsed.text).into_owned();
            let scored = (self.score)(reply, reference.lossy().into_owned()).await;
            let failed = |error: E| RewardError::Term { id: self.id.clone(), source: error.into() };
            scored.map(Into::into).map_err(failed)
        })
    }
}

/// Closures are registered once and built into every rubric that names them.
impl<T: Term> Term for Arc<T> {
    fn id(&self) -> &str {
        T::id(self)
    }

    fn range(&self, context: &Context) -> (f64, f64) {
        T::range(self, context)
    }

    fn score(
        &self,
        parsed: &Parsed<'_>,
        reference: &Reference,
        context: &Context,
    ) -> Result<TermScore, RewardError> {
        T::score(self, parsed, reference, context)
    }
}

/// As for [`Term`].
impl<T: AsyncTerm> AsyncTerm for Arc<T> {
    fn id(&self) -> &str {
        T::id(self)
    }

    fn range(&self, context: &Context) -> (f64, f64) {
        T::range(self, context)
    }

    fn score<'a>(
        &'a self,
        parsed: &'a Parsed<'a>,
        reference: &'a Reference,
        context: &'a Context,
    ) -> ScoreFuture<'a> {
        T::score(self, parsed, reference, context)
    }
}

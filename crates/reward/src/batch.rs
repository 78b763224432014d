//! Terms that score many replies at once: another program, a server, a model.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use toolrl_grammar::Parsed;

use crate::failure::guarded;
use crate::{Context, FailureCause, Limits, Reference, RewardError, TermScore};

/// The scores of a batch that are on their way: one for each reply, in their order.
pub type BatchFuture<'a> = Pin<Box<dyn Future<Output = Vec<Result<TermScore, FailureCause>>> + Send + 'a>>;

/// A [`crate::Term`] that scores many replies at once.
///
/// A rubric cuts the replies, in their order, into batches of [`BatchTerm::size`], so that which replies are asked
/// together depends on nothing but their order. Several batches are under way at a time, as [`Limits`] say.
pub trait BatchTerm: Send + Sync {
    /// As [`crate::Term::id`].
    fn id(&self) -> &str;

    /// As [`crate::Term::range`].
    fn range(&self, context: &Context) -> (f64, f64);

    /// Replies of a batch, at most.
    fn size(&self) -> usize;

    /// Scores of some replies, each by itself a value or a failure. It must end by itself: `timeout` is how long it
    /// may wait for the next answer ([`FailureCause::TimedOut`]). As of [`crate::AsyncTerm`], it must not block.
    fn score<'a>(
        &'a self,
        replies: &[(&Parsed<'_>, &Reference)],
        context: &Context,
        timeout: Duration,
    ) -> BatchFuture<'a>;

    /// What decides its scores beside its settings, such as a checksum of a program: a run that goes on compares it
    /// with what it was.
    fn fingerprint(&self) -> Option<String> {
        None
    }
}

/// The scores of one batch. A panic is the failure of all its replies, and so is another number of answers.
pub(crate) async fn call(
    term: &dyn BatchTerm,
    limits: Limits,
    replies: &[(&Parsed<'_>, &Reference)],
    context: &Context,
) -> Vec<Result<TermScore, FailureCause>> {
    let all = |cause: FailureCause| replies.iter().map(|_| Err(cause.clone())).collect();
    let mut scores = match guarded(|| term.score(replies, context, limits.timeout)) {
        Ok(scores) => scores,
        Err(panic) => return all(panic),
    };
    let scored = poll_fn(|cx| match guarded(|| scores.as_mut().poll(cx)) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    });
    match scored.await {
        Ok(scores) if scores.len() == replies.len() => scores,
        Ok(scores) => {
            let source = format!("{} scores for {} replies", scores.len(), replies.len()).into();
            all(FailureCause::Error(Arc::new(RewardError::Term { id: term.id().to_owned(), source })))
        }
        Err(panic) => all(panic),
    }
}

//! Terms that wait: for a judge behind HTTP, for another process.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures_timer::Delay;
use futures_util::future::{Either, select};
use futures_util::{FutureExt, StreamExt, stream};
use toolrl_grammar::Parsed;

use crate::failure::guarded;
use crate::{Context, FailureCause, Reference, RewardError, TermScore};

/// A score that is on its way.
pub type ScoreFuture<'a> = Pin<Box<dyn Future<Output = Result<TermScore, RewardError>> + Send + 'a>>;

/// A [`crate::Term`] whose score has to be waited for.
///
/// A rubric awaits it with a [`Limits::timeout`], and for many replies at once. The future runs wherever the
/// rubric is asked for its scores; `toolrl`'s commands do that inside a tokio runtime, so that clients which
/// need one (reqwest) find it. It must not block: a blocking client belongs into `spawn_blocking`, and should
/// have a time-out of its own.
pub trait AsyncTerm: Send + Sync {
    /// As [`crate::Term::id`].
    fn id(&self) -> &str;

    /// As [`crate::Term::range`].
    fn range(&self, context: &Context) -> (f64, f64);

    /// As [`crate::Term::score`].
    fn score<'a>(
        &'a self,
        parsed: &'a Parsed<'a>,
        reference: &'a Reference,
        context: &'a Context,
    ) -> ScoreFuture<'a>;
}

/// How an asynchronous term is called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// How long one score may take: from its own start, time in the queue left out.
    pub timeout: Duration,
    /// Scores under way at a time, at least 1.
    pub concurrency: usize,
}

impl Default for Limits {
    /// 30 seconds, 16 at a time.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), concurrency: 16 }
    }
}

/// One score of a term; a panic or a missed deadline is a cause like any other.
pub(crate) async fn call(
    term: &dyn AsyncTerm,
    limits: Limits,
    parsed: &Parsed<'_>,
    reference: &Reference,
    context: &Context,
) -> Result<TermScore, FailureCause> {
    let mut score = guarded(|| term.score(parsed, reference, context))?;
    // Each poll is guarded by itself: a thread is in a term's code only as long as it polls.
    let scored = poll_fn(|cx| match guarded(|| score.as_mut().poll(cx)) {
        Ok(polled) => polled.map_err(|error| FailureCause::Error(error.into())),
        Err(panic) => Poll::Ready(Err(panic)),
    });
    match select(scored, Delay::new(limits.timeout)).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => Err(FailureCause::TimedOut(limits.timeout)),
    }
}

/// The outputs of some futures in their order, at most `limit` of them under way at a time. One that is late
/// holds up none behind it, as it would with `buffered`.
pub(crate) async fn bounded<F: Future>(futures: impl IntoIterator<Item = F>, limit: usize) -> Vec<F::Output> {
    let numbered = (0..).zip(futures).map(|(place, future)| future.map(move |output| (place, output)));
    let mut done: Vec<(usize, _)> = stream::iter(numbered).buffer_unordered(limit.max(1)).collect().await;
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, output)| output).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_late_one_holds_up_none_behind_it() {
        let last_was_here = AtomicBool::new(false);
        let futures = (0..9).map(|place| {
            let last_was_here = &last_was_here;
            poll_fn(move |cx| {
                last_was_here.fetch_or(place == 8, Ordering::Relaxed);
                if place > 0 || last_was_here.load(Ordering::Relaxed) {
                    return Poll::Ready(place);
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
        });
        assert_eq!(pollster::block_on(bounded(futures, 2)), (0..9).collect::<Vec<_>>());
    }
}

//! Terms that wait: for a judge behind HTTP, for another process.

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures_lite::future;
use futures_timer::Delay;
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
    let scored = future::poll_fn(|cx| match guarded(|| score.as_mut().poll(cx)) {
        Ok(polled) => polled.map_err(|error| FailureCause::Error(error.into())),
        Err(panic) => Poll::Ready(Err(panic)),
    });
    let late = async {
        Delay::new(limits.timeout).await;
        Err(FailureCause::TimedOut(limits.timeout))
    };
    future::or(scored, late).await
}

/// The outputs of some futures in their order, at most `limit` of them under way at a time.
pub(crate) async fn bounded<F: Future>(futures: impl IntoIterator<Item = F>, limit: usize) -> Vec<F::Output> {
    let mut waiting = futures.into_iter().enumerate();
    let mut active: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    let mut done = Vec::new();
    future::poll_fn(|cx| {
        loop {
            let free = limit.max(1).saturating_sub(active.len());
            active.extend(waiting.by_ref().take(free).map(|(place, future)| (place, Box::pin(future))));
            let before = done.len();
            active.retain_mut(|(place, future)| match future.as_mut().poll(cx) {
                Poll::Ready(output) => {
                    done.push((*place, output));
                    false
                }
                Poll::Pending => true,
            });
            if done.len() == before {
                return if active.is_empty() { Poll::Ready(()) } else { Poll::Pending };
            }
        }
    })
    .await;
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, output)| output).collect()
}

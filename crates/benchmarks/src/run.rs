//! Cases to outcomes, many at a time.

use std::collections::HashSet;

use pollster::block_on;
use toolrl_remote::on_threads;
use toolrl_rollout::{Answer, Reply, SamplingParams};

use crate::fingerprint::of_text;
use crate::{Benchmark, BenchmarkError, Case, OutcomeLog, Replier, Talk};

/// How cases are run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSettings {
    /// How tokens are drawn: greedy, and at most 1,024 of them.
    pub params: SamplingParams,
    /// Where the random numbers come from, for a temperature above 0.
    pub seed: u64,
    /// Cases under way at a time: 64. It changes no outcome.
    pub open_cases: usize,
    /// Threads on which replies are judged, searches run and services asked: 8.
    pub threads: usize,
    /// The most cases to run; they are the first.
    pub limit: Option<usize>,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self { params: SamplingParams::greedy(1024), seed: 0, open_cases: 64, threads: 8, limit: None }
    }
}

impl RunSettings {
    /// How tokens are drawn, in words.
    pub(crate) fn sampling(&self) -> String {
        let SamplingParams { temperature, top_k, top_p, min_p, max_new_tokens, .. } = self.params;
        let limits = [
            (top_k > 0).then(|| format!(", top-k {top_k}")),
            (min_p > 0.0).then(|| format!(", min-p {min_p}")),
        ];
        let how = match temperature {
            0.0 => "greedy".to_owned(),
            _ => {
                let limits: String = limits.into_iter().flatten().collect();
                format!("temperature {temperature}, top-p {top_p}{limits}, seed {}", self.seed)
            }
        };
        let stop = match self.params.stop.as_slice() {
            [] => String::new(),
            strings if self.params.include_stop_str_in_output => {
                format!(", up to and with one of {strings:?}")
            }
            strings => format!(", up to one of {strings:?}"),
        };
        format!("{how}, at most {max_new_tokens} tokens a reply{stop}")
    }
}

/// A case under way with its conversation.
struct Open<'b> {
    case: Box<dyn Case + 'b>,
    talk: Talk,
    progress: CaseProgress,
}

/// Whether a case needs a further reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CaseProgress {
    Open,
    Ended,
}

impl<'b> Open<'b> {
    fn new(benchmark: &'b (impl Benchmark + ?Sized), index: usize) -> Result<Self, BenchmarkError> {
        let case = benchmark.open(index)?;
        let stream =
            u64::from_str_radix(&of_text(&benchmark.cases()[index].id)[..12], 16).unwrap_or_default();
        let talk = Talk::new(case.opening(), index, stream << 16);
        Ok(Self { case, talk, progress: CaseProgress::Open })
    }

    /// Hands the case its reply, and takes over what it answers.
    fn take(&mut self, reply: &Reply) -> Result<(), BenchmarkError> {
        let answer = block_on(self.case.answer(reply)).map_err(BenchmarkError::of_session)?;
        self.talk.replied(reply);
        match answer {
            Answer::Messages(messages) => self.talk.go_on(messages),
            Answer::Retold(opening) => self.talk.retell(opening),
            Answer::End => self.progress = CaseProgress::Ended,
        }
        Ok(())
    }
}

/// Runs every case that the log lacks, and logs its outcome.
///
/// In each round the replier is asked for every reply that an open case needs; a case that is done makes
/// room for the next one. When something fails, what was replied in that round still counts.
///
/// # Arguments
/// - `progress`: told the number of cases done and of all cases, at the start and after each round.
///
/// # Errors
/// [`BenchmarkError::NoCases`]; what the replier, a search, a judge or the log fails with. The run can go on
/// from its log.
pub async fn run<R: Replier>(
    benchmark: &(impl Benchmark + ?Sized),
    replier: &mut R,
    log: &mut OutcomeLog,
    settings: &RunSettings,
    mut progress: impl FnMut(usize, usize),
) -> Result<(), BenchmarkError> {
    let cases = benchmark.cases();
    let wanted = settings.limit.unwrap_or(cases.len()).min(cases.len());
    if wanted == 0 {
        return Err(BenchmarkError::NoCases);
    }
    let done: HashSet<String> = log.outcomes().iter().map(|outcome| outcome.id.clone()).collect();
    let left: Vec<usize> = (0..wanted).filter(|index| !done.contains(&cases[*index].id)).collect();
    let mut finished = wanted - left.len();
    let mut left = left.into_iter();
    let mut open: Vec<Open<'_>> = Vec::new();
    progress(finished, wanted);
    loop {
        for index in left.by_ref().take(settings.open_cases.max(1) - open.len()) {
            open.push(Open::new(benchmark, index)?);
        }
        if open.is_empty() {
            return Ok(());
        }
        let (answered, failure) = round(open, replier, settings).await;
        open = Vec::new();
        for case in answered {
            match case.progress {
                CaseProgress::Open => open.push(case),
                CaseProgress::Ended => {
                    log.push(case.case.outcome())?;
                    finished += 1;
                }
            }
        }
        log.sync()?;
        progress(finished, wanted);
        if let Some(error) = failure {
            return Err(error);
        }
    }
}

/// Asks for a reply to every open case and hands it over. A case without a reply is dropped, and the first
/// error returned.
async fn round<'b, R: Replier>(
    open: Vec<Open<'b>>,
    replier: &mut R,
    settings: &RunSettings,
) -> (Vec<Open<'b>>, Option<BenchmarkError>) {
    let (cases, mut talks): (Vec<_>, Vec<_>) = open.into_iter().map(|open| (open.case, open.talk)).unzip();
    let replies = match replier.replies(&mut talks, settings).await {
        Ok(replies) if replies.len() == talks.len() => replies,
        Ok(replies) => {
            let error = BenchmarkError::Replies { expected: talks.len(), found: replies.len() };
            return (Vec::new(), Some(error));
        }
        Err(error) => return (Vec::new(), Some(error)),
    };
    let open =
        cases.into_iter().zip(talks).map(|(case, talk)| Open { case, talk, progress: CaseProgress::Open });
    hand_over(open.zip(replies).collect(), settings.threads)
}

/// Gives each case its reply, on several threads: a search, a judge or a service may take its time.
fn hand_over<'b>(
    replies: Vec<(Open<'b>, Result<Reply, BenchmarkError>)>,
    threads: usize,
) -> (Vec<Open<'b>>, Option<BenchmarkError>) {
    let results = on_threads(threads, replies, |(mut open, reply)| {
        reply.and_then(|reply| open.take(&reply)).map(|()| open)
    });
    let mut open = Vec::new();
    let mut failure: Option<BenchmarkError> = None;
    for result in results {
        match result {
            Ok(case) => open.push(case),
            // The error that came first says more than that others were not asked.
            Err(error) if failure.is_none() || failure.as_ref().is_some_and(not_asked) => {
                failure = Some(error)
            }
            Err(_) => {}
        }
    }
    (open, failure)
}

fn not_asked(error: &BenchmarkError) -> bool {
    matches!(error, BenchmarkError::Remote(toolrl_remote::RemoteError::NotAsked))
}

//! Cases to outcomes, many at a time.

use std::collections::HashSet;

use toolrl_remote::on_threads;
use toolrl_rollout::SamplingParams;

use crate::fingerprint::of_text;
use crate::{Ask, Benchmark, BenchmarkError, Conversation, OutcomeLog, Replier, Reply};

/// How cases are run.
#[derive(Clone, Copy, Debug, PartialEq)]
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
        let SamplingParams { temperature, top_p, max_new_tokens } = self.params;
        let how = match temperature {
            0.0 => "greedy".to_owned(),
            _ => format!("temperature {temperature}, top-p {top_p}, seed {}", self.seed),
        };
        format!("{how}, at most {max_new_tokens} tokens a reply")
    }
}

/// A case under way.
struct Open<'b> {
    conversation: Box<dyn Conversation + 'b>,
    index: usize,
    replies: usize,
}

/// What a replier is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it is asked.
    pub ask: Ask,
    /// The case's place in the benchmark.
    pub case: usize,
    /// How many replies the case has had before.
    pub step: usize,
    /// Names the request in the random streams. It depends on the case's id and the step alone, so which other
    /// cases are run changes no reply.
    pub index: u64,
}

impl Request {
    fn new(ask: Ask, case: usize, step: usize, id: &str) -> Self {
        let stream = u64::from_str_radix(&of_text(id)[..12], 16).unwrap_or_default();
        Self { ask, case, step, index: (stream << 16) + step as u64 }
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
            open.push(Open { conversation: benchmark.open(index)?, index, replies: 0 });
        }
        if open.is_empty() {
            return Ok(());
        }
        let (still_open, failure) = round(benchmark, open, replier, settings).await;
        open = Vec::new();
        for case in still_open {
            match case.conversation.ask() {
                Some(_) => open.push(case),
                None => {
                    log.push(case.conversation.outcome())?;
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
    benchmark: &(impl Benchmark + ?Sized),
    open: Vec<Open<'b>>,
    replier: &mut R,
    settings: &RunSettings,
) -> (Vec<Open<'b>>, Option<BenchmarkError>) {
    let (asking, done): (Vec<_>, Vec<_>) =
        open.into_iter().map(|case| (case.conversation.ask(), case)).partition(|(ask, _)| ask.is_some());
    let requests: Vec<Request> = asking
        .iter()
        .filter_map(|(ask, case)| {
            let id = &benchmark.cases()[case.index].id;
            ask.clone().map(|ask| Request::new(ask, case.index, case.replies, id))
        })
        .collect();
    let replies = match replier.replies(&requests, settings).await {
        Ok(replies) if replies.len() == requests.len() => replies,
        Ok(replies) => {
            let error = BenchmarkError::Replies { expected: requests.len(), found: replies.len() };
            return (Vec::new(), Some(error));
        }
        Err(error) => return (Vec::new(), Some(error)),
    };
    let asked = asking.into_iter().map(|(_, case)| case).zip(replies);
    let (mut still_open, failure) = hand_over(asked.collect(), settings.threads);
    still_open.extend(done.into_iter().map(|(_, case)| case));
    (still_open, failure)
}

/// Gives each case its reply, on several threads: a search, a judge or a service may take its time.
fn hand_over<'b>(
    replies: Vec<(Open<'b>, Result<Reply, BenchmarkError>)>,
    threads: usize,
) -> (Vec<Open<'b>>, Option<BenchmarkError>) {
    let results = on_threads(threads, replies, |(mut case, reply)| {
        case.replies += 1;
        reply.and_then(|reply| case.conversation.reply(reply)).map(|()| case)
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

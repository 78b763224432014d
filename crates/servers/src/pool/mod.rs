//! Which servers are there, what they hold, and who may be asked.

mod renew;

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::counts::Idle;
use crate::probe::Found;
use crate::wire::{LogprobMode, Publication, Wire};
use crate::{Counts, ServersConfig, ServersError, Sync};

/// The longest that a server is left out before it is tried again.
pub(crate) const LONGEST_REST: Duration = Duration::from_secs(60);

/// The shortest time in which a server may be started anew unnoticed, since nobody waits for an answer of it.
const UNNOTICED: Duration = Duration::from_secs(1);

/// The servers, and what is known of each.
#[derive(Debug)]
pub(crate) struct Pool {
    pub wires: Vec<Wire>,
    pub config: ServersConfig,
    state: Mutex<State>,
    /// Something in the state is another than before.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// What servers should hold, oldest first.
    published: Vec<Arc<Publication>>,
    members: Vec<Member>,
    /// Samplers at work: as long as there is one, somebody looks after servers that are left out.
    samplers: usize,
    requests: u64,
    retries: u64,
}

/// A server.
#[derive(Debug)]
struct Member {
    condition: Condition,
    /// Why it was left out, until it serves again.
    why: Option<String>,
    /// Counts the changes of its condition: what was begun before one may be of other weights.
    epoch: u64,
    /// Failures since its last reply.
    failures: u32,
    holds: Vec<Arc<Publication>>,
    in_flight: usize,
    /// When it was last seen to be there.
    seen: Instant,
    /// What tells its process from another.
    started: Option<String>,
    /// What the last probe said.
    found: Option<Found>,
    context: Option<usize>,
    mode: Option<LogprobMode>,
    /// Whether a thread looks after it.
    is_tended: bool,
    idle: Idle,
}

#[derive(Debug)]
enum Condition {
    /// It serves what it holds.
    Up,
    /// It is told what to hold, and nobody else may ask it.
    Changing,
    /// It is not asked until then.
    Out { until: Instant },
}

/// Leave to ask a server once.
#[derive(Debug)]
pub(crate) struct Lease {
    pub server: usize,
    epoch: u64,
    pub weights: Arc<Publication>,
    /// The tokens that the server's context holds, where it says so.
    pub context: Option<usize>,
    /// Which log-probabilities it gives, where that was found out.
    pub mode: Option<LogprobMode>,
}

/// Who serves which group: its prompt is in that server's cache.
pub(crate) type Places = Mutex<HashMap<u64, usize>>;

impl State {
    /// The server for a group: the one that has its prompt, or else the one with the least to do. Those that failed at what
    /// is asked are asked again where there is no other.
    fn server_for(&self, version: u64, place: Option<usize>, failed: &[usize]) -> Option<usize> {
        let serves = |server: usize| {
            let member = &self.members[server];
            member.is_up() && member.holds.iter().any(|weights| weights.version == version)
        };
        let place = place.filter(|&server| serves(server) && !failed.contains(&server));
        place.or_else(|| {
            let up = (0..self.members.len()).filter(|&server| serves(server));
            up.min_by_key(|&server| (failed.contains(&server), self.members[server].in_flight))
        })
    }

    fn reasons(&self, wires: &[Wire]) -> Vec<String> {
        let reason = |(member, wire): (&Member, &Wire)| {
            let now = || format!("{}: it is taking weights", wire.url());
            (!member.is_up()).then(|| member.why.clone().unwrap_or_else(now))
        };
        self.members.iter().zip(wires).filter_map(reason).collect()
    }
}

impl Member {
    fn is_up(&self) -> bool {
        matches!(self.condition, Condition::Up)
    }

    /// Whether its process may be another than the one that took the weights, and that would not show.
    fn may_be_another(&self) -> bool {
        self.started.is_some() && self.in_flight == 0 && self.seen.elapsed() >= UNNOTICED
    }

    fn leave_out(&mut self, rest: f64, error: &ServersError) {
        self.failures = self.failures.saturating_add(1);
        let doubled = Duration::from_secs_f64(rest).saturating_mul(2_u32.saturating_pow(self.failures - 1));
        let rest = doubled.min(LONGEST_REST);
        tracing::warn!("{error}; it is left out for {:.1} s", rest.as_secs_f64());
        (self.condition, self.why) =
            (Condition::Out { until: Instant::now() + rest }, Some(error.to_string()));
        self.epoch += 1;
    }
}

impl Pool {
    pub(crate) fn new(config: ServersConfig, wires: Vec<Wire>) -> Self {
        let now = Instant::now();
        let member = |_: &Wire| Member {
            condition: Condition::Out { until: now },
            why: None,
            epoch: 0,
            failures: 0,
            holds: Vec::new(),
            in_flight: 0,
            seen: now,
            started: None,
            found: None,
            context: None,
            mode: None,
            is_tended: false,
            idle: Idle::new(now),
        };
        let members = wires.iter().map(member).collect();
        let state =
            Mutex::new(State { published: Vec::new(), members, samplers: 0, requests: 0, retries: 0 });
        Self { wires, config, state, changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, longest: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, longest).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Names what servers should hold from now on, and lets go of the oldest that are not kept.
    pub(crate) fn announce(&self, weights: Publication) {
        let mut state = self.lock();
        state.published.retain(|other| other.version != weights.version);
        state.published.push(Arc::new(weights));
        let kept = if self.config.sync == Sync::Disk { 1 } else { self.config.keep };
        let old = state.published.len().saturating_sub(kept);
        state.published.drain(..old);
    }

    /// Takes a version back that did not arrive.
    pub(crate) fn withdraw(&self, version: u64) {
        self.lock().published.retain(|weights| weights.version != version);
    }

    /// A server to ask for a turn of a group, which these failed at; waits for one where none is there, and somebody is
    /// looking after them ([`Pool::tended`]).
    ///
    /// # Errors
    /// [`ServersError::NotHeld`], and [`ServersError::NoServer`] when the wait was too long.
    pub(crate) fn lease(
        &self,
        version: u64,
        (group, places): (u64, &Places),
        failed: &[usize],
    ) -> Result<Lease, ServersError> {
        let (since, patience) = (Instant::now(), Duration::from_secs_f64(self.config.patience));
        let mut state = self.lock();
        loop {
            let held = state.published.iter().find(|weights| weights.version == version);
            let Some(weights) = held.cloned() else {
                let held = state.published.iter().map(|weights| weights.version).collect();
                return Err(ServersError::NotHeld { version, held });
            };
            let mut places = places.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(server) = state.server_for(version, places.get(&group).copied(), failed) {
                if state.members[server].may_be_another() {
                    drop(places);
                    state.members[server].condition = Condition::Changing;
                    drop(state);
                    self.recognise(server);
                    state = self.lock();
                    continue;
                }
                places.insert(group, server);
                state.requests += 1;
                let member = &mut state.members[server];
                member.in_flight += 1;
                member.idle.end(Instant::now());
                let Member { epoch, context, mode, .. } = *member;
                return Ok(Lease { server, epoch, weights, context, mode });
            }
            drop(places);
            let waited = since.elapsed();
            if waited >= patience {
                let (seconds, reasons) = (waited.as_secs_f64(), state.reasons(&self.wires));
                return Err(ServersError::NoServer { version, seconds, reasons });
            }
            state = self.wait(state, patience - waited);
        }
    }

    /// Counts a request that was made before.
    pub(crate) fn count_retry(&self) {
        self.lock().retries += 1;
    }

    /// Remembers which log-probabilities a server gives.
    pub(crate) fn learn(&self, lease: &Lease, mode: LogprobMode) {
        let member = &mut self.lock().members[lease.server];
        if member.epoch == lease.epoch {
            member.mode = Some(mode);
        }
    }

    /// Ends a lease after what came of it. Whether a reply is of the weights of the lease: not where whole models are
    /// exchanged and the server was left out since.
    pub(crate) fn settle(&self, lease: &Lease, failure: Option<&ServersError>) -> bool {
        let mut state = self.lock();
        let member = &mut state.members[lease.server];
        member.in_flight -= 1;
        member.seen = Instant::now();
        if member.in_flight == 0 {
            member.idle.begin(Instant::now());
        }
        let is_same = member.epoch == lease.epoch;
        match failure {
            None => member.failures = 0,
            Some(error) if is_same && member.is_up() => member.leave_out(self.config.rest, error),
            // Somebody noticed before, or is about to find out.
            Some(_) => {}
        }
        drop(state);
        self.changed.notify_all();
        is_same || self.config.sync == Sync::Lora
    }

    /// The smallest context that a server told of.
    pub(crate) fn context(&self) -> Option<usize> {
        self.lock().members.iter().filter_map(|member| member.context).min()
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut state = self.lock();
        let now = Instant::now();
        let left_out = state.members.iter().filter(|member| !member.is_up()).count();
        let idle: Duration = state.members.iter_mut().map(|member| member.idle.take(now)).sum();
        Counts {
            requests: std::mem::take(&mut state.requests),
            retries: std::mem::take(&mut state.retries),
            left_out,
            idle_seconds: idle.as_secs_f64() / self.wires.len().max(1) as f64,
        }
    }
}

//! How servers come to hold what is published, and come back.

use std::sync::Arc;
use std::time::Instant;

use super::{Condition, LONGEST_REST, Pool, State};
use crate::probe::Found;
use crate::wire::Publication;
use crate::{ServersError, Sync};

/// What is to be done for a server.
struct Claim {
    was_up: bool,
    epoch: u64,
    /// What is published and it does not hold.
    lacking: Vec<Arc<Publication>>,
    /// What it holds and is published no longer.
    stale: Vec<Arc<Publication>>,
    /// What the last probe said.
    found: Option<Found>,
}

/// What a server told while it was renewed.
struct Brought {
    context: Option<usize>,
    started: Option<String>,
    found: Option<Found>,
}

impl Pool {
    /// Has a server take what it lacks of what is published, and finds it out by the probe; what the last of that said. A
    /// server that is not up is greeted and takes everything anew.
    ///
    /// # Errors
    /// [`ServersError`]; the server is then left out.
    pub(crate) fn renew(&self, server: usize) -> Result<Option<Found>, ServersError> {
        let claim = self.claim(server);
        let brought = self.bring(server, &claim);
        if brought.is_ok() {
            self.unload(server, &claim.stale);
        }
        let Claim { was_up, epoch, lacking, stale, .. } = claim;
        let mut state = self.lock();
        let member = &mut state.members[server];
        // Otherwise it failed meanwhile, and is renewed as one that is not up.
        if member.epoch == epoch {
            match &brought {
                Ok(Brought { context, started, found }) => {
                    if !was_up {
                        member.epoch += 1;
                    }
                    (member.condition, member.why) = (Condition::Up, None);
                    member.context = context.or(member.context);
                    member.started.clone_from(started);
                    member.seen = Instant::now();
                    member.found.clone_from(found);
                    member.holds.retain(|held| !is_among(held, &stale));
                    member.holds.extend(lacking);
                }
                Err(error) => member.leave_out(self.config.rest, error),
            }
        }
        drop(state);
        self.changed.notify_all();
        brought.map(|brought| brought.found)
    }

    /// What is to be done for a server. Where others may not ask it meanwhile, none does when this returns.
    fn claim(&self, server: usize) -> Claim {
        let mut state = self.lock();
        while matches!(state.members[server].condition, Condition::Changing) {
            state = self.wait(state, LONGEST_REST);
        }
        let was_up = state.members[server].is_up();
        if !was_up {
            let member = &mut state.members[server];
            (member.condition, member.mode, member.found) = (Condition::Changing, None, None);
            member.holds.clear();
        } else if self.config.sync == Sync::Disk {
            state.members[server].condition = Condition::Changing;
            while state.members[server].in_flight > 0 {
                state = self.wait(state, LONGEST_REST);
            }
        }
        let State { published, members, .. } = &*state;
        let member = &members[server];
        let lacking = published.iter().filter(|one| !is_among(one, &member.holds)).cloned().collect();
        let stale = member.holds.iter().filter(|one| !is_among(one, published)).cloned().collect();
        Claim { was_up, epoch: member.epoch, lacking, stale, found: member.found.clone() }
    }

    /// Loads what a server lacks, one after the other, each held against the probe before the next.
    fn bring(&self, server: usize, claim: &Claim) -> Result<Brought, ServersError> {
        let (wire, limit) = (&self.wires[server], self.config.probe_limit);
        let context = if claim.was_up { None } else { wire.greet()? };
        let started = wire.started()?;
        let mut found = claim.found.clone();
        for weights in &claim.lacking {
            wire.load(weights)?;
            let (of, scores) = ((wire.url(), weights.version), wire.score(weights)?);
            found = Some(Found::new(of, &weights.probe, scores, (limit, found.as_ref()))?);
        }
        Ok(Brought { context, started, found })
    }

    /// An adapter that stays costs memory alone.
    fn unload(&self, server: usize, stale: &[Arc<Publication>]) {
        for weights in stale {
            if let Err(error) = self.wires[server].unload(weights) {
                tracing::warn!("version {} was not unloaded: {error}", weights.version);
            }
        }
    }

    /// Sees whether a server's process is the one that took the weights; it is left out where not.
    pub(super) fn recognise(&self, server: usize) {
        let told = self.wires[server].started();
        let mut state = self.lock();
        let member = &mut state.members[server];
        match told {
            Ok(started) if started == member.started => {
                member.condition = Condition::Up;
                member.seen = Instant::now();
            }
            Ok(_) => {
                let url = self.wires[server].url().to_owned();
                member.leave_out(self.config.rest, &ServersError::Restarted { url });
            }
            Err(error) => member.leave_out(self.config.rest, &error),
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Does work while servers that are left out are tried again, each by a thread of its own, as soon as their rest is
    /// over. A thread that waits for an answer when the work is done ends by itself, after the time that an answer has.
    pub(crate) fn tended<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        let mut state = self.lock();
        state.samplers += 1;
        for server in 0..state.members.len() {
            if !std::mem::replace(&mut state.members[server].is_tended, true) {
                let pool = self.clone();
                std::thread::spawn(move || pool.tend(server));
            }
        }
        drop(state);
        let _end = EndOfWork(self);
        work()
    }

    fn tend(&self, server: usize) {
        loop {
            let mut state = self.lock();
            loop {
                if state.samplers == 0 {
                    state.members[server].is_tended = false;
                    return;
                }
                let rest = match state.members[server].condition {
                    Condition::Out { until } => until.saturating_duration_since(Instant::now()),
                    Condition::Up | Condition::Changing => LONGEST_REST,
                };
                if rest.is_zero() {
                    break;
                }
                state = self.wait(state, rest);
            }
            drop(state);
            if self.renew(server).is_ok() {
                tracing::info!("{}: it is asked again", self.wires[server].url());
            }
        }
    }
}

fn is_among(one: &Arc<Publication>, others: &[Arc<Publication>]) -> bool {
    others.iter().any(|other| Arc::ptr_eq(other, one))
}

/// Tells those who tend servers that the work is over, if it ends by a panic too.
struct EndOfWork<'a>(&'a Pool);

impl Drop for EndOfWork<'_> {
    fn drop(&mut self) {
        self.0.lock().samplers -= 1;
        self.0.changed.notify_all();
    }
}

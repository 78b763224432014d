//! Ctrl-C and the signal that ends a process.

use anyhow::Context as _;
use signal_hook::consts::TERM_SIGNALS;
use signal_hook::flag;
use toolrl_train::Stop;

/// A request that the first Ctrl-C or SIGTERM makes. A second one ends the process at once, with the last checkpoint
/// whole.
pub(crate) fn stop() -> anyhow::Result<Stop> {
    let stop = Stop::default();
    for &signal in TERM_SIGNALS {
        // In this order: the first signal finds the request not made yet.
        flag::register_conditional_shutdown(signal, 1, stop.flag()).context("cannot listen to signals")?;
        flag::register(signal, stop.flag()).context("cannot listen to signals")?;
    }
    Ok(stop)
}

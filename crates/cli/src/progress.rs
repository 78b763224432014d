//! Progress: bars on a terminal, plain lines elsewhere; both on standard error.

use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use toolrl_train::Observer;

/// Shows how far a run is.
pub(crate) struct Progress {
    terminal: bool,
    bar: ProgressBar,
    stage: String,
    total: u64,
    since: Instant,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { terminal, bar: ProgressBar::hidden(), stage: String::new(), total: 0, since: Instant::now() }
    }
}

impl Observer for Progress {
    fn begin(&mut self, stage: &str, total: u64) {
        (self.stage, self.total, self.since) = (stage.to_owned(), total, Instant::now());
        if !self.terminal {
            return;
        }
        let style = "{prefix:>10} {bar:32} {pos}/{len} {elapsed} (eta {eta}) {msg}";
        self.bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(style) {
            self.bar.set_style(style);
        }
        self.bar.set_prefix(self.stage.clone());
    }

    fn progress(&mut self, done: u64, message: &str) {
        if self.terminal {
            self.bar.set_message(message.to_owned());
            self.bar.set_position(done);
        } else {
            let seconds = self.since.elapsed().as_secs_f64();
            let separator = if message.is_empty() { "" } else { ": " };
            eprintln!("{} {done}/{} after {seconds:.1} s{separator}{message}", self.stage, self.total);
        }
    }

    fn end(&mut self) {
        self.bar.finish();
    }
}

/// Shows how far a download is.
pub(crate) struct Download {
    terminal: bool,
    bar: ProgressBar,
    name: String,
    begun: bool,
}

impl Download {
    pub(crate) fn new(name: &str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { terminal, bar: ProgressBar::hidden(), name: name.to_owned(), begun: false }
    }

    /// Tells how many bytes of how many are there.
    pub(crate) fn tell(&mut self, have: u64, size: u64) {
        if !std::mem::replace(&mut self.begun, true) {
            self.begin(size);
        }
        self.bar.set_position(have);
        if have >= size {
            self.bar.finish();
        }
    }

    fn begin(&mut self, size: u64) {
        if !self.terminal {
            eprintln!("download {} ({size} bytes)", self.name);
            return;
        }
        let style = "{prefix} {bar:32} {bytes}/{total_bytes} {bytes_per_sec} (eta {eta})";
        self.bar = ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(style) {
            self.bar.set_style(style);
        }
        self.bar.set_prefix(self.name.clone());
    }
}

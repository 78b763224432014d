//! Progress: bars on a terminal, plain lines elsewhere; both on standard error.

use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use toolrl_train::Observer;

/// Shows how far a run is.
pub(crate) struct Progress {
    terminal: bool,
    bar: ProgressBar,
    stage: Stage,
    /// One that another has interrupted: training, where it evaluates.
    interrupted: Option<Stage>,
}

/// What is being done, how much of it is, and since when.
struct Stage {
    name: String,
    done: u64,
    total: u64,
    since: Instant,
}

impl Stage {
    fn new(name: &str, total: u64) -> Self {
        Self { name: name.to_owned(), done: 0, total, since: Instant::now() }
    }
}

impl Progress {
    pub(crate) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { terminal, bar: ProgressBar::hidden(), stage: Stage::new("", 0), interrupted: None }
    }

    /// Begins a stage, or goes on with the one that was interrupted.
    fn enter(&mut self, name: &str, total: u64) {
        let begun = |stage: &mut Stage| (stage.name.as_str(), stage.total) == (name, total);
        let stage = self.interrupted.take_if(begun).unwrap_or_else(|| Stage::new(name, total));
        let before = std::mem::replace(&mut self.stage, stage);
        if before.done < before.total {
            self.interrupted = Some(before);
        }
    }
}

impl Observer for Progress {
    fn begin(&mut self, stage: &str, total: u64) {
        self.enter(stage, total);
        if !self.terminal {
            return;
        }
        let style = "{prefix:>10} {bar:32} {pos}/{len} {elapsed} (eta {eta}) {msg}";
        self.bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
            .with_elapsed(self.stage.since.elapsed())
            .with_position(self.stage.done);
        self.bar.reset_eta();
        if let Ok(style) = ProgressStyle::with_template(style) {
            self.bar.set_style(style);
        }
        self.bar.set_prefix(stage.to_owned());
    }

    fn progress(&mut self, done: u64, message: &str) {
        self.stage.done = done;
        if self.terminal {
            self.bar.set_message(message.to_owned());
            self.bar.set_position(done);
        } else {
            let Stage { name, total, since, .. } = &self.stage;
            let seconds = since.elapsed().as_secs_f64();
            let separator = if message.is_empty() { "" } else { ": " };
            eprintln!("{name} {done}/{total} after {seconds:.1} s{separator}{message}");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_goes_on_after_an_evaluation() {
        let mut progress = Progress::new();
        progress.enter("grpo", 10);
        let began = progress.stage.since;
        progress.stage.done = 4;
        progress.enter("evaluate", 2);
        assert_eq!((progress.stage.name.as_str(), progress.stage.done), ("evaluate", 0));
        progress.stage.done = 2;
        progress.enter("grpo", 10);
        assert_eq!((progress.stage.since, progress.stage.done), (began, 4));
        progress.stage.done = 10;
        progress.enter("grpo", 10);
        assert_eq!(progress.stage.done, 0, "another run's");
    }
}

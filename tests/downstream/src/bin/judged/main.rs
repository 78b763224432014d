//! `toolrl` with a judge behind HTTP, and with a term that has a mistake in it.

mod judge;

use std::process::ExitCode;

use toolrl_reward::{Registry, settings};

fn main() -> ExitCode {
    let mut registry = Registry::builtin();
    registry.register_async("judge", |table| Ok(Box::new(settings::<judge::Judge>("judge", table)?)));
    registry.register_fn("fragile", (0.0, 1.0), |reply, _gold, _context| {
        assert!(!reply.text.len().is_multiple_of(4), "{} bytes", reply.text.len());
        1.0
    });
    toolrl_cli::main_with(registry)
}

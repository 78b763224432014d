//! `toolrl` with one more reward term.

use toolrl_reward::{Registry, released::last_thoughts};

fn main() -> std::process::ExitCode {
    let mut registry = Registry::builtin();
    // One point for thoughts of at most 20 words, less for longer ones, none without both tags.
    registry.register_fn("concise", (0.0, 1.0), |reply, _gold, _context| {
        let Some(thoughts) = last_thoughts(reply.text) else { return 0.0 };
        let words = toolrl_grammar::text::count_words(thoughts);
        if words <= 20 { 1.0 } else { 20.0 / words as f64 }
    });
    toolrl_cli::main_with(registry)
}

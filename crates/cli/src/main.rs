//! The `toolrl` binary: every command, with the built-in reward terms.

use std::process::ExitCode;

fn main() -> ExitCode {
    toolrl_cli::main_with(toolrl_reward::Registry::builtin())
}

//! The commands of `toolrl`, for its own binary and for those of downstream projects.
//!
//! Invariant: standard output holds results only, everything else goes to standard error; the exit
//! code is 0 when the work was done. This crate and xtask alone print and read the environment.
//!
//! A project with reward terms of its own has this `main`, and its recipes name them by id. Samplers and environments
//! of its own come in by a [`toolrl_train::Registry`] in the same place:
//!
//! ```no_run
//! use toolrl_reward::Registry;
//!
//! fn main() -> std::process::ExitCode {
//!     let registry = Registry::builtin();
//!     // registry.register("my_term", |settings| …);
//!     toolrl_cli::main_with(registry)
//! }
//! ```

mod args;
mod bench;
mod benchmarks;
mod calls;
mod data;
mod device;
mod doctor;
mod eval;
mod export;
mod gpu;
mod hub;
mod inspect;
mod lines;
mod loaded;
mod memory;
mod policy;
mod progress;
mod recipes;
mod replay;
mod reward;
mod run_dir;
mod signals;
mod starter;
mod study;
mod track;
mod train;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use toolrl_cpu::{Isa, NotHere};
use toolrl_train::Registry;
use tracing_subscriber::EnvFilter;

use args::{BenchCommand, Cli, Command, DataCommand, GpuCommand, PolicyCommand};

/// Runs the command line with these parts, or with these reward terms and the built-in parts, and returns the process's
/// exit code.
pub fn main_with(registry: impl Into<Registry>) -> ExitCode {
    let registry = registry.into();
    memory::keep_freed();
    let cli = Cli::parse();
    log_to_stderr(cli.verbose);
    if let Some(isa) = cli.isa
        && let Err(NotHere(isa)) = isa.choose()
    {
        let here: Vec<_> = Isa::here().into_iter().map(Isa::name).collect();
        eprintln!(
            "error: --isa {}: this machine has no such vector instructions, but {}",
            isa.name(),
            here.join(", ")
        );
        return ExitCode::FAILURE;
    }
    leave_terms_panics_to_their_count();
    // Inside the thread pool, so that each operation finds its threads awake.
    match rayon::scope(|_| dispatch(cli.command, &registry)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command, registry: &Registry) -> anyhow::Result<()> {
    match command {
        Command::Train(args) => train::train(&args, registry),
        Command::Eval(args) => eval::eval(&args, registry),
        Command::Replay(args) => replay::replay(&args, registry),
        Command::Track(args) => track::track(&args),
        Command::Export(args) => export::export(&args),
        Command::Study(args) => study::study(&args, registry),
        Command::Reward(command) => reward::run(&command, &registry.rewards),
        Command::Data(DataCommand::Build(args)) => data::build(&args),
        Command::Data(DataCommand::Inspect(args)) => data::inspect(&args),
        Command::Data(DataCommand::Convert(args)) => data::convert(&args),
        Command::Data(DataCommand::World(args)) => data::world(&args),
        Command::Calls(command) => calls::run(&command),
        Command::Policy(PolicyCommand::Generate(args)) => policy::generate(&args),
        Command::Policy(PolicyCommand::Logprobs(args)) => policy::logprobs(&args),
        Command::Policy(PolicyCommand::Inspect(args)) => inspect::inspect(&args),
        Command::Policy(PolicyCommand::Merge(args)) => policy::merge(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Gpu(GpuCommand::Check(args)) => gpu::check(&args, registry),
        Command::Bench(BenchCommand::Step(args)) => bench::step(&args),
        Command::Bench(BenchCommand::Gemm(args)) => bench::gemm(&args),
    }
}

/// An error with its causes, each said once.
fn one_line(error: &anyhow::Error) -> String {
    let mut out = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !out.contains(&cause) {
            let separator = if out.is_empty() { "" } else { ": " };
            out = format!("{out}{separator}{cause}");
        }
    }
    out
}

/// The workspace's own crates; others speak from `warn` on.
const CRATES: [&str; 11] = [
    "toolrl_benchmarks",
    "toolrl_cli",
    "toolrl_data",
    "toolrl_eval",
    "toolrl_engine",
    "toolrl_policy",
    "toolrl_remote",
    "toolrl_scorers",
    "toolrl_study",
    "toolrl_trackers",
    "toolrl_train",
];

/// A reward term's panic is counted and shown as its failure: thousands of messages would hide the rest.
fn leave_terms_panics_to_their_count() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !toolrl_reward::is_scoring() {
            others(panic);
        }
    }));
}

fn log_to_stderr(verbose: bool) {
    let level = if verbose { "debug" } else { "info" };
    let filter = CRATES.iter().fold("warn".to_owned(), |all, name| format!("{all},{name}={level}"));
    // A second subscriber, in a downstream binary that set its own, is refused and changes nothing.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_target(false)
        .without_time()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}

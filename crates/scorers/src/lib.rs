//! Reward terms in other programs: a command that is kept open, a server, a function of a Python file.
//!
//! Invariant: whatever the other program does, each reply has a value within the term's range or a failure with its
//! cause, in a bounded time; and no process outlives the rubric that asks it.
//!
//! [`register`] adds three ids to a registry: `command`, `http` and `python`. All three are told the same JSON of a
//! batch (`docs/rewards.md` shows it) and give the same answers.
//!
//! ```no_run
//! use toolrl_reward::{Registry, Rubric, RubricConfig};
//!
//! #[derive(serde::Deserialize)]
//! struct Recipe {
//!     reward: RubricConfig,
//! }
//! let mut registry = Registry::builtin();
//! toolrl_scorers::register(&mut registry);
//! let recipe: Recipe = toml::from_str("[[reward]]\nid = \"python\"\npython = \"reward.py:score\"").unwrap();
//! // Fails where there is no such file or function, or where the file cannot be run.
//! let rubric = Rubric::from_config(&recipe.reward, &registry).unwrap();
//! ```

mod answer;
mod command;
mod error;
mod files;
mod http;
mod pool;
mod process;
mod program;
mod python;
mod request;
mod shown;
mod thread;

pub use command::CommandTerm;
pub use error::ScorerError;
pub use files::settle;
pub use http::HttpTerm;
pub use python::PythonTerm;

use std::time::Duration;

use toolrl_reward::{BatchTerm, Limits, Registry, RewardError, settings};

/// Adds the terms `command`, `http` and `python`. An id that is taken stays what it is.
pub fn register(registry: &mut Registry) {
    let limits = |concurrency| Limits { timeout: Duration::from_secs(30), concurrency };
    let mut add = |id: &'static str, limits, build: fn(&'static str, &toml::Table) -> Built| {
        if registry.ids().all(|taken| taken != id) {
            registry.register_batch(id, limits, move |table| build(id, table));
        }
    };
    // One process, so that its script need not think of others; a server answers several at once.
    add(CommandTerm::ID, limits(1), |id, table| built(id, CommandTerm::new(settings(id, table)?)));
    add(PythonTerm::ID, limits(1), |id, table| built(id, PythonTerm::new(settings(id, table)?)));
    add(HttpTerm::ID, limits(4), |id, table| built(id, HttpTerm::new(settings(id, table)?)));
}

type Built = Result<Box<dyn BatchTerm>, RewardError>;

fn built<T: BatchTerm + 'static>(id: &str, term: Result<T, ScorerError>) -> Built {
    let refused = |error: ScorerError| RewardError::Settings { id: id.to_owned(), source: error.into() };
    Ok(Box::new(term.map_err(refused)?))
}

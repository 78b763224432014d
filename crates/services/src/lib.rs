//! The eight simulated services of BFCL V3 multi turn as native state machines, and the checks of a case.
//!
//! Invariant: a session's results and state depend on its case and its calls alone: not on the time, not
//! on other sessions, not on a run's order. A call of any text ends, and never panics.
//!
//! The services are those of the Berkeley Function Call Leaderboard, version 3 (`bfcl-eval` 2025.8.6.2),
//! rebuilt from their behaviour: the same functions, the same results to the character, exceptions
//! included. A call reaches a [`Session`] as the text of a Python call, because the released evaluator
//! evaluates such text and its quirks decide results; [`Call`] writes that text from a name and JSON
//! parameters.
//!
//! ```
//! use toolrl_grammar::json;
//! use toolrl_services::{Class, Context, Session, Side};
//!
//! let config = json::parse(r#"{"MathAPI": {}, "TicketAPI": {"current_user": "ada"}}"#)?;
//! let classes = [Class::TicketAPI, Class::MathAPI];
//! let mut session = Session::new("demo_0", &classes, &config, Context::Plain, Side::Model)?;
//!
//! assert_eq!(session.execute("mean(numbers=[1, 2])"), r#"{"result": 1.5}"#);
//! assert_eq!(session.execute("logout()"), r#"{"success": true}"#);
//! assert_eq!(
//!     session.execute("logout(now=True)"),
//!     "Error during execution: TicketAPI.logout() got an unexpected keyword argument 'now'",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The `long_context` category needs texts of the released package, which are read from the user's copy of
//! its `long_context.py` ([`LongContext`]).
//!
//! Three things differ from the released services, whose outcome depends there on the day or on what ran
//! before in the same process:
//!
//! - A traveller's age is that of 2025-08-06, the day of the release, and not of today.
//! - A post without mentions has a list of its own. There all such posts of a process share one list.
//! - The credit cards of a long context belong to the session. There all sessions share them.

mod call;
mod cases;
mod check;
mod error;
mod long_context;
mod python;
pub mod rows;
mod service;
mod services;
mod session;
mod value;

pub use call::Call;
pub use cases::{Case, Cases, Category};
pub use check::{Failure, STEP_LIMIT, Verdict, check};
pub use error::ServicesError;
pub use long_context::LongContext;
pub use service::{Class, Context};
pub use session::{Session, Side};

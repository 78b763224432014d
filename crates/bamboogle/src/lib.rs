//! Bamboogle: questions, the text of a dialogue of search and answer, exact match and F1.
//!
//! Invariant: what happens in a dialogue depends on the question, the settings, the replies and the
//! search results alone. No network and no clock; whoever samples and searches drives it.
//!
//! ```
//! use toolrl_bamboogle::{Dialogue, DialogueSettings, Hit, Step, exact_match};
//!
//! let settings = DialogueSettings::default();
//! let mut dialogue = Dialogue::new("Who wrote the novel that Kim is named after?", &settings);
//! let searching = "<think> Kim? </think>\n<tool_call>\n\
//!                  {\"name\": \"search\", \"parameters\": {\"query\": \"Kim novel\"}}\n</tool_call>";
//! let Step::Search(queries) = dialogue.reply(searching) else { panic!() };
//! assert_eq!(queries, ["Kim novel"]);
//!
//! let hit = Hit { title: "Kim".into(), text: "A novel by Rudyard Kipling.".into() };
//! dialogue.found(&[vec![hit]]);
//! assert!(dialogue.user().contains("A novel by Rudyard Kipling."));
//!
//! let Step::Done(outcome) = dialogue.reply("<think> So. </think>\n<response> Rudyard Kipling </response>")
//! else { panic!() };
//! assert!(exact_match(&outcome.answer, "rudyard kipling") && outcome.calls == 1);
//! ```

mod dialogue;
mod error;
mod metrics;
mod question;
mod tally;

pub use dialogue::{Dialogue, DialogueSettings, Ended, Hit, Outcome, SEARCH, Step};
pub use error::BamboogleError;
pub use metrics::{exact_match, f1, normalized};
pub use question::{Question, load};
pub use tally::{Tally, Totals};

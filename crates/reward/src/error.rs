//! What can go wrong with a reward.

use toolrl_grammar::SyntaxError;

use crate::PRESETS;

/// Why there is no reward.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RewardError {
    /// The reference reply holds `<tool_call>`, and what follows cannot be read as calls.
    #[error("the reference reply's tool calls cannot be read: {0}")]
    Reference(#[source] SyntaxError),
    /// A row names no chat template, so its reply cannot be told from its prompt.
    #[error("template \"none\": the reply cannot be told from its prompt")]
    NoTemplate,
    /// A row's line is no JSON.
    #[error("not a row of JSON: {0}")]
    RowSyntax(#[source] SyntaxError),
    /// A row's field is missing or not what it should be.
    #[error("field \"{field}\": expected {expected}, found {found}")]
    RowField {
        /// The field.
        field: &'static str,
        /// What it should hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// A rubric names a term that nobody registered.
    #[error("unknown reward term \"{id}\"; known: {}", known.join(", "))]
    UnknownTerm {
        /// The name.
        id: String,
        /// Every registered name.
        known: Vec<String>,
    },
    /// A preset of this name does not exist.
    #[error("unknown reward preset \"{name}\"; known: {}", PRESETS.map(|(known, _)| known).join(", "))]
    UnknownPreset {
        /// The name.
        name: String,
    },
    /// A rubric names a term twice, which would make its metrics ambiguous.
    #[error("reward term \"{id}\" is listed twice")]
    RepeatedTerm {
        /// The name.
        id: String,
    },
    /// A rubric without a term.
    #[error("a rubric needs at least one reward term")]
    NoTerms,
    /// A term's weight is not a finite number.
    #[error("reward term \"{id}\": weight {weight} is not a finite number")]
    Weight {
        /// The term.
        id: String,
        /// Its weight.
        weight: f64,
    },
    /// A term refuses its settings.
    #[error("reward term \"{id}\": {source}")]
    Settings {
        /// The term.
        id: String,
        /// What is wrong with them.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A term failed to score.
    #[error("reward term \"{id}\": {source}")]
    Term {
        /// The term.
        id: String,
        /// What failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

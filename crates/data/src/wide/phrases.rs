//! How requests and answers are worded, as `phrases.toml` has it.

use serde::Deserialize;
use serde_json::Value;

/// How requests and answers are worded.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Phrases {
    pub(crate) system: Vec<String>,
    pub(crate) today: Vec<String>,
    pub(crate) plain: Vec<String>,
    pub(crate) polite: Vec<String>,
    pub(crate) indirect: Vec<String>,
    pub(crate) before: Vec<String>,
    pub(crate) after: Vec<String>,
    pub(crate) details: Vec<String>,
    pub(crate) two: Vec<String>,
    pub(crate) three: Vec<String>,
    pub(crate) again: Vec<String>,
    pub(crate) hop: Vec<String>,
    pub(crate) cannot: Vec<String>,
    pub(crate) asking: Vec<String>,
    pub(crate) answering: Vec<String>,
    pub(crate) rows: Vec<String>,
    pub(crate) done: Vec<String>,
    pub(crate) result: Value,
    pub(crate) least_and_most: Vec<Measure>,
    pub(crate) ordinals: Vec<String>,
    pub(crate) last: String,
    pub(crate) talk: Vec<[String; 2]>,
}

/// A number that rows of a result have, and how one asks for the row with the least or the greatest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Measure {
    pub(crate) field: String,
    pub(crate) least: String,
    pub(crate) most: String,
    pub(crate) range: [i64; 2],
}

//! The tools of the world, for listings and reports.

use serde::Serialize;

use super::tools::{KNOWN, UNSEEN};

/// A tool of the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CatalogEntry {
    /// The domain that it belongs to.
    pub domain: &'static str,
    /// Its name where names are not masked.
    pub name: &'static str,
    /// What it does.
    pub description: String,
    /// Whether only held-out tasks have it.
    pub unseen: bool,
}

/// Every tool of the world, by domain, those of training first.
pub fn catalog() -> Vec<CatalogEntry> {
    let domains =
        KNOWN.iter().map(|domain| (domain, false)).chain(UNSEEN.iter().map(|domain| (domain, true)));
    domains
        .flat_map(|(domain, unseen)| {
            domain.tools.iter().map(move |tool| CatalogEntry {
                domain: domain.name,
                name: tool.name,
                description: tool.description(),
                unseen,
            })
        })
        .collect()
}

//! The tools of the world, as tables.

mod errands;
mod household;
mod leisure;
mod office;
mod unseen;
mod unseen_more;

use super::tool::{Domain, Tool};

/// The domains of training tasks and of held-out tasks with known tools.
pub(crate) static KNOWN: [&Domain; 10] = [
    &errands::TRAVEL,
    &errands::WEATHER,
    &errands::FOOD,
    &leisure::MUSIC,
    &leisure::FITNESS,
    &household::HOME,
    &household::SHOP,
    &office::CALENDAR,
    &office::MONEY,
    &office::MESSAGES,
];

/// The domains kept from training altogether.
pub(crate) static UNSEEN: [&Domain; 4] =
    [&unseen::LIBRARY, &unseen::HARBOR, &unseen_more::GARDEN, &unseen_more::PARKING];

/// The tool of that name in `domains`.
pub(crate) fn find(domains: &[&'static Domain], name: &str) -> Option<&'static Tool> {
    domains.iter().flat_map(|domain| domain.tools).find(|tool| tool.name == name)
}

//! Names for the tools of held-out domains: all of them are kept from training.

use super::{Names, names, priced};

pub(crate) static BOOKS: Names = names(
    &[
        "The Long Bridge",
        "Salt and Stars",
        "A Quiet Harbor",
        "The Clockmaker",
        "Seven Winters",
        "The Glass Tower",
        "Letters Home",
        "The Last Orchard",
        "Under Two Moons",
        "River of Paper",
        "The Empty Chair",
        "North of Nowhere",
    ],
    &[],
);

pub(crate) static AUTHORS: Names = names(
    &[
        "Mira Castle",
        "Owen Black",
        "Lydia Frost",
        "Samuel Reed",
        "Tessa Vale",
        "Igor Lund",
        "Amara Stone",
        "Paul Winter",
        "Greta Holm",
        "Noel Rivers",
    ],
    &[],
);

pub(crate) static HARBORS: Names = names(
    &[
        "Port Ann",
        "Cape Grey",
        "Seal Bay",
        "Sandy Point",
        "East Quay",
        "Whale Cove",
        "Lighthouse Bay",
        "Stony Reef",
        "Kings Dock",
        "Gull Island",
    ],
    &[],
);

pub(crate) static PLANTS: Names = priced(
    &[
        "basil",
        "carrot",
        "lettuce",
        "tomato",
        "pumpkin",
        "tulip",
        "lavender",
        "spinach",
        "radish",
        "sunflower",
        "mint",
        "bean",
    ],
    &[],
);

pub(crate) static GARAGES: Names = priced(
    &[
        "Market Garage",
        "Station Garage",
        "Opera Garage",
        "Bridge Garage",
        "Castle Garage",
        "Harbor Garage",
        "Mill Garage",
        "Tower Garage",
    ],
    &[],
);

pub(crate) static DISTRICTS: Names = names(
    &[
        "Old Town",
        "Hillside",
        "Riverbank",
        "Westend",
        "Northfield",
        "Lakeview",
        "Soho",
        "Greenwood",
        "Southgate",
    ],
    &[],
);

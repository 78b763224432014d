//! Held-out domains: garden and parking.

use crate::world::names::{DISTRICTS, GARAGES, PLANTS};
use crate::world::numbers::{CENTIMETRES, MILLILITRES, MINUTES};
use crate::world::slot::Slot::{
    Amount, Choice, Code, Count, DayMonth, Flag, Name, NameList, Percent, Quantity,
};
use crate::world::tool::{Domain, FollowUp, optional, param, tool};

pub(crate) static GARDEN: Domain = Domain {
    name: "garden",
    tools: &[
        tool(
            "sow_plant",
            "plan the sowing of a plant",
            &["plan to sow {plant}", "note that I sow {plant}"],
            &[
                param("plant", "what", Name(&PLANTS), "of {}"),
                param("sowing_day", "DD/MM", DayMonth, "on {}"),
                optional("spacing", "in cm", Quantity(&CENTIMETRES), "with {} between plants"),
            ],
        ),
        tool(
            "water_bed",
            "water a garden bed",
            &["water the garden bed", "give the bed some water"],
            &[
                param(
                    "bed",
                    "rose, herb or fruit",
                    Choice(&[
                        ("rose", &["where the roses grow"]),
                        ("herb", &["with the herbs", "where the mint grows"]),
                        ("fruit", &["with the berries", "where the fruit grows"]),
                    ]),
                    "{}",
                ),
                param("water_ml", "how much", Quantity(&MILLILITRES), "with {}"),
            ],
        ),
        tool(
            "order_seeds",
            "order seeds",
            &[
                "order {packets} packets of {seed_name} seeds",
                "get me {packets} packets of {seed_name} seeds",
            ],
            &[
                param("seed_name", "plant", Name(&PLANTS), "of {}"),
                param("packets", "how many", Count(1, 12), "times {}"),
                optional(
                    "organic",
                    "without chemicals",
                    Flag { yes: &["from organic farms"], no: &["of the usual sort"] },
                    "{}",
                ),
            ],
        ),
        tool(
            "mix_soil",
            "mix soil with compost",
            &["mix soil for {plants}", "prepare soil for {plants}"],
            &[
                param("plants", "which", NameList(&PLANTS), "for {}"),
                param("compost", "percent", Percent, "with compost making up {}"),
            ],
        ),
    ],
    follow_ups: &[],
};

pub(crate) static PARKING: Domain = Domain {
    name: "parking",
    tools: &[
        tool(
            "find_garage",
            "find a garage to park in",
            &["find a garage in {district}", "show me where to park in {district}"],
            &[
                param("district", "part of town", Name(&DISTRICTS), "in {}"),
                optional(
                    "covered",
                    "with a roof",
                    Flag { yes: &["under a roof"], no: &["in the open"] },
                    "{}",
                ),
            ],
        ),
        tool(
            "park_car",
            "pay for parking",
            &["pay for parking at {garage}", "park my car at {garage}"],
            &[
                param("garage", "its name", Name(&GARAGES), "at {}"),
                param("parking_minutes", "how long", Quantity(&MINUTES), "for {}"),
            ],
        ),
        tool(
            "extend_ticket",
            "extend a parking ticket",
            &["extend ticket {ticket_code}", "add time to ticket {ticket_code}"],
            &[
                param("ticket_code", "code", Code, "for {}"),
                param("extra_minutes", "how much longer", Quantity(&MINUTES), "by {}"),
            ],
        ),
        tool(
            "find_charger",
            "find a charger for electric cars",
            &["find a charger in {district}", "show me where to charge my car in {district}"],
            &[
                param("district", "part of town", Name(&DISTRICTS), "in {}"),
                param(
                    "speed",
                    "slow or fast",
                    Choice(&[
                        ("slow", &["for the whole night"]),
                        ("fast", &["that is done in minutes", "for a quick stop"]),
                    ]),
                    "{}",
                ),
                optional("max_fee", "euros", Amount, "for at most {} euros"),
            ],
        ),
    ],
    follow_ups: &[FollowUp {
        first: "find_garage",
        then: "park_car",
        param: "garage",
        field: "garage",
        measure: "fee",
        extremes: ["the cheapest one", "the most expensive one"],
    }],
};

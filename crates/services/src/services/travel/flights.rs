//! Flights: routes, prices, airports and cities.

use crate::python::{Outcome, Raised, digit_sum};
use crate::service::Context;
use crate::value::{Key, Value};

/// Routes by their departure, in the order in which a long context lists them: arrivals, with the price in
/// USD of economy on a day of odd digit sum.
const ROUTES: &[(&str, &[(&str, i64)])] = &[
    (
        "SFO",
        &[
            ("LAX", 200),
            ("JFK", 500),
            ("ORD", 400),
            ("BOS", 450),
            ("RMS", 300),
            ("SBK", 350),
            ("MPC", 370),
            ("SVP", 320),
            ("SHD", 330),
            ("SSV", 340),
            ("OKD", 360),
            ("WLB", 310),
            ("CRH", 380),
            ("ATV", 390),
            ("PHV", 420),
            ("GFD", 430),
            ("CIA", 700),
        ],
    ),
    (
        "LAX",
        &[
            ("SFO", 100),
            ("JFK", 600),
            ("ORD", 500),
            ("BOS", 550),
            ("RMS", 310),
            ("SBK", 320),
            ("MPC", 330),
            ("SVP", 340),
            ("SHD", 350),
            ("SSV", 360),
            ("OKD", 370),
            ("WLB", 380),
            ("CRH", 390),
            ("ATV", 400),
            ("PHV", 410),
            ("GFD", 420),
            ("HND", 430),
        ],
    ),
    (
        "JFK",
        &[
            ("ORD", 300),
            ("BOS", 250),
            ("RMS", 450),
            ("SBK", 460),
            ("MPC", 470),
            ("SVP", 480),
            ("SHD", 490),
            ("SSV", 500),
            ("OKD", 510),
            ("WLB", 520),
            ("CRH", 530),
            ("ATV", 540),
            ("PHV", 550),
            ("GFD", 560),
            ("LAX", 570),
            ("HND", 800),
            ("PVG", 950),
            ("PEK", 1000),
        ],
    ),
    (
        "ORD",
        &[
            ("LAX", 180),
            ("BOS", 200),
            ("RMS", 350),
            ("SBK", 360),
            ("MPC", 370),
            ("SVP", 380),
            ("SHD", 390),
            ("SSV", 400),
            ("OKD", 410),
            ("WLB", 420),
            ("CRH", 430),
            ("ATV", 440),
            ("PHV", 450),
            ("GFD", 460),
        ],
    ),
    (
        "BOS",
        &[
            ("RMS", 400),
            ("SBK", 410),
            ("MPC", 420),
            ("SVP", 430),
            ("SHD", 440),
            ("SSV", 450),
            ("OKD", 460),
            ("WLB", 470),
            ("CRH", 480),
            ("ATV", 490),
            ("PHV", 500),
            ("GFD", 510),
        ],
    ),
    (
        "RMS",
        &[
            ("BOS", 200),
            ("JFK", 210),
            ("SBK", 220),
            ("MPC", 230),
            ("SVP", 240),
            ("SHD", 250),
            ("SSV", 260),
            ("OKD", 270),
            ("WLB", 280),
            ("CRH", 290),
            ("ATV", 300),
            ("PHV", 310),
            ("GFD", 320),
            ("LAX", 330),
        ],
    ),
    (
        "SBK",
        &[
            ("MPC", 200),
            ("SVP", 210),
            ("SHD", 220),
            ("SSV", 230),
            ("OKD", 240),
            ("WLB", 250),
            ("CRH", 260),
            ("ATV", 270),
            ("PHV", 280),
            ("GFD", 290),
        ],
    ),
    (
        "MPC",
        &[
            ("SVP", 210),
            ("SHD", 220),
            ("SSV", 230),
            ("OKD", 240),
            ("WLB", 250),
            ("CRH", 260),
            ("ATV", 270),
            ("PHV", 280),
            ("GFD", 290),
        ],
    ),
    (
        "SVP",
        &[
            ("SHD", 230),
            ("SSV", 240),
            ("OKD", 250),
            ("WLB", 260),
            ("CRH", 270),
            ("ATV", 280),
            ("PHV", 290),
            ("GFD", 300),
        ],
    ),
    (
        "SHD",
        &[("SSV", 220), ("OKD", 230), ("WLB", 240), ("CRH", 250), ("ATV", 260), ("PHV", 270), ("GFD", 280)],
    ),
    ("SSV", &[("OKD", 240), ("WLB", 250), ("CRH", 260), ("ATV", 270), ("PHV", 280), ("GFD", 290)]),
    ("OKD", &[("WLB", 230), ("CRH", 240), ("ATV", 250), ("PHV", 260), ("GFD", 270)]),
    ("WLB", &[("CRH", 250), ("ATV", 260), ("PHV", 270), ("GFD", 280)]),
    (
        "CRH",
        &[("ATV", 240), ("PHV", 250), ("GFD", 260), ("SFO", 270), ("RMS", 280), ("HKG", 290), ("JFK", 300)],
    ),
    ("ATV", &[("PHV", 230), ("GFD", 240)]),
    ("PHV", &[("GFD", 220)]),
    ("LHR", &[("CDG", 100)]),
    ("OKD", &[("LAX", 220)]),
];

/// Cities and their airports.
const AIRPORTS: [(&str, &str); 23] = [
    ("Rivermist", "RMS"),
    ("Stonebrook", "SBK"),
    ("Maplecrest", "MPC"),
    ("Silverpine", "SVP"),
    ("Shadowridge", "SHD"),
    ("Paris", "CDG"),
    ("London", "LHR"),
    ("Sunset Valley", "SSV"),
    ("Oakendale", "OKD"),
    ("Willowbend", "WLB"),
    ("Beijing", "PEK"),
    ("Tokyo", "HND"),
    ("Hong Kong", "HKG"),
    ("Rome", "CIA"),
    ("Crescent Hollow", "CRH"),
    ("Autumnville", "ATV"),
    ("Pinehaven", "PHV"),
    ("Greenfield", "GFD"),
    ("San Francisco", "SFO"),
    ("Los Angeles", "LAX"),
    ("New York", "JFK"),
    ("Chicago", "ORD"),
    ("Boston", "BOS"),
];

/// Every airport that there is.
pub(super) fn airports() -> Vec<Value> {
    AIRPORTS.iter().map(|(_, airport)| (*airport).into()).collect()
}

/// The airport of a city.
pub(super) fn nearest_airport(city: &Value) -> Outcome<&'static str> {
    Key::of(city)?;
    let known = AIRPORTS.iter().find(|(name, _)| city.is_str(name));
    Ok(known.map_or("Unknown", |(_, airport)| airport))
}

/// A flight's price in USD, first, and the list that the service gives: that price, or in a long context
/// the price of every route.
///
/// # Errors
/// Python's `ValueError` for a route or a class that there is not.
pub(super) fn prices(
    from: &Value,
    to: &Value,
    date: &Value,
    class: &Value,
    context: &Context,
) -> Outcome<(f64, Vec<Value>)> {
    Key::of(from)?;
    Key::of(to)?;
    let routes =
        || ROUTES.iter().flat_map(|(from, all)| all.iter().map(move |(to, price)| (*from, *to, *price)));
    let Some((_, _, price)) = routes().find(|(a, b, _)| from.is_str(a) && to.is_str(b)) else {
        return Err(Raised::value_error("No available route for the given airports."));
    };
    let factor = match class {
        _ if class.is_str("economy") => 1,
        _ if class.is_str("business") => 2,
        _ if class.is_str("first") => 5,
        _ => {
            let message = "Invalid travel class. Options are: economy, business, first.";
            return Err(Raised::value_error(message));
        }
    };
    let multiplier = if digit_sum(date)?.bit(0) { 1 } else { 2 };
    let cost = |price: i64| (price * factor * multiplier) as f64;
    let list = match context {
        Context::Plain => vec![cost(price).into()],
        Context::Long(_) => routes().map(|(_, _, price)| cost(price).into()).collect(),
    };
    Ok((cost(price), list))
}

//! Cities, their zip codes and the distances between them.

use crate::service::Context;
use crate::value::{Dict, Value, dict};

const ZIPCODES: [(&str, &str); 11] = [
    ("Rivermist", "83214"),
    ("Stonebrook", "74532"),
    ("Maplecrest", "56108"),
    ("Silverpine", "62947"),
    ("Shadowridge", "71354"),
    ("Sunset Valley", "83462"),
    ("Oakendale", "47329"),
    ("Willowbend", "52013"),
    ("Crescent Hollow", "69238"),
    ("Autumnville", "51479"),
    ("San Francisco", "94016"),
];

/// Kilometres between two zip codes, either way.
const DISTANCES: [(&str, &str, f64); 12] = [
    ("83214", "74532", 750.0),
    ("56108", "62947", 320.0),
    ("71354", "83462", 450.0),
    ("47329", "52013", 290.0),
    ("69238", "51479", 630.0),
    ("94016", "83214", 980.0),
    ("94016", "94704", 600.0),
    ("94704", "08540", 2550.0),
    ("94016", "08540", 1950.0),
    ("62947", "47329", 1053.0),
    ("94016", "62947", 780.0),
    ("74532", "94016", 880.0),
];

pub(super) fn zipcode(city: &Value) -> Value {
    let known = ZIPCODES.iter().find(|(name, _)| city.is_str(name));
    dict! {"zipcode": known.map_or("00000", |(_, code)| code)}
}

pub(super) fn distance(from: &Value, to: &Value, context: &Context) -> Value {
    let joins = |a: &str, b: &str| from.is_str(a) && to.is_str(b) || from.is_str(b) && to.is_str(a);
    let mut report = Dict::default();
    match DISTANCES.iter().find(|(a, b, _)| joins(a, b)) {
        Some((_, _, kilometres)) => report.set("distance", *kilometres),
        None => report.set("error", "distance not found in database."),
    }
    if let Some(texts) = context.texts() {
        report.set("intermediaryCities", texts.cities.clone());
    }
    report.into()
}

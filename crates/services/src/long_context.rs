//! What the `long_context` category adds to scenarios and results.
//!
//! The texts and lists stand in `data/long_context`, whose README says where they come from.

use std::sync::LazyLock;

use toolrl_grammar::json;

use crate::value::Value;

/// The additions of one service.
pub(crate) struct Additions(LazyLock<Value>);

pub(crate) static FILES: Additions =
    Additions(LazyLock::new(|| read(include_str!("../data/long_context/files.json"))));
pub(crate) static TRADING: Additions =
    Additions(LazyLock::new(|| read(include_str!("../data/long_context/trading.json"))));
pub(crate) static TRAVEL: Additions =
    Additions(LazyLock::new(|| read(include_str!("../data/long_context/travel.json"))));
pub(crate) static VEHICLE: Additions =
    Additions(LazyLock::new(|| read(include_str!("../data/long_context/vehicle.json"))));

impl Additions {
    /// An addition by its name.
    pub(crate) fn get(&self, name: &str) -> &Value {
        match &*self.0 {
            Value::Dict(entries) => entries.get(name).unwrap_or(&Value::None),
            _ => &Value::None,
        }
    }

    /// An addition that is a list.
    pub(crate) fn list(&self, name: &str) -> &[Value] {
        match self.get(name) {
            Value::List(items) => items,
            _ => &[],
        }
    }
}

fn read(text: &str) -> Value {
    json::parse(text).map(|value| Value::from_json(&value)).unwrap_or(Value::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_addition_is_there() {
        let named: [(&Additions, &[&str]); 4] = [
            (&FILES, &["content", "names", "unchanged"]),
            (
                &TRADING,
                &[
                    "watch_list",
                    "transactions",
                    "MA(5)",
                    "MA(20)",
                    "Technology",
                    "Automobile",
                    "order_details",
                ],
            ),
            (&TRAVEL, &["credit_cards", "bookings"]),
            (&VEHICLE, &["car_status", "weather", "parking_brake", "cities"]),
        ];
        for (additions, names) in named {
            for name in names {
                assert!(additions.get(name).truthy(), "{name}");
            }
        }
    }
}

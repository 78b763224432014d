//! Conversions between units.

use super::{is_number, refused, result};
use crate::python::{Kind, Operator, Outcome, arithmetic};
use crate::value::{Key, Value, dict};

/// Units of length and what they are in metres.
const METRES: [(&str, f64); 6] =
    [("km", 1000.0), ("m", 1.0), ("cm", 0.01), ("mm", 0.001), ("um", 1e-6), ("nm", 1e-9)];

/// What one unit is in another.
const FACTORS: [(&str, &str, f64); 12] = [
    ("cm", "in", 0.393701),
    ("in", "cm", 2.54),
    ("m", "ft", 3.28084),
    ("ft", "m", 0.3048),
    ("m", "yd", 1.09361),
    ("yd", "m", 0.9144),
    ("km", "miles", 0.621371),
    ("miles", "km", 1.60934),
    ("kg", "lb", 2.20462),
    ("lb", "kg", 0.453592),
    ("celsius", "fahrenheit", 1.8),
    ("fahrenheit", "celsius", 5.0 / 9.0),
];

const TOO_LARGE: &str = "Conversion resulted in a value too large to represent";

fn unsupported(from: &Value, to: &Value) -> Value {
    refused(format!("Conversion from '{from}' to '{to}' is not supported"))
}

fn metres(unit: &Value) -> Outcome<Option<f64>> {
    Key::of(unit)?;
    Ok(METRES.iter().find(|(name, _)| unit.is_str(name)).map(|(_, metres)| *metres))
}

pub(super) fn within_si(value: &Value, from: &Value, to: &Value) -> Outcome {
    if !is_number(value) {
        return Ok(refused("Value must be a number"));
    }
    let Some(from_metres) = metres(from)? else {
        return Ok(unsupported(from, to));
    };
    let Some(to_metres) = metres(to)? else {
        return Ok(unsupported(from, to));
    };
    let times = |value: &Value, factor: Value| arithmetic(Operator::Multiply, value, &factor);
    // Kilometres and metres are integers: an integer times them stays exact.
    let factor = if from_metres >= 1.0 { Value::from(from_metres as i64) } else { from_metres.into() };
    let converted = times(value, factor).and_then(|metres| times(&metres, (1.0 / to_metres).into()));
    result(converted, &[Kind::Overflow], TOO_LARGE)
}

pub(super) fn imperial(value: &Value, from: &Value, to: &Value) -> Outcome {
    if !is_number(value) {
        return Ok(refused("Value must be a number"));
    }
    if from == to {
        return Ok(dict! {"result": value.clone()});
    }
    let key = format!("{from}_to_{to}");
    let Some((_, _, factor)) = FACTORS.iter().find(|(a, b, _)| key == format!("{a}_to_{b}")) else {
        return Ok(unsupported(from, to));
    };
    let factor = Value::from(*factor);
    let thirty_two = Value::from(32);
    let converted = if from.is_str("celsius") && to.is_str("fahrenheit") {
        let scaled = arithmetic(Operator::Multiply, value, &factor);
        scaled.and_then(|scaled| arithmetic(Operator::Add, &scaled, &thirty_two))
    } else if from.is_str("fahrenheit") && to.is_str("celsius") {
        let above = arithmetic(Operator::Subtract, value, &thirty_two);
        above.and_then(|above| arithmetic(Operator::Multiply, &above, &factor))
    } else {
        arithmetic(Operator::Multiply, value, &factor)
    };
    result(converted, &[Kind::Overflow], TOO_LARGE)
}

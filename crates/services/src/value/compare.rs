//! Python's `==`, `<`, `<=`, `>` and `>=`.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_traits::FromPrimitive;

use super::Value;
use crate::python::{Number, Outcome, Raised, number};

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Str(a), Self::Str(b)) | (Self::Opaque(a), Self::Opaque(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Dict(a), Self::Dict(b)) => {
                a.len() == b.len() && a.iter().all(|(key, value)| b.at(key) == Some(value))
            }
            _ => numbers(self, other) == Some(Some(Ordering::Equal)),
        }
    }
}

/// An ordering operator.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

impl Value {
    /// Python's `self order other`; types without an order raise.
    pub(crate) fn compares(&self, order: Order, other: &Self) -> Outcome<bool> {
        if let Some(ordering) = numbers(self, other) {
            return Ok(ordering.is_some_and(|ordering| order.holds(ordering)));
        }
        match (self, other) {
            // UTF-8 keeps the order of code points.
            (Self::Str(a), Self::Str(b)) => Ok(order.holds(a.cmp(b))),
            (Self::List(a), Self::List(b)) => match a.iter().zip(b).find(|(a, b)| a != b) {
                Some((a, b)) => a.compares(order, b),
                None => Ok(order.holds(a.len().cmp(&b.len()))),
            },
            _ => Err(Raised::type_error(format!(
                "'{}' not supported between instances of '{}' and '{}'",
                order.symbol(),
                self.type_name(),
                other.type_name()
            ))),
        }
    }
}

/// How two numbers compare, exactly; `None` when one of them is no number, and inside when it is NaN.
fn numbers(a: &Value, b: &Value) -> Option<Option<Ordering>> {
    Some(match (number(a)?, number(b)?) {
        (Number::Int(a), Number::Int(b)) => Some(a.cmp(&b)),
        (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b),
        (Number::Int(a), Number::Float(b)) => with_float(&a, b),
        (Number::Float(a), Number::Int(b)) => with_float(&b, a).map(Ordering::reverse),
    })
}

fn with_float(a: &BigInt, b: f64) -> Option<Ordering> {
    match BigInt::from_f64(b.trunc()) {
        Some(whole) => {
            Some(a.cmp(&whole).then_with(|| 0.0.partial_cmp(&b.fract()).unwrap_or(Ordering::Equal)))
        }
        None => 0.0.partial_cmp(&b),
    }
}

//! Python's `==` on what its decoder returns.

use super::{Object, PyInt, Value};

/// Python's `a == b`. Booleans are the integers 0 and 1; an integer and a float are compared
/// exactly; the order of an object's keys does not matter; `NaN` compared bare is not equal to
/// itself.
pub fn equal(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| identical_or_equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => same_entries(a, b),
        _ => match (Number::of(a), Number::of(b)) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
    }
}

/// The comparison that Python's containers make of their items, `a is b or a == b`. It differs from
/// [`equal`] for `NaN`, of which the decoder keeps a single object.
pub fn identical_or_equal(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
        _ => equal(a, b),
    }
}

/// Whether two objects are equal, in whatever order.
pub fn same_entries(a: &Object<'_>, b: &Object<'_>) -> bool {
    let in_b = |key, value| b.get(key).is_some_and(|other| identical_or_equal(value, other));
    a.len() == b.len() && a.iter().all(|(key, value)| in_b(key.as_bytes(), value))
}

/// A number of any of Python's three kinds.
enum Number<'a> {
    Small(i64),
    Big(&'a str),
    Float(f64),
}

impl<'a> Number<'a> {
    fn of(value: &'a Value<'_>) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(Self::Small(i64::from(*flag))),
            Value::Int(PyInt::Small(n)) => Some(Self::Small(*n)),
            Value::Int(PyInt::Big(digits)) => Some(Self::Big(digits)),
            Value::Float(x) => Some(Self::Float(*x)),
            _ => None,
        }
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Small(a), Self::Small(b)) => a == b,
            (Self::Big(a), Self::Big(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Small(n), Self::Float(x)) | (Self::Float(x), Self::Small(n)) => {
                x.fract() == 0.0 && i128::from(*n) == *x as i128
            }
            // The decimal expansion of a float is finite and exact, and so is an integer's.
            (Self::Big(digits), Self::Float(x)) | (Self::Float(x), Self::Big(digits)) => {
                x.is_finite() && x.fract() == 0.0 && format!("{x:.0}") == *digits
            }
            (Self::Small(_), Self::Big(_)) | (Self::Big(_), Self::Small(_)) => false,
        }
    }
}

//! MathAPI: arithmetic, without a state.

mod units;

use super::{count, refused};
use crate::python::{
    Function, Kind, Operator, Outcome, Raised, absolute, arithmetic, function, iterate, logarithm,
    real_quotient, round, square_root, sum,
};
use crate::service::{Service, no_function};
use crate::value::{Order, Value, dict};

pub(crate) const FUNCTIONS: &[Function] = &[
    function("logarithm", &["value", "base", "precision"], &[]),
    function("mean", &["numbers"], &[]),
    function("standard_deviation", &["numbers"], &[]),
    function("si_unit_conversion", &["value", "unit_in", "unit_out"], &[]),
    function("imperial_si_conversion", &["value", "unit_in", "unit_out"], &[]),
    function("add", &["a", "b"], &[]),
    function("subtract", &["a", "b"], &[]),
    function("multiply", &["a", "b"], &[]),
    function("divide", &["a", "b"], &[]),
    function("power", &["base", "exponent"], &[]),
    function("square_root", &["number", "precision"], &[]),
    function("absolute_value", &["number"], &[]),
    function("round_number", &["number"], &["decimal_places"]),
    function("percentage", &["part", "whole"], &[]),
    function("min_value", &["numbers"], &[]),
    function("max_value", &["numbers"], &[]),
    function("sum_values", &["numbers"], &[]),
];

const NUMBERS: &str = "Both inputs must be numbers";
const ELEMENTS: &str = "All elements in the list must be numbers";

pub(crate) struct Math;

/// The result, with what an exception of these kinds turns into.
fn result(outcome: Outcome, kinds: &[Kind], refusal: &str) -> Outcome {
    match outcome {
        Ok(value) => Ok(dict! {"result": value}),
        Err(raised) if kinds.contains(&raised.kind) => Ok(refused(refusal)),
        Err(raised) => Err(raised),
    }
}

/// Whether Python's `isinstance(value, (int, float))`.
fn is_number(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Int(_) | Value::Float(_))
}

fn mean(numbers: &Value) -> Outcome<Value> {
    let total = sum(numbers)?;
    real_quotient(&total, &count(iterate(numbers)?.len())).map(Value::Float)
}

fn standard_deviation(numbers: &Value) -> Outcome {
    let mean = mean(numbers)?;
    let mut squares = Value::from(0);
    let numbers = iterate(numbers)?;
    for number in &numbers {
        let above = arithmetic(Operator::Subtract, number, &mean)?;
        let square = arithmetic(Operator::Power, &above, &2.into())?;
        squares = arithmetic(Operator::Add, &squares, &square)?;
    }
    Ok(real_quotient(&squares, &count(numbers.len()))?.sqrt().into())
}

/// The first of the numbers that no other one precedes in this order.
fn extreme(numbers: &Value, order: Order) -> Outcome {
    let mut best: Option<Value> = None;
    for number in iterate(numbers)? {
        let better = match &best {
            Some(best) => number.compares(order, best)?,
            None => true,
        };
        if better {
            best = Some(number);
        }
    }
    Ok(best.unwrap_or(Value::None))
}

fn divide(a: &Value, b: &Value) -> Outcome {
    if *b == Value::from(0) {
        return Ok(refused("Cannot divide by zero"));
    }
    result(arithmetic(Operator::Divide, a, b), &[Kind::Type], NUMBERS)
}

fn percentage(part: &Value, whole: &Value) -> Outcome {
    if *whole == Value::from(0) {
        return Ok(refused("Whole value cannot be zero"));
    }
    let quotient = arithmetic(Operator::Divide, part, whole);
    result(quotient.and_then(|x| arithmetic(Operator::Multiply, &x, &100.into())), &[Kind::Type], NUMBERS)
}

fn root(number: &Value, precision: &Value) -> Outcome {
    let refusal = "Input must be a number or computation resulted in an invalid operation";
    match number.compares(Order::Less, &0.into()) {
        Ok(true) => Ok(refused("Cannot calculate square root of a negative number")),
        Ok(false) => result(square_root(number, precision), &[Kind::Type], refusal),
        Err(raised) => result(Err(raised), &[Kind::Type], refusal),
    }
}

/// A statistic of a list that must not be empty.
fn of_list(numbers: &Value, name: &str, statistic: impl Fn(&Value) -> Outcome) -> Outcome {
    if !numbers.truthy() {
        return Ok(refused(format!("Cannot {name} of an empty list")));
    }
    result(statistic(numbers), &[Kind::Type], ELEMENTS)
}

impl Service for Math {
    fn call(&mut self, function: &str, slots: &[Option<&Value>]) -> Outcome {
        let both = |operator, a, b| result(arithmetic(operator, a, b), &[Kind::Type], NUMBERS);
        match (function, slots) {
            ("logarithm", &[Some(value), Some(base), Some(precision)]) => {
                Ok(match logarithm(value, base, precision) {
                    Ok(value) => dict! {"result": value},
                    Err(Raised { text, .. }) => refused(text),
                })
            }
            ("mean", &[Some(numbers)]) => of_list(numbers, "calculate mean", mean),
            ("standard_deviation", &[Some(numbers)]) => {
                of_list(numbers, "calculate standard deviation", standard_deviation)
            }
            ("si_unit_conversion", &[Some(value), Some(from), Some(to)]) => units::within_si(value, from, to),
            ("imperial_si_conversion", &[Some(value), Some(from), Some(to)]) => {
                units::imperial(value, from, to)
            }
            ("add", &[Some(a), Some(b)]) => both(Operator::Add, a, b),
            ("subtract", &[Some(a), Some(b)]) => both(Operator::Subtract, a, b),
            ("multiply", &[Some(a), Some(b)]) if !(is_number(a) && is_number(b)) => Ok(refused(NUMBERS)),
            ("multiply", &[Some(a), Some(b)]) => both(Operator::Multiply, a, b),
            ("divide", &[Some(a), Some(b)]) => divide(a, b),
            ("power", &[Some(base), Some(exponent)]) => both(Operator::Power, base, exponent),
            ("square_root", &[Some(number), Some(precision)]) => root(number, precision),
            ("absolute_value", &[Some(number)]) => {
                result(absolute(number), &[Kind::Type], "Input must be a number")
            }
            ("round_number", &[Some(number), places]) => {
                let refusal = "First input must be a number, second input must be an integer";
                result(round(number, places.unwrap_or(&0.into())), &[Kind::Type], refusal)
            }
            ("percentage", &[Some(part), Some(whole)]) => percentage(part, whole),
            ("min_value", &[Some(numbers)]) => {
                of_list(numbers, "find minimum", |numbers| extreme(numbers, Order::Less))
            }
            ("max_value", &[Some(numbers)]) => {
                of_list(numbers, "find maximum", |numbers| extreme(numbers, Order::Greater))
            }
            ("sum_values", &[Some(numbers)]) => of_list(numbers, "calculate sum", sum),
            _ => no_function(function),
        }
    }

    fn attributes(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

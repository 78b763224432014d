//! Numbers, amounts and quantities, in digits and in words.

use serde_json::Value;

use super::{Said, Unit};
use crate::random::Rng;
use crate::world::numbers::words;

/// How many: in digits, in words or by the dozen.
pub(super) fn count(rng: &mut Rng, hard: bool, low: i64, high: i64) -> Said {
    let dozens = [(6, "half a dozen"), (12, "a dozen"), (24, "two dozen"), (36, "three dozen")];
    let dozens: Vec<_> = dozens.into_iter().filter(|(number, _)| (low..=high).contains(number)).collect();
    if hard && !dozens.is_empty() && rng.chance(0.4) {
        let (number, phrase) = *rng.pick(&dozens);
        return Said::new(phrase, number);
    }
    number(rng, hard, low, high)
}

/// A whole number, in digits or in words.
pub(super) fn number(rng: &mut Rng, hard: bool, low: i64, high: i64) -> Said {
    let number = rng.between(low, high);
    Said::new(if hard { words(number) } else { number.to_string() }, number)
}

/// A number of tenths that is not whole: `4.5`, or `four and a half`.
pub(super) fn decimal(rng: &mut Rng, hard: bool, low: i64, high: i64) -> Said {
    let whole = rng.between(low, high - 1);
    if hard {
        return Said::new(format!("{} and a half", words(whole)), tenths(whole, 5));
    }
    let tenth = rng.between(1, 9);
    Said::new(format!("{whole}.{tenth}"), tenths(whole, tenth))
}

fn tenths(whole: i64, tenth: i64) -> Value {
    ((whole * 10 + tenth) as f64 / 10.0).into()
}

/// An amount of euros, some with half a euro.
pub(super) fn money(rng: &mut Rng, hard: bool, low: i64, high: i64) -> Said {
    let euros = rng.between(low, high);
    match (hard, rng.below(3)) {
        (false, 0) => Said::new(format!("{euros}.50 euros"), tenths(euros, 5)),
        (false, _) => Said::new(format!("{euros} euros"), euros),
        (true, 0) => Said::new(format!("{} and a half euros", words(euros)), tenths(euros, 5)),
        (true, _) => Said::new(format!("{} euros", words(euros)), euros),
    }
}

/// A share of a hundred.
pub(super) fn percent(rng: &mut Rng, hard: bool) -> Said {
    let shares = [(50, "half"), (25, "a quarter"), (75, "three quarters"), (20, "a fifth"), (10, "a tenth")];
    if hard && rng.chance(0.6) {
        let (number, phrase) = *rng.pick(&shares);
        return Said::new(phrase, number);
    }
    let number = rng.between(1, 19) * 5;
    Said::new(format!("{} percent", if hard { words(number) } else { number.to_string() }), number)
}

/// A quantity in the unit that is asked for; if hard, said in a larger one or in words.
pub(super) fn quantity(rng: &mut Rng, hard: bool, units: &[Unit], asked: &Unit) -> Said {
    if !hard {
        let number = rng.between(asked.said[0], asked.said[1]) * asked.step;
        return Said::new(format!("{number} {}", asked.many), number);
    }
    let larger: Vec<_> = units.iter().filter(|unit| unit.ratio > asked.ratio).collect();
    let unit = if larger.is_empty() { asked } else { *rng.pick(&larger) };
    let ratio = unit.ratio / asked.ratio;
    let number = rng.between(unit.said[0], unit.said[1]) * unit.step;
    match rng.below(6) {
        0 if ratio % 2 == 0 => Said::new(format!("half {}", unit.a), ratio / 2),
        1 if ratio % 2 == 0 => Said::new(format!("{} and a half", unit.a), ratio * 3 / 2),
        2 if ratio > 1 => Said::new(unit.a.clone(), ratio),
        3 | 4 => Said::new(format!("{} {}", words(number), unit.many), number * ratio),
        _ => Said::new(format!("{number} {}", unit.many), number * ratio),
    }
}

//! Values and the phrases that give them.

use serde_json::Value;

use super::names::Names;
use super::{clock, numbers};
use crate::random::Rng;

/// Where a parameter's values come from: each draw gives a phrase for the request and the value for the call.
#[derive(Debug)]
pub(crate) enum Slot {
    /// A name of a list.
    Name(&'static Names),
    /// Two or three names of a list, as a JSON list.
    NameList(&'static Names),
    /// A text of a list, given as it stands.
    Text(&'static Names),
    /// A letter and two digits.
    Code,
    /// A day as `MM-DD`.
    MonthDay,
    /// A day as `DD/MM`.
    DayMonth,
    /// A time of day as `HH:MM`.
    Time,
    /// A day of the week as its first three letters.
    Weekday,
    /// A whole number in this range.
    Count(i64, i64),
    /// An amount with at most two decimals.
    Amount,
    /// A share in percent, 1 to 100.
    Percent,
    /// A quantity in the smaller of two units.
    Quantity(&'static numbers::Unit),
    /// One of a few values; each comes with the phrases that mean it.
    Choice(&'static [(&'static str, &'static [&'static str])]),
    /// True or false, by the phrases that mean it.
    Flag {
        /// Phrases for true.
        yes: &'static [&'static str],
        /// Phrases for false.
        no: &'static [&'static str],
    },
}

/// A drawn value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drawn {
    /// How the request says it.
    pub(crate) phrase: String,
    /// What the call must hold.
    pub(crate) value: Value,
}

impl Drawn {
    pub(crate) fn new(phrase: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { phrase: phrase.into(), value: value.into() }
    }
}

/// How values are drawn for one task.
#[derive(Debug)]
pub(crate) struct Draw<'a> {
    /// The task's random numbers.
    pub(crate) rng: &'a mut Rng,
    /// The share of values that the request does not simply state.
    pub(crate) hard: f64,
    /// Whether names kept from training may be drawn.
    pub(crate) held_out: bool,
}

/// How a request gives a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wording {
    /// It states the value.
    Plain,
    /// The value must be read, converted or picked.
    Hard,
}

impl Slot {
    /// The JSON type that a prompt's schema states.
    pub(crate) fn json_type(&self) -> &'static str {
        match self {
            Self::Count(..) | Self::Percent | Self::Quantity(_) => "int",
            Self::Amount => "float",
            Self::Flag { .. } => "bool",
            Self::NameList(_) => "list",
            _ => "str",
        }
    }

    /// Draws a value and a phrase for it.
    pub(crate) fn draw(&self, draw: &mut Draw<'_>) -> Drawn {
        let wording = if draw.rng.chance(draw.hard) { Wording::Hard } else { Wording::Plain };
        match self {
            Self::Name(names) => name(names, wording, draw),
            Self::NameList(names) => name_list(names, draw),
            Self::Text(names) => {
                let text = one_name(names, draw);
                Drawn::new(text, text)
            }
            Self::Code => code(draw.rng),
            Self::MonthDay => clock::date(draw.rng, wording, |month, day| format!("{month:02}-{day:02}")),
            Self::DayMonth => clock::date(draw.rng, wording, |month, day| format!("{day:02}/{month:02}")),
            Self::Time => clock::time(draw.rng, wording),
            Self::Weekday => clock::weekday(draw.rng, wording),
            Self::Count(low, high) => numbers::count(draw.rng, wording, *low, *high),
            Self::Amount => numbers::amount(draw.rng, wording),
            Self::Percent => numbers::percent(draw.rng, wording),
            Self::Quantity(unit) => unit.draw(draw.rng, wording),
            Self::Choice(choices) => {
                let (value, phrases) = draw.rng.pick(choices);
                Drawn::new(*draw.rng.pick(phrases), *value)
            }
            Self::Flag { yes, no } => {
                let flag = draw.rng.chance(0.5);
                Drawn::new(*draw.rng.pick(if flag { yes } else { no }), flag)
            }
        }
    }
}

fn one_name(names: &Names, draw: &mut Draw<'_>) -> &'static str {
    let fresh = draw.held_out && !names.fresh.is_empty() && draw.rng.chance(0.5);
    let list: &[&'static str] = if fresh { names.fresh } else { names.known };
    list[draw.rng.below(list.len())]
}

/// `count` different names; `count` is far below the length of every list.
fn distinct_names(names: &Names, count: usize, draw: &mut Draw<'_>) -> Vec<&'static str> {
    let mut found = Vec::with_capacity(count);
    while found.len() < count {
        let name = one_name(names, draw);
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// A name: stated, or to be told from another one that is named too.
fn name(names: &Names, wording: Wording, draw: &mut Draw<'_>) -> Drawn {
    let pair = distinct_names(names, 2, draw);
    let (meant, other) = (pair[0], pair[1]);
    if wording == Wording::Plain {
        return Drawn::new(meant, meant);
    }
    let cheap = draw.rng.between(1, 8) * 5;
    let dear = cheap + draw.rng.between(1, 4) * 5;
    let phrase = match draw.rng.below(if names.priced { 8 } else { 6 }) {
        0 => format!("{meant}, not {other}"),
        1 => format!("not {other} but {meant}"),
        2 => format!("{other}, sorry, {meant}"),
        3 => format!("{meant} instead of {other}"),
        4 => format!("the second of {other} and {meant}"),
        5 => format!("the first of {meant} and {other}"),
        6 => format!("the cheaper of {other} at {dear} and {meant} at {cheap}"),
        _ => format!("the cheaper of {meant} at {cheap} and {other} at {dear}"),
    };
    Drawn::new(phrase, meant)
}

fn name_list(names: &Names, draw: &mut Draw<'_>) -> Drawn {
    let count = 2 + draw.rng.below(2);
    let list = distinct_names(names, count, draw);
    let phrase = match list.as_slice() {
        [first, second] => format!("{first} and {second}"),
        [first, second, third] => format!("{first}, {second} and {third}"),
        _ => list.join(", "),
    };
    Drawn::new(phrase, list)
}

fn code(rng: &mut Rng) -> Drawn {
    const LETTERS: [&str; 12] = ["A", "B", "C", "D", "E", "F", "G", "H", "K", "L", "M", "R"];
    let code = format!("{}{}", rng.pick(&LETTERS), rng.between(10, 99));
    Drawn::new(code.as_str(), code.as_str())
}

//! Kinds of values, as the word files state them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What kind of value a parameter takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Kind {
    /// A day to come, in one of these forms.
    Date(Vec<DateForm>),
    /// A day of the past century.
    Past(Vec<DateForm>),
    /// A day of the last two months.
    Lately(Vec<DateForm>),
    /// A first and a last day, to come.
    Period(Vec<DateForm>),
    /// A first and a last day that are past.
    PastPeriod(Vec<DateForm>),
    /// A time of day, in one of these forms.
    Time(Vec<TimeForm>),
    /// How many, from and to.
    Count([i64; 2]),
    /// A whole number that nobody counts by the dozen.
    Number([i64; 2]),
    /// A number with one decimal place.
    Decimal([i64; 2]),
    /// Euros.
    Money([i64; 2]),
    Percent,
    /// A quantity of that family of units.
    Quantity(String),
    /// One of a list of names.
    Name(String),
    /// Several of a list of names.
    Names(String),
    /// A text of a list, which the request puts in quotation marks.
    Quoted(String),
    /// `#` is a digit, `@` a letter.
    Code(String),
    Email,
    Phone,
    /// How a request affirms and denies it.
    Flag([String; 2]),
    Record(Parts),
    Many(Box<Kind>),
    #[serde(untagged)]
    Choice(Choice),
}

/// One of some values, and how requests say them where that differs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    pub(crate) choice: Vec<String>,
    #[serde(default)]
    pub(crate) said: Vec<String>,
}

/// The fields of an object, and how a request says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parts {
    pub(crate) say: String,
    pub(crate) parts: BTreeMap<String, Kind>,
}

/// How a call writes a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DateForm {
    /// `2026-05-03`
    Iso,
    /// `03/05/2026`
    Slashes,
    /// `03.05.2026`
    Dots,
    /// `20260503`
    Compact,
    /// `{"day": 3, "month": 5, "year": 2026}`
    Fields,
}

/// How a call writes a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TimeForm {
    /// `14:30`
    Hours,
    /// `2:30 PM`
    HalfDay,
    /// `1430`
    Bare,
}

/// Units of one dimension.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Family {
    pub(crate) asked: Vec<String>,
    pub(crate) units: Vec<Unit>,
}

/// A unit, and the numbers of it that requests state.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unit {
    pub(crate) one: String,
    pub(crate) many: String,
    pub(crate) a: String,
    pub(crate) ratio: i64,
    pub(crate) said: [i64; 2],
    pub(crate) step: i64,
}

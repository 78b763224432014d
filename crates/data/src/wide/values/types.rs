//! The type of a tool's parameter: a kind of value, in the form that this tool wants it in.

use serde_json::{Value, json};

use super::{DateForm, TimeForm, Unit};
use crate::random::Rng;
use crate::wide::kind::{Choice, Kind};
use crate::wide::words::Words;

/// What a parameter takes.
#[derive(Clone, Debug)]
pub(crate) enum Type {
    Date(DateForm),
    Past(DateForm),
    Lately(DateForm),
    Period(DateForm),
    PastPeriod(DateForm),
    Time(TimeForm),
    Count([i64; 2]),
    Number([i64; 2]),
    Decimal([i64; 2]),
    Money([i64; 2]),
    Percent,
    Quantity {
        units: &'static [Unit],
        asked: &'static Unit,
    },
    Name(&'static str),
    Quoted(&'static str),
    Code(&'static str),
    Email,
    Phone,
    /// Values, and how requests say them.
    Choice(Vec<(String, String)>),
    Flag(&'static [String; 2]),
    Record {
        say: &'static str,
        parts: Vec<(String, Type)>,
    },
    List(Box<Type>),
}

impl Type {
    /// A type of that kind. `None` for a unit that the files lack.
    pub(crate) fn of(kind: &'static Kind, words: &'static Words, rng: &mut Rng) -> Option<Self> {
        Some(match kind {
            Kind::Date(forms) => Self::Date(*rng.pick(forms)),
            Kind::Past(forms) => Self::Past(*rng.pick(forms)),
            Kind::Lately(forms) => Self::Lately(*rng.pick(forms)),
            Kind::Period(forms) => Self::Period(*rng.pick(forms)),
            Kind::PastPeriod(forms) => Self::PastPeriod(*rng.pick(forms)),
            Kind::Time(forms) => Self::Time(*rng.pick(forms)),
            Kind::Count(range) => Self::Count(*range),
            Kind::Number(range) => Self::Number(*range),
            Kind::Decimal(range) => Self::Decimal(*range),
            Kind::Money(range) => Self::Money(*range),
            Kind::Percent => Self::Percent,
            Kind::Quantity(family) => {
                let family = words.units.get(family)?;
                let asked = rng.pick(&family.asked);
                let asked = family.units.iter().find(|unit| unit.one == *asked)?;
                Self::Quantity { units: &family.units, asked }
            }
            Kind::Name(list) => Self::Name(list),
            Kind::Names(list) => Self::List(Box::new(Self::Name(list))),
            Kind::Quoted(list) => Self::Quoted(list),
            Kind::Code(pattern) => Self::Code(pattern),
            Kind::Email => Self::Email,
            Kind::Phone => Self::Phone,
            Kind::Choice(choice) => Self::Choice(choices(choice, rng)),
            Kind::Flag(said) => Self::Flag(said),
            Kind::Record(record) => {
                let part = |(name, kind): (&String, &'static Kind)| {
                    Some((name.clone(), Self::of(kind, words, rng)?))
                };
                Self::Record {
                    say: &record.say,
                    parts: record.parts.iter().map(part).collect::<Option<_>>()?,
                }
            }
            Kind::Many(kind) => Self::List(Box::new(Self::of(kind, words, rng)?)),
        })
    }

    /// Its JSON Schema, without a description.
    pub(crate) fn schema(&self) -> Value {
        let object = |parts: Vec<(&str, Value)>| {
            let required: Vec<_> = parts.iter().map(|(name, _)| (*name).to_owned()).collect();
            let properties: serde_json::Map<_, _> =
                parts.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
            json!({"type": "object", "properties": properties, "required": required})
        };
        match self {
            Self::Date(DateForm::Fields) | Self::Lately(DateForm::Fields) | Self::Past(DateForm::Fields) => {
                object(["day", "month", "year"].map(|name| (name, json!({"type": "integer"}))).to_vec())
            }
            Self::Period(_) | Self::PastPeriod(_) => {
                object(["from", "to"].map(|name| (name, json!({"type": "string"}))).to_vec())
            }
            Self::Count(_) | Self::Number(_) | Self::Percent | Self::Quantity { .. } => {
                json!({"type": "integer"})
            }
            Self::Decimal(_) | Self::Money(_) => json!({"type": "number"}),
            Self::Flag(_) => json!({"type": "boolean"}),
            Self::Choice(choices) => {
                json!({"type": "string", "enum": choices.iter().map(|(value, _)| value).collect::<Vec<_>>()})
            }
            Self::Record { parts, .. } => {
                object(parts.iter().map(|(name, part)| (name.as_str(), part.schema())).collect())
            }
            Self::List(of) => json!({"type": "array", "items": of.schema()}),
            _ => json!({"type": "string"}),
        }
    }

    /// What a description must tell beside the schema: a unit, a form.
    pub(crate) fn form(&self) -> Option<String> {
        let date = |form: &DateForm| match form {
            DateForm::Iso => Some("YYYY-MM-DD"),
            DateForm::Slashes => Some("DD/MM/YYYY"),
            DateForm::Dots => Some("DD.MM.YYYY"),
            DateForm::Compact => Some("YYYYMMDD"),
            DateForm::Fields => None,
        };
        match self {
            Self::Date(form)
            | Self::Past(form)
            | Self::Lately(form)
            | Self::Period(form)
            | Self::PastPeriod(form) => date(form).map(str::to_owned),
            Self::Time(TimeForm::Hours) => Some("HH:MM, 24 hours".to_owned()),
            Self::Time(TimeForm::HalfDay) => Some("as 9:05 AM or 9:05 PM".to_owned()),
            Self::Time(TimeForm::Bare) => Some("HHMM, 24 hours".to_owned()),
            Self::Quantity { asked, .. } => Some(format!("in {}", asked.many)),
            _ => None,
        }
    }
}

/// The values as this tool writes them: as they stand, in capitals, or with underscores. Codes, sizes and names stay.
fn choices(choice: &Choice, rng: &mut Rng) -> Vec<(String, String)> {
    let style = rng.below(3);
    let is_word =
        |value: &String| value.bytes().all(|byte| byte.is_ascii_lowercase() || b" -".contains(&byte));
    let may_change = choice.said.is_empty() && choice.choice.iter().all(is_word);
    let written = |value: &String| match style {
        1 if may_change => value.replace([' ', '-'], "_").to_ascii_uppercase(),
        2 if may_change => value.replace([' ', '-'], "_"),
        _ => value.clone(),
    };
    let said = |index: usize, value: &String| choice.said.get(index).unwrap_or(value).clone();
    choice.choice.iter().enumerate().map(|(index, value)| (written(value), said(index, value))).collect()
}

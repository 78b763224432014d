//! Values: what a call has, and how a request says it.

mod calendar;
mod clock;
mod day;
mod numbers;
mod texts;
mod types;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::english::{capital, fill, listed};
use super::kind::{DateForm, TimeForm, Unit};
use super::naming::made_up_word;
use crate::random::Rng;

use calendar::Side;

pub(crate) use day::Day;
pub(crate) use types::Type;

/// A value and its words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    /// What the call has.
    pub(crate) value: Value,
    /// The value in words: `the third of May 2026`.
    pub(crate) bare: String,
    /// The same as an adverb where it is a date: `on the third of May 2026`.
    pub(crate) adverb: String,
    /// Whether it depends on which day is today.
    pub(crate) relative: bool,
}

impl Said {
    fn new(bare: impl Into<String>, value: impl Into<Value>) -> Self {
        let bare = bare.into();
        Self { value: value.into(), adverb: bare.clone(), bare, relative: false }
    }
}

/// What values are drawn with.
#[derive(Debug)]
pub(crate) struct Draw<'r> {
    pub(crate) rng: &'r mut Rng,
    /// The share of values that are not said as the call has them.
    pub(crate) hard: f64,
    /// The share of tasks' names and of names in values that are made up.
    pub(crate) made_up: f64,
    /// The day that the conversation takes place on.
    pub(crate) today: Day,
    /// Lists of names; an earlier one goes before a later one.
    pub(crate) names: [&'static BTreeMap<String, Vec<String>>; 2],
}

impl Draw<'_> {
    /// Whether the next value is a hard one.
    fn is_hard(&mut self) -> bool {
        self.rng.chance(self.hard)
    }

    /// One of some texts.
    pub(crate) fn text<'t>(&mut self, texts: &'t [String]) -> &'t str {
        self.rng.pick::<String>(texts)
    }

    /// One of a list.
    fn name(&mut self, list: &str) -> String {
        if self.made_up > 0.0 && self.rng.chance(self.made_up) {
            return capital(&made_up_word(self.rng));
        }
        let names = self.names.iter().find_map(|names| names.get(list)).filter(|names| !names.is_empty());
        names.map(|names| self.text(names).to_owned()).unwrap_or_default()
    }

    /// A value of that type.
    pub(crate) fn value(&mut self, of: &Type) -> Said {
        let hard = self.is_hard();
        match of {
            Type::Date(form) => calendar::date(self, hard, *form),
            Type::Past(form) => calendar::past(self, hard, *form),
            Type::Lately(form) => calendar::lately(self, hard, *form),
            Type::Period(form) => calendar::period(self, hard, *form, Side::Ahead),
            Type::PastPeriod(form) => calendar::period(self, hard, *form, Side::Past),
            Type::Time(form) => clock::time(self.rng, hard, *form),
            Type::Count([low, high]) => numbers::count(self.rng, hard, *low, *high),
            Type::Number([low, high]) => numbers::number(self.rng, hard, *low, *high),
            Type::Decimal([low, high]) => numbers::decimal(self.rng, hard, *low, *high),
            Type::Money([low, high]) => numbers::money(self.rng, hard, *low, *high),
            Type::Percent => numbers::percent(self.rng, hard),
            Type::Quantity { units, asked } => numbers::quantity(self.rng, hard, units, asked),
            Type::Name(list) => {
                let name = self.name(list);
                Said::new(name.clone(), name)
            }
            Type::Quoted(list) => {
                let text = self.name(list);
                Said::new(format!("\"{text}\""), text)
            }
            Type::Code(pattern) => {
                let code = texts::code(self.rng, pattern);
                Said::new(code.clone(), code)
            }
            Type::Email => {
                let email = texts::email(&self.name("people"), &self.name("mail"));
                Said::new(email.clone(), email)
            }
            Type::Phone => {
                let phone = texts::code(self.rng, "0### 555 0###");
                Said::new(phone.clone(), phone)
            }
            Type::Choice(choices) => {
                let (value, said) = self.rng.pick(choices).clone();
                Said::new(said, value)
            }
            Type::Flag([yes, no]) => {
                let flag = self.rng.chance(0.5);
                Said::new(if flag { yes } else { no }, flag)
            }
            Type::Record { say, parts } => self.record(say, parts),
            Type::List(of) => self.list(of),
        }
    }

    fn record(&mut self, say: &str, parts: &[(String, Type)]) -> Said {
        let mut said = Said::new(say, json!({}));
        for (name, of) in parts {
            let part = self.value(of);
            said.bare = fill(&said.bare, name, &part.bare);
            said.value[name.as_str()] = part.value;
        }
        Said { adverb: said.bare.clone(), ..said }
    }

    /// Two or three different values.
    fn list(&mut self, of: &Type) -> Said {
        let count = 2 + self.rng.below(2);
        let mut items: Vec<Said> = Vec::new();
        for _ in 0..40 {
            let item = self.value(of);
            let is_new = items.iter().all(|other| other.value != item.value && other.bare != item.bare);
            if items.len() < count && is_new {
                items.push(item);
            }
        }
        let bare: Vec<_> = items.iter().map(|item| item.bare.clone()).collect();
        Said::new(listed(&bare), items.into_iter().map(|item| item.value).collect::<Vec<_>>())
    }
}

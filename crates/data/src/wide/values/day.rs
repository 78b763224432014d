//! A day, and its names.

use serde_json::{Value, json};

use super::DateForm;
use crate::random::Rng;
use crate::world::clock::{MONTHS, ORDINALS};

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
}

impl Day {
    /// A day of the years 2024 to 2029.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let first = Self { year: 2024, month: 1, day: 1 };
        first.plus(rng.between(0, 6 * 365))
    }

    /// Days since 1 March of the year 0, by Hinnant's `days_from_civil`
    /// (<https://howardhinnant.github.io/date_algorithms.html>), without its eras: years are those of this era.
    fn number(self) -> i64 {
        let year = if self.month > 2 { self.year } else { self.year - 1 };
        let of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        year * 365 + year / 4 - year / 100 + year / 400 + of_year
    }

    /// So many days later, or earlier where they are less than 0.
    pub(crate) fn plus(mut self, days: i64) -> Self {
        self.day += days;
        while self.day < 1 {
            (self.year, self.month) =
                if self.month == 1 { (self.year - 1, 12) } else { (self.year, self.month - 1) };
            self.day += self.month_length();
        }
        while self.day > self.month_length() {
            self.day -= self.month_length();
            (self.year, self.month) =
                if self.month == 12 { (self.year + 1, 1) } else { (self.year, self.month + 1) };
        }
        self
    }

    pub(super) fn month_length(self) -> i64 {
        let is_leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        match self.month {
            2 => 28 + i64::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// 0 for Monday. The calendar's 1 March of the year 0 was a Wednesday.
    fn weekday(self) -> usize {
        ((self.number() + 2) % 7) as usize
    }

    pub(crate) fn weekday_name(self) -> &'static str {
        WEEKDAYS[self.weekday()]
    }

    pub(super) fn month_name(self) -> &'static str {
        MONTHS[(self.month - 1) as usize].0
    }

    /// `Sunday, 3 May 2026`
    pub(crate) fn in_full(self) -> String {
        format!("{}, {} {} {}", self.weekday_name(), self.day, self.month_name(), self.year)
    }

    pub(super) fn written(self, form: DateForm) -> Value {
        let Self { year, month, day } = self;
        match form {
            DateForm::Iso => format!("{year}-{month:02}-{day:02}").into(),
            DateForm::Slashes => format!("{day:02}/{month:02}/{year}").into(),
            DateForm::Dots => format!("{day:02}.{month:02}.{year}").into(),
            DateForm::Compact => format!("{year}{month:02}{day:02}").into(),
            DateForm::Fields => json!({"day": day, "month": month, "year": year}),
        }
    }

    /// With its year: in figures, with the name of the month, or in words.
    pub(super) fn absolute(self, rng: &mut Rng, hard: bool) -> String {
        let (Self { year, day, .. }, month) = (self, self.month_name());
        match (hard, rng.below(3)) {
            (true, _) if day <= 12 => format!("the {} of {month} {year}", ORDINALS[(day - 1) as usize]),
            (_, 0) => format!("{month} {day}, {year}"),
            (_, 1) => format!("{day} {month} {year}"),
            _ => self.written(DateForm::Iso).as_str().unwrap_or_default().to_owned(),
        }
    }
}

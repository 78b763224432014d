//! Days: absolute, or told from today.

use serde_json::json;

use super::{DateForm, Day, Draw, Said};
use crate::random::Rng;
use crate::world::numbers::words;

/// A day to come within three months; if hard, in words or told from today.
pub(super) fn date(draw: &mut Draw<'_>, hard: bool, form: DateForm) -> Said {
    let today = draw.today;
    if hard && draw.rng.chance(0.7) {
        let (bare, adverb, days) = from_today(draw.rng, today);
        return Said { value: today.plus(days).written(form), bare, adverb, relative: true };
    }
    let day = today.plus(draw.rng.between(2, 90));
    let bare = day.absolute(draw.rng, hard);
    Said { value: day.written(form), adverb: format!("on {bare}"), bare, relative: false }
}

/// A day told from today: as a noun, as an adverb, and how many days it is ahead.
fn from_today(rng: &mut Rng, today: Day) -> (String, String, i64) {
    let alone = |phrase: &str, days| (phrase.to_owned(), phrase.to_owned(), days);
    let on = |phrase: String, days| (phrase.clone(), format!("on {phrase}"), days);
    let name = |days: i64| today.plus(days).weekday_name();
    match rng.below(8) {
        0 => alone("tomorrow", 1),
        1 => alone("the day after tomorrow", 2),
        2 => {
            let days = rng.between(3, 6);
            (format!("{} days from today", words(days)), format!("in {} days", words(days)), days)
        }
        3 => alone("a week from today", 7),
        4 => alone("two weeks from today", 14),
        5 => {
            let phrase = format!("next {}", today.weekday_name());
            (phrase.clone(), phrase, 7)
        }
        6 => {
            let days = today.month_length() - today.day + 1;
            on("the first day of next month".to_owned(), days)
        }
        _ => {
            let days = rng.between(2, 6);
            let phrase = format!("this coming {}", name(days));
            (phrase.clone(), phrase, days)
        }
    }
}

/// A day on which somebody was born.
pub(super) fn past(draw: &mut Draw<'_>, hard: bool, form: DateForm) -> Said {
    let rng = &mut *draw.rng;
    let day = Day { year: rng.between(1948, 2008), month: rng.between(1, 12), day: rng.between(1, 28) };
    Said::new(day.absolute(rng, hard), day.written(form))
}

/// A day of the last two months; if hard, in words or told from today.
pub(super) fn lately(draw: &mut Draw<'_>, hard: bool, form: DateForm) -> Said {
    let (rng, today) = (&mut *draw.rng, draw.today);
    if hard && rng.chance(0.7) {
        let days = rng.between(3, 6);
        let (bare, days) = match rng.below(5) {
            0 => ("today".to_owned(), 0),
            1 => ("yesterday".to_owned(), 1),
            2 => ("the day before yesterday".to_owned(), 2),
            3 => ("a week ago".to_owned(), 7),
            _ => (format!("{} days ago", words(days)), days),
        };
        let value = today.plus(-days).written(form);
        return Said { value, adverb: bare.clone(), bare, relative: true };
    }
    let day = today.plus(-rng.between(2, 60));
    let bare = day.absolute(rng, hard);
    Said { value: day.written(form), adverb: format!("on {bare}"), bare, relative: false }
}

/// Which side of today a period lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Past,
    Ahead,
}

/// A first and a last day; if hard, within one month that is named once.
pub(super) fn period(draw: &mut Draw<'_>, hard: bool, form: DateForm, side: Side) -> Said {
    let rng = &mut *draw.rng;
    let first = draw.today.plus(match side {
        Side::Past => -rng.between(15, 60),
        Side::Ahead => rng.between(2, 60),
    });
    let last = first.plus(rng.between(2, 12));
    let value = json!({"from": first.written(form), "to": last.written(form)});
    let (name, year) = (last.month_name(), last.year);
    if hard && first.month == last.month {
        return Said::new(format!("{} to {} {name} {year}", first.day, last.day), value);
    }
    let from = format!("{} {} {}", first.day, first.month_name(), first.year);
    Said::new(format!("{from} to {} {name} {year}", last.day), value)
}

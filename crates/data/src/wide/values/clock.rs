//! Times of day.

use super::{Said, TimeForm};
use crate::random::Rng;
use crate::world::numbers::words;

/// A time of day in the form that the call has; if hard, in words.
pub(super) fn time(rng: &mut Rng, hard: bool, form: TimeForm) -> Said {
    let hour = rng.between(7, 21);
    let minute = *rng.pick(&[0, 10, 15, 20, 30, 40, 45, 50]);
    let said = |phrase: String, hour, minute| Said::new(phrase, written(form, hour, minute));
    if !hard {
        let phrase = if rng.chance(0.5) { format!("{hour:02}:{minute:02}") } else { half_day(hour, minute) };
        return said(phrase, hour, minute);
    }
    let name = |hour: i64| words((hour + 11) % 12 + 1);
    let part = |hour: i64| match hour {
        ..12 => "in the morning",
        12..18 => "in the afternoon",
        _ => "in the evening",
    };
    match rng.below(8) {
        0 => said("noon".to_owned(), 12, 0),
        1 => said(format!("{} o'clock {}", name(hour), part(hour)), hour, 0),
        2 => said(format!("quarter past {} {}", name(hour), part(hour)), hour, 15),
        // What is before noon is told so by its hour.
        3 if hour != 12 && hour != 18 => {
            said(format!("quarter to {} {}", name(hour), part(hour)), hour - 1, 45)
        }
        4 => said(format!("ten past {} {}", name(hour), part(hour)), hour, 10),
        5 if hour != 12 && hour != 18 => {
            said(format!("twenty to {} {}", name(hour), part(hour)), hour - 1, 40)
        }
        _ => said(format!("half past {} {}", name(hour), part(hour)), hour, 30),
    }
}

/// `2:30 PM`
fn half_day(hour: i64, minute: i64) -> String {
    format!("{}:{minute:02} {}", (hour + 11) % 12 + 1, if hour < 12 { "AM" } else { "PM" })
}

fn written(form: TimeForm, hour: i64, minute: i64) -> String {
    match form {
        TimeForm::Hours => format!("{hour:02}:{minute:02}"),
        TimeForm::HalfDay => half_day(hour, minute),
        TimeForm::Bare => format!("{hour:02}{minute:02}"),
    }
}

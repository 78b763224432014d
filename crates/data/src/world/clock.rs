//! Days and times of day in words.

use super::numbers;
use super::slot::{Drawn, Wording};
use crate::random::Rng;

pub(crate) const MONTHS: [(&str, i64); 12] = [
    ("January", 31),
    ("February", 28),
    ("March", 31),
    ("April", 30),
    ("May", 31),
    ("June", 30),
    ("July", 31),
    ("August", 31),
    ("September", 30),
    ("October", 31),
    ("November", 30),
    ("December", 31),
];
pub(crate) const ORDINALS: [&str; 20] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A day of the year, written in the call by `form(month, day)`.
pub(crate) fn date(rng: &mut Rng, wording: Wording, form: impl Fn(usize, i64) -> String) -> Drawn {
    let index = rng.below(MONTHS.len());
    let (month, days) = MONTHS[index];
    let day = rng.between(2, 28);
    let drawn = |phrase: String, day| Drawn::new(phrase, form(index + 1, day));
    if wording == Wording::Plain {
        let phrase = if rng.chance(0.5) { format!("{month} {day}") } else { format!("{day} {month}") };
        return drawn(phrase, day);
    }
    match rng.below(6) {
        0 => drawn(format!("the last day of {month}"), days),
        1 => drawn(format!("the day after {month} {}", day - 1), day),
        _ => {
            let day = rng.between(1, 20);
            let ordinal = ORDINALS[day as usize - 1];
            drawn(format!("the {ordinal} of {month}"), day)
        }
    }
}

/// A time of day as `HH:MM`.
pub(crate) fn time(rng: &mut Rng, wording: Wording) -> Drawn {
    let hour = rng.between(1, 11);
    let drawn = |phrase: String, hour: i64, minute: i64| Drawn::new(phrase, format!("{hour:02}:{minute:02}"));
    if wording == Wording::Plain {
        let minute = rng.between(0, 11) * 5;
        let hour = if rng.chance(0.5) { hour + 12 } else { hour };
        return drawn(format!("{hour}:{minute:02}"), hour, minute);
    }
    let (part, shift) = *rng.pick(&[("", 0), (" in the morning", 0), (" in the evening", 12)]);
    let name = numbers::words(hour);
    match rng.below(8) {
        0 => drawn("noon".to_owned(), 12, 0),
        1 => drawn(format!("{hour} pm"), hour + 12, 0),
        2 => drawn(format!("{hour} am"), hour, 0),
        3 => drawn(format!("quarter past {name}{part}"), hour + shift, 15),
        4 => drawn(format!("quarter to {name}{part}"), (hour + shift + 23) % 24, 45),
        5 => drawn(format!("ten past {name}{part}"), hour + shift, 10),
        _ => drawn(format!("half past {name}{part}"), hour + shift, 30),
    }
}

/// A day of the week as its first three letters in lower case.
pub(crate) fn weekday(rng: &mut Rng, wording: Wording) -> Drawn {
    let index = rng.below(WEEKDAYS.len());
    let value = WEEKDAYS[index][..3].to_ascii_lowercase();
    let phrase = match (wording, rng.below(2)) {
        (Wording::Plain, _) => WEEKDAYS[index].to_owned(),
        (Wording::Hard, 0) => format!("the day after {}", WEEKDAYS[(index + 6) % 7]),
        (Wording::Hard, _) => format!("the day before {}", WEEKDAYS[(index + 1) % 7]),
    };
    Drawn::new(phrase, value)
}

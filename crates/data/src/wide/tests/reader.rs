//! Reads values from their words, apart from the code that made the words.

use serde_json::{Value, json};

use crate::wide::kind::{DateForm, TimeForm};
use crate::wide::values::{Day, Type};

/// What words mean as a value of that type.
pub(super) fn value(of: &Type, words: &str, today: Day) -> Option<Value> {
    Some(match of {
        Type::Date(form) | Type::Past(form) | Type::Lately(form) => written(*form, day(words, today)?),
        Type::Period(form) | Type::PastPeriod(form) => {
            let (first, last) = words.split_once(" to ")?;
            let end = day(last, today)?;
            let start = match first.parse() {
                Ok(number) => [end[0], end[1], number],
                Err(_) => day(first, today)?,
            };
            json!({"from": written(*form, start), "to": written(*form, end)})
        }
        Type::Time(form) => {
            let [hour, minute] = time(words)?;
            let half = if hour < 12 { "AM" } else { "PM" };
            match form {
                TimeForm::Hours => format!("{hour:02}:{minute:02}").into(),
                TimeForm::Bare => format!("{hour:02}{minute:02}").into(),
                TimeForm::HalfDay => {
                    format!("{}:{minute:02} {half}", if hour > 12 { hour - 12 } else { hour }).into()
                }
            }
        }
        Type::Count(_) | Type::Number(_) => whole(words)?.into(),
        Type::Decimal(_) => halves(words).or_else(|| words.parse().ok())?.into(),
        Type::Money(_) => {
            let amount = words.strip_suffix(" euros")?;
            let amount =
                halves(amount).or_else(|| amount.parse().ok()).or_else(|| Some(whole(amount)? as f64))?;
            if amount.fract() == 0.0 { json!(amount as i64) } else { json!(amount) }
        }
        Type::Percent => match words {
            "half" => 50.into(),
            "a quarter" => 25.into(),
            "three quarters" => 75.into(),
            "a fifth" => 20.into(),
            "a tenth" => 10.into(),
            _ => whole(words.strip_suffix(" percent")?)?.into(),
        },
        Type::Quantity { asked, .. } => json!(exact(quantity(words)? / unit(&asked.many)?)?),
        Type::Quoted(_) => words.strip_prefix('"')?.strip_suffix('"')?.into(),
        Type::Name(_) | Type::Code(_) | Type::Email | Type::Phone => words.into(),
        Type::Choice(choices) => {
            let plain = |text: &str| text.to_lowercase().replace(['_', '-'], " ");
            let named = choices.iter().find(|(value, _)| plain(value) == plain(words));
            // Codes, such as those of languages, are told by a table.
            named.or_else(|| choices.iter().find(|(_, said)| said == words))?.0.clone().into()
        }
        Type::Flag([yes, no]) => (words == yes || words != no && return None).into(),
        Type::List(of) => {
            let (most, last) = words.rsplit_once(" and ")?;
            let items: Option<Vec<_>> =
                most.split(", ").chain([last]).map(|item| value(of, item, today)).collect();
            items?.into()
        }
        Type::Record { say, parts } => {
            let (mut rest, mut read) = (words, json!({}));
            let mut template = *say;
            while let Some((before, after)) = template.split_once('{') {
                let (name, next) = after.split_once('}')?;
                rest = rest.strip_prefix(before)?;
                let end = next.find('{').unwrap_or(next.len());
                let (part, others) = if end == 0 { (rest, "") } else { rest.split_once(&next[..end])? };
                let of = &parts.iter().find(|(part, _)| part == name)?.1;
                read[name] = value(of, part, today)?;
                (rest, template) = (others, &next[end..]);
            }
            read
        }
    })
}

pub(super) fn iso(day: Day) -> String {
    format!("{}-{:02}-{:02}", day.year, day.month, day.day)
}

fn written(form: DateForm, [year, month, day]: [i64; 3]) -> Value {
    match form {
        DateForm::Iso => format!("{year}-{month:02}-{day:02}").into(),
        DateForm::Slashes => format!("{day:02}/{month:02}/{year}").into(),
        DateForm::Dots => format!("{day:02}.{month:02}.{year}").into(),
        DateForm::Compact => format!("{year:04}{month:02}{day:02}").into(),
        DateForm::Fields => json!({"day": day, "month": month, "year": year}),
    }
}

/// The Julian day number, by Fliegel and van Flandern (1968).
fn julian([year, month, day]: [i64; 3]) -> i64 {
    let a = (month - 14) / 12;
    (1461 * (year + 4800 + a)) / 4 + (367 * (month - 2 - 12 * a)) / 12 - (3 * ((year + 4900 + a) / 100)) / 4
        + day
        - 32075
}

fn from_julian(number: i64) -> [i64; 3] {
    let mut l = number + 68569;
    let n = 4 * l / 146_097;
    l -= (146_097 * n + 3) / 4;
    let i = 4000 * (l + 1) / 1_461_001;
    l = l - 1461 * i / 4 + 31;
    let j = 80 * l / 2447;
    let k = j / 11;
    [100 * (n - 49) + i + k, j + 2 - 12 * k, l - 2447 * j / 80]
}

fn day(words: &str, today: Day) -> Option<[i64; 3]> {
    let now = [today.year, today.month, today.day];
    let number = julian(now);
    let weekday = |name: &str| {
        let names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
        names.iter().position(|other| *other == name).map(|index| index as i64)
    };
    let ahead = |name: &str| Some((weekday(name)? - number.rem_euclid(7) + 6).rem_euclid(7) + 1);
    let days = match words {
        "today" => 0,
        "tomorrow" => 1,
        "the day after tomorrow" => 2,
        "a week from today" => 7,
        "two weeks from today" => 14,
        "yesterday" => -1,
        "the day before yesterday" => -2,
        "a week ago" => -7,
        "the first day of next month" => {
            let [year, month, _] = now;
            return Some(if month == 12 { [year + 1, 1, 1] } else { [year, month + 1, 1] });
        }
        _ => {
            if let Some(name) = words.strip_prefix("next ").or_else(|| words.strip_prefix("this coming ")) {
                ahead(name)?
            } else if let Some(count) = words.strip_suffix(" days from today") {
                whole(count)?
            } else if let Some(count) = words.strip_suffix(" days ago") {
                -whole(count)?
            } else {
                return absolute(words);
            }
        }
    };
    Some(from_julian(number + days))
}

fn absolute(words: &str) -> Option<[i64; 3]> {
    let month = |name: &str| {
        let names = "JanFebMarAprMayJunJulAugSepOctNovDec";
        names.find(name.get(..3)?).map(|at| at as i64 / 3 + 1)
    };
    let parts: Vec<&str> = words.split([' ', ',']).filter(|part| !part.is_empty()).collect();
    match parts[..] {
        [iso] => {
            let numbers: Vec<i64> = iso.split('-').map(str::parse).collect::<Result<_, _>>().ok()?;
            numbers.try_into().ok()
        }
        [first, second, year] => {
            let year = year.parse().ok()?;
            match first.parse() {
                Ok(day) => Some([year, month(second)?, day]),
                Err(_) => Some([year, month(first)?, second.parse().ok()?]),
            }
        }
        ["the", ordinal, "of", name, year] => {
            let ordinals = [
                "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
                "tenth", "eleventh", "twelfth",
            ];
            let day = ordinals.iter().position(|other| *other == ordinal)? as i64 + 1;
            Some([year.parse().ok()?, month(name)?, day])
        }
        _ => None,
    }
}

fn time(words: &str) -> Option<[i64; 2]> {
    if words == "noon" {
        return Some([12, 0]);
    }
    if let Some((hour, minute)) = words.split_once(':') {
        let hour: i64 = hour.parse().ok()?;
        return Some(match minute.split_once(' ') {
            None => [hour, minute.parse().ok()?],
            Some((minute, half)) => [hour % 12 + if half == "PM" { 12 } else { 0 }, minute.parse().ok()?],
        });
    }
    let (clock, part) = words.split_once(" in the ")?;
    let (minutes, hour) =
        match clock.split_once(" past ").map(|at| (1, at)).or(clock.split_once(" to ").map(|at| (-1, at))) {
            None => (0, clock.strip_suffix(" o'clock")?),
            Some((sign, (count, hour))) => (
                sign * match count {
                    "quarter" => 15,
                    "half" => 30,
                    count => whole(count)?,
                },
                hour,
            ),
        };
    let hour = whole(hour)?;
    let hour = match part {
        "morning" => hour,
        "afternoon" if hour == 12 => 12,
        _ => hour + 12,
    };
    let total = hour * 60 + minutes;
    Some([total / 60, total % 60])
}

fn whole(words: &str) -> Option<i64> {
    let names = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen \
                 seventeen eighteen nineteen";
    let tens = "twenty thirty forty fifty sixty seventy eighty ninety";
    let place =
        |list: &str, word: &str| list.split_whitespace().position(|name| name == word).map(|at| at as i64);
    let (ten, one) = words.split_once('-').unwrap_or((words, "zero"));
    match words {
        "half a dozen" => Some(6),
        "a dozen" => Some(12),
        "two dozen" => Some(24),
        "three dozen" => Some(36),
        _ => words
            .parse()
            .ok()
            .or_else(|| place(names, words))
            .or_else(|| Some((place(tens, ten)? + 2) * 10 + place(names, one)?)),
    }
}

fn halves(words: &str) -> Option<f64> {
    Some(whole(words.strip_suffix(" and a half")?)? as f64 + 0.5)
}

/// How many of the smallest unit of its dimension a unit holds.
fn unit(many: &str) -> Option<f64> {
    let units = [
        ("seconds", 1),
        ("minutes", 60),
        ("hours", 3600),
        ("days", 86_400),
        ("weeks", 604_800),
        ("months", 1),
        ("years", 12),
        ("millimetres", 1),
        ("centimetres", 10),
        ("metres", 1000),
        ("kilometres", 1_000_000),
        ("grams", 1),
        ("kilograms", 1000),
        ("tonnes", 1_000_000),
        ("millilitres", 1),
        ("litres", 1000),
        ("inches", 1),
        ("feet", 12),
        ("yards", 36),
        ("miles", 63_360),
        ("ounces", 1),
        ("pounds", 16),
        ("pints", 1),
        ("gallons", 8),
    ];
    units.iter().find(|(name, _)| *name == many).map(|(_, size)| f64::from(*size))
}

fn quantity(words: &str) -> Option<f64> {
    let size = |one: &str| {
        unit(&if one == "foot" {
            "feet".to_owned()
        } else if one == "inch" {
            "inches".to_owned()
        } else {
            format!("{one}s")
        })
    };
    let single = |words: &str| size(words.strip_prefix("an ").or_else(|| words.strip_prefix("a "))?);
    if let Some(whole) = words.strip_prefix("half ") {
        return Some(single(whole)? / 2.0);
    }
    if let Some(whole) = words.strip_suffix(" and a half") {
        return Some(single(whole)? * 1.5);
    }
    single(words).or_else(|| {
        let (number, many) = words.rsplit_once(' ')?;
        Some(whole(number)? as f64 * unit(many)?)
    })
}

fn exact(number: f64) -> Option<i64> {
    (number.fract() == 0.0).then_some(number as i64)
}

#[test]
fn the_reader_reads() {
    let today = Day { year: 2026, month: 12, day: 31 };
    let date = |words: &str| day(words, today).unwrap();
    assert_eq!(date("tomorrow"), [2027, 1, 1]);
    // 31 December 2026 is a Thursday.
    assert_eq!([date("next Thursday"), date("this coming Friday")], [[2027, 1, 7], [2027, 1, 1]]);
    assert_eq!(date("the third of May 2026"), [2026, 5, 3]);
    assert_eq!(
        [time("quarter to nine in the evening"), time("12:15 PM"), time("half past twelve in the afternoon")],
        [Some([20, 45]), Some([12, 15]), Some([12, 30])]
    );
    assert_eq!([whole("forty-two"), whole("two dozen"), whole("seventeen")], [Some(42), Some(24), Some(17)]);
    assert_eq!(
        [quantity("half an hour"), quantity("a foot and a half"), quantity("two litres")],
        [Some(1800.0), Some(18.0), Some(2000.0)]
    );
}

//! Numbers, amounts and quantities in words.

use super::slot::{Drawn, Wording};
use crate::random::Rng;

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// A number from 0 to 99 in words; larger ones in digits.
pub(crate) fn words(number: i64) -> String {
    match usize::try_from(number) {
        Ok(small) if small < 20 => ONES[small].to_owned(),
        Ok(tens) if tens < 100 && tens % 10 == 0 => TENS[tens / 10 - 2].to_owned(),
        Ok(tens) if tens < 100 => format!("{}-{}", TENS[tens / 10 - 2], ONES[tens % 10]),
        _ => number.to_string(),
    }
}

/// A whole number from `low` to `high`: in digits, in words, by the dozen, or the larger or smaller of two.
pub(crate) fn count(rng: &mut Rng, wording: Wording, low: i64, high: i64) -> Drawn {
    let number = rng.between(low, high);
    if wording == Wording::Plain {
        return Drawn::new(number.to_string(), number);
    }
    let dozens = [(6, "half a dozen"), (12, "a dozen"), (24, "two dozen")];
    let dozens: Vec<_> = dozens.into_iter().filter(|(number, _)| (low..=high).contains(number)).collect();
    if !dozens.is_empty() && rng.chance(0.25) {
        let (number, phrase) = *rng.pick(&dozens);
        return Drawn::new(phrase, number);
    }
    let step = rng.between(1, 5);
    let phrase = match rng.below(6) {
        0 => format!("{}, not {},", words(number), words(number + step)),
        1 => format!("{} or rather {}", number + step, number),
        _ => words(number),
    };
    Drawn::new(phrase, number)
}

/// An amount: whole, with decimals, or with a half or a quarter in words.
pub(crate) fn amount(rng: &mut Rng, wording: Wording) -> Drawn {
    let whole = rng.between(2, 60);
    let (part, in_words) =
        *rng.pick(&[(0.5, "and a half"), (0.25, "and a quarter"), (0.75, "and three quarters")]);
    match (wording, rng.below(2)) {
        (Wording::Plain, 0) => Drawn::new(format!("{whole}.5"), whole as f64 + 0.5),
        (Wording::Plain, _) => Drawn::new(format!("{whole}.0"), whole as f64),
        (Wording::Hard, 0) => Drawn::new(format!("{} {in_words}", words(whole)), whole as f64 + part),
        (Wording::Hard, _) => Drawn::new(words(whole), whole as f64),
    }
}

/// A share of a hundred.
pub(crate) fn percent(rng: &mut Rng, wording: Wording) -> Drawn {
    let shares = [(50, "half"), (25, "a quarter"), (75, "three quarters"), (20, "a fifth"), (10, "a tenth")];
    if wording == Wording::Hard && rng.chance(0.6) {
        let (number, phrase) = *rng.pick(&shares);
        return Drawn::new(phrase, number);
    }
    let number = rng.between(1, 20) * 5;
    let phrase = if wording == Wording::Hard { words(number) } else { number.to_string() };
    Drawn::new(format!("{phrase} percent"), number)
}

/// A pair of units; values are in the smaller one.
#[derive(Debug)]
pub(crate) struct Unit {
    /// The smaller unit, in the plural.
    pub(crate) small: &'static str,
    /// The larger unit in the singular and the plural.
    pub(crate) large: [&'static str; 2],
    /// How many of the small one make a large one; a multiple of 2.
    pub(crate) ratio: i64,
    /// What small quantities are multiples of.
    pub(crate) step: i64,
    /// The article of the large unit.
    pub(crate) article: &'static str,
}

pub(crate) static MINUTES: Unit =
    Unit { small: "minutes", large: ["hour", "hours"], ratio: 60, step: 5, article: "an" };
pub(crate) static SECONDS: Unit =
    Unit { small: "seconds", large: ["minute", "minutes"], ratio: 60, step: 10, article: "a" };
pub(crate) static HOURS: Unit =
    Unit { small: "hours", large: ["day", "days"], ratio: 24, step: 1, article: "a" };
pub(crate) static METRES: Unit =
    Unit { small: "metres", large: ["kilometre", "kilometres"], ratio: 1000, step: 50, article: "a" };
pub(crate) static GRAMS: Unit =
    Unit { small: "grams", large: ["kilo", "kilos"], ratio: 1000, step: 50, article: "a" };
pub(crate) static MILLILITRES: Unit =
    Unit { small: "millilitres", large: ["litre", "litres"], ratio: 1000, step: 50, article: "a" };
pub(crate) static CENTIMETRES: Unit =
    Unit { small: "centimetres", large: ["metre", "metres"], ratio: 100, step: 5, article: "a" };
pub(crate) static DAYS: Unit =
    Unit { small: "days", large: ["week", "weeks"], ratio: 7, step: 1, article: "a" };

impl Unit {
    /// A quantity in the smaller unit: stated in it, or in the larger one and to be converted.
    pub(crate) fn draw(&self, rng: &mut Rng, wording: Wording) -> Drawn {
        let [one, many] = self.large;
        let Self { ratio, article, .. } = *self;
        if wording == Wording::Plain {
            let number = rng.between(2, 12) * self.step;
            return Drawn::new(format!("{number} {}", self.small), number);
        }
        let count = rng.between(2, 6);
        let halves = ratio % 2 == 0;
        match rng.below(if halves { 5 } else { 3 }) {
            0 => Drawn::new(format!("{article} {one}"), ratio),
            3 => Drawn::new(format!("half {article} {one}"), ratio / 2),
            4 => Drawn::new(format!("{article} {one} and a half"), ratio * 3 / 2),
            1 => Drawn::new(format!("{count} {many}"), count * ratio),
            _ => Drawn::new(format!("{} {many}", words(count)), count * ratio),
        }
    }
}

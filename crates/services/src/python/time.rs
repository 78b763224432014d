//! Python's `datetime.strptime` for the formats that the services read.

use super::{Outcome, Raised};
use crate::value::Value;

/// A day.
pub(crate) const DATE: &str = "%Y-%m-%d";
/// A day and a time of day.
pub(crate) const DATE_TIME: &str = "%Y-%m-%d %H:%M:%S";
/// A time of day on a clock of twelve hours.
pub(crate) const CLOCK: &str = "%I:%M %p";

/// A `datetime` without a fraction of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) year: u32,
    pub(crate) month: u32,
    pub(crate) day: u32,
    pub(crate) hour: u32,
    pub(crate) minute: u32,
    pub(crate) second: u32,
}

impl Moment {
    /// Python's `datetime.min`.
    pub(crate) const MIN: Self = Self { year: 1, month: 1, day: 1, hour: 0, minute: 0, second: 0 };
    /// Python's `datetime.max`, less its fraction.
    pub(crate) const MAX: Self = Self { year: 9999, month: 12, day: 31, hour: 23, minute: 59, second: 59 };
}

/// Python's `datetime.strptime(value, format)`.
pub(crate) fn parse_time(value: &Value, format: &str) -> Outcome<Moment> {
    let Value::Str(text) = value else {
        let name = if *value == Value::None { "None" } else { value.type_name() };
        return Err(Raised::type_error(format!("strptime() argument 1 must be str, not {name}")));
    };
    let mut fields = Fields { moment: Moment { year: 1900, ..Moment::MIN }, afternoon: None };
    let Some(rest) = fields.read(format, text) else {
        let (text, format) = (value.repr(), Value::from(format).repr());
        return Err(Raised::value_error(format!("time data {text} does not match format {format}")));
    };
    if !rest.is_empty() {
        return Err(Raised::value_error(format!("unconverted data remains: {rest}")));
    }
    fields.checked()
}

struct Fields {
    moment: Moment,
    /// What `%p` said.
    afternoon: Option<bool>,
}

impl Fields {
    /// Reads the format from the text's start, going back where a shorter field fits better. The rest of
    /// the text, or `None` when it does not match.
    fn read<'a>(&mut self, format: &str, text: &'a str) -> Option<&'a str> {
        let mut symbols = format.chars();
        match symbols.next() {
            None => Some(text),
            Some(' ') => {
                let rest = text.trim_start_matches(super::text::is_space);
                if rest.len() == text.len() { None } else { self.read(symbols.as_str(), rest) }
            }
            Some('%') => {
                let field = symbols.next()?;
                let lengths = lengths(field, text);
                lengths.into_iter().find_map(|length| {
                    let (own, rest) = text.split_at_checked(length)?;
                    self.set(field, own)?;
                    self.read(symbols.as_str(), rest)
                })
            }
            Some(literal) => self.read(symbols.as_str(), text.strip_prefix(literal)?),
        }
    }

    fn set(&mut self, field: char, text: &str) -> Option<()> {
        if field == 'p' {
            self.afternoon = Some(text.eq_ignore_ascii_case("pm"));
            return Some(());
        }
        let number = text.trim_start().parse().ok()?;
        *match field {
            'Y' => &mut self.moment.year,
            'm' => &mut self.moment.month,
            'd' => &mut self.moment.day,
            'H' | 'I' => &mut self.moment.hour,
            'M' => &mut self.moment.minute,
            _ => &mut self.moment.second,
        } = number;
        Some(())
    }

    fn checked(self) -> Outcome<Moment> {
        let mut moment = self.moment;
        match self.afternoon {
            Some(false) if moment.hour == 12 => moment.hour = 0,
            Some(true) if moment.hour < 12 => moment.hour += 12,
            _ => {}
        }
        if moment.year == 0 {
            return Err(Raised::value_error("year 0 is out of range"));
        }
        if moment.day > days(moment.year, moment.month) {
            return Err(Raised::value_error("day is out of range for month"));
        }
        if moment.second > 59 {
            return Err(Raised::value_error("second must be in 0..59"));
        }
        Ok(moment)
    }
}

/// The lengths that a field may have at the text's start, as the alternatives of Python's regular
/// expressions come.
fn lengths(field: char, text: &str) -> Vec<usize> {
    let byte = |i: usize| text.as_bytes().get(i).copied().unwrap_or(0);
    let digit = |i: usize, low: u8, high: u8| (low..=high).contains(&byte(i));
    let any = |i: usize| digit(i, b'0', b'9');
    let mut lengths = Vec::with_capacity(2);
    let mut offer = |fits: bool, length: usize| {
        if fits {
            lengths.push(length);
        }
    };
    match field {
        'Y' => offer((0..4).all(any), 4),
        'm' | 'I' => {
            offer(byte(0) == b'1' && digit(1, b'0', b'2') || byte(0) == b'0' && digit(1, b'1', b'9'), 2);
            offer(digit(0, b'1', b'9'), 1);
        }
        'd' => {
            let tens = byte(0) == b'3' && digit(1, b'0', b'1')
                || digit(0, b'1', b'2') && any(1)
                || byte(0) == b'0' && digit(1, b'1', b'9');
            offer(tens, 2);
            offer(digit(0, b'1', b'9'), 1);
            offer(byte(0) == b' ' && digit(1, b'1', b'9'), 2);
        }
        'H' => {
            offer(byte(0) == b'2' && digit(1, b'0', b'3') || digit(0, b'0', b'1') && any(1), 2);
            offer(any(0), 1);
        }
        'p' => {
            offer(text.get(..2).is_some_and(|p| matches!(p.to_ascii_lowercase().as_str(), "am" | "pm")), 2)
        }
        _ => {
            let sixty = field == 'S' && byte(0) == b'6' && digit(1, b'0', b'1');
            offer(sixty || digit(0, b'0', b'5') && any(1), 2);
            offer(any(0), 1);
        }
    }
    lengths
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

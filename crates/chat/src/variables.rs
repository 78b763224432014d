//! What a template reads beside the conversation: variables of the user's, and a date that stands still.

use std::fmt;
use std::str::FromStr;

use chrono::format::{Fixed, Item, StrftimeItems};
use chrono::{NaiveDate, NaiveDateTime, Timelike as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ChatError;

/// What the conversation gives a template: `apply_chat_template` refuses variables of these names too.
const OF_THE_CONVERSATION: [&str; 3] = ["messages", "tools", "add_generation_prompt"];

/// What a template reads beside the conversation and the files of its directory. Prompts that should be the same on
/// another day need the same of these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemplateVariables {
    /// The time that the template's `strftime_now` tells; that of each rendering where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<TemplateDate>,
    /// Variables by name, as `apply_chat_template` takes them by keyword, such as `enable_thinking` or `date_string`.
    /// One of a special token's name (`bos_token`) takes its place.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub values: Map<String, Value>,
}

impl TemplateVariables {
    /// Refuses names that are the conversation's.
    ///
    /// # Errors
    /// [`ChatError::Variable`].
    pub fn check(&self) -> Result<(), ChatError> {
        match OF_THE_CONVERSATION.into_iter().find(|name| self.values.contains_key(*name)) {
            Some(name) => Err(ChatError::Variable { name: name.to_owned() }),
            None => Ok(()),
        }
    }
}

/// A date and time without a zone, to the second, as templates tell it. Written `2024-07-26` or `2024-07-26T18:30:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TemplateDate(NaiveDateTime);

impl TemplateDate {
    /// The local date and time.
    pub fn now() -> Self {
        let now = chrono::Local::now().naive_local();
        Self(now.with_nanosecond(0).unwrap_or(now))
    }

    /// The date as Python's `strftime` writes it in the C locale; a time zone's name and offset are empty, as for a
    /// `datetime` without one.
    ///
    /// # Errors
    /// A format with a directive that is not known.
    pub(crate) fn strftime(self, format: &str) -> Result<String, chrono::ParseError> {
        let items = StrftimeItems::new(format).parse()?;
        let has_zone = |item: &Item| {
            matches!(
                item,
                Item::Fixed(
                    Fixed::TimezoneName
                        | Fixed::TimezoneOffset
                        | Fixed::TimezoneOffsetColon
                        | Fixed::TimezoneOffsetDoubleColon
                        | Fixed::TimezoneOffsetTripleColon
                        | Fixed::TimezoneOffsetColonZ
                        | Fixed::TimezoneOffsetZ
                )
            )
        };
        Ok(self.0.format_with_items(items.into_iter().filter(|item| !has_zone(item))).to_string())
    }
}

impl fmt::Display for TemplateDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%dT%H:%M:%S"))
    }
}

impl FromStr for TemplateDate {
    type Err = ChatError;

    fn from_str(text: &str) -> Result<Self, ChatError> {
        let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S");
        let day =
            || NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| day.and_time(chrono::NaiveTime::MIN));
        time.or_else(|_| day()).map(Self).map_err(|_| ChatError::Date { text: text.to_owned() })
    }
}

impl TryFrom<String> for TemplateDate {
    type Error = ChatError;

    fn try_from(text: String) -> Result<Self, ChatError> {
        text.parse()
    }
}

impl From<TemplateDate> for String {
    fn from(date: TemplateDate) -> Self {
        date.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_and_read_back() {
        for (text, written) in
            [("2024-07-26", "2024-07-26T00:00:00"), ("2024-02-29T23:59:01", "2024-02-29T23:59:01")]
        {
            let date: TemplateDate = text.parse().unwrap();
            assert_eq!(date.to_string(), written);
            let json = serde_json::to_string(&date).unwrap();
            assert_eq!(serde_json::from_str::<TemplateDate>(&json).unwrap(), date);
        }
        for text in ["", "today", "2024-02-30", "26.07.2024", "2024-07-26T25:00:00"] {
            assert!(text.parse::<TemplateDate>().unwrap_err().to_string().contains("2024-07-26"), "{text}");
        }
        assert_eq!(TemplateDate::now().to_string().parse::<TemplateDate>().unwrap().0.nanosecond(), 0);
    }

    /// Expected: `datetime.datetime(2024, 7, 6, 8, 5, 9).strftime(format)` of CPython 3.11.
    #[test]
    fn dates_are_told_as_python_tells_them() {
        let date: TemplateDate = "2024-07-06T08:05:09".parse().unwrap();
        for (format, expected) in [
            ("%d %b %Y", "06 Jul 2024"),
            ("%A, %B %-d", "Saturday, July 6"),
            ("%H:%M:%S %I %p", "08:05:09 08 AM"),
            ("%j %U %w %y %%", "188 26 6 24 %"),
            ("[%z%Z]", "[]"),
            ("%c|%x|%X", "Sat Jul  6 08:05:09 2024|07/06/24|08:05:09"),
        ] {
            assert_eq!(date.strftime(format).unwrap(), expected, "{format}");
        }
        assert!(date.strftime("%Q").is_err());
    }
}

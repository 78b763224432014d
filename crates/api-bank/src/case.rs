//! A case: what is asked, and the one call that is right.

use std::fmt;

use toolrl_grammar::json::{PyStr, Value};

/// How much of the tools a case gives away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// The tools are given, the dialogue leads to the call.
    One,
    /// The tool must be found among those given.
    Two,
    /// Several calls lead to the goal; each case asks for one of them.
    Three,
}

impl Level {
    /// The three levels.
    pub const ALL: [Self; 3] = [Self::One, Self::Two, Self::Three];

    /// Its number.
    pub fn number(self) -> i64 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
        }
    }

    /// The level of a number.
    pub fn of(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.number() == number)
    }

    /// The name of its file.
    pub fn file_name(self) -> String {
        format!("level-{self}-api_processed.json")
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// A case. Its prompt is the user's data, system and user text as they stand there.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its level.
    pub level: Level,
    /// Its place in the level's file, counted from 0.
    pub index: usize,
    /// The system's text, with the tools.
    pub system: String,
    /// The user's text, with the dialogue.
    pub user: String,
    /// The call that is right.
    pub answer: Call,
}

impl Case {
    /// Its name, such as `Level1_2`.
    pub fn key(&self) -> String {
        format!("Level{}_{}", self.level, self.index)
    }
}

/// A call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The tool's name.
    pub name: PyStr<'static>,
    /// Its parameters, an object.
    pub parameters: Value<'static>,
}

impl Call {
    /// The call of an object with a `name` of text and `parameters` that are an object.
    pub fn of(value: Value<'_>) -> Option<Self> {
        match (value.get("name"), value.get("parameters")) {
            (Some(Value::Str(name)), Some(parameters @ Value::Object(_))) => {
                let (name, parameters) = (name.clone().into_owned(), parameters.clone().into_owned());
                Some(Self { name, parameters })
            }
            _ => None,
        }
    }
}

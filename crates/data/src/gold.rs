//! The gold reply of a sample.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use toolrl_grammar::dialect::toolrl;
use toolrl_grammar::{Dialect, Passage, ToolRl, Turn, WriteError};

/// The reply that a task asks for: what it means, and the text that says so, to the byte. It stands for that
/// text where one is asked for, and is as such serialized; two are equal whose texts are.
///
/// ```
/// use toolrl_data::Gold;
///
/// let gold = Gold::from("<think> a </think>\n<response> b </response>");
/// assert_eq!(gold.turn().response.as_ref().unwrap().as_bytes(), b"b");
/// assert!(gold.ends_with("</response>"));
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Gold {
    text: String,
    turn: Turn<'static>,
}

impl Gold {
    /// What a text means in a dialect, whatever it is.
    pub fn read(text: impl Into<String>, dialect: &dyn Dialect) -> Self {
        let text = text.into();
        let turn = dialect.parse(text.as_bytes()).turn.into_owned();
        Self { text, turn }
    }

    /// A turn and the text that a dialect writes of it.
    ///
    /// # Errors
    /// [`WriteError`] for a turn that the dialect cannot say.
    pub fn write(turn: &Turn<'_>, dialect: &dyn Dialect) -> Result<Self, WriteError> {
        Ok(Self::read(dialect.write(turn)?, dialect))
    }

    /// A turn in ToolRL's dialect, without the tags of thoughts where it has none.
    ///
    /// # Errors
    /// [`WriteError`] for a turn whose parts hold the dialect's tags.
    pub fn of(mut turn: Turn<'_>) -> Result<Self, WriteError> {
        let text = toolrl::text(&turn);
        turn.thoughts.get_or_insert_with(|| Passage::from("none"));
        ToolRl.write(&turn)?;
        Ok(Self::from(text))
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it means; its spans are those of the text.
    pub fn turn(&self) -> &Turn<'static> {
        &self.turn
    }
}

impl Deref for Gold {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl AsRef<[u8]> for Gold {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// In ToolRL's dialect.
impl From<String> for Gold {
    fn from(text: String) -> Self {
        Self::read(text, &ToolRl)
    }
}

/// In ToolRL's dialect.
impl From<&str> for Gold {
    fn from(text: &str) -> Self {
        Self::read(text, &ToolRl)
    }
}

impl From<Gold> for String {
    fn from(gold: Gold) -> Self {
        gold.text
    }
}

impl PartialEq for Gold {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Gold {}

impl Hash for Gold {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Gold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for Gold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

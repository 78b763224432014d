//! The words that tools and requests are made of: TOML files beside this one, read once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::kind::{Family, Kind};
use super::phrases::Phrases;
use crate::DataError;

/// One part's words.
#[derive(Debug)]
pub(crate) struct Words {
    /// What one can do with things, by their class.
    pub(crate) classes: BTreeMap<String, Vec<Frame>>,
    /// Parameters that tools share, by name.
    pub(crate) slots: BTreeMap<String, Slot>,
    pub(crate) domains: Vec<Domain>,
    pub(crate) phrases: Phrases,
    /// Lists of values.
    pub(crate) names: BTreeMap<String, Vec<String>>,
    pub(crate) units: BTreeMap<String, Family>,
}

/// What one can do with a thing of a class; the first lines of `classes.toml` say what each field is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Frame {
    pub(crate) sense: String,
    pub(crate) name: Vec<String>,
    pub(crate) tell: Vec<String>,
    #[serde(rename = "do")]
    pub(crate) orders: Vec<String>,
    #[serde(default)]
    pub(crate) say: Vec<String>,
    #[serde(default)]
    pub(crate) ask: Vec<String>,
    #[serde(default)]
    pub(crate) hop: Vec<String>,
    #[serde(default)]
    pub(crate) must: Vec<String>,
    #[serde(default)]
    pub(crate) may: Vec<String>,
    /// Parameters of which a tool has one in the place of the first that it must have.
    #[serde(default)]
    pub(crate) keys: Vec<String>,
    #[serde(default)]
    pub(crate) attrs: Attrs,
    #[serde(default)]
    pub(crate) looks: bool,
    pub(crate) group: Option<String>,
    /// Measures of the rows that it returns.
    #[serde(default)]
    pub(crate) rows: Vec<String>,
}

/// Which of its thing's own parameters a tool has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Attrs {
    #[default]
    None,
    Some,
    All,
}

/// A parameter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slot {
    pub(crate) is: Kind,
    /// Empty: the parameter's key in the file.
    #[serde(default)]
    pub(crate) names: Vec<String>,
    pub(crate) about: Texts,
    #[serde(default)]
    pub(crate) say: Vec<String>,
    #[serde(default)]
    pub(crate) ask: String,
    /// Whether a tool may tell a default value.
    #[serde(default)]
    pub(crate) default: bool,
    /// Whether a request never denies the flag.
    #[serde(default)]
    pub(crate) only_yes: bool,
    /// What it adds to the name of a tool that is keyed by it.
    pub(crate) suffix: Option<String>,
}

/// A text, or several to choose from.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    pub(crate) fn all(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Domain {
    pub(crate) id: String,
    pub(crate) things: Vec<Thing>,
    pub(crate) attr: BTreeMap<String, Slot>,
}

/// What tools of a domain deal with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Thing {
    pub(crate) class: String,
    pub(crate) one: String,
    pub(crate) many: Option<String>,
    pub(crate) attrs: Vec<String>,
    /// What one does not do with it.
    #[serde(default)]
    pub(crate) skip: Vec<String>,
}

macro_rules! words {
    ($part:literal) => {
        LazyLock::new(|| {
            Words::read([
                include_str!(concat!("words/", $part, "/classes.toml")),
                include_str!(concat!("words/", $part, "/slots.toml")),
                include_str!(concat!("words/", $part, "/domains.toml")),
                include_str!(concat!("words/", $part, "/phrases.toml")),
                include_str!(concat!("words/", $part, "/names.toml")),
                include_str!("words/units.toml"),
            ])
        })
    };
}

static TRAIN: LazyLock<Result<Words, toml::de::Error>> = words!("train");
static HELD_OUT: LazyLock<Result<Words, toml::de::Error>> = words!("held_out");

impl Words {
    /// The words of the training part, and of what is held out from it.
    ///
    /// # Errors
    /// [`DataError::Words`], which would be a fault of the files.
    pub(crate) fn both() -> Result<[&'static Self; 2], DataError> {
        let of = |words: &'static LazyLock<Result<Words, toml::de::Error>>| {
            words.as_ref().map_err(|fault| DataError::Words(fault.clone()))
        };
        Ok([of(&TRAIN)?, of(&HELD_OUT)?])
    }

    fn read([classes, slots, domains, phrases, names, units]: [&str; 6]) -> Result<Self, toml::de::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Domains {
            domain: Vec<Domain>,
        }
        Ok(Self {
            classes: toml::from_str(classes)?,
            slots: toml::from_str(slots)?,
            domains: toml::from_str::<Domains>(domains)?.domain,
            phrases: toml::from_str(phrases)?,
            names: toml::from_str(names)?,
            units: toml::from_str(units)?,
        })
    }
}

//! The multi-turn cases and their possible answers, as the leaderboard's files hold them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toolrl_grammar::json;

use crate::service::{Class, Context};
use crate::session::{Session, Side};
use crate::{LongContext, ServicesError};

/// A category of multi-turn cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// Nothing is missing.
    Base,
    /// A function is withheld until a later turn.
    MissingFunction,
    /// A value is withheld until a later turn.
    MissingParameter,
    /// Scenarios and results are enlarged.
    LongContext,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 4] = [Self::Base, Self::MissingFunction, Self::MissingParameter, Self::LongContext];

    /// The category's name in rows, scores and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "multi_turn_base",
            Self::MissingFunction => "multi_turn_miss_func",
            Self::MissingParameter => "multi_turn_miss_param",
            Self::LongContext => "multi_turn_long_context",
        }
    }
}

/// What running and checking a case takes.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its id, such as `multi_turn_base_0`.
    pub id: String,
    /// Its category.
    pub category: Category,
    /// The context that it runs in: for [`Category::LongContext`] a long one.
    pub context: Context,
    /// The services that it involves.
    pub classes: Vec<Class>,
    /// The services' settings, an object by class.
    pub initial_config: json::Value<'static>,
    /// The calls of the ground truth by turn, as Python text. A turn may be empty.
    pub ground_truth: Vec<Vec<String>>,
}

impl Case {
    /// The case's services as they are before its first call.
    ///
    /// # Errors
    /// [`ServicesError::Scenario`] for a setting that a service cannot start from.
    pub fn session(&self, side: Side) -> Result<Session, ServicesError> {
        Session::new(&self.id, &self.classes, &self.initial_config, self.context.clone(), side)
    }
}

/// Cases by id.
#[derive(Clone, Debug, Default)]
pub struct Cases {
    by_id: HashMap<String, Case>,
    /// Where the texts are missing without which [`Category::LongContext`] was left out.
    missing: Option<PathBuf>,
}

impl Cases {
    /// Reads the cases of every category from the leaderboard's data folder, the one that holds
    /// `BFCL_v3_multi_turn_base.json` and `possible_answer`. [`Category::LongContext`] is left out where
    /// [`LongContext::of_data`] finds no texts, and [`Self::get`] says so.
    ///
    /// # Errors
    /// When a file cannot be read, a line is not a case, or cases and answers do not pair up.
    pub fn load(directory: &Path) -> Result<Self, ServicesError> {
        let mut cases = Self::default();
        for category in Category::ALL {
            let context = match category {
                Category::LongContext => match LongContext::of_data(directory) {
                    Ok(long) => Context::Long(long),
                    Err(ServicesError::NoLongContext { path }) => {
                        cases.missing = Some(path);
                        continue;
                    }
                    Err(error) => return Err(error),
                },
                _ => Context::Plain,
            };
            cases.load_category(directory, category, &context)?;
        }
        Ok(cases)
    }

    fn load_category(
        &mut self,
        directory: &Path,
        category: Category,
        context: &Context,
    ) -> Result<(), ServicesError> {
        let file = format!("BFCL_v3_{}.json", category.name());
        let mut answers = HashMap::new();
        for_each_line(&directory.join("possible_answer").join(&file), |line| {
            answers.insert(text(line, "id")?, calls(line)?);
            Ok(())
        })?;
        for_each_line(&directory.join(&file), |line| {
            let case = case(category, context, line, &mut answers)?;
            self.by_id.insert(case.id.clone(), case);
            Ok(())
        })?;
        match answers.into_keys().min() {
            Some(id) => Err(ServicesError::Unpaired { id }),
            None => Ok(()),
        }
    }

    /// A case by its id.
    ///
    /// # Errors
    /// [`ServicesError::UnknownCase`]; [`ServicesError::NoLongContext`] for a case that was left out.
    pub fn get(&self, id: &str) -> Result<&Case, ServicesError> {
        self.by_id.get(id).ok_or_else(|| match &self.missing {
            Some(path) if id.starts_with(Category::LongContext.name()) => {
                ServicesError::NoLongContext { path: path.clone() }
            }
            _ => ServicesError::UnknownCase { id: id.to_owned() },
        })
    }

    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The cases, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Case> {
        self.by_id.values()
    }
}

fn case(
    category: Category,
    context: &Context,
    line: &json::Value<'_>,
    answers: &mut HashMap<String, Vec<Vec<String>>>,
) -> Result<Case, ServicesError> {
    let id = text(line, "id")?;
    let names = strings(list(line, "involved_classes")?, "involved_classes")?;
    let class = |name: String| Class::of(&name).ok_or(ServicesError::UnknownClass { name });
    let config = line.get("initial_config").filter(|config| config.as_object().is_some());
    let config = config.ok_or_else(|| field("initial_config", "an object", line))?;
    let ground_truth = answers.remove(&id).ok_or_else(|| ServicesError::Unpaired { id: id.clone() })?;
    Ok(Case {
        id,
        category,
        context: context.clone(),
        classes: names.into_iter().map(class).collect::<Result<_, _>>()?,
        initial_config: config.clone().into_owned(),
        ground_truth,
    })
}

/// The calls of an answer by turn.
fn calls(line: &json::Value<'_>) -> Result<Vec<Vec<String>>, ServicesError> {
    let turns = list(line, "ground_truth")?.iter();
    let turn = |turn: &json::Value<'_>| match turn {
        json::Value::List(calls) => strings(calls, "ground_truth"),
        _ => Err(field("ground_truth", "a list of lists", line)),
    };
    turns.map(turn).collect()
}

fn for_each_line(
    path: &Path,
    mut handle: impl FnMut(&json::Value<'_>) -> Result<(), ServicesError>,
) -> Result<(), ServicesError> {
    let bytes =
        std::fs::read(path).map_err(|source| ServicesError::Read { path: path.to_owned(), source })?;
    for (i, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let parsed = json::parse(line).map_err(ServicesError::Syntax);
        parsed.and_then(|value| handle(&value)).map_err(|source| {
            let (path, line) = (PathBuf::from(path), i + 1);
            ServicesError::Line { path, line, source: Box::new(source) }
        })?;
    }
    Ok(())
}

pub(crate) fn field(field: &'static str, expected: &'static str, line: &json::Value<'_>) -> ServicesError {
    let found = line.get(field).map_or("nothing", json::Value::type_name).to_owned();
    ServicesError::Field { field, expected, found }
}

pub(crate) fn text(line: &json::Value<'_>, name: &'static str) -> Result<String, ServicesError> {
    match line.get(name) {
        Some(json::Value::Str(text)) => Ok(text.lossy().into_owned()),
        _ => Err(field(name, "a string", line)),
    }
}

pub(crate) fn list<'a, 'b>(
    line: &'a json::Value<'b>,
    name: &'static str,
) -> Result<&'a [json::Value<'b>], ServicesError> {
    match line.get(name) {
        Some(json::Value::List(items)) => Ok(items),
        _ => Err(field(name, "a list", line)),
    }
}

fn strings(items: &[json::Value<'_>], field: &'static str) -> Result<Vec<String>, ServicesError> {
    let string = |item: &json::Value<'_>| match item {
        json::Value::Str(text) => Ok(text.lossy().into_owned()),
        other => {
            let found = other.type_name().to_owned();
            Err(ServicesError::Field { field, expected: "strings", found })
        }
    };
    items.iter().map(string).collect()
}

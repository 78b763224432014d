//! Reading the benchmark's files.

mod answers;
mod functions;
mod multi_turn;
mod row;

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::{BfclError, Case, Category, Group, Message, Rule, Target};
use row::{Row, rows};

/// The folders that hold the benchmark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// The folder of `BFCL_v3_simple.json` and its like, with `possible_answer` and
    /// `multi_turn_func_doc` inside.
    pub data: PathBuf,
    /// The folder of the retired categories, with `question` and `possible_answer` inside.
    pub retired: PathBuf,
}

impl Sources {
    /// The folders as the official package lays them out: the retired categories are in
    /// `unused_datasets` inside `data`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        let data = data.into();
        Self { retired: data.join("unused_datasets"), data }
    }

    fn questions(&self, category: Category) -> PathBuf {
        match category.group() {
            Group::RetiredExec => self.retired.join("question").join(category.file_name()),
            _ => self.data.join(category.file_name()),
        }
    }

    fn answers(&self, category: Category) -> PathBuf {
        let folder = if category.group() == Group::RetiredExec { &self.retired } else { &self.data };
        folder.join("possible_answer").join(category.file_name())
    }
}

/// The cases of some categories.
#[derive(Clone, Debug)]
pub struct Benchmark {
    cases: IndexMap<String, Case>,
}

impl Benchmark {
    /// Reads the cases of some categories, in their order.
    ///
    /// # Errors
    /// [`BfclError`] with the path and line of a file that is missing or of another form; a missing
    /// file's error says where the benchmark comes from.
    pub fn load(sources: &Sources, categories: &[Category]) -> Result<Self, BfclError> {
        let mut cases = IndexMap::new();
        for category in categories {
            let of_category = load(sources, *category)?;
            cases.extend(of_category.into_iter().map(|case| (case.id.clone(), case)));
        }
        Ok(Self { cases })
    }

    /// The cases, by category in the order in which these were asked for.
    pub fn cases(&self) -> impl ExactSizeIterator<Item = &Case> {
        self.cases.values()
    }

    /// The case of an id.
    ///
    /// # Errors
    /// [`BfclError::UnknownCase`].
    pub fn case(&self, id: &str) -> Result<&Case, BfclError> {
        let unknown = || BfclError::UnknownCase { id: id.into(), loaded: self.cases.len() };
        self.cases.get(id).ok_or_else(unknown)
    }
}

/// Reads the cases of one category.
fn load(sources: &Sources, category: Category) -> Result<Vec<Case>, BfclError> {
    let path = sources.questions(category);
    let lines = rows(&path)?;
    let questions: Vec<Row<'_>> =
        lines.iter().map(|(line, value)| Row { path: &path, line: *line, value }).collect();
    match category.rule() {
        Rule::Irrelevance => whole(&questions, category, |_| Ok(Target::NoCall)),
        Rule::Relevance => whole(&questions, category, |_| Ok(Target::AnyCall)),
        Rule::NotRun => whole(&questions, category, |_| Ok(Target::NotRun)),
        Rule::Calls(_) | Rule::MultiTurn => {
            with_answers(&questions, category, &sources.answers(category), &sources.data)
        }
    }
}

fn with_answers(
    questions: &[Row<'_>],
    category: Category,
    path: &Path,
    data: &Path,
) -> Result<Vec<Case>, BfclError> {
    let lines = rows(path)?;
    let answers: Vec<Row<'_>> = lines.iter().map(|(line, value)| Row { path, line: *line, value }).collect();
    let mut docs = multi_turn::Docs::new(data);
    let mut cases = Vec::new();
    for (index, question) in questions.iter().enumerate() {
        let id = question.text("id")?;
        let answer = answers.get(index);
        let found = answer.map_or(Ok(String::new()), |answer| answer.text("id"))?;
        let answer = answer.filter(|_| found == id).ok_or_else(|| BfclError::Answer {
            path: path.into(),
            line: answer.map_or(answers.len() + 1, |answer| answer.line),
            expected: id,
            found,
        })?;
        cases.push(match category.rule() {
            Rule::MultiTurn => multi_turn::case(question, answer, category, &mut docs)?,
            _ => case(question, category, answers::target(question, answer, category)?)?,
        });
    }
    Ok(cases)
}

/// The cases of a category whose target needs no answers.
fn whole(
    questions: &[Row<'_>],
    category: Category,
    target: impl Fn(&Row<'_>) -> Result<Target, BfclError>,
) -> Result<Vec<Case>, BfclError> {
    questions.iter().map(|question| case(question, category, target(question)?)).collect()
}

/// A case of a single turn.
fn case(question: &Row<'_>, category: Category, target: Target) -> Result<Case, BfclError> {
    let functions = question.list("function")?.iter().map(|doc| functions::doc(question, doc));
    Ok(Case {
        id: question.text("id")?,
        category,
        turns: turns(question)?,
        functions: functions.collect::<Result<_, _>>()?,
        target,
    })
}

/// The messages of each turn.
fn turns(question: &Row<'_>) -> Result<Vec<Vec<Message>>, BfclError> {
    let turn = |turn| {
        let messages = question.items("question", turn)?.iter();
        messages
            .map(|message| {
                let part = |name| question.text_in("question", message, name);
                Ok(Message { role: part("role")?, content: part("content")? })
            })
            .collect()
    };
    question.list("question")?.iter().map(turn).collect()
}

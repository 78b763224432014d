//! Which reward: the row's own released variant, or one rubric for all rows.

use pollster::block_on;
use toolrl_grammar::json::{Object, Value};
use toolrl_grammar::{Dialect, ToolRl};
use toolrl_reward::released::Variant;
use toolrl_reward::{Context, Reference, RewardError, Rubric, RubricConfig, Score, TermConfig};

use crate::{Row, WorkbenchError};

/// The steps of the released training run.
const RELEASED_STEPS: u64 = 105;

/// A reward to look at.
#[derive(Debug)]
pub struct Reward {
    /// What it is called in reports.
    pub name: String,
    rule: Rule,
    dialect: &'static dyn Dialect,
}

#[derive(Debug)]
enum Rule {
    /// That of the row's own flags.
    PerRow,
    /// One rubric, over a training run of so many steps; a row that states no step is one of evaluation, or of
    /// the step that is given here.
    Fixed { rubric: Rubric, steps: u64, unstated: Option<u64> },
}

/// A row's score with what it was scored against.
#[derive(Debug)]
pub struct Scored {
    /// The reference.
    pub reference: Reference,
    /// The score.
    pub score: Score,
    /// The least and the greatest total that the row could have had.
    pub range: (f64, f64),
}

/// The flags of the released code's variants.
pub const FLAGS: [&str; 8] = [
    "CORRECTMAX1",
    "MAX1STEP30MAX3",
    "SCHEDULEREWARD",
    "WITHLENGTH",
    "SCHEDULELENGTH",
    "REFINEDREWARD",
    "INTERMEDIATEREWARD",
    "COARSEREWARD",
];

impl Reward {
    /// The released reward, in the variant that each row names.
    pub fn per_row() -> Self {
        Self { name: "released".to_owned(), rule: Rule::PerRow, dialect: &ToolRl }
    }

    /// The released reward with these flags, separated by commas, whatever the rows say.
    ///
    /// # Errors
    /// [`WorkbenchError::Flag`].
    pub fn released(flags: &str) -> Result<Self, WorkbenchError> {
        let mut on = Object::default();
        for flag in flags.split(',').map(str::trim).filter(|flag| !flag.is_empty()) {
            if !FLAGS.contains(&flag) {
                return Err(WorkbenchError::Flag { flag: flag.to_owned(), known: &FLAGS });
            }
            on.insert(flag.to_owned().into(), Value::str("1"));
        }
        let rubric = Variant::from_flags(&Value::Object(on)).rubric()?;
        // As for rows that name their own flags.
        let rule = Rule::Fixed { rubric, steps: RELEASED_STEPS, unstated: Some(0) };
        Ok(Self { name: format!("released:{flags}"), rule, dialect: &ToolRl })
    }

    /// A rubric, within a training run of `steps` steps. A row without a step is scored as in evaluation.
    pub fn fixed(name: impl Into<String>, rubric: Rubric, steps: u64) -> Self {
        let rule = Rule::Fixed { rubric, steps, unstated: None };
        Self { name: name.into(), rule, dialect: &ToolRl }
    }

    /// Whether it is the released reward in the variant that each row names.
    pub fn is_per_row(&self) -> bool {
        matches!(self.rule, Rule::PerRow)
    }

    /// The rubric, where it is one for all rows.
    pub fn rubric(&self) -> Option<&Rubric> {
        match &self.rule {
            Rule::PerRow => None,
            Rule::Fixed { rubric, .. } => Some(rubric),
        }
    }

    /// When the row was sampled, to this reward.
    fn context(&self, row: &Row) -> Context {
        match (&self.rule, row.step) {
            (Rule::PerRow, step) => Context::training(step.unwrap_or(0), RELEASED_STEPS),
            (Rule::Fixed { steps, unstated, .. }, step) => match step.or(*unstated) {
                Some(step) => Context::training(step, *steps),
                None => Context::evaluation(),
            },
        }
    }

    /// The same for replies and gold replies in a dialect; ToolRL's without a choice.
    #[must_use]
    pub fn in_dialect(self, dialect: &'static dyn Dialect) -> Self {
        Self { dialect, ..self }
    }

    /// What a row's reply is held against.
    fn reference(&self, row: &Row) -> Result<Reference, RewardError> {
        let reference = Reference::of_task(&row.gold, self.dialect, &row.tools)?;
        let is_told = self.rubric().is_some_and(Rubric::reads_questions);
        Ok(if is_told { reference.with_asked(row.asked()) } else { reference })
    }

    /// The scores of some rows, in their order. Terms that have to be waited for are asked about neighbours of
    /// one step together.
    pub fn score(&self, rows: &[Row]) -> Vec<Result<Scored, RewardError>> {
        let same = |a: &Row, b: &Row| (a.step, a.variant) == (b.step, b.variant);
        rows.chunk_by(same).flat_map(|rows| self.score_alike(rows)).collect()
    }

    /// The scores of rows of one context and variant.
    fn score_alike(&self, rows: &[Row]) -> Vec<Result<Scored, RewardError>> {
        let Some(first) = rows.first() else { return Vec::new() };
        let context = self.context(first);
        let own;
        let rubric = match &self.rule {
            Rule::Fixed { rubric, .. } => rubric,
            Rule::PerRow => match first.variant.rubric() {
                Ok(rubric) => {
                    own = rubric;
                    &own
                }
                Err(error) => {
                    let failed = |_| {
                        let source = error.to_string().into();
                        Err(RewardError::Settings { id: self.name.clone(), source })
                    };
                    return rows.iter().map(failed).collect();
                }
            },
        };
        let golds: Vec<_> = rows.iter().map(|row| self.reference(row)).collect();
        let readable: Vec<_> = rows
            .iter()
            .zip(&golds)
            .filter_map(|(row, gold)| {
                let gold = gold.as_ref().ok()?;
                Some((gold.read(row.reply.as_ref().ok()?), gold))
            })
            .collect();
        let mut scores = block_on(rubric.score_batch(&readable, &context)).into_iter();
        drop(readable);
        let range = rubric.range(&context);
        let scored = |(row, gold): (&Row, Result<Reference, RewardError>)| {
            if row.reply.is_err() {
                return Err(RewardError::NoTemplate);
            }
            let reference = gold?;
            let score = scores.next().unwrap_or(Err(RewardError::NoTerms))?;
            Ok(Scored { reference, score, range })
        };
        rows.iter().zip(golds).map(scored).collect()
    }
}

/// Reads terms as they are written on a command line: `+` between terms, each `ID`, `ID*WEIGHT`,
/// `ID:KEY=VALUE,KEY=VALUE` or both. A value is TOML; a bare word is a string.
///
/// # Errors
/// [`WorkbenchError::Terms`].
///
/// ```
/// let terms = toolrl_workbench::terms("format + correctness*2:granularity=strict + length*0").unwrap().terms;
/// assert_eq!((terms[1].id.as_str(), terms[1].weight), ("correctness", 2.0));
/// assert_eq!(terms[1].settings["granularity"].as_str(), Some("strict"));
/// ```
pub fn terms(text: &str) -> Result<RubricConfig, WorkbenchError> {
    let wrong = |message: String| WorkbenchError::Terms { text: text.to_owned(), message };
    let mut terms = Vec::new();
    for part in text.split('+').map(str::trim) {
        let (head, settings) = part.split_once(':').map_or((part, ""), |(head, rest)| (head.trim(), rest));
        let (id, weight) = head.split_once('*').unwrap_or((head, "1"));
        if id.trim().is_empty() {
            return Err(wrong("a term has no id".to_owned()));
        }
        let weight: f64 =
            weight.trim().parse().map_err(|_| wrong(format!("weight {weight:?} is no number")))?;
        let mut table = toml::Table::new();
        for setting in settings.split(',').map(str::trim).filter(|setting| !setting.is_empty()) {
            let (key, value) =
                setting.split_once('=').ok_or_else(|| wrong(format!("{setting:?}: expected KEY=VALUE")))?;
            table.insert(key.trim().to_owned(), setting_value(value.trim()));
        }
        table.insert("id".to_owned(), id.trim().into());
        table.insert("weight".to_owned(), weight.into());
        terms.push(table.try_into::<TermConfig>().map_err(|error| wrong(error.message().to_owned()))?);
    }
    Ok(RubricConfig { terms })
}

/// A value of TOML; what is none is a string.
fn setting_value(text: &str) -> toml::Value {
    let read = toml::from_str::<toml::Table>(&format!("v = {text}"));
    read.ok().and_then(|mut table| table.remove("v")).unwrap_or_else(|| text.into())
}

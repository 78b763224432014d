//! What a study is: arms, seeds, tables and the claims that it looks into.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::plan::slug;
use crate::{Measure, StudyError};

/// A study, as its TOML file states it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Its name: of its folder and its report.
    pub name: String,
    /// What it is about, for the report.
    #[serde(default)]
    pub about: String,
    /// Each arm is run with each of these.
    pub seeds: Vec<u64>,
    /// Settings of every stage, as `KEY=VALUE`; a stage's own come after them.
    #[serde(default)]
    pub set: Vec<String>,
    /// What becomes of the checkpoints of a run that is finished.
    #[serde(default)]
    pub checkpoints: Checkpoints,
    /// What is compared.
    #[serde(rename = "arm")]
    pub arms: Vec<Arm>,
    /// What each arm's last policy is measured on; where there are none, on what its runs hold out. The first is of held-out
    /// tasks, which the measures of tasks are then over. The runs' own evaluations are then for choices: the best policy,
    /// an early stop.
    #[serde(default, rename = "test", skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<Test>,
    /// How the arms are shown; one table of all by default.
    #[serde(default, rename = "table")]
    pub tables: Vec<Table>,
    /// What is claimed of them.
    #[serde(default, rename = "finding")]
    pub findings: Vec<Finding>,
}

/// What becomes of the checkpoints of a run that is finished, which hold the optimiser's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checkpoints {
    /// They stay: such a run can go on.
    #[default]
    Keep,
    /// They are removed; the policy that it left stays.
    Drop,
}

/// A test of every arm's last policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// Its name: of its folder, and in lines of progress.
    pub name: String,
    /// A recipe of no steps, whose evaluation it is: an embedded one's name, or a file.
    pub recipe: String,
    /// Settings, as `KEY=VALUE`.
    #[serde(default)]
    pub set: Vec<String>,
}

/// One way to train a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Its name in tables.
    pub name: String,
    /// Recipes, each starting from the policy that the one before it left. None: the policy that the others start
    /// from, as it is.
    #[serde(default, rename = "stage")]
    pub stages: Vec<Stage>,
}

/// A recipe with changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// An embedded recipe's name, or a file.
    pub recipe: String,
    /// Settings, as `KEY=VALUE`.
    #[serde(default)]
    pub set: Vec<String>,
}

/// Some arms side by side, as a table and as curves of the training reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its heading.
    pub title: String,
    /// What the paper says of the same comparison, for the reader.
    #[serde(default)]
    pub paper: String,
    /// The arms, in order.
    pub arms: Vec<String>,
}

/// A claim that one arm does better than another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The claim in words.
    pub claim: String,
    /// The arm that is said to do better.
    pub better: String,
    /// The arm that it is compared with.
    pub worse: String,
    /// By what.
    pub by: Measure,
}

impl Test {
    /// What is done for it.
    pub fn stage(&self) -> Stage {
        Stage { recipe: self.recipe.clone(), set: self.set.clone() }
    }
}

impl Study {
    /// Reads a study.
    ///
    /// # Errors
    /// [`StudyError::Syntax`] with the line; [`StudyError::Content`] for names that are repeated or unknown.
    pub fn parse(text: &str) -> Result<Self, StudyError> {
        let study: Self = toml::from_str(text).map_err(|e| StudyError::Syntax(e.to_string()))?;
        study.check()?;
        Ok(study)
    }

    /// The tables: one of all arms where the study names none.
    pub fn tables(&self) -> Vec<Table> {
        if !self.tables.is_empty() {
            return self.tables.clone();
        }
        let arms = self.arms.iter().map(|arm| arm.name.clone()).collect();
        vec![Table { title: self.name.clone(), paper: String::new(), arms }]
    }

    fn check(&self) -> Result<(), StudyError> {
        let wrong = |what: String| Err(StudyError::Content { study: self.name.clone(), what });
        if self.seeds.is_empty() || self.arms.is_empty() {
            return wrong("it needs a seed and an arm at least".to_owned());
        }
        if self.arms.iter().all(|arm| arm.stages.is_empty()) {
            return wrong("no arm has a stage".to_owned());
        }
        if self.seeds.iter().collect::<BTreeSet<_>>().len() < self.seeds.len() {
            return wrong("a seed is repeated".to_owned());
        }
        let tests: BTreeSet<String> = self.tests.iter().map(|test| slug(&test.name)).collect();
        if tests.len() < self.tests.len() {
            return wrong("two tests have the same name for files".to_owned());
        }
        let names: BTreeSet<&str> = self.arms.iter().map(|arm| arm.name.as_str()).collect();
        if names.len() < self.arms.len() {
            return wrong("two arms have the same name".to_owned());
        }
        // Folders and pictures are named by them.
        for names in
            [self.arms.iter().map(|arm| &arm.name).collect(), self.tables.iter().map(|t| &t.title).collect()]
        {
            let names: Vec<&String> = names;
            let mut seen = BTreeSet::new();
            if let Some(twice) = names.into_iter().find(|name| !seen.insert(slug(name))) {
                return wrong(format!(
                    "{twice:?} and another have the same name for files, {:?}",
                    slug(twice)
                ));
            }
        }
        let in_tables = self.tables.iter().flat_map(|table| &table.arms);
        let in_findings = self.findings.iter().flat_map(|f| [&f.better, &f.worse]);
        match in_tables.chain(in_findings).find(|name| !names.contains(name.as_str())) {
            Some(unknown) => wrong(format!("there is no arm {unknown:?}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
name = "small"
seeds = [1, 2]
[[arm]]
name = "raw"
[[arm]]
name = "grpo"
[[arm.stage]]
recipe = "quickstart"
set = ["train.steps=3"]
[[finding]]
claim = "training helps"
better = "grpo"
worse = "raw"
by = "reward"
"#;

    #[test]
    fn a_study_has_arms_of_stages() {
        let study = Study::parse(TEXT).unwrap();
        assert_eq!(study.arms[1].stages[0].set, ["train.steps=3"]);
        assert_eq!(study.tables()[0].arms, ["raw", "grpo"]);
    }

    #[test]
    fn what_it_does_not_have_is_named() {
        let cases = [
            ("better = \"grpo\"", "better = \"ppo\"", "no arm \"ppo\""),
            ("seeds = [1, 2]", "seeds = []", "a seed"),
            ("seeds = [1, 2]", "seeds = [1, 1]", "repeated"),
            ("name = \"raw\"", "name = \"grpo\"", "same name"),
            ("name = \"raw\"", "name = \"GRPO\"", "name for files, \"grpo\""),
            ("claim", "clame", "clame"),
            ("by = \"reward\"", "by = \"taste\"", "taste"),
        ];
        for (from, to, part) in cases {
            let message = Study::parse(&TEXT.replace(from, to)).unwrap_err().to_string();
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}

//! The files for TRL.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};
use toolrl_train::{Demonstrated, Prompted};

use crate::python::literal;
use crate::settings::Settings;
use crate::{ExportError, HELD_OUT, Model, TOKENIZER, TRAIN, Tasks, tables};

use super::batch::{MICRO, UPDATE, UPDATES};
use super::eval::LIMIT;
use super::{LORA, OVERLONG, RELEASE};

const GRPO: &str = include_str!("../../files/trl_grpo.py");
const SFT: &str = include_str!("../../files/trl_sft.py");
const REWARD: &str = include_str!("../../files/trl_reward.py");

/// Writes the tables, train.py, settings.py, the tokenizer with the recipe's template, and the reward where there is one.
pub(crate) fn write(
    dir: &Path,
    tasks: &Tasks,
    model: &Model,
    settings: &Settings,
) -> Result<(), ExportError> {
    let (train, held_out) = (dir.join(TRAIN), dir.join(HELD_OUT));
    match tasks {
        Tasks::Sampled(Prompted { recipe, train: tasks, held_out: others, .. }) => {
            tables::write_trl(&train, tasks)?;
            tables::write_trl(&held_out, others)?;
            crate::write_reward(dir, recipe)?;
            crate::write(dir, "reward.py", REWARD)?;
            crate::write(dir, "train.py", GRPO)?;
        }
        Tasks::Shown(Demonstrated { train: shown, held_out: others, .. }) => {
            tables::write_shown(&train, shown)?;
            tables::write_shown(&held_out, others)?;
            crate::write(dir, "train.py", SFT)?;
        }
    }
    crate::write(dir, "settings.py", &text(tasks, model, settings))?;
    Ok(tasks.words().0.save_files(&dir.join(TOKENIZER))?)
}

/// The constants that train.py and reward.py read.
fn text(tasks: &Tasks, model: &Model, settings: &Settings) -> String {
    let (recipe, (_, stops)) = (tasks.recipe(), tasks.words());
    let (mut arguments, mut own) = (Map::new(), Map::new());
    for (name, value) in settings.there() {
        let into = if name.contains('.') { &mut own } else { &mut arguments };
        into.insert(name.to_owned(), value.clone());
    }
    let of = |name: &str| own.get(name).cloned().unwrap_or_default();
    let group = |prefix: &str| {
        let of_it = own
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone())));
        let table: Map<String, Value> = of_it.collect();
        if table.is_empty() { Value::Null } else { table.into() }
    };
    let mut out = heading(&recipe.name);
    for (name, value) in [
        ("MODEL", json!(model.name)),
        ("REVISION", json!(model.revision)),
        ("DIALECT", json!(recipe.dialect)),
        ("ENDS", json!(stops)),
        ("REPLIES_PER_UPDATE", of(UPDATE)),
        ("MICRO_REPLIES", of(MICRO)),
        ("UPDATES_A_STEP", of(UPDATES)),
        ("EVAL_LIMIT", of(LIMIT)),
        ("PEFT", group(LORA)),
        ("OVERLONG", group(OVERLONG)),
    ] {
        let _ = writeln!(out, "{name} = {}", literal(&value));
    }
    out += "ARGUMENTS = {\n";
    for (name, value) in &arguments {
        let _ = writeln!(out, "    \"{name}\": {},", literal(value));
    }
    out + "}\n"
}

/// What settings.py begins with. JSON escapes what would end Python's text, or mean something else there.
fn heading(name: &str) -> String {
    let name = Value::from(name);
    format!("\"\"\"The settings of the recipe {name} in {RELEASE}; SETTINGS.md has all of them.\"\"\"\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_neither_ends_nor_breaks_the_text_that_it_stands_in() {
        let line = heading("a\"\"\"\\N\n");
        assert!(line.starts_with(r#""""The settings of the recipe "a\"\"\"\\N\n" in "#), "{line}");
        assert_eq!(line.lines().count(), 2, "{line}");
    }
}

//! The files for verl.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};
use toolrl_train::Prompted;

use crate::settings::Settings;
use crate::{ExportError, HELD_OUT, Model, RENDERED, TOKENIZER, TRAIN, tables};

use super::RELEASE;

const RUN: &str = include_str!("../../files/verl_run.sh");
const REWARD: &str = include_str!("../../files/verl_reward.py");

/// Writes the tables, run.sh, recipe.yaml, the reward and the tokenizer, whose template renders a prompt's message as it stands.
pub(crate) fn write(
    dir: &Path,
    prompted: &Prompted,
    model: &Model,
    settings: &Settings,
) -> Result<(), ExportError> {
    crate::write(dir, "run.sh", &script(&model.name))?;
    crate::write(dir, "reward.py", &REWARD.replace("@DIALECT@", &prompted.recipe.dialect))?;
    crate::write(dir, "recipe.yaml", &text(prompted, settings))?;
    crate::write_reward(dir, &prompted.recipe)?;
    for (file, tasks) in [(TRAIN, &prompted.train), (HELD_OUT, &prompted.held_out)] {
        tables::write_verl(&dir.join(file), tasks, &prompted.recipe.name)?;
    }
    let chat = &prompted.chat;
    let template = rendering(chat.template_source()?.unwrap_or_default().as_str());
    let chat = chat.clone().with_template(Path::new("chat_template.jinja"), template)?;
    Ok(chat.save_files(&dir.join(TOKENIZER))?)
}

/// run.sh, whose shell takes the model's path as one word whatever is in it.
fn script(model: &str) -> String {
    RUN.replace("@MODEL@", &format!("'{}'", model.replace('\'', r"'\''")))
}

/// A model's template that renders a message of the role [`RENDERED`] as it stands, and all else as before: the empty
/// expressions keep white space at its ends from what blocks do to it.
fn rendering(template: &str) -> String {
    let template = template.strip_suffix('\n').unwrap_or(template);
    format!(
        "{{%- if messages[0]['role'] == '{RENDERED}' %}}{{{{ messages[0]['content'] }}}}{{% else %}}{{{{ '' }}}}{template}{{{{ '' }}}}{{% \
         endif %}}"
    )
}

/// What recipe.yaml begins with: one line, whatever the name.
fn heading(name: &str) -> String {
    format!("# The settings of the recipe {name:?} in {RELEASE}; SETTINGS.md has all of them.\n")
}

/// The recipe's settings over verl's own.
fn text(prompted: &Prompted, settings: &Settings) -> String {
    let mut table = Map::new();
    settings.there().for_each(|(name, value)| nest(&mut table, name, value.clone()));
    let mut out = heading(&prompted.recipe.name);
    out += "defaults:\n  - ppo_trainer\n  - _self_\n";
    add(&mut out, 0, &table);
    out
}

/// Puts a value into a nested table, which is made where it is not there.
fn nest(table: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => drop(table.insert(name.to_owned(), value)),
        Some((first, rest)) => {
            if let Value::Object(below) = table.entry(first).or_insert_with(|| json!({})) {
                nest(below, rest, value);
            }
        }
    }
}

/// A table in YAML: of tables a block, of all else what JSON writes, which is YAML too.
fn add(out: &mut String, depth: usize, table: &Map<String, Value>) {
    let indent = "  ".repeat(depth);
    for (key, value) in table {
        match value {
            Value::Object(below) => {
                let _ = writeln!(out, "{indent}{key}:");
                add(out, depth + 1, below);
            }
            // YAML reads 1e-6 as a text: it wants a point.
            Value::Number(number) if number.is_f64() => {
                let _ = writeln!(out, "{indent}{key}: {}", decimal(number.as_f64().unwrap_or_default()));
            }
            Value::Array(items) => {
                let items: Vec<String> = items
                    .iter()
                    .map(|item| {
                        item.as_f64().filter(|_| item.is_f64()).map_or_else(|| item.to_string(), decimal)
                    })
                    .collect();
                let _ = writeln!(out, "{indent}{key}: [{}]", items.join(", "));
            }
            other => {
                let _ = writeln!(out, "{indent}{key}: {other}");
            }
        }
    }
}

/// A number without an exponent, and with a point.
fn decimal(number: f64) -> String {
    let text = number.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

#[cfg(test)]
mod tests {
    use toolrl_chat::{Chat, Message};

    use super::*;

    #[test]
    fn odd_names_stay_words_of_the_shell_and_lines_of_yaml() {
        let run = script("it's ${x} \"y\"");
        assert!(run.contains("\nmodel='it'\\''s ${x} \"y\"'\nmodel=${MODEL:-$model}\n"), "{run}");
        assert_eq!(heading("a\nb: c").lines().count(), 1);
    }

    #[test]
    fn settings_are_nested_yaml_without_exponents() {
        let mut table = Map::new();
        for (name, value) in [
            ("a.b.lr", json!(1e-6)),
            ("a.b.betas", json!([0.9, 1.0])),
            ("c", Value::Null),
            ("a.names", json!(["x: y", 3])),
            ("a.clip", json!(1e6)),
        ] {
            nest(&mut table, name, value);
        }
        let mut out = String::new();
        add(&mut out, 0, &table);
        assert_eq!(
            out,
            "a:\n  b:\n    lr: 0.000001\n    betas: [0.9, 1.0]\n  names: [\"x: y\", 3]\n  clip: 1000000.0\nc: null\n"
        );
    }

    #[test]
    fn a_rendered_message_stands_as_it_is_and_others_are_rendered_as_before() {
        let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/quickstart"));
        let text = " <user> a\n\n</user>\n{{ x }} ";
        for source in [
            "\n{% for m in messages %}\n{{ m.content }}\n{% endfor %}\n\n",
            "  {%- if tools %}t{% endif %}{{ messages[0].role }} \n",
            "{% set x = 1 %}\n x {# c #}\n",
        ] {
            let chat = Chat::load(dir).unwrap();
            let path = Path::new("a.jinja");
            let own = chat.clone().with_template(path, source.to_owned()).unwrap();
            let both = chat.with_template(path, rendering(source)).unwrap();
            let asked = [Message::new("user", "hi"), Message::new("assistant", "there")];
            assert_eq!(both.render(&asked, true).unwrap(), own.render(&asked, true).unwrap(), "{source:?}");
            assert_eq!(both.render(&[Message::new(RENDERED, text)], true).unwrap(), text);
        }
    }
}

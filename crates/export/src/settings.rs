//! What becomes of a recipe's settings in another trainer.

use serde_json::Value;
use toolrl_train::Recipe;

use crate::ExportError;

/// What becomes of a setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// The other trainer has settings for it: their names with the values that are written.
    There(Vec<(String, Value)>),
    /// It needs no setting: the files hold what it asks for, or the other trainer does it anyway.
    Met(String),
    /// The other trainer has nothing for it: how training there differs.
    Lost(String),
    /// It is of a run of toolrl alone, such as where that is computed, and decides nothing of what is learned.
    Own(String),
}

/// A setting of the recipe, or all those below its key, with what becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The path of its key, such as `train.optimizer.lr`.
    pub key: String,
    /// Its value in the recipe; null where it has none.
    pub value: Value,
    /// What becomes of it.
    pub fate: Fate,
    /// How a counterpart differs that is not quite the same.
    pub note: Option<String>,
}

/// Every setting of a recipe, in the recipe's order, with what becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The recipe's settings.
    pub rows: Vec<Row>,
    /// What the other trainer is told beside: names and values.
    pub given: Vec<(String, Value)>,
}

impl Settings {
    /// What is written for the other trainer: names and values.
    pub fn there(&self) -> impl Iterator<Item = (&str, &Value)> {
        let of_rows = self.rows.iter().flat_map(|row| match &row.fate {
            Fate::There(settings) => &settings[..],
            _ => &[],
        });
        of_rows.chain(&self.given).map(|(name, value)| (name.as_str(), value))
    }

    /// The settings by which training there differs, and how.
    pub fn lost(&self) -> impl Iterator<Item = (&Row, &str)> {
        self.rows.iter().filter_map(|row| match &row.fate {
            Fate::Lost(how) => Some((row, how.as_str())),
            _ => None,
        })
    }
}

/// Why a setting is listed as lost that no mapping knows.
pub const UNKNOWN: &str = "not known to this export";

/// What becomes of settings, by their keys, while it is found out.
#[derive(Debug, Default)]
pub(crate) struct Mapping {
    rows: Vec<Row>,
    /// The row that was spoken of last.
    last: usize,
    given: Vec<(String, Value)>,
}

impl Mapping {
    /// The setting is `name = value` there; it is several where this is called again.
    pub(crate) fn there(&mut self, key: &str, name: &str, value: impl Into<Value>) -> &mut Self {
        let setting = (name.to_owned(), value.into());
        let known = self.rows.iter_mut().position(|row| row.key == key && matches!(row.fate, Fate::There(_)));
        match known.and_then(|at| Some((at, self.rows.get_mut(at)?))) {
            Some((at, Row { fate: Fate::There(settings), .. })) => {
                settings.push(setting);
                self.last = at;
            }
            _ => self.row(key, Fate::There(vec![setting])),
        }
        self
    }

    /// How the counterpart differs that was named last.
    pub(crate) fn but(&mut self, note: impl Into<String>) {
        if let Some(row) = self.rows.get_mut(self.last) {
            row.note = Some(note.into());
        }
    }

    /// The setting needs no counterpart.
    pub(crate) fn met(&mut self, key: &str, how: impl Into<String>) {
        self.row(key, Fate::Met(how.into()));
    }

    /// The setting has no counterpart.
    pub(crate) fn lost(&mut self, key: &str, how: impl Into<String>) {
        self.row(key, Fate::Lost(how.into()));
    }

    /// The setting has no counterpart where it is something else than the trainer there does anyway.
    pub(crate) fn lost_unless(&mut self, same: bool, key: &str, how: &str) {
        if same { self.met(key, "as there") } else { self.lost(key, how) }
    }

    /// The settings decide nothing of what is learned.
    pub(crate) fn own(&mut self, keys: &[&str], why: &str) {
        keys.iter().for_each(|key| self.row(key, Fate::Own(why.to_owned())));
    }

    /// The trainer there is told this too.
    pub(crate) fn given(&mut self, name: &str, value: impl Into<Value>) {
        self.given.push((name.to_owned(), value.into()));
    }

    fn row(&mut self, key: &str, fate: Fate) {
        self.last = self.rows.len();
        self.rows.push(Row { key: key.to_owned(), value: Value::Null, fate, note: None });
    }

    /// Every setting of the recipe with what becomes of it: that of the longest key over it.
    ///
    /// # Errors
    /// [`ExportError::Recipe`] for a recipe that is no JSON, as with a path that is not Unicode.
    pub(crate) fn over(self, recipe: &Recipe) -> Result<Settings, ExportError> {
        let whole = serde_json::to_value(recipe).map_err(|e| ExportError::Recipe(e.to_string()))?;
        let mut leaves = Vec::new();
        add_leaves("", &whole, &mut leaves);
        let Self { rows: mapped, given, .. } = self;
        let (mut order, mut rows) = (Vec::new(), Vec::new());
        for (leaf, value) in leaves {
            let over = mapped.iter().enumerate().filter(|(_, row)| is_over(&row.key, &leaf));
            match over.max_by_key(|(_, row)| row.key.len()) {
                Some((at, _)) if order.contains(&at) => {}
                Some((at, row)) => {
                    order.push(at);
                    rows.push(Row {
                        value: at_path(&whole, &row.key).cloned().unwrap_or_default(),
                        ..row.clone()
                    });
                }
                None => {
                    rows.push(Row {
                        key: leaf,
                        value: value.clone(),
                        fate: Fate::Lost(UNKNOWN.to_owned()),
                        note: None,
                    });
                }
            }
        }
        // A setting that the recipe leaves out, whose default is written there.
        let rest = mapped
            .iter()
            .enumerate()
            .filter(|(at, row)| !order.contains(at) && matches!(row.fate, Fate::There(_)));
        rows.extend(rest.map(|(_, row)| row.clone()));
        Ok(Settings { rows, given })
    }
}

/// The values that are no tables, each with the path of its key; a list of tables has a path for each.
fn add_leaves<'v>(path: &str, value: &'v Value, leaves: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Object(table) if !table.is_empty() => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                add_leaves(&path, value, leaves);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            list.iter()
                .enumerate()
                .for_each(|(at, value)| add_leaves(&format!("{path}[{at}]"), value, leaves));
        }
        _ => leaves.push((path.to_owned(), value)),
    }
}

fn is_over(key: &str, leaf: &str) -> bool {
    leaf.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn at_path<'v>(whole: &'v Value, key: &str) -> Option<&'v Value> {
    key.split('.').try_fold(whole, |value, part| value.get(part))
}

/// An f32 with the digits that tell it from its neighbours.
pub(crate) fn number(x: f32) -> Value {
    x.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_key_over_a_setting_decides_and_the_rest_is_named() {
        let text = "name = \"a\"\n[[reward]]\nid = \"format\"\n[train]\nmethod = \"grpo\"\n";
        let recipe = Recipe::parse(text, &[]).unwrap();
        let mut mapping = Mapping::default();
        mapping.met("train", "by itself");
        mapping.there("train.optimizer.lr", "learning_rate", 1e-6).there("train.optimizer.lr", "lr", 2);
        mapping.but("rounded");
        mapping.there("train.epochs", "epochs", 3);
        mapping.own(&["device"], "elsewhere");
        mapping.given("report", "none");
        let settings = mapping.over(&recipe).unwrap();
        let of = |key: &str| settings.rows.iter().find(|row| row.key == key).unwrap();
        assert_eq!(of("train").fate, Fate::Met("by itself".to_owned()));
        assert_eq!(
            (of("train.optimizer.lr").value.as_f64(), of("train.optimizer.lr").note.as_deref()),
            (Some(1e-6), Some("rounded"))
        );
        assert_eq!(of("reward[0].id").fate, Fate::Lost(UNKNOWN.to_owned()));
        assert_eq!(of("train.epochs").value, Value::Null);
        let there: Vec<_> = settings.there().map(|(name, _)| name).collect();
        assert_eq!(there, ["learning_rate", "lr", "epochs", "report"]);
        assert!(settings.lost().any(|(row, _)| row.key == "seed"));
        assert!(!settings.lost().any(|(row, _)| row.key.starts_with("train")));
    }
}

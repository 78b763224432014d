//! What a check found: rows, a JSON file that stages add to, a table.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// One figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    /// What was measured or compared.
    pub name: String,
    #[serde(deserialize_with = "null_as_nan")]
    pub value: f64,
    pub unit: String,
    /// What the value is to be seen beside: a floor, a peak, a tolerance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// Of a comparison: whether it held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
}

/// A figure to be seen beside another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Beside {
    pub name: String,
    pub value: f64,
}

/// JSON has no NaN: what is none is written as null.
fn null_as_nan<'de, D: serde::Deserializer<'de>>(value: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or(f64::NAN))
}

impl Row {
    /// A measurement.
    pub fn new(name: impl Into<String>, value: f64, unit: &str) -> Self {
        Self { name: name.into(), value, unit: unit.to_owned(), beside: None, passed: None }
    }

    /// A difference, and the largest that may be.
    pub fn difference(name: impl Into<String>, value: f64, tolerance: f64) -> Self {
        let beside = Beside { name: "tolerance".to_owned(), value: tolerance };
        // A NaN is no difference that may be.
        let passed = value <= tolerance;
        Self { beside: Some(beside), passed: Some(passed), ..Self::new(name, value, "") }
    }

    /// The same beside another figure, if there is one.
    pub fn beside(self, name: &str, value: Option<f64>) -> Self {
        let beside = value.map(|value| Beside { name: name.to_owned(), value });
        Self { beside, ..self }
    }
}

/// What one stage found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Found {
    /// The device's name.
    pub device: String,
    pub program: String,
    pub scale: String,
    /// Seconds that the stage took.
    pub seconds: f64,
    pub rows: Vec<Row>,
}

impl Found {
    pub fn failed(&self) -> usize {
        self.rows.iter().filter(|row| row.passed == Some(false)).count()
    }
}

/// All stages by name: the content of the JSON file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Report(BTreeMap<String, Found>);

impl Report {
    /// What the file holds; nothing where there is none yet.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).with_context(|| format!("{}: not results", path.display()))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Adds a stage, in the place of an earlier run of it, and writes the file: what is done stays done, whatever
    /// becomes of the stages that follow.
    pub fn add(&mut self, stage: &str, found: Found, path: &Path) -> anyhow::Result<()> {
        self.0.insert(stage.to_owned(), found);
        let mut json = serde_json::to_vec_pretty(&self)?;
        json.push(b'\n');
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
    }

    pub fn failed(&self) -> usize {
        self.0.values().map(Found::failed).sum()
    }

    /// A line a row, under a line a stage.
    pub fn table(&self) -> String {
        let mut out = String::new();
        for (stage, found) in &self.0 {
            let Found { device, scale, seconds, .. } = found;
            out += &format!("{stage} on {device}, {scale}, {seconds:.1} s\n");
            for row in &found.rows {
                let value = format!("{} {}", number(row.value), row.unit);
                let beside = row.beside.as_ref().map_or_else(String::new, |beside| {
                    let share = 100.0 * row.value / beside.value;
                    match row.passed {
                        Some(_) => format!("{} {}", beside.name, number(beside.value)),
                        None => format!("{share:.0} % of {} {}", beside.name, number(beside.value)),
                    }
                });
                let verdict = if row.passed == Some(false) { "  FAILED" } else { "" };
                out += format!("  {:<44} {value:>16}  {beside}{verdict}", row.name).trim_end();
                out.push('\n');
            }
        }
        out
    }
}

/// Three digits, whatever the size.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e6).contains(&size) => format!("{value:.2e}"),
        size if size < 1.0 => format!("{value:.4}"),
        size if size < 100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: Vec<Row>) -> Found {
        Found { device: "cpu".into(), program: "toolrl".into(), scale: "tiny".into(), seconds: 1.0, rows }
    }

    #[test]
    fn stages_add_up_in_the_file_and_failures_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results.json");
        let mut report = Report::read(&path).unwrap();
        report.add("kernels", found(vec![Row::difference("a", f64::NAN, 1.0)]), &path).unwrap();
        let mut report = Report::read(&path).unwrap();
        assert_eq!(report.failed(), 1);
        report
            .add("train", found(vec![Row::new("b", 50.0, "tokens/s").beside("peak", Some(200.0))]), &path)
            .unwrap();
        let table = Report::read(&path).unwrap().table();
        assert!(table.contains("FAILED") && table.contains("25 % of peak 200"), "{table}");
        std::fs::write(&path, "[]").unwrap();
        assert!(Report::read(&path).unwrap_err().to_string().contains("not results"));
    }
}

//! SETTINGS.md: every setting of the recipe with what became of it.

use std::fmt::Write as _;

use serde_json::Value;

use crate::settings::{Fate, Row, Settings};

/// The page.
pub(crate) fn page(name: &str, release: &str, settings: &Settings) -> String {
    let mut out = format!("# The settings of {name} in {release}\n\n");
    out += "Every setting of the recipe stands in one of these tables. After `toolrl export` nothing keeps the two in step: change \
            either the recipe, and export again, or the files.\n";
    let of = |fate: fn(&Fate) -> bool| settings.rows.iter().filter(|row| fate(&row.fate)).collect::<Vec<_>>();
    section(&mut out, "No counterpart: training differs", "how", &of(|fate| matches!(fate, Fate::Lost(_))));
    section(&mut out, "Counterparts", "there", &of(|fate| matches!(fate, Fate::There(_))));
    section(
        &mut out,
        "Met by the files, or as it is there anyway",
        "how",
        &of(|fate| matches!(fate, Fate::Met(_))),
    );
    section(&mut out, "Of toolrl's own runs", "what", &of(|fate| matches!(fate, Fate::Own(_))));
    if !settings.given.is_empty() {
        out += "\n## Told there beside\n\n| there |\n|---|\n";
        for setting in &settings.given {
            let _ = writeln!(out, "| {} |", named(setting));
        }
    }
    out
}

fn section(out: &mut String, title: &str, what: &str, rows: &[&Row]) {
    if rows.is_empty() {
        return;
    }
    let _ = write!(out, "\n## {title}\n\n| setting | value | {what} |\n|---|---|---|\n");
    for row in rows {
        let note = row.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
        let fate = match &row.fate {
            Fate::There(settings) => settings.iter().map(named).collect::<Vec<_>>().join(", "),
            Fate::Met(how) | Fate::Lost(how) | Fate::Own(how) => how.clone(),
        };
        let _ = writeln!(out, "| `{}` | {} | {fate}{note} |", row.key, value(&row.value));
    }
}

fn named((name, of): &(String, Value)) -> String {
    format!("`{name} = {}`", cell(of))
}

fn value(value: &Value) -> String {
    if value.is_null() { "none".to_owned() } else { format!("`{}`", cell(value)) }
}

/// The most of a value that a table shows, in characters.
const SHOWN: usize = 120;

fn cell(value: &Value) -> String {
    let text = value.to_string().replace('|', "\\|").replace('`', "'");
    if text.chars().count() <= SHOWN { text } else { text.chars().take(SHOWN).chain(['…']).collect() }
}

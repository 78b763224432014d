//! ARCHITECTURE.md's table of crates, as the one place where allowed edges are written.

use std::collections::BTreeSet;

use super::Violation;

/// The page that holds the table.
pub(crate) const PAGE: &str = "ARCHITECTURE.md";
/// How the table begins.
const HEAD: [&str; 4] = ["level", "crate", "what it does", "depends on"];
/// Tensor libraries, as a row names them and as the names of their packages begin.
pub(super) const LIBRARIES: [&str; 2] = ["burn", "cubecl"];

/// A crate's row.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its line, counted from 0.
    index: usize,
    /// How far above the ground it stands; nothing where it may depend on no crate.
    level: Option<u32>,
    /// The crate's name, without `toolrl-`.
    pub(super) name: String,
    /// The crates that it depends on.
    pub(super) crates: BTreeSet<String>,
    /// The tensor libraries that it links, itself or through others.
    pub(super) libraries: BTreeSet<String>,
}

impl Row {
    /// A violation at this row.
    pub(super) fn violation(&self, message: &str) -> Violation {
        Violation::at(PAGE, self.index, format!("{} {message}", self.name))
    }
}

/// Reads the table out of the page's text, or says what is wrong and in which line.
pub(crate) fn parse(text: &str) -> Result<Vec<Row>, Violation> {
    let mut lines = text.lines().enumerate().skip_while(|(_, line)| cells(line) != HEAD);
    lines.next().ok_or_else(|| Violation::of(PAGE, "has no table of crates"))?;
    let mut rows: Vec<Row> = Vec::new();
    // Below the head there is a line of dashes.
    for (index, line) in lines.skip(1).take_while(|(_, line)| line.starts_with('|')) {
        let row = row(index, line, &rows).map_err(|message| Violation::at(PAGE, index, message))?;
        rows.push(row);
    }
    Ok(rows)
}

/// One row, which may depend on those above it whose level is lower.
fn row(index: usize, line: &str, above: &[Row]) -> Result<Row, String> {
    let [level, name, _, dependencies] = cells(line)[..] else {
        return Err(format!("a row of this table has {} cells", HEAD.len()));
    };
    let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
    let name = name.ok_or("a crate's name stands in backticks")?.to_owned();
    let level = match level {
        "" => None,
        level => Some(level.parse().map_err(|_| format!("{level:?} is no level"))?),
    };
    let mut row = Row { index, level, name, ..Row::default() };
    for to in dependencies.split(',').map(str::trim).filter(|_| !dependencies.is_empty()) {
        let group = if LIBRARIES.contains(&to) {
            &mut row.libraries
        } else if above.iter().any(|other| other.name == to && other.level.is_some() && other.level < level) {
            &mut row.crates
        } else {
            return Err(format!("{to:?} is neither a crate of a lower level nor one of {LIBRARIES:?}"));
        };
        if !group.insert(to.to_owned()) {
            return Err(format!("{to} stands in this row twice"));
        }
    }
    if above.iter().any(|other| other.name == row.name) {
        return Err(format!("{} has a row above", row.name));
    }
    Ok(row)
}

/// What stands between a line's bars.
fn cells(line: &str) -> Vec<&str> {
    let inner = line.strip_prefix('|').and_then(|line| line.trim_end().strip_suffix('|'));
    inner.map_or_else(Vec::new, |inner| inner.split('|').map(str::trim).collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A page with these rows.
    pub(in super::super) fn page(rows: &[&str]) -> String {
        format!(
            "# A\n\n| level | crate | what it does | depends on |\n|---|---|---|---|\n{}\n\nb\n",
            rows.join("\n")
        )
    }

    #[test]
    fn rows_are_read() {
        let rows =
            parse(&page(&["| 0 | `a` | A | |", "| 1 | `b` | B, b | burn, a |", "| | `x` | X | |"])).unwrap();
        let sets: Vec<_> =
            rows.iter().map(|row| (row.name.as_str(), row.crates.len(), row.libraries.len())).collect();
        assert_eq!(sets, [("a", 0, 0), ("b", 1, 1), ("x", 0, 0)]);
    }

    #[test]
    fn a_malformed_row_is_named() {
        let cases = [
            // the second row, what is said of it
            ("| 1 | `b` | B |", "a row of this table has 4 cells"),
            ("| 1 | `b` | B | a", "a row of this table has 4 cells"),
            ("| 1 | b | B | a |", "a crate's name stands in backticks"),
            ("| one | `b` | B | a |", "\"one\" is no level"),
            ("| 1 | `b` | B | a; cube |", "\"a; cube\" is neither"),
            ("| 1 | `b` | B | a, |", "\"\" is neither"),
            ("| 1 | `b` | B | any of them |", "\"any of them\" is neither"),
            ("| 0 | `b` | B | a |", "\"a\" is neither a crate of a lower level nor"),
            ("| | `b` | B | a |", "\"a\" is neither"),
            ("| 1 | `b` | B | a, a |", "a stands in this row twice"),
            ("| 1 | `a` | B | |", "a has a row above"),
        ];
        for (row, expected) in cases {
            let found = parse(&page(&["| 0 | `a` | A | |", row])).unwrap_err().to_string();
            assert!(found.starts_with(&format!("ARCHITECTURE.md:6: {expected}")), "{row}: {found}");
        }
        assert_eq!(parse("# A\n").unwrap_err().to_string(), "ARCHITECTURE.md: has no table of crates");
    }
}

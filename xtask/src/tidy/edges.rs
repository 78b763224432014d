//! Which crate may depend on which: ARCHITECTURE.md's table against the manifests, both ways.

use std::collections::BTreeSet;

use super::Violation;
use super::metadata::Workspace;
use super::table::{LIBRARIES, PAGE, Row};

/// Checks every crate of the workspace against its row. Packages under `tests` stand for users and may depend on
/// anything.
pub(crate) fn check(workspace: &Workspace, rows: &[Row]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut packages = workspace.members();
    packages.retain(|package| !workspace.is_in("tests", package));
    for package in &packages {
        match rows.iter().find(|row| row.name == short(&package.name)) {
            Some(row) => {
                let edges: BTreeSet<&str> = workspace.edges(package).into_iter().map(short).collect();
                let messages = check_row(row, &edges, &workspace.linked(package));
                violations.extend(messages.iter().map(|message| row.violation(message)));
            }
            None => violations.push(Violation::of(&package.name, format!("has no row in {PAGE}"))),
        }
    }
    let gone = rows.iter().filter(|row| !packages.iter().any(|package| short(&package.name) == row.name));
    violations.extend(gone.map(|row| row.violation("is no crate of the workspace")));
    violations
}

/// A crate as the page names it.
fn short(package: &str) -> &str {
    package.strip_prefix("toolrl-").unwrap_or(package)
}

/// What is wrong with a row, given the crates that the manifest names and all packages that are linked. That a
/// tensor library is not linked is fine: a feature may bring it.
fn check_row(row: &Row, edges: &BTreeSet<&str>, linked: &BTreeSet<&str>) -> Vec<String> {
    let named: BTreeSet<&str> = row.crates.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    found.extend(edges.difference(&named).map(|to| format!("depends on {to}, which its row does not name")));
    found.extend(named.difference(edges).map(|to| format!("does not depend on {to}, which its row names")));
    // burn brings cubecl.
    let is_allowed = |name: &str| {
        row.libraries.contains("burn")
            || row.libraries.iter().any(|library| name.starts_with(library.as_str()))
    };
    let is_tensors = |name: &&&str| LIBRARIES.iter().any(|library| name.starts_with(library));
    let refused = linked.iter().filter(is_tensors).find(|name| !is_allowed(name));
    found.extend(refused.map(|name| format!("links {name}, which its row does not name")));
    found
}

#[cfg(test)]
mod tests {
    use super::super::metadata::tests::workspace;
    use super::super::table::{parse, tests::page};
    use super::*;

    /// What is broken in these packages under a page of two rows and a third.
    fn broken(third: &str, graph: &[(&str, &[&str])]) -> Vec<String> {
        let rows =
            parse(&page(&["| 0 | `grammar` | G | |", "| 1 | `reward` | R | grammar |", third])).unwrap();
        check(&workspace(graph), &rows).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rows_and_manifests_have_to_agree() {
        let ours = [
            ("toolrl-grammar", &["serde", "dev:burn-core", "dev:toolrl-reward"] as &[&str]),
            ("toolrl-reward", &["toolrl-grammar", "serde"]),
            ("serde", &[]),
            ("innocent", &["burn-core"]),
            ("burn-core", &["cubecl-common"]),
            ("cubecl-common", &["innocent"]),
        ];
        let cases: [(&str, &[&str], &[&str]); 10] = [
            // the row of a third crate, what that depends on, what is said
            ("| 2 | `chat` | C | reward |", &["toolrl-reward", "serde"], &[]),
            ("| 2 | `chat` | C | reward |", &["off:toolrl-reward"], &[]),
            ("| 2 | `chat` | C | burn |", &["innocent"], &[]),
            (
                "| 2 | `chat` | C | cubecl |",
                &["cubecl-common"],
                &["links burn-core, which its row does not name"],
            ),
            ("| 2 | `chat` | C | |", &["innocent"], &["links burn-core, which its row does not name"]),
            ("| 2 | `chat` | C | burn |", &["serde"], &[]),
            (
                "| 2 | `chat` | C | |",
                &["off:toolrl-reward"],
                &["depends on reward, which its row does not name"],
            ),
            ("| 2 | `chat` | C | reward |", &["serde"], &["does not depend on reward, which its row names"]),
            (
                "| 2 | `chat` | C | reward |",
                &["dev:toolrl-reward"],
                &["does not depend on reward, which its row names"],
            ),
            ("| 0 | `chat` | C | |", &[], &[]),
        ];
        for (row, dependencies, expected) in cases {
            let graph = [ours.as_slice(), &[("toolrl-chat", dependencies)]].concat();
            let expected: Vec<_> =
                expected.iter().map(|message| format!("ARCHITECTURE.md:7: chat {message}")).collect();
            assert_eq!(broken(row, &graph), expected, "{row} {dependencies:?}");
        }
    }

    #[test]
    fn every_crate_has_a_row_and_every_row_a_crate() {
        let graph =
            [("toolrl-grammar", &[] as &[&str]), ("toolrl-reward", &["toolrl-grammar"]), ("toolrl-new", &[])];
        let expected = [
            "toolrl-new: has no row in ARCHITECTURE.md",
            "ARCHITECTURE.md:7: old is no crate of the workspace",
        ];
        assert_eq!(broken("| | `old` | O | |", &graph), expected);
    }
}

//! Paths that the documents cite exist.

use super::Violation;
use super::walk::Files;

/// Checks one Markdown document, given by its path from the root: paths in backticks that begin with a
/// folder of the root, and the targets of its links.
pub(crate) fn check(path: &str, text: &str, files: &Files) -> Vec<Violation> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut violations = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        let cited = spans(line).filter(|span| is_repository_path(span, files)).map(plain);
        let linked = links(line).filter_map(|target| resolve(folder, plain(target)));
        for target in cited.chain(linked) {
            if !files.contains(&target) {
                violations.push(Violation::at(path, index, format!("cites {target}, which is not there")));
            }
        }
    }
    violations
}

/// What stands in backticks.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a text in backticks means a path: it has a folder, that folder stands in the root, and
/// nothing in it is a pattern or a place to fill in.
fn is_repository_path(span: &str, files: &Files) -> bool {
    let first = span.split_once('/').map(|(first, _)| first);
    let pattern = |character: char| character.is_whitespace() || "*<>{}$…".contains(character);
    first.is_some_and(|first| !first.is_empty() && files.contains(first)) && !span.contains(pattern)
}

/// The targets of a line's links to places in the repository.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let outside = |target: &str| {
        target.contains("://") || target.starts_with(['#', '<']) || target.starts_with("mailto:")
    };
    targets.map(|(target, _)| target).filter(move |target| !outside(target))
}

/// A path without the line or heading that it points to, nor a slash at its end.
fn plain(path: &str) -> String {
    let path = path.split_once('#').map_or(path, |(path, _)| path);
    let path = match path.rsplit_once(':') {
        Some((path, line)) if line.starts_with(|first: char| first.is_ascii_digit()) => path,
        _ => path,
    };
    path.trim_end_matches('/').to_owned()
}

/// A link's target as a path from the root; nothing where it leads out of the repository.
fn resolve(folder: &str, target: String) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_paths_are_found() {
        let files = Files::from([
            "README.md",
            "crates",
            "crates/chat",
            "crates/chat/src",
            "crates/chat/src/lib.rs",
            "docs",
            "docs/tutorial.md",
        ]);
        let cases = [
            // document, its text, the paths reported
            ("README.md", "see `crates/chat/src/lib.rs:12`, `crates/chat/` and `cargo test`", vec![]),
            ("README.md", "see `crates/chat/src/gone.rs`", vec!["crates/chat/src/gone.rs"]),
            ("README.md", "`crates/*/src` and `crates/<name>/x` and `runs/x` and `a/b`", vec![]),
            ("README.md", "[a](docs/tutorial.md#start) [b](docs/gone.md)", vec!["docs/gone.md"]),
            ("README.md", "[a](https://example.org/docs/gone.md) [b](#here)", vec![]),
            ("docs/tutorial.md", "[up](../README.md) [side](other.md) [out](../../x)", vec!["docs/other.md"]),
            ("README.md", "```\n`crates/gone`\n```\n`crates/gone`", vec!["crates/gone"]),
            ("README.md", "both `crates/x` and `crates/y`", vec!["crates/x", "crates/y"]),
        ];
        for (path, text, expected) in cases {
            let messages: Vec<_> =
                check(path, text, &files).into_iter().map(|violation| violation.message).collect();
            let expected: Vec<_> =
                expected.iter().map(|target| format!("cites {target}, which is not there")).collect();
            assert_eq!(messages, expected, "{path}: {text}");
        }
    }
}

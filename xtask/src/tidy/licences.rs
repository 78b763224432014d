//! Both licences are there, and every package names them.

use super::Violation;
use super::metadata::Workspace;
use super::walk::Files;

/// The texts that the root has to hold.
const TEXTS: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];
/// What every manifest has to say.
const EXPRESSION: &str = "MIT OR Apache-2.0";

/// Checks texts and manifests.
pub(crate) fn check(workspace: &Workspace, files: &Files) -> Vec<Violation> {
    let missing = TEXTS.into_iter().filter(|text| !files.contains(text));
    let mut violations: Vec<_> = missing.map(|text| Violation::of(text, "is missing")).collect();
    for package in workspace.members() {
        if package.license.as_deref() != Some(EXPRESSION) {
            violations.push(Violation::of(&package.name, format!("its license must be {EXPRESSION:?}")));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::metadata::tests::workspace;
    use super::*;

    #[test]
    fn texts_and_manifests_are_checked() {
        let workspace = workspace(&[("toolrl-a", &[]), ("toolrl-unlicensed", &[])]);
        let violations = check(&workspace, &Files::from(["LICENSE-MIT"]));
        let places: Vec<_> = violations.iter().map(|violation| violation.place.as_str()).collect();
        assert_eq!(places, ["LICENSE-APACHE", "toolrl-unlicensed"]);
    }
}

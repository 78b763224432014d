//! Which crate may depend on which: the levels of ARCHITECTURE.md as a table.

use super::Violation;
use super::metadata::{Package, Workspace};

/// A crate and the crates of the workspace that it may depend on.
const ALLOWED: [(&str, &[&str]); 24] = [
    ("toolrl-grammar", &[]),
    ("toolrl-chat", &[]),
    ("toolrl-layout", &[]),
    ("toolrl-kernels", &["toolrl-layout", "toolrl-cube"]),
    ("toolrl-cube", &["toolrl-layout"]),
    ("toolrl-grpo", &[]),
    ("toolrl-reward", &["toolrl-grammar"]),
    ("toolrl-data", &["toolrl-grammar"]),
    ("toolrl-bfcl", &["toolrl-grammar"]),
    ("toolrl-api-bank", &["toolrl-grammar"]),
    ("toolrl-bamboogle", &["toolrl-grammar"]),
    ("toolrl-services", &["toolrl-grammar"]),
    ("toolrl-remote", &[]),
    ("toolrl-rollout", &["toolrl-data", "toolrl-chat", "toolrl-grammar"]),
    ("toolrl-workbench", &["toolrl-reward", "toolrl-grpo", "toolrl-grammar"]),
    ("toolrl-policy", &["toolrl-kernels"]),
    ("toolrl-engine", &["toolrl-policy", "toolrl-kernels", "toolrl-rollout", "toolrl-chat"]),
    ("toolrl-eval", &["toolrl-rollout", "toolrl-reward", "toolrl-data", "toolrl-chat", "toolrl-grammar"]),
    (
        "toolrl-benchmarks",
        &[
            "toolrl-bfcl",
            "toolrl-services",
            "toolrl-api-bank",
            "toolrl-bamboogle",
            "toolrl-remote",
            "toolrl-rollout",
            "toolrl-chat",
            "toolrl-grammar",
        ],
    ),
    (
        "toolrl-train",
        &[
            "toolrl-benchmarks",
            "toolrl-bfcl",
            "toolrl-bamboogle",
            "toolrl-eval",
            "toolrl-engine",
            "toolrl-policy",
            "toolrl-grpo",
            "toolrl-reward",
            "toolrl-data",
            "toolrl-rollout",
            "toolrl-chat",
            "toolrl-grammar",
        ],
    ),
    ("toolrl-study", &["toolrl-train", "toolrl-eval", "toolrl-reward"]),
    (
        "toolrl-cli",
        &[
            "toolrl-benchmarks",
            "toolrl-bfcl",
            "toolrl-services",
            "toolrl-api-bank",
            "toolrl-bamboogle",
            "toolrl-remote",
            "toolrl-study",
            "toolrl-workbench",
            "toolrl-train",
            "toolrl-eval",
            "toolrl-engine",
            "toolrl-policy",
            "toolrl-kernels",
            "toolrl-grpo",
            "toolrl-reward",
            "toolrl-data",
            "toolrl-bfcl",
            "toolrl-api-bank",
            "toolrl-bamboogle",
            "toolrl-rollout",
            "toolrl-chat",
            "toolrl-grammar",
        ],
    ),
    ("toolrl-machine", &[]),
    ("xtask", &[]),
];

/// Crates that text, rewards and reports need, and that must build without a tensor library.
const WITHOUT_BURN: [&str; 17] = [
    "toolrl-grammar",
    "toolrl-reward",
    "toolrl-workbench",
    "toolrl-data",
    "toolrl-bfcl",
    "toolrl-api-bank",
    "toolrl-bamboogle",
    "toolrl-services",
    "toolrl-remote",
    "toolrl-benchmarks",
    "toolrl-chat",
    "toolrl-rollout",
    "toolrl-eval",
    "toolrl-grpo",
    "toolrl-layout",
    "toolrl-machine",
    "xtask",
];

/// Checks the direct edges between the workspace's crates, and that burn stays out of those above.
pub(crate) fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in workspace.members() {
        let edges: Vec<&str> = workspace.edges(package).map(|to| to.name.as_str()).collect();
        violations.extend(check_edges(package, &edges));
        if WITHOUT_BURN.contains(&package.name.as_str()) {
            let tensors = |name: &&str| name.starts_with("burn") || name.starts_with("cubecl");
            if let Some(name) = workspace.linked(package).into_iter().find(tensors) {
                violations
                    .push(Violation::of(&package.name, format!("links {name}, and must not link burn")));
            }
        }
    }
    violations
}

/// Checks the edges of one package. Packages under `tests` stand for users and may depend on anything.
fn check_edges(package: &Package, edges: &[&str]) -> Vec<Violation> {
    if package.folder.as_deref().is_some_and(|folder| folder.starts_with("tests")) {
        return Vec::new();
    }
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
        let message = "is not in the table of allowed edges (xtask/src/tidy/edges.rs)";
        return vec![Violation::of(&package.name, message)];
    };
    let refused = edges.iter().filter(|to| !allowed.contains(to));
    refused.map(|to| Violation::of(&package.name, format!("may not depend on {to}"))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A package as `cargo metadata` lists it.
    fn listed(name: &str) -> Value {
        json!({"id": name, "name": name, "license": "MIT", "manifest_path": format!("/w/crates/{name}/Cargo.toml")})
    }

    /// A node of the graph; a dependency that starts with `dev:` is one of the tests alone.
    fn node(name: &str, dependencies: &[&str]) -> Value {
        let edge = |to: &&str| match to.strip_prefix("dev:") {
            Some(to) => json!({"pkg": to, "dep_kinds": [{"kind": "dev", "target": null}]}),
            None => json!({"pkg": to, "dep_kinds": [{"kind": null, "target": null}]}),
        };
        json!({"id": name, "deps": dependencies.iter().map(edge).collect::<Vec<_>>()})
    }

    /// What is broken in a workspace of these packages; those that begin with `toolrl` are members.
    fn broken(graph: &[(&str, &[&str])]) -> Vec<String> {
        let names = graph.iter().map(|(name, _)| *name);
        let metadata = json!({
            "workspace_root": "/w",
            "workspace_members": names.clone().filter(|name| name.starts_with("toolrl")).collect::<Vec<_>>(),
            "packages": names.map(listed).collect::<Vec<_>>(),
            "resolve": {"nodes": graph.iter().map(|(name, to)| node(name, to)).collect::<Vec<_>>()},
        });
        let workspace = Workspace::parse(&metadata).unwrap();
        check(&workspace).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn edges_in_the_table_pass() {
        let graph: [(&str, &[&str]); 4] = [
            ("toolrl-reward", &["toolrl-grammar", "serde", "dev:toolrl-reward"]),
            ("toolrl-grammar", &["serde", "dev:burn-core"]),
            ("serde", &[]),
            ("burn-core", &[]),
        ];
        assert_eq!(broken(&graph), [""; 0]);
    }

    #[test]
    fn an_edge_upwards_is_refused() {
        let graph: [(&str, &[&str]); 2] = [("toolrl-grammar", &["toolrl-reward"]), ("toolrl-reward", &[])];
        assert_eq!(broken(&graph), ["toolrl-grammar: may not depend on toolrl-reward"]);
    }

    #[test]
    fn burn_is_found_however_far_away() {
        let graph: [(&str, &[&str]); 4] = [
            ("toolrl-chat", &["innocent"]),
            ("innocent", &["burn-tensor"]),
            ("burn-tensor", &["innocent"]),
            ("toolrl-kernels", &["burn-tensor"]),
        ];
        assert_eq!(broken(&graph), ["toolrl-chat: links burn-tensor, and must not link burn"]);
    }

    #[test]
    fn a_crate_outside_the_table_is_refused() {
        let violations = broken(&[("toolrl-novel", &[])]);
        assert_eq!(violations.len(), 1);
        assert!(violations[0].contains("not in the table"), "{violations:?}");
    }
}

//! What `cargo metadata` says of packages and their dependencies.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use anyhow::Context;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, NodeDep, Package, PackageId};

/// The packages of the workspace, and what they link.
#[derive(Debug)]
pub(crate) struct Workspace {
    metadata: Metadata,
    /// Every package's name, and the packages that it links or builds with: those of its tests alone are left out.
    linked: HashMap<PackageId, (String, Vec<PackageId>)>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let metadata = MetadataCommand::new().current_dir(root).exec().context("cargo metadata failed")?;
        Ok(metadata.into())
    }

    /// The workspace's own packages.
    pub(crate) fn members(&self) -> Vec<&Package> {
        self.metadata.workspace_packages()
    }

    /// Whether a package stands in this folder of the root.
    pub(crate) fn is_in(&self, folder: &str, package: &Package) -> bool {
        package.manifest_path.starts_with(self.metadata.workspace_root.join(folder))
    }

    /// The workspace's packages that a manifest names, whatever features ask for them; those for its tests
    /// alone are left out.
    pub(crate) fn edges<'p>(&self, package: &'p Package) -> BTreeSet<&'p str> {
        let ours = |name: &str| self.members().iter().any(|member| member.name == name);
        let dependencies = package.dependencies.iter().filter(|to| to.kind != DependencyKind::Development);
        dependencies.map(|to| to.name.as_str()).filter(|name| ours(name)).collect()
    }

    /// The names of all packages that a package links, however far away.
    pub(crate) fn linked(&self, package: &Package) -> BTreeSet<&str> {
        let (mut names, mut seen) = (BTreeSet::new(), BTreeSet::from([&package.id]));
        let mut pending = vec![&package.id];
        while let Some((_, dependencies)) = pending.pop().and_then(|id| self.linked.get(id)) {
            for id in dependencies.iter().filter(|id| seen.insert(id)) {
                names.extend(self.linked.get(id).map(|(name, _)| name.as_str()));
                pending.push(id);
            }
        }
        names
    }
}

impl From<Metadata> for Workspace {
    fn from(metadata: Metadata) -> Self {
        let is_linked =
            |to: &&NodeDep| to.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development);
        let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
        let mut dependencies: HashMap<&PackageId, Vec<PackageId>> = nodes
            .map(|node| (&node.id, node.deps.iter().filter(is_linked).map(|to| to.pkg.clone()).collect()))
            .collect();
        let linked = metadata.packages.iter().map(|package| {
            let linked = dependencies.remove(&package.id).unwrap_or_default();
            (package.id.clone(), (package.name.to_string(), linked))
        });
        Self { linked: linked.collect(), metadata }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use cargo_metadata::MetadataCommand;
    use serde_json::{Value, json};

    use super::*;

    /// A workspace of these packages and what they depend on. Those that begin with `toolrl` are its members; a
    /// dependency that begins with `dev:` is one of the tests alone, one with `off:` is optional and not built. `toolrl-unlicensed` has no licence.
    pub(in super::super) fn workspace(graph: &[(&str, &[&str])]) -> Workspace {
        let members = graph.iter().map(|(name, _)| *name).filter(|name| name.starts_with("toolrl"));
        let metadata = json!({
            "workspace_root": "/w",
            "target_directory": "/w/target",
            "version": 1,
            "workspace_members": members.collect::<Vec<_>>(),
            "packages": graph.iter().map(|(name, to)| package(name, to)).collect::<Vec<_>>(),
            "resolve": {"nodes": graph.iter().map(|(name, to)| node(name, to)).collect::<Vec<_>>()},
        });
        MetadataCommand::parse(metadata.to_string()).unwrap().into()
    }

    fn package(name: &str, dependencies: &[&str]) -> Value {
        let dependency = |to: &&str| {
            let (kind, name) = match to.split_once(':') {
                Some(("dev", name)) => (json!("dev"), name),
                Some((_, name)) => (Value::Null, name),
                None => (Value::Null, *to),
            };
            json!({"name": name, "req": "*", "kind": kind, "optional": false, "uses_default_features": true, "features": []})
        };
        let license = (name != "toolrl-unlicensed").then_some("MIT OR Apache-2.0");
        json!({
            "id": name, "name": name, "version": "0.1.0", "license": license,
            "manifest_path": format!("/w/crates/{name}/Cargo.toml"), "targets": [], "features": {},
            "dependencies": dependencies.iter().map(dependency).collect::<Vec<_>>(),
        })
    }

    fn node(name: &str, dependencies: &[&str]) -> Value {
        let built = dependencies.iter().filter(|to| !to.starts_with("off:"));
        let edge = |to: &&str| {
            let (kind, to) = to.strip_prefix("dev:").map_or((Value::Null, *to), |to| (json!("dev"), to));
            json!({"name": to, "pkg": to, "dep_kinds": [{"kind": kind, "target": null}]})
        };
        json!({"id": name, "dependencies": [], "deps": built.map(edge).collect::<Vec<_>>()})
    }

    #[test]
    fn what_is_linked_is_found_however_far_away() {
        let workspace = workspace(&[
            ("toolrl-a", &["near", "dev:tested", "off:toolrl-b", "toolrl-c"]),
            ("toolrl-b", &[]),
            ("toolrl-c", &[]),
            ("near", &["far"]),
            ("far", &["near"]),
            ("tested", &[]),
        ]);
        let a = workspace.members()[0];
        assert_eq!(workspace.edges(a), BTreeSet::from(["toolrl-b", "toolrl-c"]));
        assert_eq!(workspace.linked(a), BTreeSet::from(["near", "far", "toolrl-c"]));
        assert!(workspace.is_in("crates", a) && !workspace.is_in("tests", a));
    }
}

//! What `cargo metadata` says of packages and their dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::cargo;

/// A package of the dependency graph.
#[derive(Debug, Default)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// The `license` of its manifest.
    pub(crate) license: Option<String>,
    /// Its folder's path from the root of the workspace; nothing for packages from elsewhere.
    pub(crate) folder: Option<String>,
    /// Ids of the packages it links or builds with. Those of its tests alone are left out.
    dependencies: Vec<String>,
}

/// The packages by id, and which of them are the workspace's.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    packages: BTreeMap<String, Package>,
    members: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let output = cargo()
            .args(["metadata", "--format-version", "1"])
            .current_dir(root)
            .output()
            .context("cannot start cargo metadata")?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let metadata = serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
        Self::parse(&metadata).context("cargo metadata lacks a field")
    }

    /// The graph in cargo's JSON; nothing where a field is missing.
    pub(crate) fn parse(metadata: &Value) -> Option<Self> {
        let root = metadata["workspace_root"].as_str()?;
        let mut workspace = Self { members: strings(&metadata["workspace_members"])?, ..Self::default() };
        for package in metadata["packages"].as_array()? {
            let manifest = Path::new(package["manifest_path"].as_str()?);
            let folder = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok());
            let parsed = Package {
                name: package["name"].as_str()?.to_owned(),
                license: package["license"].as_str().map(str::to_owned),
                folder: folder.map(|folder| folder.to_string_lossy().into_owned()),
                dependencies: Vec::new(),
            };
            workspace.packages.insert(package["id"].as_str()?.to_owned(), parsed);
        }
        for node in metadata["resolve"]["nodes"].as_array()? {
            let linked = node["deps"].as_array()?.iter().filter(|dependency| is_linked(dependency));
            let ids = linked.map(|dependency| dependency["pkg"].as_str().map(str::to_owned));
            let package = workspace.packages.get_mut(node["id"].as_str()?)?;
            package.dependencies = ids.collect::<Option<_>>()?;
        }
        Some(workspace)
    }

    /// The workspace's own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.members.iter().filter_map(|id| self.packages.get(id))
    }

    /// The workspace's packages on which a package depends directly.
    pub(crate) fn edges(&self, package: &Package) -> impl Iterator<Item = &Package> {
        let ours = package.dependencies.iter().filter(|id| self.members.contains(id));
        ours.filter_map(|id| self.packages.get(id))
    }

    /// The names of all packages that a package links, however far away.
    pub(crate) fn linked(&self, package: &Package) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut pending: Vec<&String> = package.dependencies.iter().collect();
        while let Some(id) = pending.pop() {
            if let Some(package) = self.packages.get(id)
                && seen.insert(id)
            {
                names.insert(package.name.as_str());
                pending.extend(&package.dependencies);
            }
        }
        names
    }
}

/// Whether a dependency is more than one of the tests'.
fn is_linked(dependency: &Value) -> bool {
    let kinds = dependency["dep_kinds"].as_array();
    kinds.is_none_or(|kinds| kinds.iter().any(|kind| kind["kind"] != "dev"))
}

/// A JSON list of strings.
fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

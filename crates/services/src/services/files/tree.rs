//! Files and directories, with the sharing that moves and copies leave behind.
//!
//! A directory is an object of its own and its contents another: a moved directory is a new object with
//! the contents of the old, and a copied one shares what lies in it with the original. So contents can be
//! reached by many paths, or contain themselves, and whoever walks them counts steps.

use indexmap::IndexMap;

use crate::python::{Outcome, Raised};
use crate::value::{Dict, Key, Value};

/// The most files and directories that one walk visits.
const MAX_VISITS: usize = 200_000;

/// The deepest directory that a walk enters, near what Python's recursion limit leaves.
const MAX_DEPTH: usize = 400;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContentsId(usize);

impl ContentsId {
    /// The contents that a tree has from the start.
    pub(super) const FIRST: Self = Self(0);
}

pub(super) enum Node {
    File {
        name: String,
        /// Text, or whatever else a call has written.
        content: Value,
    },
    Directory {
        name: String,
        parent: Option<NodeId>,
        contents: ContentsId,
    },
}

/// What a directory holds, by name.
pub(super) type Contents = IndexMap<String, NodeId, foldhash::fast::RandomState>;

/// Every object that there was; none is ever removed, only its entry in some contents.
#[derive(Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    contents: Vec<Contents>,
}

impl Tree {
    fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    /// New contents.
    pub(super) fn add_contents(&mut self, contents: Contents) -> ContentsId {
        self.contents.push(contents);
        ContentsId(self.contents.len() - 1)
    }

    /// A new directory that nothing holds yet.
    pub(super) fn directory(&mut self, name: &str, parent: Option<NodeId>, contents: ContentsId) -> NodeId {
        self.push(Node::Directory { name: name.to_owned(), parent, contents })
    }

    /// A new file that nothing holds yet.
    pub(super) fn file(&mut self, name: &str, content: Value) -> NodeId {
        self.push(Node::File { name: name.to_owned(), content })
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    pub(super) fn name(&self, id: NodeId) -> &str {
        match self.node(id) {
            Node::File { name, .. } | Node::Directory { name, .. } => name,
        }
    }

    pub(super) fn parent(&self, id: NodeId) -> Option<NodeId> {
        match self.node(id) {
            Node::Directory { parent, .. } => *parent,
            Node::File { .. } => None,
        }
    }

    /// What a directory holds; a file holds nothing.
    pub(super) fn contents(&self, id: ContentsId) -> &Contents {
        &self.contents[id.0]
    }

    pub(super) fn contents_mut(&mut self, id: ContentsId) -> &mut Contents {
        &mut self.contents[id.0]
    }

    /// The contents of a directory.
    pub(super) fn contents_of(&self, id: NodeId) -> Option<ContentsId> {
        match self.node(id) {
            Node::Directory { contents, .. } => Some(*contents),
            Node::File { .. } => None,
        }
    }

    /// Gives the directory under a name other contents.
    pub(super) fn replace_contents(&mut self, holder: ContentsId, name: &str, new: ContentsId) {
        let id = self.contents(holder).get(name).copied();
        if let Some(Node::Directory { contents, .. }) = id.and_then(|id| self.nodes.get_mut(id.0)) {
            *contents = new;
        }
    }

    /// Python's `file.content = content`; whether it is a file.
    pub(super) fn write(&mut self, id: NodeId, new: Value) -> bool {
        match &mut self.nodes[id.0] {
            Node::File { content, .. } => {
                *content = new;
                true
            }
            Node::Directory { .. } => false,
        }
    }

    /// Visits everything below a directory, parents before children: `visit` gets the path of names from
    /// there and the object.
    ///
    /// # Errors
    /// When there is more to visit, or deeper, than a walk takes.
    pub(super) fn walk(
        &self,
        from: NodeId,
        mut visit: impl FnMut(&[&str], &Node) -> Outcome<()>,
    ) -> Outcome<()> {
        let entries = |id| self.contents_of(id).map(|contents| self.contents(contents).iter());
        let mut open: Vec<_> = entries(from).into_iter().collect();
        let mut path: Vec<&str> = Vec::new();
        let mut visits = 0;
        while let Some(rest) = open.last_mut() {
            let Some((name, id)) = rest.next() else {
                open.pop();
                path.pop();
                continue;
            };
            visits += 1;
            if visits > MAX_VISITS {
                return Err(Raised::too_large());
            }
            path.push(name);
            visit(&path, self.node(*id))?;
            match entries(*id) {
                Some(_) if open.len() >= MAX_DEPTH => {
                    return Err(Raised::other("maximum recursion depth exceeded"));
                }
                Some(entries) => open.push(entries),
                None => drop(path.pop()),
            }
        }
        Ok(())
    }

    /// A directory as a value: its type, its name and its contents, which are compared as Python compares
    /// directories.
    ///
    /// # Errors
    /// When the directory cannot be walked.
    pub(super) fn value(&self, id: NodeId) -> Outcome {
        // The directories whose contents are being gathered, from the root down.
        let mut open = vec![(self.name(id).to_owned(), Dict::default())];
        self.walk(id, |path, node| {
            close_to(&mut open, path.len());
            let name = path.last().copied().unwrap_or_default();
            match node {
                Node::Directory { name, .. } => open.push((name.clone(), Dict::default())),
                Node::File { name: own, content } => {
                    let file = Dict::of([
                        ("type", "file".into()),
                        ("name", own.as_str().into()),
                        ("content", content.clone()),
                    ]);
                    if let Some((_, contents)) = open.last_mut() {
                        contents.insert(Key::Str(name.to_owned()), file.into());
                    }
                }
            }
            Ok(())
        })?;
        close_to(&mut open, 1);
        Ok(open.pop().map_or(Value::None, |(name, contents)| directory_value(&name, contents)))
    }
}

fn directory_value(name: &str, contents: Dict) -> Value {
    Dict::of([("type", "directory".into()), ("name", name.into()), ("contents", contents.into())]).into()
}

/// Puts finished directories into those that hold them, until so many are open.
fn close_to(open: &mut Vec<(String, Dict)>, depth: usize) {
    while open.len() > depth {
        if let Some((name, contents)) = open.pop()
            && let Some((_, holder)) = open.last_mut()
        {
            holder.insert(Key::Str(name.clone()), directory_value(&name, contents));
        }
    }
}

//! Commands that move, copy and remove: `mv`, `cp`, `rm` and `rmdir`.

use super::tree::{Contents, Node, NodeId};
use super::{Files, refused};
use crate::python::{Outcome, contains};
use crate::value::{Value, dict};

/// Whether what is at the source stays.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Move,
    Copy,
}

impl Files {
    pub(super) fn mv(&mut self, source: &Value, destination: &Value) -> Outcome {
        self.transfer(Action::Move, source, destination)
    }

    pub(super) fn cp(&mut self, source: &Value, destination: &Value) -> Outcome {
        self.transfer(Action::Copy, source, destination)
    }

    fn transfer(&mut self, action: Action, source: &Value, destination: &Value) -> Outcome {
        let (command, verb, no_path) = match action {
            Action::Move => ("mv", "move", "no path allowed"),
            Action::Copy => ("cp", "copy", "don't allow path"),
        };
        let fail = |reason: &str| Ok(refused(format!("{command}: cannot {verb} '{source}'{reason}")));
        let Some(item) = self.held(source)? else {
            return fail(": No such file or directory");
        };
        if contains(destination, &"/".into())? {
            return Ok(refused(format!(
                "{command}: {no_path} in destination. Only file name and folder name is supported for this \
                 operation."
            )));
        }
        let into = match self.directory_at(destination)? {
            Some(None) => return fail(&format!(" to '{destination}': Not a directory")),
            Some(Some(into)) => {
                // For a copy, the released check looks for a name with a path, which only a scenario can
                // have made.
                let taken = match action {
                    Action::Move => source.to_string(),
                    Action::Copy => format!("{destination}/{source}"),
                };
                if self.tree.contents(self.contents_of(into)).contains_key(&taken) {
                    return fail(&format!(" to '{destination}/{source}': File exists"));
                }
                Some(into)
            }
            None => None,
        };
        if action == Action::Move {
            let here = self.here();
            self.tree.contents_mut(here).shift_remove(&source.to_string());
        }
        self.put(action, item, into, source, destination)
    }

    /// The object under a name that the working directory holds.
    fn held(&self, name: &Value) -> Outcome<Option<NodeId>> {
        if self.holds(name)? { self.item(name) } else { Ok(None) }
    }

    /// The object under the destination's name, if there is one: a directory, or else nothing to put into.
    fn directory_at(&self, destination: &Value) -> Outcome<Option<Option<NodeId>>> {
        let held = self.held(destination)?;
        Ok(held.map(|id| Some(id).filter(|id| self.tree.contents_of(*id).is_some())))
    }

    /// Makes a new object of what the item holds: inside a directory under the source's name, or here
    /// under the destination's.
    fn put(
        &mut self,
        action: Action,
        item: NodeId,
        into: Option<NodeId>,
        source: &Value,
        destination: &Value,
    ) -> Outcome {
        let (holder, name) = match into {
            Some(into) => (into, source.to_string()),
            None => (self.current, destination.to_string()),
        };
        match self.tree.node(item) {
            Node::File { content, .. } => {
                let content = content.clone();
                self.add_file(holder, &name, content)?;
            }
            Node::Directory { contents, .. } => {
                let contents = *contents;
                // The new directory is there before the contents are copied, so a copy into itself holds
                // itself.
                let first = self.tree.add_contents(Contents::default());
                self.add_directory(holder, &name, first)?;
                let copied = match action {
                    Action::Move => contents,
                    Action::Copy => {
                        let copy = self.tree.contents(contents).clone();
                        self.tree.add_contents(copy)
                    }
                };
                self.tree.replace_contents(self.contents_of(holder), &name, copied);
            }
        }
        let (done, place) = (
            if action == Action::Move { "moved" } else { "copied" },
            if into.is_some() { format!("{destination}/{source}") } else { destination.to_string() },
        );
        Ok(dict! {"result": format!("'{source}' {done} to '{place}'")})
    }

    pub(super) fn rm(&mut self, name: &Value) -> Outcome {
        if !self.holds(name)? {
            return Ok(refused(format!("rm: cannot remove '{name}': No such file or directory")));
        }
        Ok(self.removed(name))
    }

    pub(super) fn rmdir(&mut self, name: &Value) -> Outcome {
        let Some(item) = self.held(name)? else {
            return Ok(refused(format!("rmdir: cannot remove '{name}': No such file or directory")));
        };
        match self.tree.contents_of(item) {
            None => Ok(refused(format!("rmdir: cannot remove '{name}': Not a directory"))),
            Some(contents) if !self.tree.contents(contents).is_empty() => {
                Ok(refused(format!("rmdir: failed to remove '{name}': Directory not empty")))
            }
            Some(_) => Ok(self.removed(name)),
        }
    }

    fn removed(&mut self, name: &Value) -> Value {
        let here = self.here();
        self.tree.contents_mut(here).shift_remove(&name.to_string());
        dict! {"result": format!("'{name}' removed")}
    }
}

//! GorillaFileSystem: files and directories, and commands on them.

mod moving;
mod reading;
mod tree;

use super::refused;
use crate::ServicesError;
use crate::python::{Function, Operator, Outcome, Raised, arithmetic, contains, function};
use crate::service::{Context, Scenario, Service, no_function};
use crate::value::{Dict, Key, Value, dict};
use tree::{Contents, ContentsId, Node, NodeId, Tree};

pub(crate) const FUNCTIONS: &[Function] = &[
    function("pwd", &[], &[]),
    function("ls", &[], &["a"]),
    function("cd", &["folder"], &[]),
    function("mkdir", &["dir_name"], &[]),
    function("touch", &["file_name"], &[]),
    function("echo", &["content"], &["file_name"]),
    function("cat", &["file_name"], &[]),
    function("find", &[], &["path", "name"]),
    function("wc", &["file_name"], &["mode"]),
    function("sort", &["file_name"], &[]),
    function("grep", &["file_name", "pattern"], &[]),
    function("du", &[], &["human_readable"]),
    function("tail", &["file_name"], &["lines"]),
    function("diff", &["file_name1", "file_name2"], &[]),
    function("mv", &["source", "destination"], &[]),
    function("rm", &["file_name"], &[]),
    function("rmdir", &["dir_name"], &[]),
    function("cp", &["source", "destination"], &[]),
];

/// Characters that no new name may hold.
const FORBIDDEN: [&str; 10] = ["|", "/", "\\", "?", "%", "*", ":", "\"", ">", "<"];

pub(crate) struct Files {
    context: Context,
    tree: Tree,
    root: NodeId,
    /// The working directory, which stays even when nothing holds it any more.
    current: NodeId,
}

impl Files {
    pub(crate) fn load(scenario: &Scenario<'_>, context: &Context) -> Result<Self, ServicesError> {
        let mut tree = Tree::default();
        let contents = tree.add_contents(Contents::default());
        let mut root = tree.directory("/", None, contents);
        if let Some(given) = scenario.find("root") {
            let first = match given {
                Value::Dict(entries) => entries.iter().next(),
                _ => None,
            };
            let (name, directory) =
                first.ok_or_else(|| scenario.error("root", "an object with one directory", given))?;
            root = tree.directory(&name.value().to_string(), None, contents);
            load_contents(scenario, &mut tree, root, directory, context)?;
        }
        Ok(Self { context: context.clone(), tree, root, current: root })
    }

    /// The contents of the working directory.
    fn here(&self) -> ContentsId {
        self.contents_of(self.current)
    }

    fn contents_of(&self, id: NodeId) -> ContentsId {
        // The working directory and the root are directories.
        self.tree.contents_of(id).unwrap_or(ContentsId::FIRST)
    }

    /// Whether the working directory holds this name; what cannot be hashed raises.
    fn holds(&self, name: &Value) -> Outcome<bool> {
        Key::of(name)?;
        Ok(matches!(name, Value::Str(name) if self.tree.contents(self.here()).contains_key(name)))
    }

    /// The released `_get_item`: `.` is the working directory itself.
    fn item(&self, name: &Value) -> Outcome<Option<NodeId>> {
        if name.is_str(".") {
            return Ok(Some(self.current));
        }
        Key::of(name)?;
        match name {
            Value::Str(name) => Ok(self.tree.contents(self.here()).get(name).copied()),
            _ => Ok(None),
        }
    }

    /// The content of a file that the working directory holds.
    fn content(&self, name: &Value) -> Outcome<Option<&Value>> {
        if !self.holds(name)? {
            return Ok(None);
        }
        Ok(self.item(name)?.and_then(|id| match self.tree.node(id) {
            Node::File { content, .. } => Some(content),
            Node::Directory { .. } => None,
        }))
    }

    fn working_directory(&self) -> Value {
        let mut names = Vec::new();
        let mut directory = Some(self.current);
        while let Some(id) = directory {
            names.push(self.tree.name(id));
            directory = self.tree.parent(id);
        }
        names.reverse();
        dict! {"current_working_directory": format!("/{}", names.join("/"))}
    }

    fn list(&self, hidden: bool) -> Value {
        let names = self.tree.contents(self.here()).keys();
        let shown = names.filter(|name| hidden || !name.starts_with('.'));
        let shown: Vec<Value> = shown.map(|name| Value::from(name.as_str())).collect();
        dict! {"current_directory_content": shown}
    }

    fn change_directory(&mut self, folder: &Value) -> Outcome {
        if folder.is_str("..") {
            return Ok(match self.tree.parent(self.current) {
                Some(parent) => {
                    self.current = parent;
                    Dict::default().into()
                }
                None => refused("Cuurent directory is already the root. Cannot go back."),
            });
        }
        match self.navigate(folder)? {
            Some(directory) => {
                self.current = directory;
                Ok(dict! {"current_working_directory": self.tree.name(directory)})
            }
            None => Ok(refused(format!(
                "cd: {folder}: No such directory. You cannot use path to change directory."
            ))),
        }
    }

    /// The directory that a path leads to.
    fn navigate(&self, path: &Value) -> Outcome<Option<NodeId>> {
        let path = match path {
            Value::None => return Ok(Some(self.current)),
            Value::Str(path) => path,
            other => return Err(Raised::attribute(other.type_name(), "strip")),
        };
        match path.as_str() {
            "." => return Ok(Some(self.current)),
            "/" => return Ok(Some(self.root)),
            _ => {}
        }
        let mut directory = if path.starts_with('/') { self.root } else { self.current };
        for name in path.trim_matches('/').split('/').filter(|name| *name != ".") {
            let contents = self.tree.contents(self.contents_of(directory));
            match contents.get(name).filter(|id| self.tree.contents_of(**id).is_some()) {
                Some(id) => directory = *id,
                None => return Ok(None),
            }
        }
        Ok(Some(directory))
    }

    /// Whether a name has none of the forbidden characters; what is no text or list raises.
    fn is_valid_name(name: &Value) -> Outcome<bool> {
        for character in FORBIDDEN {
            if contains(name, &Value::from(character))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn make_directory(&mut self, name: &Value) -> Outcome {
        let refused =
            |reason: &str| Ok(refused(format!("mkdir: cannot create directory '{name}': {reason}")));
        if !Self::is_valid_name(name)? {
            return refused("Invalid character");
        }
        if self.holds(name)? {
            return refused("File exists");
        }
        let contents = self.tree.add_contents(Contents::default());
        self.add_directory(self.current, &name.to_string(), contents)?;
        Ok(Value::None)
    }

    fn touch(&mut self, name: &Value) -> Outcome {
        let refused = |reason: &str| Ok(refused(format!("touch: cannot touch '{name}': {reason}")));
        if !Self::is_valid_name(name)? {
            return refused("Invalid character");
        }
        if self.holds(name)? {
            return refused("File exists");
        }
        self.add_file(self.current, &name.to_string(), "".into())?;
        Ok(Value::None)
    }

    fn echo(&mut self, content: &Value, name: Option<&Value>) -> Outcome {
        let shown = || Ok(dict! {"terminal_output": content.clone()});
        let Some(name) = name.filter(|name| **name != Value::None) else {
            return shown();
        };
        if !Self::is_valid_name(name)? {
            return Ok(refused(format!("echo: cannot touch '{name}': Invalid character")));
        }
        if !name.truthy() {
            return shown();
        }
        if !self.holds(name)? {
            self.add_file(self.current, &name.to_string(), content.clone())?;
            return Ok(Value::None);
        }
        match self.item(name)? {
            Some(id) if self.tree.write(id, content.clone()) => Ok(Value::None),
            _ => Err(Raised::attribute("Directory", "_write")),
        }
    }

    /// The released `_add_file`.
    fn add_file(&mut self, directory: NodeId, name: &str, content: Value) -> Outcome<()> {
        self.check_new(directory, name, "File")?;
        let file = self.tree.file(name, content);
        let contents = self.contents_of(directory);
        self.tree.contents_mut(contents).insert(name.to_owned(), file);
        Ok(())
    }

    /// The released `_add_directory`, with these contents.
    fn add_directory(&mut self, holder: NodeId, name: &str, contents: ContentsId) -> Outcome<()> {
        self.check_new(holder, name, "Directory")?;
        let directory = self.tree.directory(name, Some(holder), contents);
        let holder = self.contents_of(holder);
        self.tree.contents_mut(holder).insert(name.to_owned(), directory);
        Ok(())
    }

    fn check_new(&self, directory: NodeId, name: &str, kind: &str) -> Outcome<()> {
        if self.tree.contents(self.contents_of(directory)).contains_key(name) {
            let holder = self.tree.name(directory);
            let message = format!("{kind} '{name}' already exists in directory '{holder}'.");
            return Err(Raised::value_error(message));
        }
        Ok(())
    }
}

/// Loads what a scenario's directory holds. In a long context files grow, and directories without
/// directories are filled with empty files.
fn load_contents(
    scenario: &Scenario<'_>,
    tree: &mut Tree,
    directory: NodeId,
    given: &Value,
    context: &Context,
) -> Result<(), ServicesError> {
    let fail = || scenario.error("root", "directories and files", given);
    let Value::Dict(given) = given else {
        return Err(fail());
    };
    let Some(Value::Dict(entries)) = given.get("contents") else {
        return Err(fail());
    };
    let Some(contents) = tree.contents_of(directory) else {
        return Err(fail());
    };
    let mut innermost = true;
    for (name, entry) in entries.iter() {
        let name = name.value().to_string();
        let Value::Dict(fields) = entry else {
            return Err(fail());
        };
        let kind = fields.get("type").ok_or_else(fail)?;
        let id = if kind.is_str("directory") {
            innermost = false;
            let inner = tree.add_contents(Contents::default());
            let id = tree.directory(&name, Some(directory), inner);
            load_contents(scenario, tree, id, entry, context)?;
            id
        } else if kind.is_str("file") {
            let content = file_content(&name, fields.get("content").ok_or_else(fail)?, context);
            tree.file(&name, content.map_err(|_| fail())?)
        } else {
            continue;
        };
        tree.contents_mut(contents).insert(name, id);
    }
    if let Some(texts) = context.texts().filter(|_| innermost) {
        for name in &texts.file_names {
            let name = name.to_string();
            let file = tree.file(&name, "".into());
            tree.contents_mut(contents).insert(name, file);
        }
    }
    Ok(())
}

fn file_content(name: &str, content: &Value, context: &Context) -> Outcome {
    match context.texts() {
        Some(texts) if !texts.unchanged_files.iter().any(|file| file.is_str(name)) => {
            arithmetic(Operator::AddInPlace, content, &texts.file_content)
        }
        _ => Ok(content.clone()),
    }
}

impl Service for Files {
    fn call(&mut self, function: &str, slots: &[Option<&Value>]) -> Outcome {
        let flag = |slot: Option<&Value>| slot.is_some_and(Value::truthy);
        match (function, slots) {
            ("pwd", []) => Ok(self.working_directory()),
            ("ls", &[hidden]) => Ok(self.list(flag(hidden))),
            ("cd", &[Some(folder)]) => self.change_directory(folder),
            ("mkdir", &[Some(name)]) => self.make_directory(name),
            ("touch", &[Some(name)]) => self.touch(name),
            ("echo", &[Some(content), name]) => self.echo(content, name),
            ("cat", &[Some(name)]) => self.cat(name),
            ("find", &[path, name]) => self.find(path.unwrap_or(&".".into()), name.unwrap_or(&Value::None)),
            ("wc", &[Some(name), mode]) => self.count_words(name, mode.unwrap_or(&"l".into())),
            ("sort", &[Some(name)]) => self.sort(name),
            ("grep", &[Some(name), Some(pattern)]) => self.grep(name, pattern),
            ("du", &[readable]) => self.disk_usage(flag(readable)),
            ("tail", &[Some(name), lines]) => self.tail(name, lines.unwrap_or(&10.into())),
            ("diff", &[Some(a), Some(b)]) => self.diff(a, b),
            ("mv", &[Some(source), Some(destination)]) => self.mv(source, destination),
            ("rm", &[Some(name)]) => self.rm(name),
            ("rmdir", &[Some(name)]) => self.rmdir(name),
            ("cp", &[Some(source), Some(destination)]) => self.cp(source, destination),
            _ => no_function(function),
        }
    }

    fn attributes(&self) -> Vec<(&'static str, Value)> {
        let root = self.tree.value(self.root);
        vec![
            ("long_context", self.context.is_long().into()),
            // Directories without an end have no value; the reason stands in its place.
            ("root", root.unwrap_or_else(|raised| Value::Opaque(raised.text))),
        ]
    }
}

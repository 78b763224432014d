//! Commands that read: `cat`, `find`, `wc`, `sort`, `grep`, `du`, `tail` and `diff`.

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive};

use super::tree::Node;
use super::{Files, refused};
use crate::python::{Outcome, Raised, contains, rstrip_slash, split_count, split_lines, whole_of};
use crate::services::count;
use crate::value::{Order, Value, dict};

/// Bytes, KB and so on up to here; what is above is in PB.
const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];

fn no_such_file(command: &str, name: &Value) -> Value {
    refused(format!("{command}: {name}: No such file or directory"))
}

impl Files {
    pub(super) fn cat(&self, name: &Value) -> Outcome {
        if !Self::is_valid_name(name)? {
            return Ok(refused(format!("cat: '{name}': Invalid character")));
        }
        if !self.holds(name)? {
            return Ok(no_such_file("cat", name));
        }
        Ok(match self.content(name)? {
            Some(content) => dict! {"file_content": content.clone()},
            None => refused(format!("cat: {name}: Is a directory")),
        })
    }

    /// Whatever lies below the working directory; the path only goes before the names.
    pub(super) fn find(&self, path: &Value, name: &Value) -> Outcome {
        let base = rstrip_slash(path)?;
        let mut matches: Vec<Value> = Vec::new();
        let mut length = 0;
        self.tree.walk(self.current, |path, _| {
            let own = Value::from(path.last().copied().unwrap_or_default());
            if *name == Value::None || contains(&own, name)? {
                let found = format!("{base}/{}", path.join("/"));
                length += found.len();
                matches.push(found.into());
            }
            if length > 1 << 26 { Err(Raised::too_large()) } else { Ok(()) }
        })?;
        Ok(dict! {"matches": matches})
    }

    pub(super) fn count_words(&self, name: &Value, mode: &Value) -> Outcome {
        if !["l", "w", "c"].iter().any(|known| mode.is_str(known)) {
            return Ok(refused(format!("wc: invalid mode '{mode}'")));
        }
        let Some(content) = self.content(name)? else {
            return Ok(no_such_file("wc", name));
        };
        let (number, kind) = match mode {
            _ if mode.is_str("l") => (split_lines(content)?.len(), "lines"),
            _ if mode.is_str("w") => (split_count(content)?, "words"),
            _ => (length(content)?, "characters"),
        };
        Ok(dict! {"count": count(number), "type": kind})
    }

    pub(super) fn sort(&self, name: &Value) -> Outcome {
        let Some(content) = self.content(name)? else {
            return Ok(no_such_file("sort", name));
        };
        let mut lines = split_lines(content)?;
        lines.sort_unstable();
        Ok(dict! {"sorted_content": lines.join("\n")})
    }

    pub(super) fn grep(&self, name: &Value, pattern: &Value) -> Outcome {
        let Some(content) = self.content(name)? else {
            return Ok(no_such_file("grep", name));
        };
        let mut matching = Vec::new();
        for line in split_lines(content)? {
            let line = Value::from(line);
            if contains(&line, pattern)? {
                matching.push(line);
            }
        }
        Ok(dict! {"matching_lines": matching})
    }

    pub(super) fn disk_usage(&self, readable: bool) -> Outcome {
        let mut bytes: u64 = 0;
        self.tree.walk(self.current, |_, node| {
            if let Node::File { content, .. } = node {
                match content {
                    Value::Str(text) => bytes += text.len() as u64,
                    other => return Err(Raised::attribute(other.type_name(), "encode")),
                }
            }
            Ok(())
        })?;
        if !readable {
            return Ok(dict! {"disk_usage": format!("{bytes} bytes")});
        }
        let mut size = bytes as f64;
        for unit in UNITS {
            if size < 1024.0 {
                return Ok(dict! {"disk_usage": format!("{size:.2} {unit}")});
            }
            size /= 1024.0;
        }
        Ok(dict! {"disk_usage": format!("{size:.2} PB")})
    }

    pub(super) fn tail(&self, name: &Value, lines: &Value) -> Outcome {
        let Some(content) = self.content(name)? else {
            return Ok(no_such_file("tail", name));
        };
        let content = split_lines(content)?;
        let all = count(content.len());
        let asked = if lines.compares(Order::Greater, &all)? { &all } else { lines };
        let first = first_line(content.len(), asked)?;
        Ok(dict! {"last_lines": content[first..].join("\n")})
    }

    pub(super) fn diff(&self, a: &Value, b: &Value) -> Outcome {
        let missing = || refused(format!("diff: {a} or {b}: No such file or directory"));
        // Both names must be there before either is read.
        if !(self.holds(a)? && self.holds(b)?) {
            return Ok(missing());
        }
        let (Some(first), Some(second)) = (self.content(a)?, self.content(b)?) else {
            return Ok(missing());
        };
        let (first, second) = (split_lines(first)?, split_lines(second)?);
        let pairs = first.iter().zip(&second).filter(|(a, b)| a != b);
        let lines: Vec<String> = pairs.map(|(a, b)| format!("- {a}\n+ {b}")).collect();
        Ok(dict! {"diff_lines": lines.join("\n")})
    }
}

/// Where Python's `content[-lines:]` begins.
fn first_line(length: usize, lines: &Value) -> Outcome<usize> {
    let lines = whole_of(lines).ok_or_else(|| {
        Raised::type_error("slice indices must be integers or None or have an __index__ method")
    })?;
    let start = -lines;
    let start = if start.is_negative() { start + BigInt::from(length) } else { start };
    Ok(if start.is_negative() { 0 } else { start.to_usize().map_or(length, |start| start.min(length)) })
}

/// Python's `len(content)`.
fn length(content: &Value) -> Outcome<usize> {
    match content {
        Value::Str(text) => Ok(text.chars().count()),
        Value::List(items) => Ok(items.len()),
        Value::Dict(entries) => Ok(entries.len()),
        other => Err(Raised::type_error(format!("object of type '{}' has no len()", other.type_name()))),
    }
}

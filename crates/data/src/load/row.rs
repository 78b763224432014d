//! From one row of a file to a [`Sample`].

use std::path::Path;

use serde_json::{Map, Value};

use crate::{DataError, Gold, Message, Place, Sample, TaskKind};

/// Who may speak in a prompt.
const ROLES: [&str; 4] = ["system", "user", "assistant", "tool"];

/// A row and where it stands, for errors.
pub(super) struct Row<'a> {
    pub(super) path: &'a Path,
    pub(super) at: Place,
    pub(super) value: &'a Value,
}

impl Row<'_> {
    /// Reads the row in whichever of the two released forms it has.
    pub(super) fn sample(&self, stem: &str, index: usize) -> Result<Sample, DataError> {
        if self.value.get("prompt").is_some() {
            self.chat_form(stem, index)
        } else if self.value.get("instruction").is_some() {
            self.instruction_form(stem, index)
        } else {
            Err(self.field("prompt", "`prompt` or `instruction`", self.value))
        }
    }

    /// `{instruction, input, output}`, each without its surrounding white space.
    fn instruction_form(&self, stem: &str, index: usize) -> Result<Sample, DataError> {
        let message = |role, field| Ok(Message::new(role, self.text(field)?.trim()));
        let messages = vec![message("system", "instruction")?, message("user", "input")?];
        let gold = Gold::from(self.text("output")?.trim());
        let (id, kind) = (format!("{stem}:{index}"), TaskKind::of_gold(&gold));
        Ok(Sample { id, messages, tools: Vec::new(), gold, kind, unseen_tools: false })
    }

    /// `{prompt, tools, reward_model: {ground_truth}, extra_info}`, texts as they stand. Of `extra_info`, `index`
    /// numbers the sample; `id`, `kind` and `unseen_tools` are what our own writers add.
    fn chat_form(&self, stem: &str, index: usize) -> Result<Sample, DataError> {
        let gold = Gold::from(self.text("reward_model.ground_truth")?);
        let index = self.optional("extra_info.index").and_then(Value::as_u64).unwrap_or(index as u64);
        let id = match self.optional("extra_info.id") {
            Some(_) => self.text("extra_info.id")?.to_owned(),
            None => format!("{stem}:{index}"),
        };
        let kind = match self.optional("extra_info.kind") {
            Some(found) => found
                .as_str()
                .and_then(TaskKind::from_name)
                .ok_or_else(|| self.field("extra_info.kind", "a kind of task", found))?,
            None => TaskKind::of_gold(&gold),
        };
        let unseen_tools = match self.optional("extra_info.unseen_tools") {
            Some(found) => found
                .as_bool()
                .ok_or_else(|| self.field("extra_info.unseen_tools", "true or false", found))?,
            None => false,
        };
        Ok(Sample { id, messages: self.messages()?, tools: self.tools()?, gold, kind, unseen_tools })
    }

    fn messages(&self) -> Result<Vec<Message>, DataError> {
        let found = self.optional("prompt").unwrap_or(&Value::Null);
        let list = found.as_array().filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| self.field("prompt", "a list of at least one message", found))?;
        (0..list.len()).map(|index| self.message(index)).collect()
    }

    /// A message: `role`, `content`, and what else a chat template may read. Beside `tool_calls` nothing need be
    /// said. A table has the rest in `more`, as JSON.
    fn message(&self, index: usize) -> Result<Message, DataError> {
        let field = format!("prompt.{index}.role");
        let role = self.text(&field)?;
        if !ROLES.contains(&role) {
            return Err(self.field(&field, "system, user, assistant or tool", &Value::from(role)));
        }
        let mut rest =
            self.optional(&format!("prompt.{index}")).and_then(Value::as_object).cloned().unwrap_or_default();
        rest.retain(|name, value| !value.is_null() && name != "role");
        if let Some(more) = rest.get("more").and_then(Value::as_str).and_then(as_object) {
            rest.shift_remove("more");
            rest.extend(more);
        }
        let content = match rest.shift_remove("content") {
            None if rest.contains_key("tool_calls") => "",
            _ => self.text(&format!("prompt.{index}.content"))?,
        };
        let tool_calls = rest.shift_remove("tool_calls");
        Ok(Message { tool_calls, fields: rest, ..Message::new(role, content) })
    }

    /// The tools as JSON schemas: a list, or its JSON.
    fn tools(&self) -> Result<Vec<Value>, DataError> {
        let Some(found) = self.optional("tools") else {
            return Ok(Vec::new());
        };
        let read = match found {
            Value::String(text) => serde_json::from_str(text).ok(),
            other => other.as_array().cloned(),
        };
        read.ok_or_else(|| self.field("tools", "a list of tools, or its JSON", found))
    }

    /// The text at a dotted path.
    fn text(&self, field: &str) -> Result<&str, DataError> {
        let found = self.optional(field).unwrap_or(&Value::Null);
        found.as_str().ok_or_else(|| self.field(field, "a string", found))
    }

    /// What stands at a dotted path, unless it is missing or null.
    fn optional(&self, field: &str) -> Option<&Value> {
        let pointer = format!("/{}", field.replace('.', "/"));
        let value = self.value.pointer(&pointer)?;
        (!value.is_null()).then_some(value)
    }

    fn field(&self, field: &str, expected: &'static str, found: &Value) -> DataError {
        DataError::Field {
            path: self.path.into(),
            at: self.at,
            field: field.to_owned(),
            expected,
            found: brief(found),
        }
    }
}

/// The object that a text is the JSON of.
fn as_object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

/// The value in a few words, for errors.
fn brief(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(fields) => {
            let names: Vec<_> = fields.keys().take(6).map(String::as_str).collect();
            format!(
                "an object with {}",
                if names.is_empty() { "no fields".to_owned() } else { names.join(", ") }
            )
        }
        Value::String(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
        other => other.to_string(),
    }
}

//! A message of a conversation.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One message of a conversation, as chat templates read it. Its JSON is that of the chat form: what is `null` is as if
/// it were not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Message {
    /// Who speaks: `system`, `user`, `assistant` or `tool`, or what else the template knows.
    pub role: String,
    /// What is said; of several parts, their texts one after another.
    pub content: String,
    /// How the template is given it.
    pub form: ContentForm,
    /// An assistant's tool calls, in the form its template reads; most read
    /// `[{"type": "function", "function": {"name": …, "arguments": {…}}}]`.
    pub tool_calls: Option<Value>,
    /// Further fields that a template may read, such as `name`, `tool_call_id` or `reasoning_content`.
    pub fields: Map<String, Value>,
}

/// In which form a message's content stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContentForm {
    /// A string.
    #[default]
    Text,
    /// Not at all, as beside tool calls.
    Absent,
    /// A list of parts, `[{"type": "text", "text": …}, …]`.
    Parts(Vec<Value>),
}

/// A message as JSON has it.
#[derive(Serialize, Deserialize)]
struct Written {
    role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Value>,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// The names of a message's reasoning; the first is the one that most templates read.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

impl Message {
    /// A message of `role` that says `content`.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into(), ..Self::default() }
    }

    /// A message whose content stands as JSON has it: a string, null, or a list of parts that are texts.
    ///
    /// # Errors
    /// What is wrong, for content of another form and for parts that are no texts, such as images.
    pub fn with_content(role: impl Into<String>, content: Value) -> Result<Self, String> {
        let (content, form) = match content {
            Value::String(text) => (text, ContentForm::Text),
            Value::Null => (String::new(), ContentForm::Absent),
            Value::Array(parts) => {
                (parts.iter().map(text).collect::<Result<_, _>>()?, ContentForm::Parts(parts))
            }
            other => return Err(format!("content should be a string, null or a list of parts, not {other}")),
        };
        Ok(Self { role: role.into(), content, form, ..Self::default() })
    }

    /// The same message with an assistant's tool calls.
    #[must_use]
    pub fn with_tool_calls(mut self, tool_calls: Value) -> Self {
        self.tool_calls = Some(tool_calls);
        self
    }

    /// The same message with a further field, such as `name`.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: Value) -> Self {
        self.fields.insert(name.into(), value);
        self
    }

    /// What a template is given, as transformers prepares it (`_normalize_chat_messages`, `_alias_reasoning_fields`):
    /// without keys whose value is null, and with the reasoning under the names that templates read.
    pub(crate) fn as_read(&self) -> Value {
        let mut message = json!(self);
        let Some(keys) = message.as_object_mut() else { return message };
        keys.retain(|_, value| !value.is_null());
        if let Some(reasoning) = REASONING.iter().find_map(|name| keys.get(*name)).cloned() {
            let thinking = keys.shift_remove("thinking").unwrap_or_else(|| reasoning.clone());
            keys.shift_insert(0, "thinking".to_owned(), thinking);
            keys.insert(REASONING[0].to_owned(), reasoning);
        }
        message
    }
}

/// The text of a part.
fn text(part: &Value) -> Result<&str, String> {
    let is_text = part.get("type").is_none_or(|kind| kind == "text");
    let text = part.get("text").and_then(Value::as_str).filter(|_| is_text);
    text.ok_or_else(|| format!("a part of content should be {{\"type\": \"text\", \"text\": …}}, not {part}"))
}

impl TryFrom<Written> for Message {
    type Error = String;

    fn try_from(Written { role, content, tool_calls, fields }: Written) -> Result<Self, String> {
        let message = Self::with_content(role, content.unwrap_or_default())?;
        Ok(Self { tool_calls, fields, ..message })
    }
}

impl From<Message> for Written {
    fn from(Message { role, content, form, tool_calls, fields }: Message) -> Self {
        let content = match form {
            ContentForm::Text => Some(Value::String(content)),
            ContentForm::Absent => None,
            ContentForm::Parts(parts) => Some(Value::Array(parts)),
        };
        Self { role, content, tool_calls, fields }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: Value) -> Message {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn messages_are_written_as_they_were_read() {
        for text in [
            r#"{"role":"user","content":"hi"}"#,
            r#"{"role":"tool","content":"3","name":"add","tool_call_id":"a1"}"#,
            r#"{"role":"assistant","tool_calls":[]}"#,
            r#"{"role":"user","content":[{"type":"text","text":"a"},{"text":"b"}]}"#,
            r#"{"role":"user","content":[]}"#,
        ] {
            let message: Message = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&message).unwrap(), text);
        }
        assert_eq!(read(json!({"role": "user", "content": "hi"})), Message::new("user", "hi"));
        assert_eq!(
            read(json!({"role": "tool", "content": "3", "name": "add"})),
            Message::new("tool", "3").with_field("name", "add".into())
        );
    }

    #[test]
    fn content_has_a_text_whatever_its_form() {
        let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        assert_eq!(read(json!({"role": "user", "content": parts})).content, "ab");
        assert_eq!(read(json!({"role": "assistant", "content": null})).form, ContentForm::Absent);
        assert_eq!(read(json!({"role": "assistant"})).content, "");
    }

    #[test]
    fn content_that_is_no_text_is_refused() {
        let image = json!([{"type": "image", "url": "a.png"}]);
        for content in [json!(3), json!({"text": "a"}), json!(["a"]), image, json!([{"type": "text"}])] {
            let refused = serde_json::from_value::<Message>(json!({"role": "user", "content": content}));
            assert!(refused.unwrap_err().to_string().contains("content"));
        }
    }

    /// The expected values are those of `_normalize_chat_messages` and `_alias_reasoning_fields` of transformers 5.24.
    #[test]
    fn templates_are_given_what_transformers_gives_them() {
        for (given, expected) in [
            (
                json!({"role": "assistant", "content": null, "name": null, "tool_calls": []}),
                json!({"role": "assistant", "tool_calls": []}),
            ),
            (
                json!({"role": "assistant", "content": "a", "reasoning": "r"}),
                json!({"thinking": "r", "role": "assistant", "content": "a", "reasoning": "r", "reasoning_content": "r"}),
            ),
            (
                json!({"role": "assistant", "content": "a", "reasoning_content": "r", "thinking": "t"}),
                json!({"thinking": "t", "role": "assistant", "content": "a", "reasoning_content": "r"}),
            ),
            (
                json!({"role": "assistant", "content": "a", "reasoning_content": null, "thinking": "t"}),
                json!({"thinking": "t", "role": "assistant", "content": "a", "reasoning_content": "t"}),
            ),
        ] {
            assert_eq!(read(given).as_read().to_string(), expected.to_string());
        }
    }
}

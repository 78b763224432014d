//! A message of a conversation.

use serde::{Deserialize, Serialize};

/// One message of a conversation, as chat templates read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks: `system`, `user`, `assistant` or `tool`, or what else the template knows.
    pub role: String,
    /// What is said. Where JSON has `null`, as beside tool calls, nothing is.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub content: String,
    /// An assistant's tool calls, in the form its template reads; most read
    /// `[{"type": "function", "function": {"name": …, "arguments": {…}}}]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<serde_json::Value>,
    /// Further fields that a template may read, such as `name`, `tool_call_id` or `reasoning_content`.
    #[serde(flatten)]
    pub fields: serde_json::Map<String, serde_json::Value>,
}

impl Message {
    /// A message of `role` that says `content`.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into(), ..Self::default() }
    }

    /// The same message with an assistant's tool calls.
    #[must_use]
    pub fn with_tool_calls(mut self, tool_calls: serde_json::Value) -> Self {
        self.tool_calls = Some(tool_calls);
        self
    }

    /// The same message with a further field, such as `name`.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: serde_json::Value) -> Self {
        self.fields.insert(name.into(), value);
        self
    }
}

/// A string; `null` is the empty one.
fn null_as_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_absent_are_left_out() {
        let plain = serde_json::to_string(&Message::new("user", "hi")).unwrap();
        assert_eq!(plain, r#"{"role":"user","content":"hi"}"#);
    }

    #[test]
    fn unknown_fields_survive_a_round_trip() {
        let text = r#"{"role":"tool","content":"3","name":"add","tool_call_id":"a1"}"#;
        let message: Message = serde_json::from_str(text).unwrap();
        assert_eq!(
            message,
            Message::new("tool", "3")
                .with_field("name", "add".into())
                .with_field("tool_call_id", "a1".into())
        );
        assert_eq!(serde_json::to_string(&message).unwrap(), text);
    }

    #[test]
    fn null_content_is_empty() {
        let message: Message = serde_json::from_str(r#"{"role":"assistant","content":null}"#).unwrap();
        assert_eq!(message, Message::new("assistant", ""));
        assert!(serde_json::from_str::<Message>(r#"{"role":"assistant","content":3}"#).is_err());
    }
}

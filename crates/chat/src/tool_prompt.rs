//! Tools told in the system's text, for templates that show none.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, context};
use serde_json::Value;
use toolrl_grammar::{Call, Dialect, Turn, WriteError, json};

use crate::python_json::tojson;
use crate::{ChatError, Message};

/// Our own words.
const BUILT_IN: &str = include_str!("tool_prompt.jinja");
const NAME: &str = "prompt";

/// How tools are told in the system's text: a Jinja template of `system` (what a system message says, if one does),
/// `tools` (a list of JSON Schema, as templates take them) and `example` (a call as the dialect writes it).
#[derive(Clone, Debug)]
pub struct ToolPrompt(Environment<'static>);

impl ToolPrompt {
    /// In our own words.
    ///
    /// # Errors
    /// [`ChatError::ToolPrompt`], which would be a fault of the template.
    pub fn built_in() -> Result<Self, ChatError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(ChatError::ToolPrompt)?);
        environment.set_fuel(Some(1_000_000));
        environment.add_filter("tojson", tojson);
        environment.add_template(NAME, BUILT_IN).map_err(ChatError::ToolPrompt)?;
        Ok(Self(environment))
    }

    /// A conversation with its tools in the system's text, an assistant's calls as its text in the dialect, and tools'
    /// results as a user's text.
    pub(crate) fn tell(
        &self,
        messages: &[Message],
        tools: &[Value],
        dialect: &dyn Dialect,
    ) -> Result<Vec<Message>, ChatError> {
        let (system, rest) = match messages {
            [first, rest @ ..] if first.role == "system" => (first.content.as_str(), rest),
            all => ("", all),
        };
        let failed = |source| ChatError::ToldCalls { dialect: dialect.name(), source };
        let example = example(dialect).map_err(failed)?;
        let template = self.0.get_template(NAME).map_err(ChatError::ToolPrompt)?;
        let text = template
            .render(context! { system, tools => Serde(tools), example })
            .map_err(ChatError::ToolPrompt)?;
        let mut told = vec![Message::new("system", text.trim())];
        for message in rest {
            told.push(match (message.role.as_str(), &message.tool_calls) {
                ("assistant", Some(calls)) => {
                    let text = written(turn(&message.content, calls, dialect), dialect).map_err(failed)?;
                    Message::new("assistant", text)
                }
                ("tool", _) => {
                    Message::new("user", format!("<tool_response>\n{}\n</tool_response>", message.content))
                }
                _ => message.clone(),
            });
        }
        Ok(told)
    }
}

/// A call as the dialect writes it, with thoughts where it wants some.
fn example(dialect: &dyn Dialect) -> Result<String, WriteError> {
    let arguments = json::Object::from_iter([("parameter".into(), json::Value::str("value"))]);
    written(Turn { calls: vec![Call::new("tool_name", arguments)], ..Turn::default() }, dialect)
}

/// A turn in a dialect, with placeholder thoughts where it cannot be said without.
fn written(turn: Turn<'_>, dialect: &dyn Dialect) -> Result<String, WriteError> {
    match dialect.write(&turn) {
        Err(WriteError::NoThoughts) => {
            let thoughts = Some("What is to be done, and why.".into());
            dialect.write(&Turn { thoughts, ..turn })
        }
        done => done,
    }
}

/// An assistant's message as a turn. What is no call there is passed over: data is checked where it is read.
fn turn(content: &str, calls: &Value, dialect: &dyn Dialect) -> Turn<'static> {
    let call = |call: &Value| {
        let call = call.get("function").unwrap_or(call);
        let arguments = match call.get("arguments") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "{}".to_owned(),
        };
        let arguments = json::parse(&arguments).ok()?.into_owned().as_object().cloned()?;
        Some(Call::new(call.get("name")?.as_str()?.to_owned(), arguments))
    };
    let read = dialect.parse(content.as_bytes()).turn.into_owned();
    let calls = calls.as_array().into_iter().flatten().filter_map(call).collect();
    Turn { calls, ..read }
}

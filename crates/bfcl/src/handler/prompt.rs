//! The prompt of a case.

use toolrl_grammar::json::{self, Value};
use toolrl_grammar::text;

use super::docs;
use super::template::Template;
use crate::{BfclError, Case, FunctionDoc, Group, Language};

/// The texts that prompts are made of.
#[derive(Clone, Debug)]
pub struct PromptFile {
    source: String,
    system: Template,
    tool: Template,
    tool_separator: String,
    user_start: String,
    user_single_turn: Template,
    user_multi_turn: Template,
    tool_result: Template,
    after_last_tool_result: String,
    assistant: Template,
}

/// Something said in a dialogue, as the prompt retells it. White space around it is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said<'a> {
    /// Who said it.
    pub speaker: Speaker<'a>,
    /// Its text.
    pub content: &'a str,
}

/// Who says something in a dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker<'a> {
    /// The user.
    User,
    /// The model.
    Assistant,
    /// A tool, with the call that it answers.
    Tool(&'a str),
}

/// A prompt: what the system and the user say to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The system's text.
    pub system: String,
    /// The user's text, with all that was said before.
    pub user: String,
}

impl Prompt {
    /// The prompt as one text in ChatML, up to where the reply begins: what the released handler
    /// sends, whatever the model's own template.
    pub fn chatml(&self) -> String {
        let Self { system, user } = self;
        let turn = |role: &str, text: &str| format!("<|im_start|>{role}\n{text}<|im_end|>\n");
        turn("system", system) + &turn("user", user) + "<|im_start|>assistant\n"
    }
}

impl PromptFile {
    /// The texts that come with this crate.
    pub fn builtin() -> Result<Self, BfclError> {
        Self::parse(include_str!("../../prompts/default.json"))
    }

    /// Reads a prompt file: a JSON object with the texts `system`, `tools_placeholder`, `tool`,
    /// `tool_separator`, `user_start`, `user_single_turn`, `user_multi_turn`, `tool_result`,
    /// `after_last_tool_result` and `assistant`, and perhaps `source`, which says whose they are.
    ///
    /// # Errors
    /// [`BfclError::Prompt`] naming the field that is missing or lacks a place to fill in.
    pub fn parse<T: AsRef<[u8]> + ?Sized>(text: &T) -> Result<Self, BfclError> {
        let problem = |problem: String| BfclError::Prompt { problem };
        let file = json::parse(text).map_err(|error| problem(format!("not JSON: {error}")))?;
        let field = |name: &str| match file.get(name) {
            Some(Value::Str(text)) => Ok(text.lossy().into_owned()),
            _ => Err(problem(format!("field `{name}`: expected a string"))),
        };
        let template = |name: &str, places: &[&str]| Template::parse(name, &field(name)?, places);
        let placeholder = field("tools_placeholder")?;
        let tools = placeholder.trim_start_matches('{').trim_end_matches('}');
        Ok(Self {
            source: field("source").unwrap_or_default(),
            system: template("system", &[tools])?,
            tool: template("tool", &["count", "name", "description", "properties"])?,
            tool_separator: field("tool_separator")?,
            user_start: field("user_start")?,
            user_single_turn: template("user_single_turn", &["content"])?,
            user_multi_turn: template("user_multi_turn", &["content"])?,
            tool_result: template("tool_result", &["name", "content"])?,
            after_last_tool_result: field("after_last_tool_result")?,
            assistant: template("assistant", &["content"])?,
        })
    }

    /// Whose texts they are, as the file says.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The prompt of a case's first turn: system messages are left out, since the prompt has its
    /// own.
    pub fn first_turn(&self, case: &Case) -> Prompt {
        let messages = case.turns.first().map_or(&[][..], Vec::as_slice).iter();
        let said: Vec<Said<'_>> = messages
            .filter_map(|message| {
                let speaker = match message.role.as_str() {
                    "user" => Speaker::User,
                    "assistant" => Speaker::Assistant,
                    _ => return None,
                };
                Some(Said { speaker, content: &message.content })
            })
            .collect();
        self.prompt(case, &case.functions, &said)
    }

    /// The prompt after some dialogue, with the functions that are on offer by then.
    pub fn prompt(&self, case: &Case, functions: &[FunctionDoc], said: &[Said<'_>]) -> Prompt {
        let asked = match case.category.group() {
            Group::MultiTurn => &self.user_multi_turn,
            _ => &self.user_single_turn,
        };
        let mut user = self.user_start.clone();
        for (index, Said { speaker, content }) in said.iter().enumerate() {
            let content = stripped(content);
            match speaker {
                Speaker::User => user += &asked.fill(&[content]),
                Speaker::Assistant => user += &self.assistant.fill(&[content]),
                Speaker::Tool(name) => {
                    user += &self.tool_result.fill(&[stripped(name), content]);
                    if index + 1 == said.len() {
                        user += &self.after_last_tool_result;
                    }
                }
            }
        }
        let system = self.system.fill(&[&self.tools(functions, case.category.language())]);
        Prompt { system, user: stripped(&user).to_string() }
    }

    /// The list of functions.
    fn tools(&self, functions: &[FunctionDoc], language: Language) -> String {
        let described = functions.iter().zip(1..).map(|(doc, count)| {
            let properties = docs::properties(doc, language).to_string();
            let (count, description) = (count.to_string(), docs::description(doc, language));
            self.tool.fill(&[&count, &doc.name, &description, &properties])
        });
        described.collect::<Vec<_>>().join(&self.tool_separator)
    }
}

/// Python's `str.strip`.
fn stripped(content: &str) -> &str {
    std::str::from_utf8(text::strip(content.as_bytes())).unwrap_or_default()
}

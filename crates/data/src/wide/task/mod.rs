//! Tasks: a conversation, the tools that its prompt lists, and the gold turn.

mod calls;
mod history;
mod in_words;

use serde_json::{Value, json};
use toolrl_chat::Message;
use toolrl_grammar::Turn;

use super::asked::Asked;
use super::config::Thoughts;
use super::deed::Deed;
use super::english::fill;
use super::naming::Style;
use super::shelf::{Shelf, Wanted};
use super::tool::{Key, Tool};
use super::values::Draw;
use crate::TaskKind;

/// A task before it is a sample.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) tools: Vec<Tool>,
    /// After the system's, if there is one.
    pub(crate) messages: Vec<Message>,
    pub(crate) gold: Turn<'static>,
    /// The gold calls, or the one that cannot be made yet.
    pub(crate) asked: Vec<Asked>,
    /// What is asked for and no listed tool does.
    pub(crate) absent: Option<Deed>,
    /// Whether its words depend on which day is today.
    pub(crate) relative: bool,
}

/// What makes tasks.
#[derive(Debug)]
pub(crate) struct Maker<'s> {
    pub(crate) shelf: &'s Shelf,
    pub(crate) thoughts: Thoughts,
}

impl Maker<'_> {
    /// A task of that kind. `None` where the draw led nowhere.
    pub(crate) fn task(&self, kind: TaskKind, draw: &mut Draw<'_>) -> Option<Task> {
        let mut task = match kind {
            TaskKind::SeveralCalls => self.several_calls(draw),
            TaskKind::NoCall => self.no_call(draw),
            TaskKind::AskBack => self.ask_back(draw),
            TaskKind::History => self.history(draw),
            TaskKind::MultiHop => self.multi_hop(draw),
            TaskKind::Masked => self.one_call(true, draw),
            _ => self.one_call(false, draw),
        }?;
        self.set(&mut task, draw);
        Some(task)
    }

    /// What the system says first, and which day it is.
    fn set(&self, task: &mut Task, draw: &mut Draw<'_>) {
        let phrases = &self.shelf.words.phrases;
        let shown = if draw.rng.chance(0.5) {
            draw.today.in_full()
        } else {
            let today = draw.today;
            format!("{}-{:02}-{:02} ({})", today.year, today.month, today.day, today.weekday_name())
        };
        let today = fill(draw.text(&phrases.today), "", &shown);
        let by_user = task.relative && draw.rng.chance(0.3);
        let tells_today = !by_user && (task.relative || draw.rng.chance(0.1));
        let who = draw.rng.chance(0.35).then(|| draw.text(&phrases.system).to_owned());
        if let Some(first) = task.messages.first_mut().filter(|_| by_user) {
            first.content = format!("{today} {}", first.content);
        }
        let system: Vec<_> = who.into_iter().chain(tells_today.then_some(today)).collect();
        if !system.is_empty() {
            task.messages.insert(0, Message::new("system", system.join(" ")));
        }
    }

    /// A tool that does something which `suits`, and values for it.
    fn asked(&self, style: Style, draw: &mut Draw<'_>, suits: impl Fn(&Deed) -> bool) -> Option<Asked> {
        let deed = self.shelf.deed(draw, suits)?;
        let key = if draw.rng.chance(0.5) { Key::Any } else { Key::First };
        Some(Asked::draw(Tool::draw(deed, key, style, draw)?, draw))
    }

    fn list(&self, asked: &[&Asked], no_looks: bool, style: Style, draw: &mut Draw<'_>) -> Vec<Tool> {
        let mut needed: Vec<Tool> = Vec::new();
        for asked in asked {
            if needed.iter().all(|tool| tool.name != asked.tool.name) {
                needed.push(asked.tool.clone());
            }
        }
        self.shelf.list(Wanted { needed: &needed, absent: None, no_looks }, style, draw)
    }

    /// The turn that makes these calls.
    fn calling(&self, asked: &[&Asked]) -> Turn<'static> {
        let thought = || match asked {
            [one] => format!("I need to {}, so I call {}.", one.tool.deed.tell(), one.tool.name),
            several => {
                let names: Vec<_> = several.iter().map(|asked| asked.tool.name.as_str()).collect();
                format!("This takes {} calls: {}.", several.len(), names.join(", then "))
            }
        };
        let calls = asked.iter().map(|asked| asked.call()).collect();
        Turn { thoughts: self.thoughts.then(thought), calls, response: None }
    }

    /// The turn that answers in words.
    fn answering(&self, thought: &str, words: String) -> Turn<'static> {
        let thoughts = self.thoughts.then(|| thought.to_owned());
        Turn { thoughts, calls: Vec::new(), response: Some(words.into()) }
    }
}

/// The messages of a call that was made and of its result.
fn made(asked: &Asked, result: &Value) -> [Message; 2] {
    let arguments = asked
        .values
        .iter()
        .filter_map(|(index, said)| Some((asked.tool.params.get(*index)?.name.clone(), said.value.clone())));
    let function =
        json!({"name": asked.tool.name, "arguments": arguments.collect::<serde_json::Map<_, _>>()});
    let calls = json!([{"id": "call_1", "type": "function", "function": function}]);
    let absent = Message { form: toolrl_chat::ContentForm::Absent, ..Message::new("assistant", "") };
    let result = Message::new("tool", result.to_string()).with_field("tool_call_id", "call_1".into());
    [absent.with_tool_calls(calls), result]
}

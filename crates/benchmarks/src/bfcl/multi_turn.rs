//! A case of several turns: in each, the model calls services step by step until it calls none.

use toolrl_bfcl::python::repr;
use toolrl_bfcl::{Case, Category, FunctionDoc, Handler, Said, Speaker};
use toolrl_chat::Message;
use toolrl_grammar::json::Value;
use toolrl_rollout::{Answer, Answering, Opening, Reply, ReplyEnd, Session as Answers};
use toolrl_services::{Call, Class, Context, STEP_LIMIT, ServicesError, Session, Side, check};

use super::text::{expected, whole};
use super::{Bfcl, Tools};
use crate::outcome::excerpt;
use crate::replier::message;
use crate::{BenchmarkError, Outcome};

/// What the user says in a turn that has nothing but new functions.
const MORE_FUNCTIONS: &str = "There are more functions now than before. Can you do it with them?";

/// A case under way.
pub(super) struct MultiTurn<'a> {
    bfcl: &'a Bfcl,
    case: &'a Case,
    target: &'a toolrl_bfcl::MultiTurn,
    services: toolrl_services::Case,
    session: Session,
    functions: Vec<FunctionDoc>,
    tools: Tools,
    lines: Vec<Line>,
    /// The model's calls by turn and step.
    calls: Vec<Vec<Vec<Call>>>,
    is_done: bool,
    outcome: Outcome,
}

/// Something said.
enum Line {
    /// By the user or the system.
    Said(Message),
    /// By the model, with the calls that a server took out of it.
    Replied { text: String, reply: Reply },
    /// By a service: its result, with the call as text, and the call's id where it has one.
    Result { call: String, id: Option<String>, result: String },
}

impl<'a> MultiTurn<'a> {
    pub(super) fn new(
        bfcl: &'a Bfcl,
        case: &'a Case,
        target: &'a toolrl_bfcl::MultiTurn,
    ) -> Result<Self, BenchmarkError> {
        let failed = |source| BenchmarkError::Services { id: case.id.clone(), source };
        let services = services(bfcl, case, target).map_err(failed)?;
        let session = services.session(Side::Model).map_err(failed)?;
        let outcome = Outcome {
            id: case.id.clone(),
            group: case.category.name().into(),
            expected: excerpt(&expected(&case.target)),
            ..Outcome::default()
        };
        let functions = case.functions.clone();
        let (lines, calls, tools) = (Vec::new(), Vec::new(), Vec::new());
        let mut own = Self {
            bfcl,
            case,
            target,
            services,
            session,
            functions,
            tools,
            lines,
            calls,
            is_done: false,
            outcome,
        };
        own.list_tools()?;
        own.begin_turn()?;
        Ok(own)
    }

    /// Brings the tools up to the functions on offer.
    fn list_tools(&mut self) -> Result<(), BenchmarkError> {
        if self.bfcl.settings.handler != Handler::Toolrl {
            self.tools = self.bfcl.tools(&self.case.id, &self.functions, self.case.category)?;
        }
        Ok(())
    }

    /// Begins the next turn, or ends the case after the last one.
    fn begin_turn(&mut self) -> Result<(), BenchmarkError> {
        let turn = self.calls.len();
        let Some(messages) = self.case.turns.get(turn) else {
            self.is_done = true;
            return self.judge();
        };
        self.calls.push(Vec::new());
        self.outcome.replies.push(Vec::new());
        let said = messages.iter().map(|message| Line::Said(Message::new(&message.role, &message.content)));
        self.lines.extend(said);
        if let Some(last) = messages.iter().rfind(|message| message.role == "user") {
            self.outcome.asked = excerpt(&last.content);
        }
        if let Some(functions) = self.target.withheld.get(&turn) {
            self.offer(functions.clone())?;
        }
        Ok(())
    }

    /// Offers further functions. ToolRL's prompt and those of bfcl-eval's own handlers keep their list of tools, so they
    /// stand in what the user says.
    fn offer(&mut self, functions: Vec<FunctionDoc>) -> Result<(), BenchmarkError> {
        let content = if self.bfcl.settings.handler == Handler::Toolrl || self.bfcl.is_official() {
            format!("{}\n{MORE_FUNCTIONS}", documented(&functions))
        } else {
            self.functions.extend(functions);
            self.list_tools()?;
            MORE_FUNCTIONS.to_owned()
        };
        self.outcome.asked = excerpt(&content);
        self.lines.push(Line::Said(Message::new("user", content)));
        Ok(())
    }

    /// Runs the calls of a reply and keeps their results as lines.
    fn execute(&mut self, calls: &[Call], reply: &Reply) {
        for (place, call) in calls.iter().enumerate() {
            let call = call.to_string();
            let result = self.session.execute(&call);
            let id = reply.calls.get(place).map(|call| call.id.clone());
            self.lines.push(Line::Result { call, id, result });
        }
    }

    /// Judges the calls of all turns.
    fn judge(&mut self) -> Result<(), BenchmarkError> {
        let failed = |source| BenchmarkError::Services { id: self.case.id.clone(), source };
        match check(&self.services, &self.calls).map_err(failed)? {
            Ok(()) => self.outcome.right = true,
            Err(failure) => self.outcome.fail(failure.to_string()),
        }
        let steps: usize = self.calls.iter().map(Vec::len).sum();
        self.outcome.measures.insert("steps".into(), steps as f64);
        Ok(())
    }
}

impl MultiTurn<'_> {
    /// Takes a reply, and says what follows it.
    fn take(&mut self, reply: &Reply) -> Result<Answer, BenchmarkError> {
        let (known, tools) = (self.lines.len() + 1, self.tools.len());
        self.step(reply)?;
        Ok(match self.bfcl.settings.handler {
            _ if self.is_done => Answer::End,
            Handler::Native(_) | Handler::Dialect(_) if self.tools.len() == tools => {
                Answer::Messages(self.lines[known..].iter().map(Line::message).collect())
            }
            // ToolRL's prompt tells the whole conversation to the user, and a template lists its tools at the start.
            _ => Answer::Retold(crate::Case::opening(self)),
        })
    }

    fn step(&mut self, reply: &Reply) -> Result<(), BenchmarkError> {
        let handler = self.bfcl.settings.handler;
        let text = whole(reply, handler);
        self.outcome.count(reply);
        let reading = handler.reading(&self.functions, self.case.category.language());
        let calls: Vec<Call> = match reading.calls(&text) {
            // A call that the handler cannot read ends the turn, as no call does.
            Err(_) => Vec::new(),
            Ok(calls) => calls
                .into_iter()
                .filter_map(|(name, arguments)| Call::new(&name.lossy(), &Value::Object(arguments)).ok())
                .collect(),
        };
        if let Some(steps) = self.outcome.replies.last_mut() {
            steps.push(text.clone());
        }
        self.lines.push(Line::Replied { text, reply: reply.clone() });
        self.execute(&calls, reply);
        let is_last_step = calls.is_empty();
        let steps = self.calls.last_mut().map_or(0, |steps| {
            steps.extend(Some(calls).filter(|calls| !calls.is_empty()));
            steps.len()
        });
        if reply.end == ReplyEnd::Refused || steps > STEP_LIMIT {
            self.is_done = true;
            return self.judge();
        }
        if is_last_step { self.begin_turn() } else { Ok(()) }
    }
}

impl Answers for MultiTurn<'_> {
    fn answer<'a>(&'a mut self, reply: &'a Reply) -> Answering<'a> {
        Box::pin(async move { Ok(self.take(reply)?) })
    }
}

impl crate::Case for MultiTurn<'_> {
    fn opening(&self) -> Opening {
        match self.bfcl.settings.handler {
            Handler::Toolrl => {
                let said: Vec<Said<'_>> = self.lines.iter().filter_map(Line::said).collect();
                let prompt = self.bfcl.settings.prompts.prompt(self.case, &self.functions, &said);
                Opening::of(prompt.system, prompt.user)
            }
            Handler::Native(_) | Handler::Dialect(_) => Opening {
                messages: self.lines.iter().map(Line::message).collect(),
                tools: self.tools.clone(),
            },
        }
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
}

impl Line {
    /// The line as ToolRL's prompt retells it; the system has no place there.
    fn said(&self) -> Option<Said<'_>> {
        Some(match self {
            Self::Said(message) if message.role == "user" => {
                Said { speaker: Speaker::User, content: &message.content }
            }
            Self::Said(message) if message.role == "assistant" => {
                Said { speaker: Speaker::Assistant, content: &message.content }
            }
            Self::Said(_) => return None,
            Self::Replied { text, .. } => Said { speaker: Speaker::Assistant, content: text },
            Self::Result { call, result, .. } => Said { speaker: Speaker::Tool(call), content: result },
        })
    }

    /// The line as a chat template or a server takes it.
    fn message(&self) -> Message {
        match self {
            Self::Said(message) => message.clone(),
            Self::Replied { reply, .. } => message(reply),
            Self::Result { call, id, result } => {
                let message = Message::new("tool", result);
                match id {
                    Some(id) => message.with_field("tool_call_id", id.as_str().into()),
                    None => {
                        let name = call.split('(').next().unwrap_or_default();
                        message.with_field("name", name.into())
                    }
                }
            }
        }
    }
}

/// The case as its services take it.
fn services(
    bfcl: &Bfcl,
    case: &Case,
    target: &toolrl_bfcl::MultiTurn,
) -> Result<toolrl_services::Case, ServicesError> {
    use toolrl_services::Category as Services;
    let class =
        |name: &String| Class::of(name).ok_or_else(|| ServicesError::UnknownClass { name: name.clone() });
    Ok(toolrl_services::Case {
        id: case.id.clone(),
        category: match case.category {
            Category::MultiTurnMissFunc => Services::MissingFunction,
            Category::MultiTurnMissParam => Services::MissingParameter,
            Category::MultiTurnLongContext => Services::LongContext,
            _ => Services::Base,
        },
        context: match case.category {
            Category::MultiTurnLongContext => bfcl.long_context.clone(),
            _ => Context::Plain,
        },
        classes: target.involved_classes.iter().map(class).collect::<Result<_, _>>()?,
        initial_config: target.initial_config.clone(),
        ground_truth: target.ground_truth.clone(),
    })
}

/// Functions as Python writes a list of them.
fn documented(functions: &[FunctionDoc]) -> String {
    let list = Value::List(functions.iter().map(FunctionDoc::to_value).collect());
    String::from_utf8_lossy(&repr(&list)).into_owned()
}

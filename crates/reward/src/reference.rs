//! The reply that a task asks for.

use std::sync::Arc;

use toolrl_grammar::dialect::ParameterTypes;
use toolrl_grammar::{
    Dialect, Parsed, ReplyKind, Span, SyntaxError, SyntaxErrorKind, ToolRl, TurnPart, json, lenient, tags,
    text,
};

use crate::released::last_thoughts;
use crate::{AnyCall, RewardError, Tools};

/// A task's reference reply, read once and scored against often.
#[derive(Clone, Debug)]
pub struct Reference {
    text: Vec<u8>,
    kind: ReplyKind,
    calls: Option<Vec<AnyCall<'static>>>,
    reading: Reading,
    tools: Option<Arc<Tools>>,
    asked: Option<Arc<Asked>>,
}

/// What a task asks, for terms that look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The task's id.
    pub id: String,
    /// Its messages, as one line of JSON: a list of objects with `role` and `content`.
    pub messages: String,
}

/// How a reply's parts are found when it is held against a reference.
#[derive(Clone, Debug)]
enum Reading {
    /// As the paper's released code finds them, for which a tag counts wherever it stands and a call may be
    /// any JSON value.
    Released,
    /// As a dialect does, with the types that the task's tools give their parameters.
    Dialect(&'static dyn Dialect, Arc<ParameterTypes>),
}

impl Reference {
    /// Reads a reference reply of ToolRL as the released code does, which also decides how replies are read
    /// that are held against it: a tag mentioned in the thoughts counts.
    ///
    /// # Errors
    /// [`RewardError::Reference`] when it holds `<tool_call>` and what follows are no JSON lines.
    ///
    /// ```
    /// use toolrl_reward::Reference;
    ///
    /// let answer = Reference::parse("<think>a</think>\n<response>b</response>").unwrap();
    /// assert!(answer.calls().is_none());
    /// assert!(Reference::parse("<think>no <tool_call> here</think>").is_err());
    /// ```
    pub fn parse<T: AsRef<[u8]> + ?Sized>(reply: &T) -> Result<Self, RewardError> {
        let reply = reply.as_ref();
        let lines = lenient(reply).map(|block| block.calls).transpose().map_err(RewardError::Reference)?;
        let owned = |line| AnyCall::of_line(line).into_owned();
        let calls = lines.map(|lines| lines.into_iter().map(owned).collect());
        Ok(Self {
            text: reply.to_vec(),
            kind: ReplyKind::of(reply),
            calls,
            reading: Reading::Released,
            tools: None,
            asked: None,
        })
    }

    /// The reference of a task with this gold reply and these tools, in the dialect that replies are written in.
    /// ToolRL's is read as the paper's released code reads it.
    ///
    /// # Errors
    /// As [`Reference::parse`], of ToolRL's dialect alone.
    pub fn of_task<T: AsRef<[u8]> + ?Sized>(
        gold: &T,
        dialect: &'static dyn Dialect,
        tools: &[serde_json::Value],
    ) -> Result<Self, RewardError> {
        let reference = if dialect.name() == ToolRl.name() {
            Self::parse(gold)?
        } else {
            let types = if dialect.keeps_types() { ParameterTypes::default() } else { types(tools) };
            Self::typed(gold, dialect, types)
        };
        Ok(reference.with_tools(tools))
    }

    /// A gold reply in a dialect, which replies are read in too.
    ///
    /// ```
    /// use toolrl_grammar::dialect::named;
    /// use toolrl_reward::Reference;
    ///
    /// let gold = "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>";
    /// let reference = Reference::in_dialect(gold, named("hermes").unwrap());
    /// assert_eq!(reference.calls().unwrap().len(), 1);
    /// assert!(reference.read(gold.as_bytes()).faults.is_empty());
    /// ```
    pub fn in_dialect<T: AsRef<[u8]> + ?Sized>(text: &T, dialect: &'static dyn Dialect) -> Self {
        Self::typed(text, dialect, ParameterTypes::default())
    }

    /// The same for a task whose tools give these types to their parameters, which matter where a dialect's texts have
    /// none.
    pub fn typed<T: AsRef<[u8]> + ?Sized>(
        text: &T,
        dialect: &'static dyn Dialect,
        types: ParameterTypes,
    ) -> Self {
        let turn = dialect.typed(dialect.parse(text.as_ref()).turn, &types);
        let calls = (!turn.calls.is_empty())
            .then(|| turn.calls.iter().map(|call| AnyCall::of(call).into_owned()).collect());
        let reading = Reading::Dialect(dialect, Arc::new(types));
        Self { text: text.as_ref().to_vec(), kind: turn.kind(), calls, reading, tools: None, asked: None }
    }

    /// The same for a task that lists these tools, as [`Tools::of`] reads them. Their schemas are made ready once,
    /// when a call is first held to one; clones share them.
    ///
    /// ```
    /// use serde_json::json;
    /// use toolrl_reward::{Context, Reference, Schema, Term};
    ///
    /// let days = json!({"type": "object", "properties": {"days": {"type": "integer"}}});
    /// let tools = [json!({"type": "function", "function": {"name": "forecast", "parameters": days}})];
    /// let gold = r#"<tool_call>{"name": "forecast", "parameters": {"days": 2}}</tool_call>"#;
    /// let reference = Reference::parse(gold).unwrap().with_tools(&tools);
    /// let value = |reply: &str| {
    ///     let parsed = reference.read(reply.as_bytes());
    ///     Schema::default().score(&parsed, &reference, &Context::evaluation()).unwrap().value
    /// };
    /// assert_eq!((value(gold), value(&gold.replace("2", "\"two\""))), (1.0, 0.0));
    /// ```
    #[must_use]
    pub fn with_tools(self, tools: &[serde_json::Value]) -> Self {
        Self { tools: Tools::of(tools).map(Arc::new), ..self }
    }

    /// The tools that the task lists; `None` where it lists none.
    pub fn tools(&self) -> Option<&Tools> {
        self.tools.as_deref()
    }

    /// The same for a task of which terms are told what it asks.
    #[must_use]
    pub fn with_asked(self, asked: Asked) -> Self {
        Self { asked: Some(Arc::new(asked)), ..self }
    }

    /// What the task asks, where it was told.
    pub fn asked(&self) -> Option<&Asked> {
        self.asked.as_deref()
    }

    /// A reply that is held against this reference, read in its dialect.
    pub fn read<'t>(&self, reply: &'t [u8]) -> Parsed<'t> {
        match &self.reading {
            Reading::Released => toolrl_grammar::parse(reply),
            Reading::Dialect(dialect, types) => {
                let parsed = dialect.parse(reply);
                Parsed { turn: dialect.typed(parsed.turn, types), ..parsed }
            }
        }
    }

    /// The reply, in generalised UTF-8.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The reply for a reader.
    pub fn lossy(&self) -> std::borrow::Cow<'_, str> {
        text::lossy(&self.text)
    }

    /// Which parts a reply must have.
    pub fn kind(&self) -> ReplyKind {
        self.kind
    }

    /// The calls it makes; `None` where it makes none.
    pub fn calls(&self) -> Option<&[AnyCall<'static>]> {
        self.calls.as_deref()
    }

    /// The calls of a reply that is held against this reference.
    ///
    /// # Errors
    /// [`SyntaxError`] where they cannot be read.
    pub fn calls_of<'p>(&self, parsed: &'p Parsed<'_>) -> Result<Vec<AnyCall<'p>>, SyntaxError> {
        let fault = parsed.faults_of(TurnPart::Calls).next();
        match (&self.reading, fault) {
            (Reading::Released, _) if !reads_alike(parsed) => released_calls(parsed.text),
            (Reading::Dialect(..), Some(fault)) => Err(fault.clone()),
            _ => Ok(parsed.turn.calls.iter().map(AnyCall::of).collect()),
        }
    }

    /// The same, but that a reply in which nothing opens calls makes none in any reading.
    pub(crate) fn written_calls<'p>(&self, parsed: &'p Parsed<'_>) -> Result<Vec<AnyCall<'p>>, SyntaxError> {
        match &self.reading {
            Reading::Released if lenient(parsed.text).is_none() => Ok(Vec::new()),
            _ => self.calls_of(parsed),
        }
    }

    /// The thoughts of a reply that is held against this reference; none that do not end.
    pub(crate) fn thoughts_of<'p>(&self, parsed: &'p Parsed<'_>) -> Option<&'p [u8]> {
        match &self.reading {
            Reading::Released => last_thoughts(parsed.text),
            Reading::Dialect(..) if parsed.faults_of(TurnPart::Thoughts).next().is_some() => None,
            Reading::Dialect(..) => parsed.turn.thoughts.as_ref().map(|thoughts| thoughts.as_bytes()),
        }
    }
}

fn types(tools: &[serde_json::Value]) -> ParameterTypes {
    let text = serde_json::to_string(tools).unwrap_or_default();
    json::parse(&text).map_or_else(|_| ParameterTypes::default(), |tools| ParameterTypes::of(&tools))
}

/// Whether the released code reads the calls of this reply as ToolRL's dialect does, which saves reading them
/// again: nothing is wrong with them, and no other `<tool_call>` stands before their end.
fn reads_alike(parsed: &Parsed<'_>) -> bool {
    let end = parsed.turn.calls.last().and_then(|call| call.span).map(|span| span.end);
    let before = end.and_then(|end| parsed.text.get(..end));
    parsed.dialect.name() == ToolRl.name()
        && parsed.faults_of(TurnPart::Calls).next().is_none()
        && before.is_some_and(|text| tags::find_all(text, tags::TOOL_CALL.open).nth(1).is_none())
}

/// The calls of a reply as the released code reads them.
fn released_calls(text: &[u8]) -> Result<Vec<AnyCall<'_>>, SyntaxError> {
    let missing =
        |tag| SyntaxError { kind: SyntaxErrorKind::MissingTag { tag }, span: Span::new(0, text.len()) };
    let block = lenient(text).ok_or_else(|| missing(tags::TOOL_CALL.open))?;
    if !block.has_closing_tag {
        return Err(missing(tags::TOOL_CALL.close));
    }
    Ok(block.calls?.into_iter().map(AnyCall::of_line).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toolrl_grammar::parse;

    use super::*;

    /// Pieces of which texts near a reply are made.
    const PIECES: [&str; 13] = [
        "<think>a</think>\n<tool_call>\n",
        "<think>",
        "</think>",
        "<tool_call>",
        "</tool_call>",
        "<response>",
        "\n",
        " ",
        r#"{"name": "f", "parameters": {"x": 1}}"#,
        r#"{"parameters": {"x": "<tool_call>"}, "name": "g"}"#,
        r#"{"name": "f", "parameters": {}, "id": 1}"#,
        r#"{"name": "f"}"#,
        "[1]",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn calls_that_are_not_read_again_are_those_of_the_released_code(
            pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..10),
        ) {
            let text = pieces.concat();
            let shown = |calls: Result<Vec<AnyCall<'_>>, SyntaxError>| {
                calls.map(|calls| calls.iter().map(|call| (call.to_string(), call.span())).collect::<Vec<_>>())
            };
            let reference = Reference::parse("").expect("no call");
            let parsed = parse(&text);
            let (found, released) = (shown(reference.calls_of(&parsed)), shown(released_calls(text.as_bytes())));
            prop_assert_eq!(found, released);
        }
    }
}

//! Replies in a dialect, read with the types of a case's functions.

use toolrl_grammar::dialect::ParameterTypes;
use toolrl_grammar::json::{Object, Value};
use toolrl_grammar::{Dialect, TurnPart};

use super::{Calls, DecodeError, Handler};

/// A handler with the types of a case's functions, which matter to dialects whose texts have none.
#[derive(Clone, Debug)]
pub struct ReplyReader {
    handler: Handler,
    types: ParameterTypes,
}

impl ReplyReader {
    pub(super) fn new(handler: Handler, types: ParameterTypes) -> Self {
        Self { handler, types }
    }

    /// As [`Handler::decode_ast`].
    pub fn decode_ast<'t, T: AsRef<[u8]> + ?Sized>(&self, reply: &'t T) -> Option<Value<'t>> {
        match self.handler {
            Handler::Dialect(dialect) => decoded(dialect, reply.as_ref(), &self.types),
            handler => handler.decode_ast(reply),
        }
    }

    /// As [`Handler::calls`].
    ///
    /// # Errors
    /// As there.
    pub fn calls<'t, T: AsRef<[u8]> + ?Sized>(&self, reply: &'t T) -> Result<Calls<'t>, DecodeError> {
        match self.handler {
            Handler::Dialect(dialect) => executable(dialect, reply.as_ref(), &self.types),
            handler => handler.calls(reply),
        }
    }
}

/// The calls that a dialect reads; none of them where something is wrong with one.
pub(super) fn executable<'t>(
    dialect: &'static dyn Dialect,
    reply: &'t [u8],
    types: &ParameterTypes,
) -> Result<Calls<'t>, DecodeError> {
    let parsed = dialect.parse(reply);
    if parsed.faults_of(TurnPart::Calls).next().is_some() {
        return Err(DecodeError::Unreadable);
    }
    let turn = dialect.typed(parsed.turn, types);
    Ok(turn.calls.into_iter().map(|call| (call.name, call.arguments)).collect())
}

/// The same as the checker takes calls.
pub(super) fn decoded<'t>(
    dialect: &'static dyn Dialect,
    reply: &'t [u8],
    types: &ParameterTypes,
) -> Option<Value<'t>> {
    let calls = executable(dialect, reply, types).ok()?.into_iter();
    let one = |(name, arguments)| Value::Object(Object::from_iter([(name, Value::Object(arguments))]));
    Some(Value::List(calls.map(one).collect()))
}

#[cfg(test)]
mod tests {
    use toolrl_grammar::json;

    use super::*;
    use crate::{FunctionDoc, Language};

    #[test]
    fn a_dialect_reads_calls_with_the_types_of_the_functions() {
        let parameters = json::parse(r#"{"type": "dict", "properties": {"n": {"type": "integer"}}}"#);
        let parameters = parameters.unwrap().into_owned();
        let doc = FunctionDoc { name: "f".into(), description: "Does.".into(), parameters, response: None };
        let read = |handler: &str, reply: &str| {
            let handler: Handler = handler.parse().unwrap();
            let reader = handler.reading(std::slice::from_ref(&doc), Language::Python);
            reader.decode_ast(reply).map_or_else(|| "none".to_owned(), |calls| calls.to_string())
        };
        let coder = "<tool_call>\n<function=f>\n<parameter=n>\n7\n</parameter>\n</function>\n</tool_call>";
        assert_eq!(read("qwen3_coder", coder), r#"[{"f": {"n": 7}}]"#);
        let hermes =
            "<think>f?</think>\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"n\": 7}}\n</tool_call>";
        assert_eq!(read("hermes", hermes), r#"[{"f": {"n": 7}}]"#);
        assert_eq!(read("hermes", "No call is needed."), "[]");
        assert_eq!(read("hermes", "<tool_call>\n{\"name\": \"f\", \"argu"), "none");
        let message = "herms".parse::<Handler>().unwrap_err().to_string();
        assert!(message.contains("native-json") && message.contains("qwen3_coder"), "{message}");
    }
}

//! Which dialect a model directory's template writes calls in.

use serde_json::{Value, json};
use toolrl_grammar::dialect::writes;
use toolrl_grammar::{Call, DIALECTS, Dialect, Turn, json as grammar_json};

use crate::{Chat, ChatError, Message, TurnEnd};

/// Ids of calls: nine letters and digits, which Mistral's templates ask for; the form that Kimi's read the name from.
const IDS: [&str; 2] = ["call00001", "functions.weather:0"];

/// How a template wants arguments: as an object, or as the JSON text of one.
const ARGUMENTS: &str = r#"{"city": "Rome", "days": 3}"#;

impl Chat {
    /// The dialect of the directory's own template: an assistant's call is rendered by it, and the dialect that writes
    /// that text is the one. Returned with the text.
    ///
    /// # Errors
    /// [`ChatError::NoDialect`] where none writes it, or several do; as [`Chat::render`] where the template takes no
    /// calls.
    pub fn detect_dialect(&self) -> Result<(&'static dyn Dialect, String), ChatError> {
        let turn = Turn { calls: probe().into_iter().collect(), ..Turn::default() };
        let (mut rendered, mut found, mut refused) = (String::new(), Vec::new(), None);
        for (id, arguments) in
            IDS.into_iter().flat_map(|id| [(id, as_object()), (id, Value::from(ARGUMENTS))])
        {
            let text = match self.rendered_call(id, arguments) {
                Ok(text) => text,
                Err(error) => {
                    refused.get_or_insert(error);
                    continue;
                }
            };
            let of_text: Vec<_> =
                DIALECTS.into_iter().filter(|&dialect| writes(dialect, &text, &turn)).collect();
            if let [dialect] = of_text[..] {
                return Ok((dialect, text));
            }
            if found.is_empty() {
                (rendered, found) = (text, of_text);
            }
        }
        match refused {
            Some(error) if rendered.is_empty() => Err(error),
            _ => {
                let found = found.into_iter().map(|dialect| dialect.name()).collect();
                Err(ChatError::NoDialect { dir: self.dir().to_owned(), rendered, found })
            }
        }
    }

    /// Whether the template shows the tools that it is given.
    ///
    /// # Errors
    /// As [`Chat::render`].
    pub fn shows_tools(&self) -> Result<bool, ChatError> {
        let asked = [Message::new("user", "How warm is it?")];
        let with = self.render_with_tools(&asked, &[tool()], true)?;
        Ok(with.contains("weather") && with != self.render(&asked, true)?)
    }

    /// What the template makes of an assistant's call, without what stands before and behind it.
    fn rendered_call(&self, id: &str, arguments: Value) -> Result<String, ChatError> {
        let asked = Message::new("user", "How warm is it in Rome?");
        let call =
            json!([{"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}}]);
        let answered = Message::new("assistant", "").with_tool_calls(call);
        let prompt = self.render_with_tools(std::slice::from_ref(&asked), &[tool()], true)?;
        let whole = self.render_with_tools(&[asked, answered], &[tool()], false)?;
        let turn = whole[common(&prompt, &whole)..].trim_end();
        let end = TurnEnd::of(self, &[]).ok().map(|end| self.decode(&[end.taught], false));
        let end = end.transpose()?.unwrap_or_default();
        Ok(turn.strip_suffix(end.as_str()).filter(|_| !end.is_empty()).unwrap_or(turn).to_owned())
    }
}

/// How far two texts are the same, back to the end of a line or of a tag: a prompt may end in thoughts that the template
/// opens, of which a turn with calls has none.
fn common(prompt: &str, whole: &str) -> usize {
    let same = prompt.bytes().zip(whole.bytes()).take_while(|(a, b)| a == b).count();
    if same == prompt.len() {
        return same;
    }
    whole.as_bytes()[..same].iter().rposition(|byte| matches!(byte, b'\n' | b'>')).map_or(0, |at| at + 1)
}

/// The call that is rendered.
fn probe() -> Option<Call<'static>> {
    let arguments = grammar_json::parse(ARGUMENTS).ok()?.into_owned();
    Some(Call::new("weather", arguments.as_object().cloned()?))
}

fn as_object() -> Value {
    json!({"city": "Rome", "days": 3})
}

fn tool() -> Value {
    json!({"type": "function", "function": {
        "name": "weather",
        "description": "Tell the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The city."},
                "days": {"type": "integer", "description": "How many days."},
            },
            "required": ["city"],
        },
    }})
}

//! A case's prompt as messages and tools, for a policy's own template, and the reply read in the policy's own dialect.

use serde_json::{Map, Value as Json, json};
use toolrl_bfcl::python::parse_literals;
use toolrl_chat::Message;
use toolrl_grammar::json::Value;
use toolrl_grammar::{Call, Dialect};
use toolrl_rollout::Opening;

/// What the data's own text says: the tools of the system's, and the dialogue of the user's, whose instructions on tags are
/// left out.
///
/// # Errors
/// What cannot be read.
pub(super) fn opening(system: &str, user: &str) -> Result<Opening, String> {
    Ok(Opening { messages: messages(user)?, tools: tools(system)? })
}

/// The calls of a reply in the text that the scores read.
pub(super) fn as_scored(reply: &str, dialect: &dyn Dialect) -> String {
    let line = |call: &Call<'_>| {
        let entries =
            [("name", Value::Str(call.name.clone())), ("parameters", Value::Object(call.arguments.clone()))];
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value));
        Value::Object(entries.collect()).to_string()
    };
    let parsed = dialect.parse(reply.as_bytes());
    let lines: Vec<String> = parsed.turn.calls.iter().map(line).collect();
    if lines.is_empty() { String::new() } else { format!("<tool_call>\n{}\n</tool_call>", lines.join("\n")) }
}

/// `1. Name: …` and `Description: …`, or in the third level `1. Name: description`, then `Parameters: …`, a dictionary of
/// Python's, for each tool; numbered lines without such a dictionary are instructions. Which parameters may be absent is not
/// said: all are required.
fn tools(system: &str) -> Result<Vec<Json>, String> {
    let mut tools = Vec::new();
    let mut begun: Option<(&str, &str)> = None;
    for line in system.lines() {
        if let Some((name, described)) = numbered(line) {
            begun = Some((name, described));
        } else if let Some((name, _)) = begun
            && let Some(described) = line.strip_prefix("Description: ")
        {
            begun = Some((name, described));
        } else if let Some(parameters) = line.strip_prefix("Parameters: ")
            && let Some((name, description)) = begun.take()
        {
            let parameters =
                properties(parameters).ok_or_else(|| format!("the parameters of tool {name:?}"))?;
            let required: Vec<&String> = parameters.keys().collect();
            let schema = json!({ "type": "object", "properties": parameters, "required": required });
            let function = json!({ "name": name, "description": description, "parameters": schema });
            tools.push(json!({ "type": "function", "function": function }));
        }
    }
    if tools.is_empty() { Err("no tool is listed in it".to_owned()) } else { Ok(tools) }
}

/// What a numbered line names, and what it says of it.
fn numbered(line: &str) -> Option<(&str, &str)> {
    let (number, rest) = line.split_once(". ")?;
    number.parse::<u32>().ok()?;
    match rest.strip_prefix("Name: ") {
        Some(name) => Some((name, "")),
        None => rest.split_once(": "),
    }
}

fn properties(dictionary: &str) -> Option<Map<String, Json>> {
    let read: Json = serde_json::from_str(&parse_literals(dictionary)?.to_string()).ok()?;
    let Json::Object(mut properties) = read else { return None };
    for property in properties.values_mut() {
        let fields = property.as_object_mut()?;
        if let Some(name) = fields.get("type").and_then(Json::as_str).map(str::to_owned) {
            fields.insert("type".to_owned(), schema_type(&name).into());
            if name == "list(str)" {
                fields.insert("items".to_owned(), json!({ "type": "string" }));
            }
        }
    }
    Some(properties)
}

fn schema_type(name: &str) -> &'static str {
    match name {
        "int" => "integer",
        "float" => "number",
        "bool" => "boolean",
        "dict" => "object",
        name if name.starts_with("list") => "array",
        _ => "string",
    }
}

/// The tags of a dialogue's parts.
const PARTS: [&str; 4] = ["user", "response", "tool_call", "obs"];

fn messages(user: &str) -> Result<Vec<Message>, String> {
    let mut messages: Vec<Message> = Vec::new();
    let mut rest = user;
    let next = |text: &str| {
        let found = PARTS.iter().filter_map(|tag| Some((text.find(&format!("<{tag}>"))?, *tag)));
        found.min()
    };
    while let Some((at, tag)) = next(rest) {
        let inner = &rest[at + tag.len() + 2..];
        let (text, after) =
            inner.split_once(&format!("</{tag}>")).ok_or_else(|| format!("<{tag}> is not closed"))?;
        let text = text.trim();
        match tag {
            "user" => messages.push(Message::new("user", text)),
            "response" => messages.push(Message::new("assistant", text)),
            "obs" => messages.push(Message::new("tool", text)),
            _ => call(&mut messages, text)?,
        }
        rest = after;
    }
    match messages.last() {
        Some(last) if last.role == "user" => Ok(messages),
        _ => Err("the dialogue does not end with what the user says".to_owned()),
    }
}

/// Calls, a JSON object a line: of the turn whose words stand before them, or of a turn without words.
fn call(messages: &mut Vec<Message>, lines: &str) -> Result<(), String> {
    let read = |line: &str| -> Result<Json, String> {
        let call: Json = serde_json::from_str(line).map_err(|error| format!("{line}: {error}"))?;
        let function = json!({ "name": call["name"], "arguments": call["parameters"] });
        Ok(json!({ "type": "function", "function": function }))
    };
    let calls: Json = lines.lines().map(read).collect::<Result<Vec<_>, _>>()?.into();
    let is_open = |message: &Message| message.role == "assistant" && message.tool_calls.is_none();
    let turn = match messages.pop_if(|last| is_open(last)) {
        Some(turn) => turn,
        None => Message::with_content("assistant", Json::Null)?,
    };
    messages.push(turn.with_tool_calls(calls));
    Ok(())
}

#[cfg(test)]
mod tests {
    use toolrl_grammar::dialect::named;

    use super::*;

    const SYSTEM: &str = "You have tools.\n1. Name: LendBook\nDescription: Lends it.\nParameters: {'reader': {'type': 'str', \
                          'description': \"Who's reading.\"}, 'days': {'type': 'int'}, 'tags': {'type': 'list(str)'}}\n\
                          2. Name: Now\nDescription: The time.\nParameters: {}\n\n**Steps**\n1. **Think:** do.";

    #[test]
    fn a_prompt_becomes_messages_and_tools() {
        let user = "**History**\n<user> Lend Emma. </user>\n<response>To whom?</response>\n\n<user>Ada</user>\n\
                    <response>Well.</response>\n<tool_call>\n{\"name\": \"LendBook\", \"parameters\": {\"reader\": \"Ada\"}}\n\
                    </tool_call>\n<obs> {'ok': 1} </obs>\n<tool_call>\n{\"name\": \"Now\", \"parameters\": {}}\n</tool_call>\n\
                    <obs> 9 </obs>\n\n<user> Call once. </user>\n";
        let opening = opening(SYSTEM, user).unwrap();
        let said: Vec<_> = opening
            .messages
            .iter()
            .map(|m| (m.role.as_str(), m.content.as_str(), m.tool_calls.is_some()))
            .collect();
        let expected = [
            ("user", "Lend Emma.", false),
            ("assistant", "To whom?", false),
            ("user", "Ada", false),
            ("assistant", "Well.", true),
            ("tool", "{'ok': 1}", false),
            ("assistant", "", true),
            ("tool", "9", false),
            ("user", "Call once.", false),
        ];
        assert_eq!(said, expected);
        let lend = &opening.tools[0]["function"];
        assert_eq!((&lend["name"], &lend["description"]), (&json!("LendBook"), &json!("Lends it.")));
        let properties = json!({
            "reader": { "type": "string", "description": "Who's reading." },
            "days": { "type": "integer" },
            "tags": { "type": "array", "items": { "type": "string" } },
        });
        assert_eq!(lend["parameters"]["properties"], properties);
        assert_eq!(opening.tools[1]["function"]["parameters"]["required"], json!([]));
        let third = tools("1. Now: The time.\nParameters: {}\n\n1. **Think:** Recall.").unwrap();
        assert_eq!((third.len(), &third[0]["function"]["description"]), (1, &json!("The time.")));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let cases = [
            ("no tools", "<user>a</user>", "no tool is listed"),
            ("1. Name: A\nDescription: d", "<user>a</user>", "no tool is listed"),
            ("1. Name: A\nParameters: {'a': 1}", "<user>a</user>", "parameters of tool \"A\""),
            (SYSTEM, "<user>a", "<user> is not closed"),
            (SYSTEM, "<user>a</user><response>b</response>", "does not end"),
        ];
        for (system, user, part) in cases {
            let error = opening(system, user).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn calls_are_scored_in_the_released_text() {
        let hermes = named("hermes").unwrap();
        let reply = "<tool_call>\n{\"name\": \"LendBook\", \"arguments\": {\"reader\": \"Ada\", \"days\": 3}}\n</tool_call>";
        let expected = "<tool_call>\n{\"name\": \"LendBook\", \"parameters\": {\"reader\": \"Ada\", \"days\": 3}}\n</tool_call>";
        assert_eq!(as_scored(reply, hermes), expected);
        assert_eq!(as_scored("I cannot.", hermes), "");
    }
}

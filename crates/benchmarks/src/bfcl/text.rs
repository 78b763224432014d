//! Texts about cases: what was right, and the calls that a server took out of a reply.

use toolrl_bfcl::{Answer, Handler, NativeFormat, Target};
use toolrl_grammar::{Call, Dialect, Turn, json};
use toolrl_rollout::{Reply, ServedCall};

/// A reply's whole text. The calls that a server took out of it are put back in the handler's form.
pub(super) fn whole(reply: &Reply, handler: Handler) -> String {
    let calls = reply.calls.iter().map(|call| {
        let name = serde_json::Value::from(call.name.as_str());
        let arguments = match call.arguments.trim() {
            "" => "{}".to_owned(),
            text if json::parse(text).is_ok() => text.to_owned(),
            text => serde_json::Value::from(text).to_string(),
        };
        format!("{{\"name\": {name}, \"arguments\": {arguments}}}")
    });
    let calls: Vec<String> = calls.collect();
    if calls.is_empty() {
        return reply.text.clone();
    }
    if let Handler::Dialect(dialect) = handler
        && let Some(written) = in_dialect(reply, dialect)
    {
        return written;
    }
    if handler == Handler::Native(NativeFormat::Json) {
        return format!("[{}]", calls.join(", "));
    }
    let blocks = calls.iter().map(|call| format!("<tool_call>\n{call}\n</tool_call>"));
    let parts: Vec<String> =
        Some(reply.text.clone()).into_iter().filter(|text| !text.is_empty()).chain(blocks).collect();
    parts.join("\n")
}

/// The same as the dialect writes it; none where it cannot.
fn in_dialect(reply: &Reply, dialect: &dyn Dialect) -> Option<String> {
    let call = |call: &ServedCall| {
        let text = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
        let arguments = json::parse(text).ok()?.into_owned();
        Some(Call::new(call.name.clone(), arguments.as_object()?.clone()))
    };
    let calls = reply.calls.iter().map(call).collect::<Option<Vec<_>>>()?;
    let turn = dialect.parse(reply.text.as_bytes()).turn;
    dialect.write(&Turn { calls, ..turn }).ok()
}

/// What is right, for a reader.
pub(super) fn expected(target: &Target) -> String {
    match target {
        Target::Calls(answers) => answers.iter().map(call).collect::<Vec<_>>().join("\n"),
        Target::NoCall => "no call".into(),
        Target::AnyCall => "any call".into(),
        Target::MultiTurn(target) => {
            let turns = (1..).zip(&target.ground_truth);
            turns.map(|(turn, calls)| format!("{turn}. {}", calls.join("; "))).collect::<Vec<_>>().join("\n")
        }
        Target::NotRun => String::new(),
    }
}

/// A call with the values that each of its parameters may have.
fn call(answer: &Answer) -> String {
    let options = answer.options.iter().map(|(name, values)| {
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        format!("{} = {}", name.lossy(), values.join(" | "))
    });
    format!("{}({})", answer.signature.name, options.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_put_back() {
        let call =
            |arguments: &str| ServedCall { id: "c".into(), name: "f".into(), arguments: arguments.into() };
        let hermes = Handler::Native(NativeFormat::Hermes);
        let cases = [
            (
                hermes,
                "so",
                "{\"a\": 1}",
                "so\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>",
            ),
            (hermes, "", "", "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>"),
            (
                hermes,
                "",
                "{\"a\":",
                "<tool_call>\n{\"name\": \"f\", \"arguments\": \"{\\\"a\\\":\"}\n</tool_call>",
            ),
            (Handler::Native(NativeFormat::Json), "so", "{}", "[{\"name\": \"f\", \"arguments\": {}}]"),
        ];
        for (handler, text, arguments, expected) in cases {
            let reply = Reply { calls: vec![call(arguments)], ..Reply::of_text(text) };
            assert_eq!(whole(&reply, handler), expected);
        }
        assert_eq!(whole(&Reply::of_text("so"), hermes), "so");
    }
}

//! Rows of instruction, input and output: the released ones, and Alpaca's.

use toolrl_grammar::json::Value;

use super::dialogue::word;
use super::{Form, Row, RowForm, tools};
use crate::{DataError, Gold, Message, Sample, TaskKind};

pub(super) const FORM: RowForm = RowForm {
    form: Form::Instruction,
    told_by: &[&["instruction"]],
    fields: &["instruction", "input", "output", "id"],
    read,
};

pub(super) const ALPACA: RowForm = RowForm {
    form: Form::Alpaca,
    told_by: &[&["instruction"], &["system", "history"]],
    fields: &["instruction", "input", "output", "id", "system", "history"],
    read: read_alpaca,
};

/// `{instruction, input, output}`, each without its surrounding white space: the system message, the user message and
/// the gold reply.
fn read(row: &Row<'_>) -> Result<Vec<Sample>, DataError> {
    let message = |role, field| Ok(Message::new(role, row.text(field)?.trim()));
    sample(row, vec![message("system", "instruction")?, message("user", "input")?])
}

/// As LLaMA-Factory reads them: `system` is the system message, each pair of `history` a request and its reply, and
/// `instruction` and `input`, joined by a line break, the request.
fn read_alpaca(row: &Row<'_>) -> Result<Vec<Sample>, DataError> {
    let mut messages = Vec::new();
    if row.filled("system").is_some() {
        messages.push(Message::new("system", row.text("system")?.trim()));
    }
    if let Some(history) = row.filled("history") {
        messages.extend(pairs(row, history)?);
    }
    let mut request = row.text("instruction")?.trim().to_owned();
    if row.filled("input").is_some() {
        request = [request.as_str(), row.text("input")?.trim()].join("\n");
    }
    messages.push(Message::new("user", request));
    sample(row, messages)
}

/// The messages of a list of `[request, reply]`.
fn pairs(row: &Row<'_>, history: &Value<'static>) -> Result<Vec<Message>, DataError> {
    const EXPECTED: &str = "a list of pairs: a request and its reply";
    let error = || row.error("history", EXPECTED, history);
    let Value::List(pairs) = history else { return Err(error()) };
    let mut messages = Vec::new();
    for pair in pairs {
        let Value::List(turns) = pair else { return Err(error()) };
        let [request, reply] = turns.as_slice() else { return Err(error()) };
        messages.push(Message::new("user", row.text_of("history", request)?));
        messages.push(Message::new("assistant", row.text_of("history", reply)?));
    }
    Ok(messages)
}

fn sample(row: &Row<'_>, messages: Vec<Message>) -> Result<Vec<Sample>, DataError> {
    let gold = Gold::from(row.text("output")?.trim());
    let id = word(row.optional("id"), row.stem).unwrap_or_else(|| row.id());
    let (tools, kind) = (tools::tools(row)?, TaskKind::of_gold(&gold));
    Ok(vec![Sample { id, messages, tools, gold, kind, unseen_tools: false }])
}

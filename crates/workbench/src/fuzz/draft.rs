//! A gold reply taken apart, so that it can be damaged and written again.

use std::fmt::Write as _;

use toolrl_grammar::json::{Object, Value};
use toolrl_grammar::{Call, Passage, TurnPart, parse};

use super::damage::{Damage, Edit, Tag};

/// A gold reply in its parts.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub thoughts: String,
    pub calls: Vec<Call<'static>>,
    pub response: Option<String>,
}

impl Draft {
    /// Takes a reply apart; `None` for one whose calls are no objects of `name` and `parameters`.
    pub fn read(reply: &[u8]) -> Option<Self> {
        let parsed = parse(reply);
        if parsed.faults_of(TurnPart::Calls).next().is_some() {
            return None;
        }
        let plain = |passage: Passage<'_>| match passage.text.lossy() {
            text if text.contains('<') => "t".to_owned(),
            text => text.into_owned(),
        };
        Some(Self {
            thoughts: parsed.turn.thoughts.map_or_else(String::new, plain),
            calls: parsed.turn.calls.into_iter().map(Call::into_owned).collect(),
            response: parsed.turn.response.map(plain),
        })
    }

    /// The reply with these damages and this way of writing it; without any, the gold reply.
    pub fn text(&self, damages: &[Damage], edit: Option<Edit>) -> String {
        let has = |damage: Damage| damages.contains(&damage);
        let tag = |tag: Tag| if has(Damage::BreakTag(tag)) { "" } else { tag.text() };
        let mut out = format!("{} {} {}", tag(Tag::Think), self.thoughts, tag(Tag::ThinkEnd));
        if !self.calls.is_empty() {
            let mut lines: Vec<String> = Vec::new();
            for (i, call) in self.calls.iter().enumerate().filter(|(i, _)| !has(Damage::DropCall(*i))) {
                let line = line(call, i, damages, edit);
                lines.extend(has(Damage::DuplicateCall(i)).then(|| line.clone()));
                lines.push(line);
            }
            if edit == Some(Edit::CallOrder) {
                lines.reverse();
            }
            let (open, close) = (tag(Tag::ToolCall), tag(Tag::ToolCallEnd));
            let _ = write!(out, "\n{open}\n{}\n{close}", lines.join("\n"));
        }
        if let Some(response) = &self.response {
            let _ = write!(out, "\n{} {response} {}", tag(Tag::Response), tag(Tag::ResponseEnd));
        }
        if has(Damage::ExtraText) {
            out += "\nI hope this helps.";
        }
        out
    }

    /// Every damage that it can take.
    pub fn damages(&self) -> Vec<Damage> {
        let mut all = vec![Damage::ExtraText, Damage::BreakTag(Tag::Think), Damage::BreakTag(Tag::ThinkEnd)];
        if !self.calls.is_empty() {
            all.extend([Damage::BreakTag(Tag::ToolCall), Damage::BreakTag(Tag::ToolCallEnd)]);
        }
        if self.response.is_some() {
            all.extend([Damage::BreakTag(Tag::Response), Damage::BreakTag(Tag::ResponseEnd)]);
        }
        for (i, call) in self.calls.iter().enumerate() {
            all.extend([
                Damage::DropCall(i),
                Damage::DuplicateCall(i),
                Damage::RenameTool(i),
                Damage::BreakJson(i),
                Damage::AddKey(i),
            ]);
            for j in 0..call.arguments.len() {
                all.extend([Damage::DropKey(i, j), Damage::RenameKey(i, j), Damage::ChangeValue(i, j)]);
            }
        }
        all
    }

    /// Every other way to write it that says the same.
    pub fn edits(&self) -> Vec<Edit> {
        let mut edits = Vec::new();
        if !self.calls.is_empty() {
            edits.extend([Edit::Spaces, Edit::NameLast, Edit::Escapes]);
        }
        if self.calls.len() > 1 {
            edits.push(Edit::CallOrder);
        }
        if self.calls.iter().any(|call| call.arguments.len() > 1) {
            edits.push(Edit::KeyOrder);
        }
        let whole = |value: &Value<'_>| super::damage::as_float(value).is_some();
        if self.calls.iter().any(|call| call.arguments.values().any(whole)) {
            edits.push(Edit::NumberType);
        }
        edits
    }
}

/// The call as a line of JSON.
fn line(call: &Call<'static>, i: usize, damages: &[Damage], edit: Option<Edit>) -> String {
    let has = |damage: Damage| damages.contains(&damage);
    let name = if has(Damage::RenameTool(i)) {
        Value::str(format!("other_tool_{i}"))
    } else {
        Value::Str(call.name.clone())
    };
    let mut parameters = Object::default();
    for (j, (key, value)) in call.arguments.iter().enumerate().filter(|(j, _)| !has(Damage::DropKey(i, *j))) {
        let key = if has(Damage::RenameKey(i, j)) { format!("other_key_{j}").into() } else { key.clone() };
        let mut value =
            if has(Damage::ChangeValue(i, j)) { super::damage::changed(value) } else { value.clone() };
        if edit == Some(Edit::NumberType) {
            value = super::damage::as_float(&value).unwrap_or(value);
        }
        parameters.insert(key, value);
    }
    if has(Damage::AddKey(i)) {
        parameters.insert("extra_key".into(), Value::str("extra"));
    }
    if edit == Some(Edit::KeyOrder) {
        parameters.reverse();
    }
    let mut object = Object::default();
    object.insert("name".into(), name);
    object.insert("parameters".into(), Value::Object(parameters));
    if edit == Some(Edit::NameLast) {
        object.reverse();
    }
    let mut line = Value::Object(object).to_string();
    if has(Damage::BreakJson(i)) {
        line.pop();
    }
    match edit {
        Some(Edit::Spaces) => format!(" {} ", spaced(&line)),
        Some(Edit::Escapes) => escaped(&line),
        _ => line,
    }
}

/// JSON with more white space between its parts.
fn spaced(line: &str) -> String {
    outside_strings(line, |c, out| {
        out.push(c);
        if matches!(c, '{' | ':' | ',' | '[') {
            out.push_str("  ");
        }
    })
}

/// JSON whose strings have their letters `e` as escapes.
fn escaped(line: &str) -> String {
    let (mut out, mut inside, mut escape) = (String::new(), false, false);
    for c in line.chars() {
        match c {
            'e' if inside && !escape => out.push_str("\\u0065"),
            c => out.push(c),
        }
        inside ^= c == '"' && !escape;
        escape = inside && c == '\\' && !escape;
    }
    out
}

fn outside_strings(line: &str, mut write: impl FnMut(char, &mut String)) -> String {
    let (mut out, mut inside, mut escape) = (String::new(), false, false);
    for c in line.chars() {
        if inside {
            out.push(c);
        } else {
            write(c, &mut out);
        }
        inside ^= c == '"' && !escape;
        escape = inside && c == '\\' && !escape;
    }
    out
}

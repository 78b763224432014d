//! Result files that the official scorer reads.

use std::path::PathBuf;

use indexmap::IndexMap;
use toolrl_grammar::json::{Object, PyStr, Value};

use crate::{Case, Category, Handler, ReplyReader};

/// How replies stand in result files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExportForm {
    /// Their calls as a JSON list of `{"name", "arguments"}`, which an unchanged `bfcl-eval` decodes
    /// for its xLAM models. The results must stand under such a model's name: [`XLAM`].
    #[default]
    Calls,
    /// Their text as it is, for a `bfcl-eval` in which the user registered a ToolRL handler.
    Text,
}

/// A model of the unchanged `bfcl-eval` 2025.8.6.2 whose results are of the form
/// [`ExportForm::Calls`].
pub const XLAM: &str = "Salesforce/xLAM-2-1b-fc-r";

/// What a model replied to a case.
#[derive(Clone, Copy, Debug)]
pub enum Replies<'a> {
    /// Its reply to a case of a single turn.
    Single(&'a [u8]),
    /// Its replies by turn and step.
    MultiTurn(&'a [Vec<Vec<u8>>]),
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultFile {
    /// Where, from the folder that `bfcl evaluate` is given as `--result-dir`.
    pub path: PathBuf,
    /// A line of JSON a case, with `id` and `result`.
    pub lines: Vec<String>,
}

/// The result files of a model: one a category, in a folder of the model's name.
///
/// `bfcl evaluate` refuses a category of which a case is missing.
pub fn result_files<'a>(
    model: &str,
    form: ExportForm,
    handler: Handler,
    results: impl IntoIterator<Item = (&'a Case, Replies<'a>)>,
) -> Vec<ResultFile> {
    let mut files: IndexMap<Category, Vec<String>> = IndexMap::new();
    for (case, replies) in results {
        files.entry(case.category).or_default().push(line(
            &case.id,
            form,
            &handler.reading(&case.functions, case.category.language()),
            replies,
        ));
    }
    let folder = PathBuf::from(model.replace('/', "_"));
    let path = |category| folder.join(format!("BFCL_v3_{category}_result.json"));
    files.into_iter().map(|(category, lines)| ResultFile { path: path(category), lines }).collect()
}

fn line(id: &str, form: ExportForm, reading: &ReplyReader, replies: Replies<'_>) -> String {
    let result = match replies {
        Replies::Single(reply) => single(form, reading, reply),
        Replies::MultiTurn(turns) => {
            Value::List(turns.iter().map(|steps| turn(form, reading, steps)).collect())
        }
    };
    let entries = [("id".into(), Value::str(id.to_string())), ("result".into(), result)];
    Value::Object(Object::from_iter(entries)).to_string()
}

fn single<'r>(form: ExportForm, reading: &ReplyReader, reply: &'r [u8]) -> Value<'r> {
    match form {
        // What cannot be decoded stays text: the scorer cannot decode that either.
        ExportForm::Calls => reading
            .decode_ast(reply)
            .map_or_else(|| text(reply), |decoded| Value::str(calls(decoded).to_string())),
        ExportForm::Text => text(reply),
    }
}

/// A turn's steps. A reply whose calls cannot be executed stays text: the scorer cannot decode that
/// either, and drops it.
fn turn<'r>(form: ExportForm, reading: &ReplyReader, steps: &'r [Vec<u8>]) -> Value<'r> {
    let step = |reply: &'r [u8]| match (form, reading.calls(reply)) {
        (ExportForm::Calls, Ok(calls)) => {
            let calls = calls.into_iter().map(|(name, arguments)| entry(name, Value::Object(arguments)));
            Value::str(Value::List(calls.collect()).to_string())
        }
        _ => text(reply),
    };
    Value::List(steps.iter().map(|reply| step(reply)).collect())
}

fn text(reply: &[u8]) -> Value<'_> {
    Value::Str(PyStr(reply.into()))
}

/// The calls that the checker sees, as `{"name", "arguments"}`.
fn calls(decoded: Value<'_>) -> Value<'_> {
    let Value::List(calls) = decoded else {
        return Value::List(Vec::new());
    };
    let named = calls.into_iter().filter_map(|call| match call {
        Value::Object(mut call) => call.pop(),
        _ => None,
    });
    Value::List(named.map(|(name, arguments)| entry(name, arguments)).collect())
}

fn entry<'a>(name: PyStr<'a>, arguments: Value<'a>) -> Value<'a> {
    Value::Object(Object::from_iter([("name".into(), Value::Str(name)), ("arguments".into(), arguments)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Target;

    const REPLY: &str = "<think> x </think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {\"a\": [1, \"é\"]}}\n\
                         {\"name\": \"g\"}\n</tool_call>";

    fn case(id: &str) -> Case {
        let category = Category::of_id(id).unwrap();
        Case { id: id.into(), category, turns: vec![], functions: vec![], target: Target::NoCall }
    }

    #[test]
    fn results_stand_in_the_official_places() {
        let (simple, multi) = (case("live_simple_0-0-0"), case("multi_turn_base_0"));
        let broken = br#"<tool_call>{"name": 5, "parameters": {}}"#.to_vec();
        let turns = vec![vec![REPLY.as_bytes().to_vec(), broken], vec![]];
        let results = [(&simple, Replies::Single(REPLY.as_bytes())), (&multi, Replies::MultiTurn(&turns))];
        let files = result_files("a/b", ExportForm::Calls, Handler::Toolrl, results);
        assert_eq!(files[0].path.to_str(), Some("a_b/BFCL_v3_live_simple_result.json"));
        assert_eq!(
            files[0].lines,
            [
                r#"{"id": "live_simple_0-0-0", "result": "[{\"name\": \"f\", \"arguments\": {\"a\": [1, \"\\u00e9\"]}}]"}"#
            ]
        );
        assert_eq!(files[1].path.to_str(), Some("a_b/BFCL_v3_multi_turn_base_result.json"));
        let step = r#""[{\"name\": \"f\", \"arguments\": {\"a\": [1, \"\\u00e9\"]}}, {\"name\": \"g\", \"arguments\": {}}]""#;
        let broken = r#""<tool_call>{\"name\": 5, \"parameters\": {}}""#;
        assert_eq!(
            files[1].lines,
            [format!(r#"{{"id": "multi_turn_base_0", "result": [[{step}, {broken}], []]}}"#)]
        );
    }

    #[test]
    fn text_stands_as_it_is() {
        let case = case("simple_0");
        let files =
            result_files("m", ExportForm::Text, Handler::Toolrl, [(&case, Replies::Single(b"\xff\n"))]);
        assert_eq!(files[0].lines, [r#"{"id": "simple_0", "result": "\ufffd\n"}"#]);
    }
}

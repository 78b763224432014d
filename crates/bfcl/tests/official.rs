//! Our result files, scored by the official scorer, where Python has it.

use std::path::Path;
use std::process::Command;

use toolrl_bfcl::{Benchmark, Case, Category, ExportForm, Handler, Names, Replies, Sources, Tallies, Target};
use toolrl_bfcl::{XLAM, check, decode_ast, result_files};
use toolrl_grammar::json::{self, Value};

/// What `official_bfcl.py` exits with where Python lacks the scorer.
const NO_SCORER: i32 = 77;

/// What the script prints of a root folder; `None`, with a message, where there is no scorer.
fn official(root: &Path) -> Option<Value<'static>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/official_bfcl.py");
    let python = std::env::var_os("TOOLRL_PYTHON").unwrap_or_else(|| "python3".into());
    let run = Command::new(&python).arg(script).arg(root).arg(XLAM).output();
    let run = run.ok().filter(|run| run.status.code() != Some(NO_SCORER));
    let Some(run) = run else {
        eprintln!("skipped: {} has no bfcl-eval 2025.8.6.2", python.display());
        return None;
    };
    assert!(run.status.success(), "{run:?}");
    Some(json::parse(&run.stdout).expect("the script prints JSON").into_owned())
}

/// A reply that calls what is right, or goes wrong in one of several ways.
fn reply(case: &Case, index: usize) -> String {
    let Target::Calls(answers) = &case.target else {
        let call = "<tool_call>\n{\"name\": \"f\", \"parameters\": {}}\n</tool_call>";
        return if index.is_multiple_of(3) {
            call.into()
        } else {
            "<response> No [tool]; \"none\". </response>".into()
        };
    };
    let mut lines = Vec::new();
    for answer in answers {
        let given = answer.options.iter().filter_map(|(name, options)| {
            let value = options.iter().find(|option| option.as_bytes() != Some(b""))?;
            Some((name.clone(), value.clone()))
        });
        let name = Value::str(answer.signature.name.clone());
        let given = Value::Object(given.collect());
        lines.push(format!("{{\"name\": {name}, \"parameters\": {given}}}"));
    }
    match index % 7 {
        1 => lines.clear(),
        2 => lines.push("{\"name\": \"g\", \"parameters\": [1]}".into()),
        3 => lines.push("{\"name\": \"None\", \"parameters\": {}}".into()),
        4 => lines.reverse(),
        _ => {}
    }
    format!("<think> x </think>\n<tool_call>\n{}\n</tool_call>", lines.join("\n"))
}

#[test]
fn the_official_scorer_gives_the_same_scores() {
    let root = tempfile::tempdir().unwrap();
    let Some(found) = official(root.path()) else { return };
    let data = String::from_utf8(found.get("data").unwrap().as_bytes().unwrap().to_vec()).unwrap();
    let benchmark = Benchmark::load(&Sources::new(data), &Category::single_turn()).unwrap();
    let replies: Vec<_> =
        benchmark.cases().enumerate().map(|(index, case)| (case, reply(case, index))).collect();
    let mut tallies = Tallies::default();
    for (case, reply) in &replies {
        let verdict = check(case, Some(&decode_ast(reply)), Names::Dotted).unwrap();
        tallies.count(case.category, verdict.is_ok());
    }
    let results = replies.iter().map(|(case, reply)| (*case, Replies::Single(reply.as_bytes())));
    for file in result_files(XLAM, ExportForm::Calls, Handler::Toolrl, results) {
        let path = root.path().join("result").join(file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.lines.join("\n")).unwrap();
    }
    let found = official(root.path()).unwrap();
    for (category, tally) in tallies.iter() {
        let official = found.get("accuracy").and_then(|of| of.get(category.name())).unwrap();
        assert_eq!(
            official.to_string(),
            json::float_repr(tally.accuracy().unwrap()),
            "{category}: {tally:?}"
        );
        assert!(tally.right > 0 && tally.right < tally.total, "{category}: {tally:?}");
    }
    assert_eq!(tallies.iter().count(), 13);
}

//! The benchmarks: replies decoded and judged, and the files of the benchmarks themselves.

use std::path::Path;
use std::sync::LazyLock;

use toolrl_api_bank::{Call, Level};
use toolrl_bamboogle::{Dialogue, DialogueSettings, Hit, Step, exact_match, f1};
use toolrl_bfcl::{Benchmark, Case, Category, Declared, Handler, Names, Sources, Target, check, rows};
use toolrl_grammar::json::{self, Object, Value};

use crate::folder::{Folder, two_parts};

/// The small set of our own that the tests use.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures");

static BENCHMARK: LazyLock<Benchmark> = LazyLock::new(|| {
    let sources = Sources::new(Path::new(FIXTURES).join("bfcl_v3"));
    Benchmark::load(&sources, &Category::single_turn()).expect("the fixture loads")
});

/// Decodes a reply by every handler and judges it for every case; then gives it, as text, to every
/// parameter of Java and JavaScript, whose source is converted. Every reply has a verdict.
pub fn bfcl(data: &[u8]) {
    for handler in Handler::ALL {
        let decoded = handler.decode_ast(data);
        let listed = match &decoded {
            None => 0,
            Some(Value::List(list)) => list.len(),
            Some(other) => panic!("{other} is no list"),
        };
        if let Ok(calls) = handler.calls(data) {
            let sources = handler.decode_execute(data).expect("the calls are there");
            assert_eq!(calls.len(), sources.len());
            assert!(listed <= calls.len(), "{handler}: {decoded:?}");
        } else {
            assert!(handler.decode_execute(data).is_err());
        }
        judge(decoded.as_ref());
    }
    let line = rows::decoded(data).to_string();
    json::parse(&line).expect("an answer is a line of JSON");
    if let Ok(row) = rows::Row::parse(data) {
        let _ = row.verdict(&BENCHMARK);
    }
    BENCHMARK.cases().for_each(|case| as_arguments(case, data));
}

/// Judges calls for every case.
fn judge(calls: Option<&Value<'_>>) {
    for case in BENCHMARK.cases() {
        for names in [Names::Dotted, Names::Underscored] {
            let _ = check(case, calls, names).expect("a case of one turn has a verdict");
        }
    }
}

/// Gives the bytes as text to each parameter of a case whose text is source code.
fn as_arguments(case: &Case, data: &[u8]) {
    let (Category::Java | Category::Javascript, Target::Calls(answers)) = (case.category, &case.target)
    else {
        return;
    };
    let Some(answer) = answers.first() else { return };
    let hostile = || Value::Str(json::PyStr(data.into()));
    for (name, parameter) in &answer.signature.parameters {
        if parameter.declared == Declared::Any {
            continue;
        }
        let required = answer.signature.required.iter().map(|name| (name.clone(), Value::str("x")));
        let mut arguments: Object<'_> = required.collect();
        arguments.insert(name.clone(), hostile());
        let call = [(answer.signature.name.clone().into(), Value::Object(arguments))];
        let calls = Value::List(vec![Value::Object(call.into_iter().collect())]);
        let _ = check(case, Some(&calls), Names::Dotted).expect("a case of one turn has a verdict");
    }
}

/// The right call that replies are scored against.
static RIGHT: LazyLock<Call> = LazyLock::new(|| {
    let call = r#"{"name": "Dictionary", "parameters": {"keyword": "solitude", "n": [1, 2.5, null]}}"#;
    Call::of(json::parse(call).expect("JSON")).expect("a call")
});

/// Reads the bytes as a file of each benchmark and as a reply to a case of it.
pub fn benchmark_files(data: &[u8]) {
    thread_local!(static FOLDER: Folder = Folder::new());
    FOLDER.with(|folder| {
        let level = folder.put(&Level::One.file_name(), data);
        names_file(toolrl_api_bank::load(folder.path(), &[Level::One]).err(), &level);
        let questions = folder.put("data.json", data);
        names_file(toolrl_bamboogle::load(&questions).err(), &questions);
        let (cases, answers) = two_parts(data);
        std::fs::create_dir_all(folder.path().join("possible_answer")).expect("a folder can be made");
        for category in [Category::Simple, Category::Java, Category::LiveIrrelevance] {
            folder.put(category.file_name().as_str(), cases);
            folder.put(&format!("possible_answer/{}", category.file_name()), answers);
            let loaded = Benchmark::load(&Sources::new(folder.path()), &[category]);
            for case in loaded.iter().flat_map(Benchmark::cases) {
                let _ = check(case, Some(&toolrl_bfcl::decode_ast(cases)), Names::Dotted).expect("a verdict");
                let _ = toolrl_bfcl::tools(&case.functions, category.language());
            }
        }
    });
    if let Ok(row) = toolrl_api_bank::rows::Row::parse(data) {
        let _ = row.scored(&[]);
    }
    let _ = toolrl_api_bank::score(data, &RIGHT);
    dialogue(data);
}

fn names_file<E: std::fmt::Display>(error: Option<E>, path: &Path) {
    if let Some(error) = error {
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
    }
}

/// A dialogue in which every reply is these bytes ends after its rounds, and its answer is compared.
fn dialogue(data: &[u8]) {
    let settings = DialogueSettings::default();
    let question = String::from_utf8_lossy(data);
    let mut dialogue = Dialogue::new(&question, &settings);
    let outcome = (0..=settings.rounds).find_map(|_| match dialogue.reply(data) {
        Step::Search(queries) => {
            assert!(!queries.is_empty() && queries.len() <= settings.searches_per_reply);
            let hit = Hit { title: question.to_string(), text: question.to_string() };
            dialogue.found(&[vec![hit]]);
            assert!(dialogue.user().contains("<obs>"));
            None
        }
        Step::Done(outcome) => Some(outcome),
    });
    let outcome = outcome.expect("a dialogue ends");
    assert!(outcome.rounds <= settings.rounds);
    let (a, b) = (outcome.answer.as_str(), &*question);
    assert!(exact_match(a, a) && f1(a, a) == 1.0);
    assert_eq!(exact_match(a, b), exact_match(b, a));
    let likeness = f1(a, b);
    assert!((0.0..=1.0).contains(&likeness) && likeness == f1(b, a), "{likeness}");
    assert!(!exact_match(a, b) || likeness == 1.0);
}

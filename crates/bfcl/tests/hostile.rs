//! Hostile replies are judged, and soon.

use std::path::Path;
use std::time::{Duration, Instant};

use toolrl_bfcl::{Benchmark, Category, Handler, Names, Sources, check, rows};
use toolrl_grammar::json::{Object, Value};

/// Bytes of a hostile reply.
const SIZE: usize = 1 << 18;

/// What one such reply may take, in an optimised build on a slow machine that does much else.
const PATIENCE: Duration = Duration::from_secs(10);

fn fill(piece: &str) -> String {
    piece.repeat(SIZE / piece.len())
}

fn call(parameters: &str) -> Vec<u8> {
    format!("<tool_call>\n{{\"name\": \"f\", \"parameters\": {parameters}}}\n</tool_call>").into_bytes()
}

fn replies() -> Vec<Vec<u8>> {
    let deep = 400_000;
    vec![
        Vec::new(),
        vec![0xFF; SIZE],
        b"<tool_call>\n\xff\xfe{\"name\": \"\xed\xa0\x80\", \"parameters\": {\"\xff\": \"\xc3\"}}\n".to_vec(),
        fill("<tool_call>").into_bytes(),
        fill("<tool_call>\n</tool_call>").into_bytes(),
        [b"<tool_call>", fill("{\"name\": \"f\", \"parameters\": {}}\n").as_bytes()].concat(),
        [b"<tool_call>", fill("{\n").as_bytes()].concat(),
        call(&format!("{}{}", "[".repeat(deep), "]".repeat(deep))),
        call(&format!("{}1{}", "{\"a\": ".repeat(deep), "}".repeat(deep))),
        call(&format!("{{\"a\": {}1{}}}", "[".repeat(900), "]".repeat(900))),
        call(&"9".repeat(SIZE)),
        call(&format!("{{\"a\": \"{}\"}}", fill("\\ud800'\\n"))),
        call(&format!("{{\"a\": \"{}\"}}", "x".repeat(10 << 20))),
        call(&format!("{{{}}}", "[".repeat(100_000))),
        vec![0; 1 << 20],
        vec![b'<'; 1 << 20],
        fill("{\"name\": \"f\"};").into_bytes(),
        [b"<|python_tag|>".as_slice(), &[b';'; 1 << 20]].concat(),
    ]
}

#[test]
fn hostile_replies_are_judged() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/bfcl_v3");
    let benchmark = Benchmark::load(&Sources::new(folder), &Category::single_turn()).unwrap();
    for (index, reply) in replies().iter().enumerate() {
        let start = Instant::now();
        for handler in Handler::ALL {
            let calls = handler.decode_ast(reply);
            for case in benchmark.cases() {
                let _ = check(case, calls.as_ref(), Names::Dotted).unwrap();
            }
            let sources = handler.decode_execute(reply);
            assert_eq!(sources.is_ok(), handler.calls(reply).is_ok());
        }
        let _ = rows::decoded(reply).to_string();
        assert!(start.elapsed() < PATIENCE, "reply {index}: {:?}", start.elapsed());
    }
}

/// Arguments as source text that begin a pattern again and again, or never end it.
#[test]
fn hostile_source_text_is_judged() {
    let java = [
        "new int[]{",
        "1,",
        "new ArrayList<>(Arrays.asList(",
        "new ArrayList<>() {{ add(",
        "add(1)",
        "add(",
        "new HashMap<",
        "new HashMap<>() {",
        "put(\"",
        "put(\"a\", ",
        "put(\"a\", 1)",
        " ",
        "{",
        "\n",
    ];
    judge(
        ("java_0", "ShelfPlanner.arrange"),
        &["titles", "heights", "slots", "strict", "budget"],
        &["", "new HashMap<>() {{ ", "new ArrayList<String>() {{ "],
        &java,
    );
    let javascript =
        ["[", "[[", "]", "[1],", "a:", ":", ",", "a: 1, ", ", \n", "new Array([", "é:", "'", "1", " "];
    judge(
        ("javascript_0", "drawChart"),
        &["series", "options", "animate", "title"],
        &["", "[", "{", "[[1], "],
        &javascript,
    );
}

/// Judges calls with one argument that is a start, then a piece over and over, perhaps with an end.
fn judge((id, function): (&str, &str), names: &[&str], starts: &[&str], pieces: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/bfcl_v3");
    let benchmark = Benchmark::load(&Sources::new(folder), &Category::single_turn());
    let benchmark = benchmark.expect("the fixture loads");
    let case = benchmark.case(id).expect("the case is there");
    let required = if id == "java_0" { "shelf" } else { "element" };
    for (start, piece) in starts.iter().flat_map(|start| pieces.iter().map(move |piece| (start, piece))) {
        let text = format!("{start}{}", fill(piece));
        for (name, end) in names.iter().flat_map(|name| [(name, ""), (name, ")}}}}]]")]) {
            let clock = Instant::now();
            let hostile = Value::str(format!("{text}{end}"));
            let arguments = [((*name).into(), hostile), (required.into(), Value::str("x"))];
            let call = Object::from_iter([(function.into(), Value::Object(arguments.into_iter().collect()))]);
            let calls = Value::List(vec![Value::Object(call)]);
            assert!(check(case, Some(&calls), Names::Dotted).expect("a verdict").is_err());
            assert!(clock.elapsed() < PATIENCE, "{name}, {start:?}, {piece:?}: {:?}", clock.elapsed());
        }
    }
}

//! Every function of every service over calls of ours, with the results that the released services gave:
//! `released.py` writes them.

use std::path::Path;

use toolrl_grammar::json::{self, Value};
use toolrl_services::{Class, Context, Session, Side};

fn text<'a>(value: &'a Value<'_>) -> &'a str {
    std::str::from_utf8(value.as_bytes().expect("a string")).expect("UTF-8")
}

/// Runs a table's calls one after the other; the first words of each are the functions that it covers.
fn run(name: &str, table: &Value<'_>) -> (Class, Vec<String>) {
    let class = Class::of(text(table.get("class").expect("a class"))).expect("a known class");
    let config = format!("{{\"{}\": {}}}", class.name(), table.get("config").expect("a configuration"));
    let config = json::parse(&config).expect("JSON");
    let mut session = Session::new(name, &[class], &config, Context::Plain, Side::Model).expect("it starts");
    let Some(Value::List(calls)) = table.get("calls") else {
        panic!("{name}: no calls");
    };
    let mut covered = Vec::new();
    for pair in calls {
        let Value::List(pair) = pair else {
            panic!("{name}: a call and its result");
        };
        let (call, wanted) = (text(&pair[0]), text(&pair[1]));
        assert_eq!(session.execute(call), wanted, "{name}: {call}");
        covered.extend(call.split('(').next().map(str::to_string));
    }
    let state = session.state();
    let (state, wanted) = (state.get(class.name()).expect("the class"), table.get("state").expect("a state"));
    assert_eq!(state.to_string(), wanted.to_string(), "{name}");
    (class, covered)
}

#[test]
fn results_are_those_of_the_released_services() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/released");
    let names = ["files", "math", "message", "posting", "ticket", "trading", "travel", "vehicle"];
    for (name, class) in names.into_iter().zip(Class::ALL) {
        let file = std::fs::read(folder.join(format!("{name}.json"))).expect("the table");
        let (own, covered) = run(name, &json::parse(&file).expect("JSON"));
        assert_eq!(own, class);
        for function in class.functions() {
            assert!(covered.iter().any(|call| call == function), "{name} calls no {function}");
        }
    }
}

//! Hostile calls: whatever they hold, they end with a result.

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use toolrl_grammar::json::{self, Value};
use toolrl_services::{Call, Class, Context, LongContext, Session, Side};

/// What scenarios and functions know, so that calls get past the first checks.
const CONFIG: &str = r#"{
    "GorillaFileSystem": {"root": {"home": {"type": "directory", "contents": {
        "f": {"type": "file", "content": "a\nb"}, "d": {"type": "directory", "contents": {}}}}}},
    "MessageAPI": {"user_map": {"f": "d"}, "current_user": "d"},
    "TwitterAPI": {"authenticated": true, "tweets": {"1": {"id": 1, "username": "f", "content": "d",
        "tags": [], "mentions": []}}, "tweet_counter": 2},
    "TicketAPI": {"current_user": "f", "ticket_queue": [{"id": 1, "title": "d", "status": "Open",
        "created_by": "f"}]},
    "TradingBot": {"authenticated": true, "stocks": {"f": {"price": 1.0, "percent_change": 1.0}}},
    "TravelAPI": {"access_token": "f", "token_expires_in": 2, "credit_card_list": {"d": {"balance": 1e9}}}
}"#;

fn session(context: Context) -> Session {
    let config = json::parse(CONFIG).expect("JSON");
    Session::new("hostile_0", &Class::ALL, &config, context, Side::Model).expect("it starts")
}

/// A long context of texts of our own.
fn long() -> Context {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/bfcl_v3/long_context.py");
    Context::Long(LongContext::read(Path::new(path)).expect("the fixture is read"))
}

/// JSON of any kind and some depth.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        (-3..60i64).prop_map(|n| n.to_string()),
        any::<f64>().prop_map(json::float_repr),
        "[0-9]{1,400}".prop_map(|digits| format!("1{digits}")),
        prop::sample::select(vec![
            "f",
            "d",
            "..",
            ".",
            "/",
            "km",
            "SFO",
            "LAX",
            "2024-01-01",
            "first",
            "USD"
        ])
        .prop_map(|word| format!("\"{word}\"")),
        any::<String>().prop_map(|text| Value::str(text).to_string()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((any::<String>(), inner), 0..3).prop_map(|entries| {
                let entry = |(key, value): (String, String)| format!("{}:{value}", Value::str(key));
                format!("{{{}}}", entries.into_iter().map(entry).collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

/// The text of a call of some function with positional arguments.
fn any_call() -> impl Strategy<Value = String> {
    let functions: Vec<&str> = Class::ALL.into_iter().flat_map(Class::functions).collect();
    (prop::sample::select(functions), prop::collection::vec(any_json(), 0..6)).prop_map(|(name, values)| {
        // The parameters' values as Python writes them, by way of a call with names.
        let values = values.iter().enumerate().map(|(i, value)| format!("\"p{i}\": {value}"));
        let parameters = format!("{{{}}}", values.collect::<Vec<_>>().join(", "));
        let call = Call::new(name, &json::parse(&parameters).expect("JSON")).expect("a call").to_string();
        (0..6).fold(call, |call, i| call.replacen(&format!("p{i}="), "", 1))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_arguments_end(calls in prop::collection::vec(any_call(), 1..12), long: bool) {
        let mut session = session(if long { self::long() } else { Context::Plain });
        for call in &calls {
            session.execute(call);
        }
        session.state();
        prop_assert!(session.same_state(&session) || session.state().to_string().contains("NaN"));
    }

    #[test]
    fn any_text_ends(text: String, arguments in "[\\[\\](){}'\"\\\\a-c0-9.,=:_ \n-]{0,60}") {
        let mut session = session(Context::Plain);
        session.execute(&text);
        session.execute(&format!("echo({arguments})"));
    }
}

#[test]
fn nesting_is_bounded() {
    let mut session = session(Context::Plain);
    for depth in [150, 100_000] {
        let result = session.execute(&format!("echo(content={}{})", "[".repeat(depth), "]".repeat(depth)));
        assert_eq!(result.starts_with("Error during execution: too many nested"), depth > 200, "{result}");
    }
    assert!(session.execute(&"(".repeat(1_000_000)).starts_with("Error during execution"));
    assert!(
        session.execute(&format!("echo(content={}1)", "-".repeat(1_000_000))).contains("terminal_output")
    );
}

#[test]
fn long_texts_end() {
    let start = Instant::now();
    let mut session = session(Context::Plain);
    let texts =
        ["x".repeat(10 << 20), "\0".repeat(1 << 20), "é\u{2028}".repeat(1 << 18), "\\'".repeat(1 << 19)];
    for text in texts {
        for call in
            [text.clone(), format!("echo({text:?})"), format!("grep('f', {text:?})"), format!("{text}()")]
        {
            session.execute(&call);
        }
        let name = Value::str(text);
        let row = format!("{{\"name\": {name}, \"parameters\": {{\"a\": {name}}}}}");
        let call = Call::from_json(&json::parse(&row).expect("JSON")).expect("a call").to_string();
        assert!(session.execute(&call).starts_with("Error during execution"));
    }
    session.state();
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn directories_that_hold_themselves_end() {
    let mut session = session(Context::Plain);
    for call in ["cp('d', 'd')", "find()", "du()", "cd('d')", "cd('d')", "pwd()", "cd('..')", "ls()"] {
        session.execute(call);
    }
    assert!(session.state().to_string().contains("maximum recursion depth exceeded"));
}

#[test]
fn deep_directories_end() {
    let mut session = session(Context::Plain);
    for _ in 0..1_000 {
        session.execute("mkdir('n')");
        session.execute("cd('n')");
    }
    assert!(session.execute("pwd()").len() > 2_000);
    session.execute("cd('/')");
    assert!(session.execute("find()").ends_with("maximum recursion depth exceeded"));
    assert!(session.state().to_string().contains("maximum recursion depth exceeded"));
}

/// Copies share what lies in them, so a few calls make paths beyond counting.
#[test]
fn directories_of_many_paths_end() {
    let mut session = session(Context::Plain);
    for level in 0..40 {
        for call in ["mkdir('n')", "mv('d', 'n')", "cd('n')", "cp('d', 'e')", "cd('..')", "mv('n', 'd')"] {
            let result = session.execute(call);
            assert!(!result.contains("rror"), "{level}: {call}: {result}");
        }
    }
    let start = Instant::now();
    assert_eq!(session.execute("du()"), "Error during execution: the computation is too large");
    session.state();
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn large_computations_end() {
    let start = Instant::now();
    let mut session = session(Context::Plain);
    let long = "9".repeat(4_000);
    for call in [
        "power(base=10, exponent=1000000000)".to_owned(),
        "power(base=-1, exponent=1000000000000000000001)".to_owned(),
        format!("power(base={long}, exponent={long})"),
        format!("multiply(a={long}, b={long})"),
        "square_root(number=2, precision=999999999999)".to_owned(),
        "logarithm(value=2, base=3, precision=1000000000)".to_owned(),
        "logarithm(value='1e999999999', base=3, precision=5)".to_owned(),
        format!("logarithm(value={long}, base=3, precision=1000)"),
        format!("round_number(number={long}, decimal_places=-{long})"),
        "compute_exchange_rate(base_currency='USD', target_currency='JPY', value='x')".to_owned(),
    ] {
        session.execute(&call);
    }
    let huge = "a (b) ".repeat(500_000);
    session.execute(&format!("echo(content='{huge}', file_name='huge')"));
    assert!(session.execute("wc(file_name='huge', mode='w')").contains("500000"));
    assert!(start.elapsed() < Duration::from_secs(30));
}

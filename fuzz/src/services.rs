//! Calls of any text on the services, and services that start from any setting.

use std::path::Path;
use std::sync::LazyLock;

use toolrl_grammar::json;
use toolrl_services::{Cases, Class, Context, LongContext, Session, Side, rows};

use crate::folder::two_parts;

/// The most calls of one input.
const MOST_CALLS: usize = 24;

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

/// Cases of our own, and the texts of the long context.
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/bfcl_v3");

static CASES: LazyLock<Cases> = LazyLock::new(|| Cases::load(Path::new(FIXTURE)).expect("the fixture loads"));
static TEXTS: LazyLock<LongContext> =
    LazyLock::new(|| LongContext::of_data(Path::new(FIXTURE)).expect("the fixture loads"));

/// Runs each line as a call, in two sessions that must agree; reads the bytes as a row of calls and as a file of
/// the long context's texts; starts the services from what stands before the first NUL, where that is JSON, and
/// runs the rest on them.
pub fn service_calls(data: &[u8]) {
    let (config, calls) = two_parts(data);
    match json::parse(config) {
        Ok(config) => twice(&config, calls),
        Err(_) => twice(&json::parse(CONFIG).expect("JSON"), data),
    }
    let _ = LongContext::parse(Path::new("fuzz.py"), data);
    if let Ok(answer) = rows::answer(data, &CASES) {
        json::parse(&answer).expect("an answer is a line of JSON");
    }
}

fn twice(config: &json::Value<'_>, calls: &[u8]) {
    let text = String::from_utf8_lossy(calls);
    let calls: Vec<&str> = text.split('\n').take(MOST_CALLS).collect();
    // The long context takes far longer to set up: one input in sixteen has it.
    let sum = text.bytes().fold(0_u8, u8::wrapping_add);
    let context = if sum % 16 == 7 { Context::Long(TEXTS.clone()) } else { Context::Plain };
    let start = || Session::new("fuzz_0", &Class::ALL, config, context.clone(), Side::Model);
    let (Ok(mut one), Ok(mut other)) = (start(), start()) else {
        assert!(start().is_err(), "a session starts or does not");
        return;
    };
    for call in &calls {
        assert_eq!(one.execute(call), other.execute(call), "{call:?}");
    }
    let state = one.state().to_string();
    assert_eq!(state, other.state().to_string());
    // Not a number is not even equal to itself.
    assert!(one.same_state(&other) || state.contains("NaN"), "{state}");
}

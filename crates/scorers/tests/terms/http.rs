//! `id = "http"`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use toolrl_testing::stub::{Answer, Asked, serve};

use crate::{outcomes, refusal, rubric, values, write};

fn replies(asked: &Asked) -> Vec<Value> {
    asked.body["replies"].as_array().unwrap().clone()
}

/// The reply is what the server gives as its value.
fn echo(asked: &Asked) -> Answer {
    let value = |reply: &Value| reply["reply"].as_str().unwrap().parse::<f64>().unwrap();
    Answer::ok(&replies(asked).iter().map(value).collect())
}

#[test]
fn batches_are_posted_with_their_key() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "key", "secret\n");
    write(dir.path(), "team", "blue\n");
    let posts = Arc::new(AtomicUsize::new(0));
    let counted = posts.clone();
    let url = serve(move |asked| {
        counted.fetch_add(1, Ordering::Relaxed);
        assert_eq!(asked.path, "/score");
        for header in [
            "authorization: bearer secret",
            "x-team: blue",
            "x-kind: plain",
            "content-type: application/json",
        ] {
            assert!(asked.headers.iter().any(|line| line.starts_with(header)), "{header}: {asked:?}");
        }
        echo(asked)
    });
    let directory = dir.path().display();
    let term = format!(
        "id = \"http\"\nname = \"judge\"\nurl = \"{url}/score\"\nbatch = 3\nkey_file = \"key\"\n\
         headers = {{ x-team = {{ file = \"team\" }}, x-kind = \"plain\" }}\ndirectory = \"{directory}\""
    );
    let rubric = rubric(dir.path(), &term).unwrap();
    let all = ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"];
    assert_eq!(values(&rubric, &all), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]);
    assert_eq!(posts.load(Ordering::Relaxed), 3);
}

#[test]
fn trouble_of_a_server_is_the_failure_of_its_batch() {
    let dir = tempfile::tempdir().unwrap();
    let busy = Arc::new(AtomicUsize::new(0));
    let url = serve(move |asked| match replies(asked)[0]["reply"].as_str().unwrap() {
        "away" => Answer(403, Vec::new(), json!({"error": "not for you"}).to_string()),
        "few" => Answer::ok(&json!([1])),
        "many" => Answer::ok(&json!([1, 1, 1])),
        "html" => Answer(200, Vec::new(), "<html>".to_owned()),
        "error" => Answer::ok(&json!({"error": "out of memory"})),
        "nan" => Answer(200, Vec::new(), "[NaN, 0.5]".to_owned()),
        "slow" => {
            std::thread::sleep(std::time::Duration::from_secs(3));
            Answer::ok(&json!([1, 1]))
        }
        "busy" if busy.fetch_add(1, Ordering::Relaxed) == 0 => {
            Answer(503, vec!["retry-after: 0".to_owned()], "wait".to_owned())
        }
        _ => Answer::ok(&json!([0.5, 0.5])),
    });
    let term = format!("id = \"http\"\nurl = \"{url}\"\nbatch = 2\nattempts = 2\ntimeout_seconds = 0.5");
    let rubric = rubric(dir.path(), &term).unwrap();
    for (what, part) in [
        ("away", "the server answered 403: not for you"),
        ("few", "1 entries for 2 replies"),
        ("many", "3 entries for 2 replies"),
        ("html", "not an answer"),
        ("error", "out of memory"),
        ("slow", "no answer within 0.5 s"),
    ] {
        let outcomes = outcomes(&rubric, &[what, "b", "c", "d"]);
        for outcome in &outcomes[..2] {
            assert!(outcome.as_ref().unwrap_err().contains(part), "{what}: {outcome:?}");
        }
        assert_eq!(outcomes[2..], [Ok(0.5), Ok(0.5)], "{what}");
    }
    assert_eq!(values(&rubric, &["busy", "b"]), [0.5; 2], "it is asked again");
    let outcomes = outcomes(&rubric, &["nan", "b"]);
    assert!(outcomes[0].as_ref().unwrap_err().contains("NaN") && outcomes[1] == Ok(0.5), "{outcomes:?}");
}

#[test]
fn what_is_no_address_or_no_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (settings, part) in [
        ("url = \"localhost:1\"", "http://"),
        ("url = \"http://a\"\nkey_file = \"/no/such/key\"", "/no/such/key"),
        ("url = \"http://a\"\nheaders = { a = { file = \"/no/such/header\" } }", "/no/such/header"),
        ("url = \"http://a\"\nattempts = 0", "attempts"),
        ("url = \"http://a\"\nkey = \"secret\"", "unknown field `key`"),
    ] {
        let message = refusal(dir.path(), &format!("id = \"http\"\n{settings}"));
        assert!(message.contains(part), "{settings}: {message}");
    }
    let nobody = rubric(dir.path(), "id = \"http\"\nurl = \"http://127.0.0.1:9\"\nattempts = 1").unwrap();
    let outcomes = outcomes(&nobody, &["a"]);
    assert!(outcomes[0].as_ref().unwrap_err().contains("http://127.0.0.1:9"), "{outcomes:?}");
}

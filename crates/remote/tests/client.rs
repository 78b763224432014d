//! A client against servers that are well, busy, broken or hostile.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use toolrl_remote::{ChatRequest, Client, Key, RemoteError, Retries, Settings};
use toolrl_testing::stub::{Answer, serve};

/// A client that waits for milliseconds where another waits for seconds.
fn client(base_url: &str) -> Client {
    let retries = Retries { attempts: 4, first_wait: Duration::from_millis(2), ..Retries::default() };
    let timeout = Duration::from_millis(500);
    Client::new(Settings { retries, timeout, key: Some(Key::new("secret\n")), ..Settings::new(base_url) })
        .unwrap()
}

fn request(text: &str) -> ChatRequest {
    ChatRequest::greedy("m", vec![json!({"role": "user", "content": text})], 8)
}

#[test]
fn a_request_arrives_as_it_should() {
    let base = serve(|asked| {
        assert_eq!(asked.path, "/v1/chat/completions");
        assert!(asked.headers.contains(&"authorization: bearer secret".to_owned()), "{asked:?}");
        assert_eq!(asked.body["model"], "m");
        Answer::chat(asked.body["messages"][0]["content"].as_str().unwrap())
    });
    for base in [format!("{base}/v1"), format!("{base}/v1/"), format!("{base}/v1/chat/completions")] {
        assert_eq!(client(&base).chat(&request("hello")).unwrap().content, "hello", "{base}");
    }
}

#[test]
fn a_path_is_read_with_the_key_and_no_body() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let base = serve(move |asked| {
        assert_eq!((asked.path.as_str(), &asked.body), ("/v1/models", &serde_json::Value::Null));
        assert!(asked.headers.contains(&"authorization: bearer secret".to_owned()), "{asked:?}");
        match counted.fetch_add(1, Ordering::Relaxed) {
            0 => Answer(503, vec![], "not yet".into()),
            _ => Answer(200, vec![], "[]".into()),
        }
    });
    assert_eq!(client(&base).get("v1/models").unwrap(), b"[]");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[test]
fn passing_trouble_is_waited_out() {
    for status in [429, 500, 502, 503, 504, 529] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let base = serve(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => Answer(status, vec!["retry-after: 0".into()], "busy".into()),
            _ => Answer::chat("there"),
        });
        assert_eq!(client(&base).chat(&request("a")).unwrap().content, "there");
        assert_eq!(asked.load(Ordering::Relaxed), 3, "{status}");
    }
}

#[test]
fn a_refusal_is_not_repeated_and_shows_no_key() {
    let cases = [(401, "API key"), (404, "/v1"), (422, "bad field")];
    for (status, part) in cases {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let base = serve(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Answer(status, vec![], json!({"error": {"message": "bad field"}}).to_string())
        });
        let error = client(&base).chat(&request("a")).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains(&base) && !error.contains("secret"), "{error}");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
    assert!(!format!("{:?}", client("http://a")).contains("secret"));
}

#[test]
fn what_lasts_is_an_error() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let base = serve(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Answer(503, vec![], "down".into())
    });
    let error = client(&base).chat(&request("a")).unwrap_err();
    assert!(matches!(error, RemoteError::Status { status: 503, attempts: 4, .. }), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 4);

    // Nobody listens on the port of a listener that has gone.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = client(&format!("http://{gone}")).chat(&request("a")).unwrap_err();
    assert!(matches!(error, RemoteError::Transport { attempts: 4, .. }), "{error}");

    let base = serve(|_| Answer(429, vec!["retry-after: 9999".into()], String::new()));
    let error = client(&base).chat(&request("a")).unwrap_err();
    assert!(matches!(&error, RemoteError::Busy { wait, .. } if wait.as_secs() == 9999), "{error}");
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let base = serve(|_| {
        std::thread::sleep(Duration::from_secs(60));
        Answer::chat("late")
    });
    let since = Instant::now();
    assert!(matches!(client(&base).chat(&request("a")), Err(RemoteError::Transport { .. })));
    assert!(since.elapsed() < Duration::from_secs(10));
}

#[test]
fn strange_answers_are_errors() {
    let deep = "[".repeat(100_000);
    let long_context = json!({"error": {"message": "This model's maximum context length is 4096 tokens"}});
    let cases = [(200, "no json"), (200, "{}"), (200, deep.as_str()), (302, ""), (418, "\u{0}\u{7f}")];
    for (status, body) in cases {
        let body = body.to_owned();
        let base = serve(move |_| Answer(status, vec![], body.clone()));
        assert!(client(&base).chat(&request("a")).is_err());
    }
    let base = serve(move |_| Answer(400, vec![], long_context.to_string()));
    assert!(matches!(client(&base).chat(&request("a")), Err(RemoteError::TooLong { .. })));
}

#[test]
fn an_answer_without_end_is_read_once_and_named() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let base = serve(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Answer(200, vec![], " ".repeat((64 << 20) + 1))
    });
    let settings = Settings { timeout: Duration::from_secs(60), ..Settings::new(&base) };
    let error = Client::new(settings).unwrap().chat(&request("a")).unwrap_err().to_string();
    assert!(error.contains("longer than 67108864 bytes") && error.contains(&base), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn many_are_asked_in_order_until_one_fails() {
    let base = serve(|asked| {
        let text = asked.body["messages"][0]["content"].as_str().unwrap();
        match text.parse::<u64>() {
            Ok(number) => {
                std::thread::sleep(Duration::from_millis(number % 7));
                Answer::chat(text)
            }
            Err(_) => Answer(400, vec![], text.to_owned()),
        }
    });
    let texts: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    let requests: Vec<_> = texts.iter().map(|text| request(text)).collect();
    let replies = client(&base).chat_all(&requests);
    let said: Vec<_> = replies.into_iter().map(|reply| reply.unwrap().content).collect();
    assert_eq!(said, texts);

    let broken = [&[request("no")], &requests[..]].concat();
    let replies = client(&base).chat_all(&broken);
    assert!(matches!(replies[0], Err(RemoteError::Status { status: 400, .. })));
    assert!(replies.iter().any(|reply| matches!(reply, Err(RemoteError::NotAsked))));

    let too_long = [&[request("the prompt is too long")], &requests[..]].concat();
    let replies = client(&base).chat_all(&too_long);
    assert!(matches!(replies[0], Err(RemoteError::TooLong { .. })));
    assert!(replies[1..].iter().all(Result::is_ok));
}

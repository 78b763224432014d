//! Models of a server that answers as the Hub does.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use toolrl_remote::{Hub, Key, Listing, RemoteError, Retries, Settings};
use toolrl_testing::stub::{Answer, Asked, serve};

const FILE: (&str, &str, &str) = ("lab/tiny", "c0ffee", "config.json");

fn hub(endpoint: &str, key: Option<&str>) -> Hub {
    let retries = Retries { attempts: 3, first_wait: Duration::from_millis(2), ..Retries::default() };
    Hub::new(Settings { retries, key: key.map(Key::new), ..Settings::new(endpoint) })
}

fn has_key(asked: &Asked) -> bool {
    asked.headers.contains(&"authorization: bearer secret".to_owned())
}

/// The header of a request that asks for a file from a byte on.
fn from(asked: &Asked) -> Option<usize> {
    let range = asked.headers.iter().find_map(|header| header.strip_prefix("range: bytes="))?;
    range.strip_suffix('-')?.parse().ok()
}

#[test]
fn a_listing_names_the_commit_and_the_files() {
    let endpoint = serve(|asked| {
        assert!(has_key(asked), "{asked:?}");
        assert_eq!(asked.path, "/api/models/lab/tiny/revision/refs%2Fpr%2F1");
        let files = [json!({"rfilename": "config.json"}), json!({"rfilename": "a/b.jinja"})];
        Answer::ok(&json!({"sha": "c0ffee", "siblings": files}))
    });
    let listing = hub(&format!("{endpoint}/"), Some("secret")).listing("lab/tiny", "refs/pr/1").unwrap();
    let files = vec!["config.json".to_owned(), "a/b.jinja".to_owned()];
    assert_eq!(listing, Listing { commit: "c0ffee".to_owned(), files });
    for sha in [json!("../.."), json!(""), json!(null)] {
        let endpoint = serve(move |_| Answer::ok(&json!({"sha": sha, "siblings": []})));
        assert!(matches!(hub(&endpoint, None).listing("a/b", "main"), Err(RemoteError::Form { .. })));
    }
}

#[test]
fn the_key_goes_to_the_hub_and_to_no_other_server() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = serve(|asked| {
        assert!(!has_key(asked), "{asked:?}");
        Answer(200, Vec::new(), "{}".to_owned())
    });
    let endpoint = serve(move |asked| {
        assert!(has_key(asked), "{asked:?}");
        let to = match asked.path.as_str() {
            "/lab/tiny/resolve/c0ffee/config.json" => "location: /renamed/resolve/config.json".to_owned(),
            _ => format!("location: {elsewhere}/blob?sign=1"),
        };
        Answer(302, vec![to], String::new())
    });
    let to = dir.path().join("snapshot/config.json");
    hub(&endpoint, Some("secret")).download(FILE, &to, &mut |_, _| ()).unwrap();
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "{}");
    assert_eq!(std::fs::read_dir(to.parent().unwrap()).unwrap().count(), 1);
}

/// What is there of a file is not asked for again, whether the server then gives the rest or the whole.
#[test]
fn a_download_that_was_cut_off_goes_on() {
    const WHOLE: &str = "0123456789";
    for gives_rest in [true, false] {
        for had in ["", "0123", WHOLE] {
            let dir = tempfile::tempdir().unwrap();
            let to = dir.path().join("config.json");
            std::fs::write(dir.path().join(".config.json.part"), had).unwrap();
            let endpoint = serve(move |asked| match from(asked) {
                Some(at) if gives_rest && at >= WHOLE.len() => Answer(416, Vec::new(), String::new()),
                Some(at) if gives_rest => Answer(206, Vec::new(), WHOLE[at..].to_owned()),
                _ => Answer(200, Vec::new(), WHOLE.to_owned()),
            });
            let mut last = (0, 0);
            hub(&endpoint, None).download(FILE, &to, &mut |have, whole| last = (have, whole)).unwrap();
            assert_eq!(std::fs::read_to_string(&to).unwrap(), WHOLE, "{gives_rest} {had}");
            assert_eq!(last, (10, 10));
            // A second one asks for nothing.
            hub("http://127.0.0.1:9", None).download(FILE, &to, &mut |_, _| ()).unwrap();
        }
    }
}

#[test]
fn passing_trouble_is_waited_out_and_refusals_are_told_with_what_to_do() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let endpoint = serve(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => Answer(503, Vec::new(), String::new()),
        _ => Answer::ok(&json!({"sha": "c0ffee"})),
    });
    assert!(hub(&endpoint, None).listing("a/b", "main").is_ok());
    for (status, code, key, advice) in [
        (401, "GatedRepo", None, "accept its terms"),
        (403, "GatedRepo", Some("secret"), "as the token's owner"),
        (403, "", Some("secret"), "may not read"),
        (401, "RepoNotFound", None, "HF_TOKEN"),
        (401, "", Some("secret"), "the token is not valid"),
        (404, "RepoNotFound", None, "no such model"),
        (404, "RevisionNotFound", None, "no such branch"),
    ] {
        let endpoint = serve(move |_| Answer(status, vec![format!("x-error-code: {code}")], String::new()));
        let error = hub(&endpoint, key).listing("a/b", "main").unwrap_err().to_string();
        assert!(error.contains(advice) && error.contains("a/b") && !error.contains("secret"), "{error}");
    }
    let error = hub("http://127.0.0.1:9", None).listing("a/b", "main").unwrap_err();
    assert!(matches!(error, RemoteError::Transport { attempts: 3, .. }), "{error}");
}

//! Terms that fail do not end a run: they are counted, shown, and cost what the recipe says.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

/// A judge that gives 0.5, but that hangs on every fifth request; returns its address.
fn judge() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                if number % 5 == 4 {
                    std::thread::sleep(Duration::from_secs(20));
                }
                let mut request = [0; 65_536];
                let _ = stream.read(&mut request);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0.5");
            });
        }
    });
    address
}

/// The downstream recipe with a judge, and with a term that is only logged and panics.
fn recipe(dir: &Path, address: &str) -> String {
    let recipe =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipe.toml")).unwrap();
    let (head, rest) = recipe.split_once("[[reward]]\nid = \"brevity\"").unwrap();
    let (_, tail) = rest.split_once("[sampling]").unwrap();
    let terms = format!(
        "[[reward]]\nid = \"judge\"\naddress = \"{address}\"\ntimeout_seconds = 1.0\non_failure = \"skip_reply\"\n\n\
         [[reward]]\nid = \"fragile\"\nweight = 0.0\n\n[sampling]"
    );
    let path = dir.join("judged.toml");
    std::fs::write(&path, [head, &terms, tail].concat()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn judged(args: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_judged")).args(args).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    (String::from_utf8(output.stdout).unwrap(), stderr)
}

#[test]
fn a_run_with_a_hanging_judge_and_a_panicking_term_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let recipe = recipe(dir.path(), &judge());
    let run = dir.path().join("run");
    let run = run.to_str().unwrap();
    let (_, stderr) = judged(&["train", &recipe, "--run-dir", run]);
    assert!(stderr.contains("reward term \"judge\" failed on"), "{stderr}");
    assert!(!stderr.contains("panicked at"), "a term's panic is counted, not printed: {stderr}");

    let metrics = std::fs::read_to_string(format!("{run}/metrics.jsonl")).unwrap();
    let rows: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    let failures =
        |term: &str| rows.iter().filter_map(|row| row["reward_failures"][term].as_u64()).sum::<u64>();
    assert!((1..16).contains(&failures("judge")), "{metrics}");
    assert!((1..16).contains(&failures("fragile")), "{metrics}");
    for row in &rows {
        let part = |name: &str| row["components"][name].as_f64().unwrap_or(1.0);
        assert_eq!(part("fragile"), 1.0, "the mean is over the replies that it scored");
        assert!(row["reward"]["mean"].is_number());
    }
    assert!(
        std::fs::read_to_string(format!("{run}/report.html")).unwrap().contains("Failures of reward terms")
    );

    // What the run recorded is looked at with the same terms, and the policy is evaluated with them.
    let (text, _) = judged(&["reward", "explain", "--rows", run, "--recipe", &recipe, "--limit", "3"]);
    assert!(text.contains("judge 0.") && text.contains("of [0, 1]"), "{text}");
    let (text, _) = judged(&["reward", "forecast", "--rows", run, "--recipe", &recipe, "--json"]);
    let forecast: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(forecast["rows"].as_u64().unwrap() + forecast["skipped"].as_u64().unwrap(), 16);
    let policy = format!("{run}/final");
    let out = dir.path().join("eval");
    let (_, stderr) =
        judged(&["eval", "--policy", &policy, "--recipe", &recipe, "--out", out.to_str().unwrap()]);
    assert!(stderr.contains("evaluation: reward term") || !stderr.contains("failed"), "{stderr}");
    let (text, _) = judged(&["reward", "fuzz", "--terms", "format + fragile", "--cases", "50", "--json"]);
    let fuzzed: Value = serde_json::from_str(&text).unwrap();
    assert!(fuzzed["properties"][0]["failures"].as_u64().unwrap() > 0, "{text}");
    assert!(
        fuzzed["properties"][0]["counter_examples"][0]["message"].as_str().unwrap().contains("it panicked")
    );
}

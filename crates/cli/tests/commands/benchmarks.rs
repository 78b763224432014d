//! `toolrl eval bfcl`, `api-bank` and `bamboogle` on the small set of our own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::{POLICY, file, json_lines, json_lines_of, toolrl};

const BFCL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/bfcl_v3");
const API_BANK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/api_bank");
const BAMBOOGLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/bamboogle");
const DOCUMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/documents");

/// Settings that make a run of the tiny policy take seconds.
const SMALL: [&str; 4] = ["--max-new-tokens", "16", "--slots", "4"];

/// The outcomes that a folder's log holds, its first line left out.
fn logged(out: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join("outcomes.jsonl")).unwrap();
    json_lines(&text).split_off(1)
}

#[test]
fn bfcl_rows_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let create = r#"{"name": "create_ticket", "parameters": {"title": "Broken lamp", "priority": 3}}"#;
    let close = r#"{"name": "close_ticket", "parameters": {"ticket_id": 7}}"#;
    let case = r#""id": "multi_turn_long_context_0""#;
    let rows = [
        r#"{"id": "live_simple_0-0-0", "output": [{"kitchen.boil": {"litres": 1}}]}"#.to_owned(),
        r#"{"id": "live_simple_0-0-0", "output": []}"#.to_owned(),
        r#"{"raw": "<tool_call>\n{\"name\": \"f\", \"parameters\": {\"a\": 1}}\n</tool_call>"}"#.to_owned(),
        format!(r#"{{{case}, "turns": [[[{create}]], [[{close}]]]}}"#),
        format!(r#"{{{case}, "turns": [[[{create}]], []]}}"#),
        format!(r#"{{{case}, "turns": [{{"calls": [{create}]}}]}}"#),
    ];
    let rows = file(dir.path(), "rows.jsonl", rows.join("\n"));
    let answers = toolrl(dir.path(), &["eval", "bfcl", "--verdicts", &rows, "--data", BFCL]).rows();
    assert_eq!(answers[0], json!({"id": "live_simple_0-0-0", "valid": true, "error_type": null}));
    assert_eq!(answers[1]["error_type"], "simple_function_checker:wrong_count");
    assert_eq!(answers[2]["decode_ast"], json!([{"f": {"a": 1}}]));
    assert_eq!(answers[2]["decode_execute"], json!(["f(a=1)"]));
    assert_eq!((&answers[3]["valid"], &answers[4]["valid"]), (&json!(true), &json!(false)));
    assert_eq!(answers[4]["error_type"], "multi_turn:empty_turn_model_response");
    assert!(answers[5]["turns"][0]["results"][0].as_str().unwrap().contains("Broken lamp"), "{}", answers[5]);
    assert!(answers[5]["final_state"]["TicketAPI"].is_object());
}

#[test]
fn a_long_context_needs_its_texts() {
    let dir = tempfile::tempdir().unwrap();
    for inner in ["", "possible_answer", "multi_turn_func_doc"] {
        let (from, to) = (Path::new(BFCL).join(inner), dir.path().join("data").join(inner));
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "json") {
                std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    let row = |id: &str| file(dir.path(), id, format!("{{\"id\": \"{id}\", \"turns\": []}}\n"));
    let (long, base) = (row("multi_turn_long_context_0"), row("multi_turn_base_0"));
    let eval = |args: &[&str]| toolrl(dir.path(), &[&["eval", "bfcl", "--data", "data"], args].concat());
    for args in [&["--verdicts", &long][..], &["--policy", POLICY, "--out", "out"]] {
        let message = eval(args).error();
        for part in ["data/long_context.py is missing", "bfcl-eval 2025.8.6.2"] {
            assert!(message.contains(part), "{args:?}: {message}");
        }
    }
    assert!(!dir.path().join("out").exists(), "refused before anything is written");
    assert_eq!(eval(&["--verdicts", &base]).rows()[0]["error_type"], "multi_turn:force_terminated");
}

#[test]
fn api_bank_rows_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let call = r#"{\"name\": \"LendBook\", \"parameters\": {\"reader\": \"Ada\", \"title\": \"Emma\"}}"#;
    let row = format!(r#"{{"level": 1, "id": 0, "raw_output": "<tool_call>\n{call}\n</tool_call>"}}"#);
    let rows = file(dir.path(), "rows.jsonl", format!("{row}\n{}\n", row.replace("Emma", "Kim")));
    let answers = toolrl(dir.path(), &["eval", "api-bank", "--verdicts", &rows, "--data", API_BANK]).rows();
    let scores: Vec<&Value> = answers.iter().map(|answer| &answer["score"]).collect();
    assert_eq!(scores, [&json!(1), &json!(0)]);
}

#[test]
fn prompts_are_hashed() {
    let dir = tempfile::tempdir().unwrap();
    let prompts = |args: &[&str]| {
        let args = [&["eval", "bfcl", "--prompts", "--data", BFCL], args].concat();
        toolrl(dir.path(), &args).rows()
    };
    let all = prompts(&[]);
    assert_eq!(all.len(), 14, "every case of one turn");
    assert!(all.iter().all(|row| row["sha256"].as_str().unwrap().len() == 64), "{all:?}");
    assert_eq!(all[0]["category"], "simple");
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../bfcl/prompts/default.json");
    assert_eq!(prompts(&["--prompt", own]), all);
    let text = std::fs::read_to_string(own).unwrap().replace("**Tools**", "**These**");
    let other = file(dir.path(), "other.json", text);
    assert_ne!(prompts(&["--prompt", &other]), all);
    assert_eq!(prompts(&["--categories", "java,java"]).len(), 1);
    let own = prompts(&["--policy", POLICY, "--handler", "native-hermes"]);
    assert!(own.len() == 14 && own != all, "{own:?}");
}

#[test]
fn a_policy_runs_every_benchmark() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[&str], usize); 3] = [
        (&["bfcl", "--data", BFCL], 18),
        (&["api-bank", "--data", API_BANK], 3),
        (&["bamboogle", "--data", BAMBOOGLE, "--documents", DOCUMENTS], 2),
    ];
    for (args, count) in cases {
        let out = dir.path().join(args[0]);
        let out = out.to_str().unwrap();
        let run = [&["eval"], args, &SMALL, &["--policy", POLICY, "--out", out]].concat();
        let table = toolrl(dir.path(), &run).ok();
        assert!(table.starts_with(args[0]) && table.contains("report.html"), "{table}");
        assert_eq!(logged(out.as_ref()).len(), count);
        let report = std::fs::read_to_string(Path::new(out).join("report.json")).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["run"]["cases"], count);
        assert!(report["run"]["header"]["handler"].as_str().unwrap().starts_with("toolrl"));
        // Started again, it asks nothing and says the same.
        assert_eq!(toolrl(dir.path(), &run).ok(), table);
        assert_eq!(logged(out.as_ref()).len(), count);
        let more = [&run[..run.len() - 1], &["other", "--compare", out, "--limit", "1"]].concat();
        toolrl(dir.path(), &more).ok();
        assert_eq!(logged(&dir.path().join("other")).len(), 1);
        std::fs::remove_dir_all(dir.path().join("other")).unwrap();
    }
    let export =
        ["eval", "bfcl", "--data", BFCL, "--policy", POLICY, "--out", "bfcl", "--export", "official"];
    toolrl(dir.path(), &[&export[..], &SMALL].concat()).ok();
    let official = dir.path().join("official/Salesforce_xLAM-2-1b-fc-r/BFCL_v3_simple_result.json");
    assert_eq!(json_lines_of(official).len(), 2);
}

#[test]
fn a_native_handler_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["eval", "bfcl", "--data", BFCL, "--policy", POLICY, "--out", "out", "--handler", "native"];
    let run = [&args[..], &SMALL, &["--per-category", "1", "--categories", "simple,multi_turn"]].concat();
    let ran = toolrl(dir.path(), &run);
    // The tiny policy's template may know no tools; then the message says so.
    if ran.code == Some(0) {
        assert_eq!(logged(&dir.path().join("out")).len(), 5);
        let text = std::fs::read_to_string(dir.path().join("out/report.json")).unwrap();
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(report["run"]["header"]["handler"], "native-hermes");
    } else {
        assert!(!ran.error().contains("panicked"));
    }
}

/// A model that replies `text` to everything, after a while.
fn serve(text: &'static str, milliseconds: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = exchange(stream, text, milliseconds);
            });
        }
    });
    address
}

fn exchange(stream: TcpStream, text: &str, milliseconds: u64) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    std::thread::sleep(std::time::Duration::from_millis(milliseconds));
    let answer = json!({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}).to_string();
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
    reader.into_inner().write_all((head + &answer).as_bytes())
}

#[test]
fn a_run_that_is_killed_goes_on_with_no_case_lost_or_twice() {
    let dir = tempfile::tempdir().unwrap();
    let url = serve("<think> a </think>\n<response> b </response>", 150);
    let args = [
        "eval",
        "bfcl",
        "--data",
        BFCL,
        "--out",
        "out",
        "--endpoint",
        &url,
        "--model",
        "m",
        "--threads",
        "1",
    ];
    let out = dir.path().join("out");
    let mut child = Command::new(env!("CARGO_BIN_EXE_toolrl"));
    let mut child =
        child.args(args).current_dir(dir.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let lines = || std::fs::read_to_string(out.join("outcomes.jsonl")).unwrap_or_default().lines().count();
    while lines() < 4 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = lines() - 1;
    assert!((1..18).contains(&before), "{before} outcomes when it was killed");
    // A kill may tear the last line.
    let mut log = std::fs::OpenOptions::new().append(true).open(out.join("outcomes.jsonl")).unwrap();
    log.write_all(b"{\"id\": \"tor").unwrap();
    let table = toolrl(dir.path(), &args).ok();
    let mut ids: Vec<String> =
        logged(&out).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 18, "{table}");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 18, "a case stands there twice");

    let other = [&args[..args.len() - 4], &["--model", "other"]].concat();
    let error = toolrl(dir.path(), &other).error();
    assert!(error.contains("whose model is") && error.contains("outcomes.jsonl"), "{error}");
}

#[test]
fn what_is_wrong_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let row = file(dir, "row.jsonl", "{\"id\": \"simple_0\"}\n");
    let unknown = file(dir, "unknown.jsonl", "{\"id\": \"simple_99\", \"output\": []}\n");
    let turns = file(dir, "turns.jsonl", "{\"id\": \"multi_turn_base_9\", \"turns\": []}\n");
    let prompt = file(dir, "prompt.json", "{}");
    let key = ["--api-key-env", "TOOLRL_NO_SUCH_VARIABLE"];
    let served = ["--data", BFCL, "--out", "o", "--endpoint", "http://127.0.0.1:1/v1"];
    let bfcl =
        |args: &[&str]| [&["bfcl"], args].concat().iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
    let cases: [(Vec<String>, &[&str]); 13] = [
        (bfcl(&["--prompts", "--data", BFCL, "--handler", "native-json"]), &["native-json", "--policy"]),
        (bfcl(&["--verdicts", &row, "--data", BFCL]), &["row.jsonl, line 1", "output"]),
        (bfcl(&["--verdicts", &unknown, "--data", BFCL]), &["unknown.jsonl, line 1", "simple_99"]),
        (bfcl(&["--verdicts", &turns, "--data", BFCL]), &["turns.jsonl, line 1", "multi_turn_base_9"]),
        (bfcl(&["--verdicts", &unknown, "--data", "gone"]), &["gone", "bfcl-eval"]),
        (bfcl(&["--verdicts", "gone.jsonl", "--data", BFCL]), &["gone.jsonl", "No such file"]),
        (bfcl(&["--prompts", "--data", BFCL, "--prompt", &prompt]), &["prompt.json", "field `"]),
        (bfcl(&["--prompts", "--data", BFCL, "--categories", "simpel"]), &["simpel", "parallel_multiple"]),
        (bfcl(&["--policy", POLICY, "--data", BFCL]), &["--out"]),
        (bfcl(&["--data", BFCL, "--out", "o"]), &["--policy", "--endpoint"]),
        (
            bfcl(&["--data", BFCL, "--out", "o", "--policy", POLICY, "--handler", "x"]),
            &["\"x\"", "native-hermes"],
        ),
        (bfcl(&[&served[..], &["--model", "m"], &key].concat()), &["TOOLRL_NO_SUCH_VARIABLE"]),
        (bfcl(&served), &["--model"]),
    ];
    for (args, parts) in cases {
        let args: Vec<&str> = std::iter::once("eval").chain(args.iter().map(String::as_str)).collect();
        let message = toolrl(dir, &args).error();
        for part in parts {
            assert!(message.contains(part), "{args:?}: {part:?} is not in {message:?}");
        }
    }
    for (name, part) in
        [("api-bank", "github.com/qiancheng0/ToolRL"), ("bamboogle", "github.com/qiancheng0/ToolRL")]
    {
        let args = ["eval", name, "--policy", POLICY, "--data", "gone", "--out", "o"];
        let search: &[&str] = if name == "bamboogle" { &["--documents", DOCUMENTS] } else { &[] };
        let message = toolrl(dir, &[&args, search].concat()).error();
        assert!(message.contains(part) && message.contains("gone"), "{message}");
    }
    let message =
        toolrl(dir, &["eval", "bamboogle", "--policy", POLICY, "--data", BAMBOOGLE, "--out", "o"]).error();
    assert!(message.contains("--documents"), "{message}");
}

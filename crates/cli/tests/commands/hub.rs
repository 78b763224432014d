//! Models by name, from a stand-in for the Hugging Face Hub on this machine.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use serde_json::{Value, json};

use crate::{POLICY, Ran, copy_policy, file, toolrl, toolrl_in};

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:9";

/// Serves the quickstart's policy as `lab/tiny`, to whom has a token, and returns the address.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = answer(stream.unwrap());
        }
    });
    address
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let headers: Vec<String> = lines.map_while(|line| line.ok().filter(|l| !l.is_empty())).collect();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let is_known =
        headers.iter().any(|header| header.eq_ignore_ascii_case("authorization: bearer hf_of_a_test"));
    let (status, more, body) = match path.strip_prefix("/lab/tiny/resolve/c0ffee/") {
        _ if !is_known => ("401 Unauthorized", "x-error-code: GatedRepo\r\n".to_owned(), Vec::new()),
        Some(name) => match std::fs::read(Path::new(POLICY).join(name)) {
            Ok(bytes) => ("200 OK", String::new(), bytes),
            Err(_) => ("404 Not Found", String::new(), Vec::new()),
        },
        None if path.starts_with("/api/models/lab/tiny/revision/") => {
            let files =
                std::fs::read_dir(POLICY)?.map(|f| json!({"rfilename": f.unwrap().file_name().to_str()}));
            let listing = json!({"sha": "c0ffee", "siblings": files.collect::<Vec<_>>()}).to_string();
            ("200 OK", String::new(), listing.into_bytes())
        }
        None => ("404 Not Found", String::new(), Vec::new()),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n")?;
    stream.write_all(&body)
}

/// Runs a command with a cache and a server, and what else the environment says.
fn run(endpoint: &str, home: &Path, more: &[(&str, &str)], args: &[&str]) -> Ran {
    let home = home.to_str().unwrap();
    let mut environment = vec![("HF_ENDPOINT", endpoint), ("HF_HOME", home), ("NO_PROXY", "127.0.0.1")];
    environment.push(("HF_TOKEN", "hf_of_a_test"));
    environment.extend(more);
    toolrl_in(&environment, Path::new("."), args)
}

fn inspect(endpoint: &str, home: &Path, name: &str) -> Ran {
    run(endpoint, home, &[], &["policy", "inspect", name])
}

#[test]
fn a_name_is_downloaded_once() {
    let home = tempfile::tempdir().unwrap();
    let first = inspect(&serve(), home.path(), "lab/tiny");
    assert!(first.stderr.contains("download model.safetensors"), "{}", first.stderr);
    assert!(first.ok().contains("parameters   1112192"));
    // The cache is enough, by the branch's name and by the commit's.
    for name in ["lab/tiny", "lab/tiny@main", "lab/tiny@c0ffee"] {
        let second = inspect(NOBODY, home.path(), name);
        assert_eq!(second.stderr, "", "{name}");
        assert!(second.ok().contains("parameters   1112192"));
    }
    let other = inspect(NOBODY, home.path(), "lab/tiny@v2").error();
    assert!(other.contains("lab/tiny/revision/v2"), "{other}");
}

/// A recipe for another trainer needs a model's words: the weights are for whoever trains.
#[test]
fn an_export_downloads_no_weights() {
    let (home, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let args = ["export", "trl", "--policy", "lab/tiny@v1", "--out", &out, "--set", "data.world.train=9"];
    let ran = run(&serve(), home.path(), &[], &args);
    assert!(!ran.stderr.contains("download model.safetensors"), "{}", ran.stderr);
    ran.ok();
    let settings = std::fs::read_to_string(dir.path().join("out/settings.py")).unwrap();
    assert!(settings.contains("MODEL = \"lab/tiny\"\nREVISION = \"v1\"\n"), "{settings}");
    // What is there is no whole model.
    let whole = inspect(&serve(), home.path(), "lab/tiny@v1");
    assert!(whole.stderr.contains("download model.safetensors"), "{}", whole.stderr);
    whole.ok();
}

/// Another program has put the weights alone into the cache.
#[test]
fn what_the_cache_lacks_is_had_or_the_rest_is_read() {
    let home = tempfile::tempdir().unwrap();
    let model = home.path().join("hub/models--lab--tiny");
    std::fs::create_dir_all(model.join("refs")).unwrap();
    std::fs::create_dir_all(model.join("snapshots")).unwrap();
    std::fs::write(model.join("refs/main"), "c0ffee").unwrap();
    let without = ["tokenizer.json", "tokenizer_config.json", "generation_config.json"];
    copy_policy(&model.join("snapshots"), "c0ffee", &without);
    let row = file(home.path(), "rows.jsonl", r#"{"messages": [{"role": "user", "content": "hi"}]}"#);
    let generate = ["policy", "generate", "--policy", "lab/tiny", "--rows", &row, "--max-new-tokens", "2"];
    let alone = inspect(NOBODY, home.path(), "lab/tiny");
    assert!(alone.stderr.contains("what the cache lacks of lab/tiny"), "{}", alone.stderr);
    assert!(alone.ok().contains("parameters   1112192"));
    let offline = run(NOBODY, home.path(), &[("HF_HUB_OFFLINE", "1")], &["policy", "inspect", "lab/tiny"]);
    assert!(!offline.stderr.contains("lacks"), "{}", offline.stderr);
    offline.ok();
    let rows = run(&serve(), home.path(), &[], &generate).rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(run(NOBODY, home.path(), &[], &generate).rows(), rows);
}

#[test]
fn what_cannot_be_had_is_told() {
    let home = tempfile::tempdir().unwrap();
    let endpoint = serve();
    for (endpoint, name) in [(endpoint.as_str(), "lab/other"), (NOBODY, "lab/tiny")] {
        let message = inspect(endpoint, home.path(), name).error();
        assert!(message.contains(name) && message.contains("Hugging Face Hub"), "{message}");
    }
    let message = inspect(&endpoint, home.path(), "none/such/dir").error();
    assert!(message.contains("none/such/dir/config.json"), "{message}");
    let gated =
        run(&endpoint, home.path(), &[("HF_TOKEN", "hf_wrong")], &["policy", "inspect", "lab/tiny"]).error();
    assert!(gated.contains("accept its terms") && !gated.contains("hf_wrong"), "{gated}");
    for variable in ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
        let message =
            run(&endpoint, home.path(), &[(variable, "1")], &["policy", "inspect", "lab/tiny"]).error();
        assert!(message.contains(variable) && message.contains("in the cache"), "{message}");
    }
}

/// Adapters name their base as on the Hub, and have no tokenizer: the base's is theirs, for replies, training and merging.
#[test]
fn adapters_stand_on_a_base_of_the_hub() {
    let (home, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut args = vec!["train", "quickstart-sft", "--policy", POLICY, "--run-dir", "run"];
    let settings = ["train.steps=1", "train.batch=2", "data.world.train=4", "data.world.held_out=2"];
    args.extend(settings.into_iter().chain(["eval.max_new_tokens=2"]).flat_map(|setting| ["--set", setting]));
    toolrl(dir.path(), &[&args[..], &["--set", "train.lora.rank=2"]].concat()).ok();
    let adapters = dir.path().join("run/final");
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::remove_file(adapters.join(name)).unwrap();
    }
    let config = adapters.join("adapter_config.json");
    let mut settings: Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
    settings["base_model_name_or_path"] = json!("lab/tiny");
    settings["revision"] = json!("v1");
    std::fs::write(&config, settings.to_string()).unwrap();
    let adapters = adapters.to_str().unwrap();
    let row = file(dir.path(), "rows.jsonl", r#"{"messages": [{"role": "user", "content": "hi"}]}"#);
    let generate = ["policy", "generate", "--policy", adapters, "--rows", &row, "--max-new-tokens", "2"];
    assert_eq!(run(&serve(), home.path(), &[], &generate).rows().len(), 1);
    assert!(home.path().join("hub/models--lab--tiny/refs/v1").exists());
    let (run_dir, merged) = (dir.path().join("more"), dir.path().join("merged"));
    args[3] = adapters;
    args[5] = run_dir.to_str().unwrap();
    run(NOBODY, home.path(), &[], &args).ok();
    let merge = ["policy", "merge", "--policy", adapters, "--out", merged.to_str().unwrap()];
    run(NOBODY, home.path(), &[], &merge).ok();
    assert!(merged.join("tokenizer.json").exists() && merged.join("generation_config.json").exists());
}

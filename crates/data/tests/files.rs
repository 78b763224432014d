//! Files written here and read back, and files that cannot be read.

#![allow(clippy::unwrap_used, reason = "the lint spares test functions, not their helpers")]

use std::io::Write;
use std::path::{Path, PathBuf};

use toolrl_data::world::{World, WorldConfig};
use toolrl_data::{Sample, TaskKind, load, write_jsonl, write_parquet};

fn samples() -> Vec<Sample> {
    let config = WorldConfig { train: 20, held_out: 20, ..WorldConfig::default() };
    let tasks = World::generate(&config).unwrap();
    [tasks.train, tasks.held_out].concat()
}

fn put(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn what_is_written_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let samples = samples();
    let (lines, table) = (directory.path().join("a.jsonl"), directory.path().join("a.parquet"));
    write_jsonl(&lines, &samples).unwrap();
    write_parquet(&table, &samples).unwrap();
    let packed = put(directory.path(), "a.jsonl.gz", &gzip(&std::fs::read(&lines).unwrap()));
    for path in [lines, table, packed] {
        let loaded = load(&path).unwrap();
        assert_eq!(loaded.samples, samples, "{}", path.display());
        assert_eq!((loaded.gold.checked, loaded.gold.unscorable.len()), (40, 0));
    }
}

#[test]
fn rows_of_ones_own() {
    let directory = tempfile::tempdir().unwrap();
    let rows = r#"[
        {"instruction": " Be brief. ", "input": "Hi\n", "output": " <think> a </think>\n<response> b </response>\n"},
        {"prompt": [{"role": "user", "content": " Hi "}], "reward_model": {"ground_truth": "<think> a"}},
        {"id": "q7", "instruction": "a", "input": "b", "output": "c"}
    ]"#;
    let samples = load(&put(directory.path(), "own.json", rows.as_bytes())).unwrap().samples;
    assert_eq!(samples[0].messages[0].content, "Be brief.");
    assert_eq!((samples[0].id.as_str(), samples[0].kind), ("own:0", TaskKind::NoCall));
    assert_eq!(samples[1].messages[0].content, " Hi ");
    assert_eq!((samples[1].id.as_str(), samples[1].kind), ("own:1", TaskKind::Other));
    assert_eq!(samples[2].id, "q7");
}

#[test]
fn unscorable_rows_are_left_out_on_request() {
    let directory = tempfile::tempdir().unwrap();
    let row = |gold: &str| serde_json::json!({"instruction": "a", "input": "b", "output": gold}).to_string();
    let call = "<tool_call>\n{\"name\": \"f\", \"parameters\": {}}\n</tool_call>";
    let text = [row(call), row(&format!("<think> use <tool_call> </think>\n{call}")), row(call)].join("\n");
    let loaded = load(&put(directory.path(), "x.jsonl", text.as_bytes())).unwrap();
    assert_eq!(loaded.gold.unscorable[0].id, "x:1");
    let kept: Vec<_> = loaded.scorable().into_iter().map(|sample| sample.id).collect();
    assert_eq!(kept, ["x:0", "x:2"]);
}

#[test]
fn errors_name_the_place() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let whole = at.join("whole.parquet");
    write_parquet(&whole, &samples()).unwrap();
    let table = std::fs::read(&whole).unwrap();
    let packed = gzip(b"{\"instruction\": \"a\", \"input\": \"b\", \"output\": \"c\"}\n");
    let cases: [(&str, &[u8], &[&str]); 14] = [
        ("a.jsonl", b"", &["no rows"]),
        ("b.json", b"[]", &["no rows"]),
        ("c.json", b"[{\"instruction\": \"a\",\n", &["line 2", "not JSON"]),
        ("d.jsonl", b"{\"instruction\": \"a\", \"input\": \"b\", \"output\": \"c\"}\n{oops}\n", &["line 2", "not JSON"]),
        ("e.jsonl", b"{\"input\": \"b\"}", &["line 1", "its fields: input", "verl lacks `prompt`", "instruction lacks `instruction`"]),
        ("f.json", b"[{\"instruction\": \"a\", \"input\": 3, \"output\": \"c\"}]", &["row 1", "`input`", "a string", "3"]),
        ("g.jsonl", b"{\"prompt\": [], \"reward_model\": {\"ground_truth\": \"a\"}}", &["at least one message"]),
        (
            "h.jsonl",
            b"{\"prompt\": [{\"role\": \"judge\", \"content\": \"\"}], \"reward_model\": {\"ground_truth\": \"a\"}}",
            &["prompt.0.role", "system, user, assistant or tool", "judge"],
        ),
        ("i.jsonl", b"{\"prompt\": [{\"role\": \"user\", \"content\": \"\"}]}", &["verl lacks `reward_model`"]),
        ("j.txt", b"hello", &["JSON lines", "'h'"]),
        ("k.jsonl", b"{\"a\": \"\xff\"}", &["UTF-8", "offset 7"]),
        ("l.parquet", b"[]", &["Parquet"]),
        ("m.parquet", &table[..table.len() / 2], &["Parquet"]),
        ("n.jsonl.gz", &packed[..packed.len() / 2], &["n.jsonl.gz"]),
    ];
    for (name, bytes, expected) in cases {
        let path = put(at, name, bytes);
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        for part in expected {
            assert!(error.contains(part), "{name}: {error}: lacks {part}");
        }
    }
    assert!(load(&at.join("none.json")).unwrap_err().to_string().contains("none.json"));
}

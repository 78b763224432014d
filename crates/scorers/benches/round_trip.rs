//! Replies a second that each kind of term is asked about where scoring itself costs nothing, and what a batch takes.
//! `cargo bench -p toolrl-scorers`.

#![allow(clippy::unwrap_used, reason = "a failed step ends the measurement")]

use std::time::Instant;

use pollster::block_on;
use serde_json::Value;
use toolrl_reward::{Context, Reference, Registry, Rubric, RubricConfig, TermConfig};
use toolrl_testing::stub::{Answer, serve};

/// Replies of a training step.
const REPLIES: usize = 64;
const REPLY: &str = "<think> The user asks for the weather in Rome and in Oslo, so two calls are needed. </think>\n\
    <tool_call>\n{\"name\": \"weather\", \"parameters\": {\"city\": \"Rome\", \"days\": 3}}\n\
    {\"name\": \"weather\", \"parameters\": {\"city\": \"Oslo\", \"days\": 3}}\n</tool_call>";
const COMMAND: &str = "import json, sys\nfor line in sys.stdin:\n    \
    print(json.dumps([0.5 for reply in json.loads(line)['replies']]), flush=True)\n";
const PYTHON: &str =
    "def score(reply):\n    return 0.5\n\ndef batch(completions):\n    return [0.5] * len(completions)\n";

fn main() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("score.py"), COMMAND).unwrap();
    std::fs::write(dir.path().join("reward.py"), PYTHON).unwrap();
    let url = serve(|asked| {
        let replies = asked.body["replies"].as_array().unwrap();
        Answer::ok(&replies.iter().map(|_| Value::from(0.5)).collect())
    });
    let directory = format!("directory = {:?}", dir.path());
    let terms = [
        ("command", format!("id = \"command\"\nrun = [\"python3\", \"score.py\"]\n{directory}")),
        ("http", format!("id = \"http\"\nurl = \"{url}\"")),
        ("python, a reply a call", format!("id = \"python\"\npython = \"reward.py:score\"\n{directory}")),
        ("python, a batch a call", format!("id = \"python\"\npython = \"reward.py:batch\"\n{directory}")),
    ];
    for (name, term) in terms {
        for batch in [16, 64] {
            let seconds = measured(&format!("{term}\nbatch = {batch}"));
            let rate = REPLIES as f64 / seconds;
            println!(
                "{name:24} batch = {batch}: {:.2} ms for {REPLIES} replies, {rate:.0} replies/s",
                seconds * 1e3
            );
        }
    }
}

/// The median time of a step's replies.
fn measured(term: &str) -> f64 {
    let term: TermConfig = toml::from_str(term).unwrap();
    let mut registry = Registry::empty();
    toolrl_scorers::register(&mut registry);
    let rubric = Rubric::from_config(&RubricConfig { terms: vec![term] }, &registry).unwrap();
    let reference = Reference::parse(REPLY).unwrap();
    let mut times: Vec<f64> = (0..60)
        .map(|_| {
            let begun = Instant::now();
            let replies: Vec<_> =
                (0..REPLIES).map(|_| (reference.read(REPLY.as_bytes()), &reference)).collect();
            let scores = block_on(rubric.score_batch(&replies, &Context::training(1, 2)));
            assert!(scores.iter().all(|score| score.as_ref().is_ok_and(|score| score.total == 0.5)));
            begun.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

//! Hostile replies and answers end a dialogue, and soon.

use std::time::{Duration, Instant};

use toolrl_bamboogle::{Dialogue, DialogueSettings, Hit, Step, exact_match, f1};

/// What one dialogue may take, in an optimised build on a slow machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);

fn replies() -> Vec<(&'static str, Vec<u8>)> {
    let search = "{\"name\": \"search\", \"parameters\": {\"query\": \"x\"}}\n";
    let long = format!(
        "{{\"name\": \"search\", \"parameters\": {{\"query\": \"{}\"}}}}",
        "\\ud800 q".repeat(100_000)
    );
    let block = |lines: &str| format!("<tool_call>\n{}\n</tool_call>", lines.trim_end()).into_bytes();
    vec![
        ("ten megabytes of searches", block(&search.repeat(10 << 20 >> 6))),
        ("a long search", block(&long)),
        ("ten megabytes of an answer", format!("<response>{}", "the word, ".repeat(1 << 20)).into_bytes()),
        ("brackets", block(&"[".repeat(100_000))),
        ("one character", vec![b'<'; 1 << 20]),
        ("openings", b"<tool_call>".repeat(200_000)),
        ("nested objects", format!("<tool_call>{}", "{\"parameters\": ".repeat(200_000)).into_bytes()),
        ("responses", b"<response>".repeat(100_000)),
        ("NUL bytes", vec![0; 1 << 20]),
        ("no UTF-8", [b"<response>".as_slice(), &vec![0xff; 1 << 20]].concat()),
        ("characters that grow in lower case", format!("<response>{}", "İ".repeat(500_000)).into_bytes()),
    ]
}

#[test]
fn hostile_replies_end_a_dialogue() {
    let settings = DialogueSettings::default();
    for (name, reply) in replies() {
        let start = Instant::now();
        let mut dialogue = Dialogue::new("Who?", &settings);
        let outcome = (0..settings.rounds).find_map(|_| match dialogue.reply(&reply) {
            Step::Search(queries) => {
                assert!(queries.len() <= settings.searches_per_reply, "{name}");
                let hit = Hit { title: "t".into(), text: "é".repeat(10 << 20) };
                dialogue.found(&vec![vec![hit]; queries.len()]);
                None
            }
            Step::Done(outcome) => Some(outcome),
        });
        let outcome = outcome.unwrap_or_else(|| panic!("{name} does not end"));
        assert!(f1(&outcome.answer, &outcome.answer) == 1.0 && exact_match(&outcome.answer, &outcome.answer));
        assert!(f1(&outcome.answer, "right") < 0.1, "{name}");
        assert!(start.elapsed() < PATIENCE, "{name}: {:?}", start.elapsed());
    }
}

//! The scripts and settings that docs/rewards.md shows, as they stand there.

use std::path::Path;
use std::process::Command;

use toolrl_grammar::dialect::named;
use toolrl_reward::{Context, Reference, Registry, Rubric, RubricConfig};
use toolrl_testing::has_program;

const GUIDE: &str = include_str!("../../../../docs/rewards.md");

#[derive(serde::Deserialize)]
struct Recipe {
    reward: RubricConfig,
}

/// The fenced blocks of the part on other programs: their languages and texts.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let (_, part) = GUIDE.split_once("\n### A Python function\n").unwrap();
    let (part, _) = part.split_once("\n### In Rust\n").unwrap();
    let fenced = part.split("\n```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').unwrap()).collect()
}

/// A call where one is wanted, and two.
fn score(rubric: &Rubric) -> Vec<f64> {
    let call = "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>";
    let reference = Reference::in_dialect(call, named("hermes").unwrap());
    let score = |reply: &str| {
        let score =
            rubric.score(&reference.read(reply.as_bytes()), &reference, &Context::evaluation()).unwrap();
        let failures: Vec<_> = score.failures().map(|(_, failure)| failure.cause.to_string()).collect();
        assert!(failures.is_empty(), "{failures:?}");
        score.terms[0].score.value
    };
    vec![score(&format!("<think>a</think>\n{call}")), score(&format!("{call}\n{call}"))]
}

fn rubric(dir: &Path, text: &str) -> Rubric {
    let mut recipe: Recipe = toml::from_str(text).unwrap();
    recipe.reward.terms[0].settings.insert("directory".to_owned(), dir.to_str().unwrap().into());
    let mut registry = Registry::builtin();
    toolrl_scorers::register(&mut registry);
    Rubric::from_config(&recipe.reward, &registry).unwrap()
}

#[test]
fn they_work() {
    if !has_program("python3") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("localhost:0").unwrap().local_addr().unwrap().port().to_string();
    for (language, text) in blocks() {
        if matches!(language, "python" | "js") {
            let name = text.lines().next().unwrap().rsplit(' ').next().unwrap();
            std::fs::write(dir.path().join(name), text.replace("8000", &free)).unwrap();
        }
    }
    let terms: Vec<_> = blocks().into_iter().filter(|(language, _)| *language == "toml").collect();
    assert_eq!(terms.len(), 4);
    let expected = [
        ("reward.py", [1.0, 0.75]),
        ("trl.py", [0.764, 0.495]),
        ("score.js", [1.0, 0.0]),
        ("8000", [1.0, 0.0]),
    ];
    for ((_, text), (file, values)) in terms.into_iter().zip(expected) {
        assert!(text.contains(file), "{text}");
        if file == "score.js" && !has_program("node") {
            continue;
        }
        let mut server = (file == "8000")
            .then(|| Command::new("python3").arg("server.py").current_dir(dir.path()).spawn().unwrap());
        let given = score(&rubric(dir.path(), &text.replace("8000", &free)));
        if let Some(server) = &mut server {
            server.kill().unwrap();
            server.wait().unwrap();
        }
        assert!(
            given.iter().zip(values).all(|(given, value)| (given - value).abs() < 0.01),
            "{file}: {given:?}"
        );
    }
}

#[test]
fn jq_alone_is_a_reward() {
    if !has_program("jq") {
        return;
    }
    let run = GUIDE.split_once("`run = [\"jq\"").unwrap().1.split_once('`').unwrap().0;
    let dir = tempfile::tempdir().unwrap();
    let text = format!("[[reward]]\nid = \"command\"\nrange = [0, 9]\nrun = [\"jq\"{run}");
    assert_eq!(score(&rubric(dir.path(), &text)), [1.0, 2.0]);
}

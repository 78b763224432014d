//! Rewards of other programs: a Python function and a command, in training, evaluation and every `toolrl reward` command.

use std::time::Duration;

use crate::resume::{assert_same, start};
use crate::{TINY_GRPO, file, json_lines, metrics, toolrl, train};

/// Takes points off for calls beyond those that are wanted; fails where a reply has an odd number of characters.
const REWARD: &str = "\
def score(calls, gold, messages, id, step, steps, reply):
    assert messages[0]['content'] and id and (step is None or step <= steps)
    if len(reply) % 2:
        raise ValueError(f'{len(reply)} is odd')
    print('scored', id)
    extra = max(len(calls) - len(gold['calls']), 0)
    return {'value': max(1 - extra / 4, 0), 'note': f'{extra} too many', 'parts': {'length': len(reply) / 1000}}
";

/// Gives 1 for thoughts.
const CALM: &str = "\
import json, sys
for line in sys.stdin:
    print(json.dumps([1 if reply['thoughts'] else 0 for reply in json.loads(line)['replies']]), flush=True)
";

/// The same, but that it dies of a batch in which no reply has any.
const COMMAND: &str = "\
import json, sys
for line in sys.stdin:
    replies = json.loads(line)['replies']
    if replies and not any(reply['thoughts'] for reply in replies):
        sys.exit('no thoughts')
    print(json.dumps([1 if reply['thoughts'] else 0 for reply in replies]), flush=True)
";

const TERMS: &str = "reward=[{ id = 'correctness' }, \
    { id = 'python', python = 'reward.py:score', name = 'frugal', weight = 0.5, on_failure = 'zero' }, \
    { id = 'command', run = ['python3', 'score.py'], name = 'thinks', batch = 2 }]";

/// A directory with both scripts; none where there is no Python.
fn scripts() -> Option<tempfile::TempDir> {
    if !toolrl_testing::has_program("python3") {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    file(dir.path(), "reward.py", REWARD);
    file(dir.path(), "score.py", COMMAND);
    file(dir.path(), "calm.py", CALM);
    Some(dir)
}

#[test]
fn they_train_and_every_command_knows_them() {
    let Some(dir) = scripts() else { return };
    let ran = train(dir.path(), &["--run-dir", "run"], &[&TINY_GRPO[..], &[TERMS]].concat());
    assert!(ran.stderr.contains("frugal: scored "), "what it prints is logged: {}", ran.stderr);
    assert!(ran.stderr.contains("ValueError"), "a traceback is logged: {}", ran.stderr);
    ran.ok();
    let run = dir.path().join("run");
    let rows = metrics(&run);
    let failures =
        |term: &str| rows.iter().filter_map(|row| row["reward_failures"][term].as_u64()).sum::<u64>();
    assert!((1..16).contains(&failures("frugal")), "{rows:?}");
    for row in &rows {
        let part = |name: &str| row["components"][name].as_f64();
        assert!(
            part("frugal").is_some() && part("frugal/length").is_some() && part("thinks").is_some(),
            "{row}"
        );
    }
    let report = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("frugal") && report.contains("thinks"));
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains(&format!("directory = \"{}\"", dir.path().display())), "{config}");

    // From elsewhere, by the run's recipe.
    let elsewhere = tempfile::tempdir().unwrap();
    let run = run.to_str().unwrap();
    let config = format!("{run}/config.toml");
    let terms = "[[reward]]\nid = \"command\"\nrun = [\"python3\", \"calm.py\"]\nname = \"thinks\"\n";
    let terms = file(dir.path(), "terms.toml", terms.to_owned() + &format!("directory = {:?}\n", dir.path()));
    let command = |args: &[&str]| toolrl(elsewhere.path(), args).ok();
    assert!(command(&["eval", "--run", run, "--limit", "1"]).contains("all"));
    let explained = command(&["reward", "explain", "--rows", run, "--recipe", &terms, "--limit", "3"]);
    assert!(explained.contains("thinks 1.000 of [0, 1]"), "{explained}");
    let scored = json_lines(&command(&["reward", "score", "--rows", run, "--recipe", &terms]));
    assert_eq!(scored.len(), 16);
    assert!(
        scored.iter().all(|row| row["components"]["thinks"] == row["score"] && row["id"].is_string()),
        "{scored:?}"
    );
    let diff = command(&["reward", "diff", "released", &terms, "--rows", run]);
    assert!(diff.contains("rows 16"), "{diff}");
    let fuzz = command(&["reward", "fuzz", "--recipe", &terms, "--cases", "3", "--limit", "1"]);
    assert!(fuzz.contains("3 cases"), "{fuzz}");
    // A run records no messages, so this term fails on all of its rows.
    let forecast = command(&["reward", "forecast", "--rows", run, "--recipe", &config]);
    assert!(forecast.contains("frugal") && forecast.contains("thinks"), "{forecast}");
}

#[test]
fn a_run_by_them_is_killed_and_goes_on_from_elsewhere() {
    let Some(dir) = scripts() else { return };
    let own = ["train.steps=4", "train.checkpoint_every=1", "eval.limit=1", TERMS];
    let settings = [&TINY_GRPO[..], &own].concat();
    let clock = std::time::Instant::now();
    train(dir.path(), &["--run-dir", "whole"], &settings).ok();
    let length = clock.elapsed();
    let (elsewhere, run) = (tempfile::tempdir().unwrap(), dir.path().join("run"));
    let name = run.to_str().unwrap();
    for share in [0.45, 0.6, 0.8] {
        let begun = run.join("config.toml").exists();
        let mut child = match begun {
            true => start(elsewhere.path(), &["--resume", name], &[]),
            false => start(dir.path(), &["--run-dir", name], &settings),
        };
        std::thread::sleep(Duration::from_secs_f64(length.as_secs_f64() * share));
        child.kill().unwrap();
        child.wait().unwrap();
        if run.join("summary.json").exists() {
            break;
        }
    }
    if !run.join("config.toml").exists() {
        train(dir.path(), &["--run-dir", name], &settings).ok();
    } else if !run.join("summary.json").exists() {
        file(dir.path(), "reward.py", REWARD.replace("/ 4", "/ 8"));
        let refused = toolrl(elsewhere.path(), &["train", "--resume", name]).error();
        assert!(refused.contains("programs of the reward, by their checksums: frugal "), "{refused}");
        file(dir.path(), "reward.py", REWARD);
        toolrl(elsewhere.path(), &["train", "--resume", name]).ok();
    }
    assert_same(&run, &dir.path().join("whole"), "killed");
}

#[test]
fn ppo_learns_by_them_too() {
    let Some(dir) = scripts() else { return };
    let own =
        ["train.method=ppo", "train.steps=1", "train.group_size=1", "sampling.max_new_tokens=24", TERMS];
    let evaluation =
        "eval.reward=[{ id = 'python', python = 'reward.py:score', name = 'alone', range = [-inf, inf] }]";
    train(dir.path(), &["--run-dir", "run"], &[&TINY_GRPO[..], &own, &[evaluation]].concat()).ok();
    let rows = metrics(dir.path().join("run"));
    assert!(rows[0]["components"]["thinks"].is_number(), "{rows:?}");
}

#[test]
fn a_mistake_in_a_script_ends_the_command_before_any_work() {
    let Some(dir) = scripts() else { return };
    file(dir.path(), "broken.py", "def score(reply)\n    return 1\n");
    for (term, part) in [
        ("id = 'python', python = 'gone.py:score'", "gone.py"),
        ("id = 'python', python = 'broken.py:score'", "(broken.py, line 1)"),
        ("id = 'python', python = 'reward.py:scores'", "it has score"),
        ("id = 'command', run = ['python3', 'gone.py']", "gone.py"),
        ("id = 'http', url = 'gone'", "http://"),
        ("id = 'python', python = 'reward.py:score', weigth = 2", "weigth"),
    ] {
        let reward = format!("reward=[{{ {term} }}]");
        let settings = [&TINY_GRPO[..], &[&reward]].concat();
        let message = train(dir.path(), &["--run-dir", "run"], &settings).error();
        assert!(message.contains(part), "{term}: {message}");
        assert!(!dir.path().join("run").exists(), "{term}");
    }
}

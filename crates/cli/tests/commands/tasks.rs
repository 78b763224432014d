//! Which tasks a run trains on: by difficulty, with rests, of several sources, by the outcome.

use serde_json::Value;

use crate::resume::{killed_runs_end_alike, settings};
use crate::{TINY_GRPO, metrics, toolrl, train};

/// Of GRPO with rounds, and of PPO with a reply each.
#[test]
fn tasks_are_drawn_by_what_became_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = "train.tasks={ difficulty = { uniform = 0.2 }, rest = { solved = { passes = 1 }, failed = { steps = 1 } } }";
    let cases: [(&str, &[&str]); 2] = [
        (
            "grpo",
            &["train.groups.resample={ max_rounds = 2, by = \"outcome\" }", "train.success={ reward = 3.0 }"],
        ),
        ("ppo", &["train.method=ppo", "train.group_size=1"]),
    ];
    for (name, own) in cases {
        let common = ["train.steps=4", "data.world.train=8", tasks];
        train(dir.path(), &["--run-dir", name], &[&TINY_GRPO[..], &common, own].concat()).ok();
        let run = dir.path().join(name);
        let rows = metrics(&run);
        let number = |step: usize, key: &str| rows[step]["tasks"][key].as_f64().unwrap();
        assert!(number(0, "unseen") < 1.0 && number(3, "unseen") < number(0, "unseen"), "{rows:?}");
        let shares = ["resting", "solved", "failed", "estimate"];
        assert!(
            (0..4).all(|step| shares.iter().all(|key| (0.0..=1.0).contains(&number(step, key)))),
            "{rows:?}"
        );
        assert!(
            rows.iter().all(|row| (0.0..=1.0).contains(&row["success_rate"].as_f64().unwrap())),
            "{rows:?}"
        );
        assert!((0..4).all(|step| rows[step]["tasks"].get("sources").is_none()));
        let report = std::fs::read_to_string(run.join("report.html")).unwrap();
        assert!(report.contains("not asked yet") && report.contains("Replies that succeeded"));
    }
}

/// A file and the tool world, three to one.
#[test]
fn sources_are_mixed_by_weight() {
    let dir = tempfile::tempdir().unwrap();
    let row = |i: usize| {
        let reply = format!("<think> It is {i}. </think>\\n<response> {i} </response>");
        format!(
            "{{\"instruction\": \"Count.\", \"input\": \"What comes after {}?\", \"output\": \"{reply}\"}}\n",
            i - 1
        )
    };
    crate::file(dir.path(), "mine.jsonl", (1..=10).map(row).collect::<String>());
    let mix = "data={ mix = [{ weight = 3, files = { train = \"mine.jsonl\", hold_out = { count = 2 } } }, \
               { weight = 1, world = { train = 6, held_out = 3 } }] }";
    let sft = ["train.steps=6", "train.batch=4", "eval.limit=4", "eval.max_new_tokens=8", mix];
    train(dir.path(), &["quickstart-sft", "--run-dir", "sft"], &sft).ok();
    train(dir.path(), &["--run-dir", "grpo"], &[&TINY_GRPO[..], &["train.prompts=4", mix]].concat()).ok();
    for (run, at) in [("sft", "/sources"), ("grpo", "/tasks/sources")] {
        let run = dir.path().join(run);
        let rows = metrics(&run);
        let last = rows.last().unwrap().pointer(at).unwrap();
        assert_eq!((&last["mine"]["share"], &last["world"]["share"]), (&0.75.into(), &0.25.into()), "{last}");
        assert!(last["world"]["epoch"].as_f64().unwrap() > 0.0);
        let held_out: Vec<String> =
            serde_json::from_slice(&std::fs::read(run.join("held_out.json")).unwrap()).unwrap();
        assert_eq!(held_out.iter().filter(|id| id.starts_with("mine/")).count(), 2, "{held_out:?}");
        assert_eq!(held_out.iter().filter(|id| id.starts_with("world/")).count(), 3);
        let report = std::fs::read_to_string(run.join("report.html")).unwrap();
        assert!(report.contains("Sources") && report.contains("source mine"));
        let summary: Value =
            serde_json::from_slice(&std::fs::read(run.join("summary.json")).unwrap()).unwrap();
        let tasks = |source: &str| summary["after"]["by_source"][source]["tasks"].as_u64().unwrap();
        assert_eq!(tasks("mine") + tasks("world"), 4);
    }
    assert_eq!(metrics(dir.path().join("sft"))[5]["sources"]["mine"]["epoch"], 18.0 / 8.0);
    let printed = train(dir.path(), &["grpo", "--dry-run"], &[mix]).ok();
    assert!(printed.contains("mix = [{ weight = 3.0, files = "), "{printed}");
    // What a run held out of each is what it is evaluated on later.
    let settings = ["--limit", "2", "--set", "eval.max_new_tokens=4"];
    let table = toolrl(dir.path(), &[&["eval", "--run", "sft"], &settings[..]].concat()).ok();
    assert!(table.contains("source world") && table.contains("source mine"), "{table}");
}

#[test]
fn what_makes_no_sense_is_refused_by_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 14] = [
        (&["train.tasks.difficulty.target=1"], "train.tasks.difficulty.target = 1 should be between 0 and 1"),
        (&["train.tasks.difficulty.temperature=0"], "train.tasks.difficulty.temperature = 0"),
        (&["train.tasks.difficulty.uniform=1.5"], "train.tasks.difficulty.uniform = 1.5"),
        (&["train.tasks.difficulty.decay=-1"], "train.tasks.difficulty.decay = -1"),
        (&["train.tasks.difficulty.rate=1"], "rate"),
        (&["train.tasks.rest.solved.steps=0"], "train.tasks.rest.solved.steps = 0"),
        (&["train.tasks.rest.failed.passes=0"], "train.tasks.rest.failed.passes = 0"),
        (&["train.tasks.rest.mixed.steps=1"], "mixed"),
        (&["train.success.reward=nan"], "train.success.reward"),
        (&["train.success=often"], "often"),
        (&["train.groups=mixed_outcome", "train.group_size=1"], "train.groups"),
        (&["train.groups.resample={ max_rounds = 2, by = \"style\" }"], "style"),
        (&["train.method=ppo", "train.groups=mixed_outcome"], "groups"),
        (
            &[
                "data={ mix = [{ weight = 1, files = { train = \"gone.jsonl\" } }, { weight = 0, world = {} }] }",
            ],
            "data.mix[1].weight = 0",
        ),
    ];
    for (settings, part) in cases {
        let message = train(dir.path(), &["grpo", "--dry-run"], settings).error();
        assert!(message.contains(part), "{settings:?}: {message}");
    }
    for setting in ["train.tasks.difficulty={}", "train.success=exact"] {
        let message = train(dir.path(), &["sft", "--dry-run"], &[setting]).error();
        assert!(message.contains("unknown field"), "{message}");
    }
    assert_eq!(dir.path().read_dir().unwrap().count(), 0);
}

/// The recipes of the page.
#[test]
fn the_documents_recipes_are_recipes() {
    let dir = tempfile::tempdir().unwrap();
    let page = include_str!("../../../../docs/tasks.md");
    let blocks: Vec<&str> =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let recipe = crate::file(dir.path(), "recipe.toml", block);
        train(dir.path(), &[&recipe, "--dry-run"], &[]).ok();
    }
}

/// Which tasks come next is decided by what became of earlier ones, several rounds a step.
#[test]
fn a_run_with_a_history_of_its_tasks_is_killed_and_ends_with_the_same_weights() {
    let own = [
        "data={ mix = [{ weight = 1, world = { train = 12, held_out = 4 } }, \
         { name = \"b\", weight = 2, world = { seed = 9, train = 8, held_out = 4 } }] }",
        "train.tasks={ difficulty = {}, rest = { solved = { steps = 2 }, failed = { steps = 1 } } }",
        "train.groups.resample={ max_rounds = 2, by = \"outcome\" }",
        "train.checkpoint_every=1",
    ];
    killed_runs_end_alike(&[&settings()[..], &own].concat(), 5);
}

//! `toolrl train`.

use serde_json::Value;

use crate::{POLICY, TINY_GRPO, contents, json_lines_of, metrics, nan_policy, toolrl, train};

#[test]
fn a_run_leaves_everything_and_its_seed_repeats_it() {
    let dir = tempfile::tempdir().unwrap();
    let table = train(dir.path(), &["--run-dir", "a"], &TINY_GRPO).ok();
    assert!(table.lines().nth(1).is_some_and(|l| l.starts_with("all tasks") && l.contains("->")), "{table}");
    let run = dir.path().join("a");
    for name in
        ["config.toml", "metrics.jsonl", "completions/step-00002.parquet", "summary.json", "report.html"]
    {
        assert!(run.join(name).metadata().is_ok_and(|m| m.len() > 0), "{name}");
    }
    assert_eq!(run.join("events").read_dir().unwrap().count(), 1);
    let summary: Value = serde_json::from_slice(&std::fs::read(run.join("summary.json")).unwrap()).unwrap();
    assert_eq!((&summary["steps"], &summary["before"]["tasks"]), (&2.into(), &4.into()));
    assert_eq!(summary["after"]["policy"], "a/final");

    // Again from the recipe that the run left, and with another seed.
    train(dir.path(), &["a/config.toml", "--run-dir", "b"], &[]).ok();
    train(dir.path(), &["a/config.toml", "--run-dir", "c"], &["seed=4"]).ok();
    let [a, b, c] = ["a", "b", "c"].map(|run| {
        let mut rows = metrics(dir.path().join(run));
        rows.iter_mut()
            .for_each(|row| assert!(row.as_object_mut().unwrap().shift_remove("seconds").is_some()));
        rows
    });
    assert_eq!(a.len(), 2);
    assert_eq!(a, b);
    assert_ne!(a, c);
    let weights = |run: &str| std::fs::read(dir.path().join(run).join("final/model.safetensors")).unwrap();
    assert!(weights("a") == weights("b"), "the trained weights differ");
    toolrl(dir.path(), &["eval", "--policy", "a/final", "--limit", "1", "--set", "eval.max_new_tokens=4"])
        .ok();
}

#[test]
fn fine_tuning_lowers_the_loss_and_saves_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [
        "train.steps=4",
        "train.batch=2",
        "train.optimizer.lr=1e-4",
        "train.checkpoint_every=2",
        "data.world.train=2",
        "data.world.held_out=2",
        "eval.max_new_tokens=4",
    ];
    train(dir.path(), &["quickstart-sft", "--run-dir", "run"], &settings).ok();
    let rows = metrics(dir.path().join("run"));
    let loss = |row: &Value| row["loss"].as_f64().unwrap();
    // Each step is the same two samples.
    assert!(rows.len() == 4 && loss(&rows[3]) < loss(&rows[0]), "{rows:?}");
    let checkpoints = dir.path().join("run/checkpoints");
    assert_eq!(checkpoints.read_dir().unwrap().count(), 1, "step 2; step 4 is final/");
    assert!(checkpoints.join("step-00002/model.safetensors").exists());
}

#[test]
fn a_dry_run_prints_a_recipe_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let start = |stage: &str| format!("{}/../../fixtures/start/{stage}.toml", env!("CARGO_MANIFEST_DIR"));
    let (skills, slips) = (start("skills"), start("slips"));
    for recipe in ["quickstart", "quickstart-sft", "quickstart-start", "sft", "grpo", &skills, &slips] {
        let printed = train(dir.path(), &[recipe, "--policy", POLICY, "--dry-run"], &["train.steps=9"]).ok();
        assert!(printed.contains("steps = 9") && printed.contains("max_grad_norm"), "{printed}");
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }
    let printed = train(dir.path(), &["--data", "mine.jsonl", "--dry-run"], &[]).ok();
    assert!(printed.contains("train = \"mine.jsonl\""), "{printed}");
}

/// A step of more prompts than tasks asks a task twice, and gets other replies.
#[test]
fn a_task_that_comes_twice_in_a_step_is_answered_anew() {
    let dir = tempfile::tempdir().unwrap();
    let settings = ["data.world.train=2", "train.prompts=4", "train.steps=1", "sampling.temperature=1.2"];
    train(dir.path(), &["--run-dir", "run"], &[&TINY_GRPO[..], &settings].concat()).ok();
    let rows = ["reward", "explain", "--rows", "run", "--recipe", "run/config.toml"];
    let said = toolrl(dir.path(), &rows).ok();
    assert_eq!(said.matches("total ").count(), 16, "{said}");
    let row = &metrics(dir.path().join("run"))[0];
    assert_eq!(row["groups"], 4);
    let path = dir.path().join("run/completions/step-00001.parquet");
    let replies = toolrl_record::read_completions(&path).unwrap();
    let of = |group: usize| replies[4 * group..][..4].iter().map(|r| &r.completion).collect::<Vec<_>>();
    let twins: Vec<usize> = (1..4).filter(|&g| replies[4 * g].sample_id == replies[0].sample_id).collect();
    assert_eq!(twins.len(), 1, "two tasks, each twice");
    assert_ne!(of(0), of(twins[0]));
}

/// One recipe after the other, the second from what the first left.
#[test]
fn recipes_follow_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [&TINY_DATA[..], &["train.steps=1"]].concat();
    let said = train(dir.path(), &["tiny-sft", "--then", "tiny-sft", "--run-dir", "both"], &settings).ok();
    assert!(
        said.contains("policy both/1-tiny-sft/final") && said.contains("policy both/2-tiny-sft/final"),
        "{said}"
    );
    let config = std::fs::read_to_string(dir.path().join("both/2-tiny-sft/config.toml")).unwrap();
    assert!(config.contains("both/1-tiny-sft/final"), "{config}");
    // What follows is read before anything is trained.
    let message =
        train(dir.path(), &["tiny-sft", "--then", "gone.toml", "--run-dir", "none"], &settings).error();
    assert!(message.contains("gone.toml") && !dir.path().join("none").exists(), "{message}");
}

#[test]
fn a_run_directory_in_use_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("used");
    std::fs::create_dir_all(run.join("start")).unwrap();
    std::fs::write(run.join("metrics.jsonl"), "a run's").unwrap();
    std::fs::write(run.join("start/config.json"), "a start's").unwrap();
    let before = contents(&run);
    for recipe in ["quickstart", "quickstart-start"] {
        let message = train(dir.path(), &[recipe, "--run-dir", "used"], &TINY_DATA).error();
        assert!(message.contains("used is not empty"), "{message}");
        assert_eq!(contents(&run), before, "{recipe}");
    }
}

const TINY_DATA: [&str; 4] =
    ["data.world.train=64", "data.world.held_out=4", "eval.limit=2", "eval.max_new_tokens=8"];

#[test]
fn runs_without_a_name_count_up() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [&TINY_DATA[..], &["train.steps=1", "train.batch=1"]].concat();
    for number in [1, 2] {
        let said = train(dir.path(), &["quickstart-sft"], &settings).ok();
        assert!(said.contains(&format!("policy runs/quickstart-sft-{number}/final")), "{said}");
    }
}

#[test]
fn nan_weights_are_told_by_the_first_prompt() {
    let dir = tempfile::tempdir().unwrap();
    let policy = nan_policy(dir.path());
    let message = train(dir.path(), &["--policy", &policy, "--run-dir", "run"], &TINY_GRPO).error();
    assert!(message.contains("not finite") && message.contains("prompt 0"), "{message}");
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_and_its_records_stay() {
    let cases = [
        // recipe, its settings, what the message names
        ("quickstart-sft", ["train.batch=2", "train.steps=6"].as_slice(), ["step ", "gradient"]),
        (
            "quickstart",
            &["train.prompts=4", "train.steps=6", "sampling.max_new_tokens=96"],
            ["prompt ", "not finite"],
        ),
    ];
    for (recipe, settings, parts) in cases {
        let dir = tempfile::tempdir().unwrap();
        let settings = [&TINY_DATA[..], settings, &["train.optimizer.lr=1e39"]].concat();
        let message = train(dir.path(), &[recipe, "--run-dir", "run"], &settings).error();
        assert!(parts.iter().all(|part| message.contains(part)), "{recipe}: {message}");

        let run = dir.path().join("run");
        let steps: Vec<_> = metrics(&run).iter().map(|row| row["step"].as_u64().unwrap()).collect();
        assert!((1..6).contains(&steps.len()), "{recipe}: {steps:?}");
        assert_eq!(steps, (1..=steps.len() as u64).collect::<Vec<_>>());
        assert!(run.join("config.toml").exists() && !run.join("final").exists(), "{recipe}");
    }
}

/// Two updates a step by advantages of a critic, with the divergence in the reward and in the loss.
#[test]
fn ppo_trains_a_policy_and_its_critic() {
    let dir = tempfile::tempdir().unwrap();
    let settings = ["train.method=ppo", "train.prompts=4", "train.updates=2", "sampling.max_new_tokens=64"];
    let choices: [&[&str]; 3] = [
        &["train.critic.optimizer.lr=1e-3", "train.group_size=1"],
        &["train.kl_penalty.coef=0.05", "train.loss.kl.coef=0.01", "train.gae.lambda=0.9"],
        &["train.critic.warmup_steps=1", "train.advantage=as_estimated", "train.truncated=mask"],
    ];
    for (i, choice) in choices.into_iter().enumerate() {
        let run = format!("run-{i}");
        let settings = [&TINY_GRPO[..], &settings, choice].concat();
        train(dir.path(), &["--run-dir", &run], &settings).ok();
        let run = dir.path().join(run);
        let rows = metrics(&run);
        assert_eq!((rows.len(), &rows[0]["kind"]), (2, &"ppo".into()), "{choice:?}");
        let critic = |row: &Value, key: &str| row["critic"][key].as_f64().unwrap();
        assert!(rows.iter().all(|r| critic(r, "loss") > 0.0 && critic(r, "grad_norm") > 0.0), "{rows:?}");
        // A critic begins at 0, and so explains nothing.
        assert_eq!(critic(&rows[0], "explained_variance"), 0.0, "{choice:?}");
        let warm_up = choice.contains(&"train.critic.warmup_steps=1");
        assert_eq!(rows[0]["grad_norm"].as_f64().unwrap() == 0.0, warm_up, "{choice:?}: {rows:?}");
        assert!(rows[1]["grad_norm"].as_f64().unwrap() > 0.0, "{choice:?}: {rows:?}");
        assert!(run.join("critic/model.safetensors").exists());
    }
}

#[test]
fn runs_that_begin_at_once_get_a_folder_each() {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        [&TINY_GRPO[..], &["train.steps=1", "train.group_size=2", "sampling.max_new_tokens=4"]].concat();
    std::thread::scope(|threads| {
        let runs: Vec<_> = (0..4).map(|_| threads.spawn(|| train(dir.path(), &[], &settings).ok())).collect();
        runs.into_iter().for_each(|run| assert!(run.join().unwrap().contains("report")));
    });
    let finished = |n: usize| dir.path().join(format!("runs/quickstart-{n}/summary.json")).exists();
    assert!((1..=4).all(finished));
    // A run that fails before it has anything to keep leaves no folder.
    train(dir.path(), &["--policy", "nowhere/at-all/here"], &settings).error();
    assert!(!dir.path().join("runs/quickstart-5").exists());
}

#[test]
fn samples_that_are_too_long_are_refused_or_counted() {
    let dir = tempfile::tempdir().unwrap();
    let row = |n: usize| {
        let instruction = "You call tools. ".repeat(n);
        serde_json::json!({"instruction": instruction, "input": "Say yes.", "output": "<think> a </think>\n<response> yes </response>"})
    };
    let rows: String = [1, 2, 40, 1, 2, 1].map(|n| format!("{}\n", row(n))).concat();
    let data = crate::file(dir.path(), "rows.jsonl", rows);
    let (hold_out, steps) = ("data.files.hold_out={ count = 1 }", "train.steps=2");
    for (recipe, own) in [
        (
            "grpo",
            vec![
                "train.max_prompt_tokens=100",
                "train.prompts=5",
                "train.updates=1",
                "train.group_size=2",
                "sampling.max_new_tokens=4",
            ],
        ),
        ("sft", vec!["train.max_tokens=130", "train.batch=5"]),
    ] {
        let set = |overlong: Option<&str>| {
            let mut settings = own.clone();
            settings.extend([hold_out, steps, "eval.limit=1", "eval.max_new_tokens=4", "seed=2"]);
            settings.extend(overlong);
            let run =
                format!("{recipe}-{}", overlong.map_or("refuse", |o| &o["train.overlong_prompts=".len()..]));
            let args = [recipe, "--policy", POLICY, "--data", &data, "--run-dir", &run];
            (train(dir.path(), &args, &settings), dir.path().join(run))
        };
        let (refused, run) = set(None);
        let message = refused.error();
        assert!(
            message.contains("rows:2") && message.contains("1 of 5") && message.contains("overlong_prompts"),
            "{message}"
        );
        assert!(!run.join("metrics.jsonl").exists(), "nothing was computed");
        for (overlong, counts) in [("leave_out", (1, 0)), ("cut", (0, 1))] {
            let (ran, run) = set(Some(&format!("train.overlong_prompts={overlong}")));
            assert!(ran.stderr.contains("1 of 5 training samples are longer"), "{}", ran.stderr);
            ran.ok();
            let identity: Value =
                serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap();
            assert_eq!(
                (&identity["overlong"]["left_out"], &identity["overlong"]["cut"]),
                (&counts.0.into(), &counts.1.into())
            );
        }
    }
}

#[test]
fn a_run_is_evaluated_on_what_it_held_out_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let row = |n: usize| {
        let output = format!("<think> a </think>\n<response> {n} </response>");
        serde_json::json!({"instruction": "You count.", "input": format!("Say {n}."), "output": output})
    };
    let rows: String = (0..10).map(|n| format!("{}\n", row(n))).collect();
    let data = crate::file(dir.path(), "rows.jsonl", &rows);
    let args = ["sft", "--policy", POLICY, "--data", &data];
    let set = ["train.steps=1", "train.batch=2", "eval.max_new_tokens=4"];
    train(dir.path(), &[&args[..], &["--run-dir", "run"]].concat(), &set).ok();
    let held_out = std::fs::read_to_string(dir.path().join("run/held_out.json")).unwrap();
    let ids: Vec<String> = serde_json::from_str(&held_out).unwrap();
    assert_eq!(ids.len(), 1, "a tenth");
    let table = toolrl(dir.path(), &["eval", "--run", "run", "--out", "evaluated"]).ok();
    assert!(table.lines().nth(1).is_some_and(|line| line.contains("     1  ")), "{table}");
    let outcomes = json_lines_of(dir.path().join("evaluated/outcomes.jsonl"));
    assert_eq!(outcomes[0]["id"], ids[0].as_str());
    // The same rows in another order, so that the same ids are others; then other rows.
    crate::file(dir.path(), "rows.jsonl", rows.lines().rev().collect::<Vec<_>>().join("\n"));
    let message = toolrl(dir.path(), &["eval", "--run", "run"]).error();
    assert!(message.contains("held-out samples: 1 then, 1 now, and not the same"), "{message}");
    crate::file(dir.path(), "rows.jsonl", rows.lines().rev().take(9).collect::<Vec<_>>().join("\n"));
    let message = toolrl(dir.path(), &["eval", "--run", "run"]).error();
    assert!(message.contains("held-out samples"), "{message}");

    crate::file(dir.path(), "rows.jsonl", &rows);
    let all = [&set[..], &["data.files.hold_out={ count = 0 }", "train.epochs=1", "train.steps=5"]].concat();
    let said = train(dir.path(), &[&args[..], &["--run-dir", "all"]].concat(), &all).ok();
    assert!(said.contains("no evaluation: no task is held out"), "{said}");
    assert_eq!(metrics(dir.path().join("all")).len(), 5);
    assert!(
        !dir.path().join("all/evaluations.jsonl").exists() || {
            std::fs::read_to_string(dir.path().join("all/evaluations.jsonl")).unwrap().is_empty()
        }
    );
}

#[test]
fn a_run_that_learns_nothing_says_so_and_ends_cleanly() {
    let dir = tempfile::tempdir().unwrap();
    let set = [
        &TINY_GRPO[..],
        &["train.steps=6", "sampling.max_new_tokens=2", "train.group_size=1", "eval.limit=0"],
    ]
    .concat();
    let ran = train(dir.path(), &["--run-dir", "run"], &set);
    let said = ran.stderr.clone();
    ran.ok();
    for part in ["train.group_size = 1", "no reply ended by itself", "toolrl reward explain --rows run"] {
        assert_eq!(said.matches(part).count(), 1, "{part}: {said}");
    }
    let page = std::fs::read_to_string(dir.path().join("run/report.html")).unwrap();
    assert!(page.contains("Steps that taught nothing") && page.contains("steps 1 to 6"), "in the report too");
    // RL by passes over its tasks.
    let set = [&TINY_GRPO[..], &["train.epochs=0.05", "sampling.max_new_tokens=2", "eval.limit=0"]].concat();
    train(dir.path(), &["--run-dir", "epochs"], &set).ok();
    assert_eq!(
        metrics(dir.path().join("epochs")).len(),
        2,
        "64 tasks, 2 prompts a step, a twentieth of a pass"
    );
}

#[test]
fn adapters_of_the_start_are_gone_on_with_or_merged_and_are_part_of_the_reference() {
    let dir = tempfile::tempdir().unwrap();
    let lora = ["train.lora.rank=4", "train.lora.alpha=8", "eval.limit=1", "eval.max_new_tokens=4"];
    let sft = [
        "train.steps=4",
        "train.batch=4",
        "train.optimizer.lr=1e-2",
        "data.world.train=16",
        "data.world.held_out=4",
    ];
    train(dir.path(), &["quickstart-sft", "--run-dir", "sft"], &[&lora[..], &sft].concat()).ok();
    let grpo =
        [&TINY_GRPO[..], &["train.loss.kl={ coef = 0.1 }", "train.optimizer.lr=0", "eval.limit=1"]].concat();
    let run = |name: &str, own: &[&str]| {
        let set = [&grpo[..], own].concat();
        train(dir.path(), &["--policy", "sft/final", "--run-dir", name], &set)
    };
    for (name, own) in [
        ("continued", vec![]),
        ("asked", vec!["train.lora.rank=4", "train.lora.alpha=8"]),
        ("merged", vec!["train.start_adapters=merge"]),
        ("fresh", vec!["train.start_adapters=merge", "train.lora.rank=2"]),
    ] {
        run(name, &own).ok();
        for row in metrics(dir.path().join(name)) {
            let kl = row["update"]["ref_kl"].as_f64().unwrap();
            assert!(kl.abs() < 1e-6, "{name}: the policy that begins is {kl} from its reference");
        }
        let adapters = dir.path().join(name).join("final/adapter_config.json").exists();
        assert_eq!(adapters, name != "merged", "{name}");
    }
    // Nothing was learned, so that all four are what fine-tuning left: read again too.
    std::fs::write(dir.path().join("row.jsonl"), "{\"input_ids\": [5, 6, 7, 8, 9]}").unwrap();
    let logprobs = |policy: &str| -> Vec<f64> {
        let rows = ["policy", "logprobs", "--policy", policy, "--rows", "row.jsonl"];
        let row = toolrl(dir.path(), &rows).rows().remove(0);
        row["logprobs"].as_array().unwrap()[1..].iter().map(|logprob| logprob.as_f64().unwrap()).collect()
    };
    let far = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let tuned = logprobs("sft/final");
    assert!(far(&tuned, &logprobs("sft/start")) > 1e-2);
    for name in ["continued", "asked", "merged", "fresh"] {
        let gap = far(&tuned, &logprobs(&format!("{name}/final")));
        assert!(gap < 1e-3, "{name}: {gap}");
    }
    let message = run("other", &["train.lora.rank=2", "train.lora.alpha=8"]).error();
    assert!(
        message.contains("rank 4") && message.contains("rank 2") && message.contains("start_adapters"),
        "{message}"
    );
    assert!(!dir.path().join("other/evaluations").exists(), "nothing was computed");
}

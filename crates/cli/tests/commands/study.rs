//! `toolrl study`: a grid of tiny runs, cut off and taken up again.

use std::path::Path;

use serde_json::Value;

use crate::{Ran, TINY_GRPO, contents, copy_policy, file, toolrl};

/// Fine-tuning, reinforcement after it, and the policy as it is: three runs a seed, for one is shared.
fn study_file(dir: &Path) -> String {
    let settings =
        TINY_GRPO.iter().filter(|s| s.starts_with("data") || s.starts_with("eval") || s.starts_with("slots"));
    let settings: Vec<String> = settings.map(|s| format!("{s:?}")).collect();
    let grpo = r#"{ recipe = "tiny-grpo", set = ["train.steps=2", "train.prompts=2", "train.group_size=4", "sampling.max_new_tokens=32"] }"#;
    let sft = r#"{ recipe = "tiny-sft", set = ["train.steps=1", "train.batch=2"] }"#;
    let text = format!(
        "name = \"mine\"\nabout = \"<b>small</b>\"\nseeds = [1, 2]\nset = [{}]\n\
         [[arm]]\nname = \"raw\"\n\
         [[arm]]\nname = \"SFT\"\nstage = [{sft}]\n\
         [[arm]]\nname = \"SFT+GRPO\"\nstage = [{sft}, {grpo}]\n\
         [[finding]]\nclaim = \"GRPO helps\"\nbetter = \"SFT+GRPO\"\nworse = \"raw\"\nby = \"reward\"\n",
        settings.join(", ")
    );
    file(dir, "mine.toml", text)
}

/// The lines of progress, without their seconds.
fn lines(ran: &Ran) -> Vec<String> {
    let of_study = |line: &&str| line.split_once(' ').is_some_and(|(head, _)| head.contains('/'));
    ran.stderr.lines().filter(of_study).map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

#[test]
fn a_study_that_was_cut_off_does_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let study = study_file(dir.path());
    let ran = toolrl(dir.path(), &["study", &study]);
    let expected = [
        "1/4 SFT, seed 1",
        "2/4 SFT+GRPO, stage 2 of 2, seed 1",
        "3/4 SFT, seed 2",
        "4/4 SFT+GRPO, stage 2 of 2, seed 2",
    ];
    assert_eq!(lines(&ran), expected, "{}", ran.stderr);
    let table = ran.ok();
    assert!(table.contains("| SFT+GRPO | ") && table.contains("| GRPO helps | reward | "), "{table}");

    let out = dir.path().join("studies/mine");
    let json: Value = serde_json::from_slice(&std::fs::read(out.join("study.json")).unwrap()).unwrap();
    let arm = &json["arms"][2];
    assert_eq!((&arm["name"], arm["runs"].as_array().unwrap().len()), (&"SFT+GRPO".into(), 2));
    assert_eq!(arm["measures"]["reward"]["values"].as_array().unwrap().len(), 2);
    assert_eq!(arm["curve"].as_array().unwrap().len(), 2, "a point a step");
    assert_eq!(json["arms"][0]["runs"].as_array().unwrap().len(), 2, "the start is evaluated by seed");
    assert!(json["findings"][0]["verdict"] != "too_few_seeds");
    // What a run learns by is the mean over its steps; fine-tuning samples nothing.
    let metrics = std::fs::read_to_string(out.join("runs/sft-grpo-stage2-seed1/metrics.jsonl")).unwrap();
    let rewards = metrics.lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        row["reward"]["mean"].as_f64().unwrap()
    });
    let learning = arm["measures"]["learning"]["values"][0].as_f64().unwrap();
    assert!((learning - rewards.sum::<f64>() / 2.0).abs() < 1e-9);
    assert_eq!(json["arms"][1]["measures"].get("learning"), None);
    // The second stage begins with what the first left.
    let summary = |run: &str| -> Value {
        serde_json::from_slice(&std::fs::read(out.join("runs").join(run).join("summary.json")).unwrap())
            .unwrap()
    };
    let (first, second) = (summary("sft-stage1-seed2"), summary("sft-grpo-stage2-seed2"));
    assert_eq!(first["after"]["mean_reward"], second["before"]["mean_reward"]);
    let config = std::fs::read_to_string(out.join("runs/sft-grpo-stage2-seed2/config.toml")).unwrap();
    assert!(config.contains("runs/sft-stage1-seed2/final"), "{config}");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("&lt;b&gt;small") && page.contains("<svg"), "the page is escaped and has a curve");

    // Of a run that was cut off everything is done again, of the others nothing.
    let whole = contents(&out);
    std::fs::remove_file(out.join("runs/sft-grpo-stage2-seed1/summary.json")).unwrap();
    let again = toolrl(dir.path(), &["study", &study]);
    assert_eq!(again.stderr.matches(", before").count(), 3, "{}", again.stderr);
    assert_eq!(again.ok().lines().count(), table.lines().count());
    let weights = Path::new("runs/sft-grpo-stage2-seed1/final/model.safetensors");
    assert!(
        contents(&out)[&out.join(weights)] == whole[&out.join(weights)],
        "the same run gives the same weights"
    );

    // Side by side, on fewer threads each: the same to the bit.
    let ran = toolrl(dir.path(), &["study", &study, "--jobs", "3", "--out", "side"]);
    assert!(lines(&ran).iter().map(|line| &line[..4]).eq(["1/4 ", "2/4 ", "3/4 ", "4/4 "]), "{}", ran.stderr);
    let without_minutes = |table: &str| -> Vec<String> {
        let of_table = table.lines().filter(|line| line.starts_with('|'));
        of_table.map(|line| line.rsplitn(4, '|').last().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(without_minutes(&ran.ok()), without_minutes(&table));
    for seed in ["seed1", "seed2"] {
        let weights = Path::new("runs").join(format!("sft-grpo-stage2-{seed}/final/model.safetensors"));
        let [one, other] = [out.join(&weights), dir.path().join("side").join(&weights)].map(std::fs::read);
        assert!(one.unwrap() == other.unwrap(), "{seed}");
    }
}

#[test]
fn a_run_from_another_policy_is_not_taken_for_one_of_the_plan() {
    let dir = tempfile::tempdir().unwrap();
    let study = study_file(dir.path());
    let done = |study: &str| toolrl(dir.path(), &["study", study, "--seeds", "1"]);
    done(&study).ok();
    let other = copy_policy(dir.path(), "other", &[]);
    file(Path::new(&other), "notes.txt", "another");
    let told = toolrl(dir.path(), &["study", &study, "--seeds", "1", "--policy", &other]);
    assert!(told.stderr.contains("sft-stage1-seed1 began with other files"), "{}", told.stderr);
    told.ok();
    let first = dir.path().join("studies/mine/runs/sft-stage1-seed1");
    std::fs::remove_dir_all(&first).unwrap();
    let again = done(&study);
    assert_eq!(again.stderr.matches(", before").count(), 1, "the same policy again: {}", again.stderr);
    again.ok();
    std::fs::remove_dir_all(&first).unwrap();
    let text = std::fs::read_to_string(&study).unwrap();
    let other = text.replace("\"train.batch=2\"", "\"train.batch=2\", \"train.optimizer.lr=1e-3\"");
    let message = done(&file(dir.path(), "other.toml", other)).error();
    for part in ["sft-grpo-stage2-seed1 began with another policy", "sft-stage1-seed1/final"] {
        assert!(message.contains(part), "{message}");
    }
}

/// Policies are measured by a study's own tests, a benchmark among them; where the benchmark's data is not there, without it.
#[test]
fn what_arms_leave_is_tested() {
    let dir = tempfile::tempdir().unwrap();
    let study = study_file(dir.path());
    let tests = r#"
        [[test]]
        name = "others"
        recipe = "laptop-test"
        set = ["data.world.seed=5", "data.world.train=8", "data.world.held_out=3", "train.steps=0"]
        [[test]]
        name = "bfcl"
        recipe = "laptop-test"
        set = ["train.steps=0", "eval.limit=0", "eval.benchmarks=[{ benchmark = 'bfcl', data = 'nowhere', categories = ['simple', 'irrelevance'], per_category = 1, drawn = 3, max_new_tokens = 8 }]"]
    "#;
    let text = std::fs::read_to_string(dir.path().join(&study)).unwrap();
    let text = text.replacen("seeds = [1, 2]", "seeds = [1]\ncheckpoints = \"drop\"", 1);
    let text = text.replace("\"train.steps=2\"", "\"train.steps=2\", \"train.checkpoint_every=1\"");
    let study = file(dir.path(), "tested.toml", format!("{text}{tests}"));
    let without = toolrl(dir.path(), &["study", &study, "--only", "raw,SFT"]);
    assert!(without.stderr.contains("test \"bfcl\" is left out: there is no nowhere"), "{}", without.stderr);
    assert_eq!(
        lines(&without),
        ["1/3 raw, test others, seed 1", "2/3 SFT, seed 1", "3/3 SFT, test others, seed 1"]
    );
    without.ok();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/bfcl_v3");
    let ran = toolrl(dir.path(), &["study", &study, "--bfcl", fixtures]);
    assert_eq!(ran.stderr.matches(", before").count(), 3, "the tests are made up for: {}", ran.stderr);
    let table = ran.ok();
    assert!(table.contains("BFCL irrelevance") && table.contains("| exact, by kind of task |"), "{table}");
    let out = dir.path().join("studies/mine");
    let json: Value = serde_json::from_slice(&std::fs::read(out.join("study.json")).unwrap()).unwrap();
    for arm in json["arms"].as_array().unwrap() {
        assert_eq!(arm["runs"][0]["after"]["tasks"], 3, "the test's tasks: {arm}");
        let irrelevance = arm["measures"]["bfcl_irrelevance"]["mean"].as_f64().unwrap();
        assert!(irrelevance == 0.0 || irrelevance == 1.0);
        assert!(arm["intervals"]["reward"]["low"].as_f64() <= arm["measures"]["reward"]["mean"].as_f64());
    }
    let runs = out.join("runs");
    assert!(!runs.join("sft-test-others-seed1/final").exists(), "a test leaves no policy");
    assert!(runs.join("sft-grpo-stage2-seed1/final").exists());
    for kept in ["checkpoints", "last"] {
        assert!(!runs.join("sft-grpo-stage2-seed1").join(kept).exists(), "{kept}");
    }
    // A test that was cut off is done anew, and nothing else.
    std::fs::remove_file(runs.join("sft-test-bfcl-seed1/summary.json")).unwrap();
    let again = toolrl(dir.path(), &["study", &study, "--bfcl", fixtures]);
    assert_eq!(again.stderr.matches(", before").count(), lines(&again).len() - 1, "{}", again.stderr);
    again.ok();
    let message = toolrl(dir.path(), &["study", &study, "--bfcl", "gone"]).error();
    assert!(message.contains("gone: no such folder"), "{message}");
}

#[test]
fn a_failed_run_ends_a_study_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let study = study_file(dir.path());
    // The first stage's run cannot be made where a file lies.
    std::fs::create_dir_all(dir.path().join("out")).unwrap();
    file(&dir.path().join("out"), "runs", "");
    let message = toolrl(dir.path(), &["study", &study, "--jobs", "2", "--out", "out"]).error();
    assert!(message.contains("out/runs/sft-stage1-seed"), "{message}");
}

#[test]
fn a_study_that_cannot_be_done_is_refused_before_anything_is_trained() {
    let dir = tempfile::tempdir().unwrap();
    let study = study_file(dir.path());
    let cases: [(&[&str], &str); 9] = [
        (&["study", "quick", "--only", "raw"], "no arm of raw is trained"),
        (&["study", "paper", "--only", "RLOO", "--set", "train.credit=spans"], "group_normalized"),
        (&["study", "quik"], "quick, paper"),
        (&["study", "quick", "--only", "PPO"], "no arm \"PPO\""),
        (&["study", "gone.toml"], "gone.toml"),
        (&["study", "quick", "--set", "train.stepz=1"], "stepz"),
        (&["study", "quick", "--set", "reward=[{ id = 'taste' }]"], "taste"),
        (&["study", "quick", "--set", "seed = 9"], "choose them with --seeds"),
        (&["study", "quick", "--bfcl", "."], "quick has no test on BFCL"),
    ];
    for (args, part) in cases {
        let message = toolrl(dir.path(), args).error();
        assert!(message.contains(part), "{args:?}: {message}");
    }
    // Every arm of an embedded study can be resolved.
    for name in ["quick", "paper", "claim"] {
        toolrl(dir.path(), &["study", name, "--dry-run"]).ok();
    }
    // What the command line sets comes after what a stage does.
    let set =
        toolrl(dir.path(), &["study", "paper", "--only", "CISPO", "--set", "train.updates=3", "--dry-run"])
            .ok();
    assert!(set.find("train.updates=3") > set.find("train.updates=2"), "{set}");
    let printed =
        toolrl(dir.path(), &["study", "paper", "--seeds", "5,6", "--only", "raw,GRPO", "--dry-run"]).ok();
    assert!(printed.contains("seeds = [5, 6]") && !printed.contains("name = \"PPO\""), "{printed}");
    // The printed study is one that can be read.
    let printed = file(dir.path(), "printed.toml", &printed);
    toolrl(dir.path(), &["study", &printed, "--dry-run"]).ok();
    assert!(!dir.path().join("studies").exists(), "nothing was made");

    // Finished runs of other settings are not taken for this study's.
    toolrl(dir.path(), &["study", &study, "--only", "SFT", "--seeds", "1"]).ok();
    let message = toolrl(
        dir.path(),
        &["study", &study, "--only", "SFT", "--seeds", "1", "--set", "train.optimizer.lr=1e-5"],
    )
    .error();
    assert!(message.contains("other settings") && message.contains("sft-stage1-seed1"), "{message}");
}

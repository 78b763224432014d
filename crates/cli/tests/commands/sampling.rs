//! How a run's tokens are drawn and where its turns end; and how its moments are stored.

use toolrl_record::{Completion, completions_path, read_completions};
use toolrl_rollout::FinishReason;

use crate::{TINY_GRPO, metrics, toolrl_in, train};

/// Values take 4 bytes, and moments 2 in place of 8; the weights are near those that moments in f32 lead to.
#[test]
fn moments_in_8_bits_take_a_quarter() {
    let dir = tempfile::tempdir().unwrap();
    let common = ["train.steps=3", "train.batch=2", "train.checkpoint_every=2", "data.world.train=8"];
    let [(full, full_loss), (small, small_loss)] = ["f32", "8bit"].map(|moments| {
        let own = format!("train.optimizer.moments={moments}");
        let rest =
            [own.as_str(), "train.optimizer.lr=1e-3", "data.world.held_out=2", "eval.max_new_tokens=4"];
        train(dir.path(), &["tiny-sft", "--run-dir", moments], &[&common[..], &rest].concat()).ok();
        let run = dir.path().join(moments);
        let state = run.join("checkpoints/step-00002/trainer/state.safetensors");
        (state.metadata().unwrap().len(), metrics(&run)[2]["loss"].as_f64().unwrap())
    });
    assert!(small < full * 11 / 20 && small > full / 2, "{small} of {full}");
    assert!(full_loss != small_loss && (full_loss - small_loss).abs() < 0.05, "{full_loss} {small_loss}");
    let message = train(dir.path(), &["tiny-sft", "--dry-run"], &["train.optimizer.moments=4bit"]).error();
    assert!(message.contains("4bit") && message.contains("8bit"), "{message}");
}

/// Of both methods, by one thread and by two: turns end at the string, are scored without it, and count as ended.
#[test]
fn turns_end_at_stop_strings_and_unlikely_tokens_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let sampling = [
        "sampling.top_k=40",
        "sampling.min_p=0.01",
        "sampling.stop=[\"</think>\", \"never written\"]",
        "train.truncated=mask",
    ];
    for method in ["train.method=grpo", "train.method=ppo"] {
        let settings = [&TINY_GRPO[..], &sampling, &[method]].concat();
        let of_threads = |threads: &str| {
            let run = format!("{method}-{threads}");
            let set = settings.iter().flat_map(|s| ["--set", *s]);
            let args: Vec<&str> = ["train", "--run-dir", &run].into_iter().chain(set).collect();
            let ran = toolrl_in(&[("RAYON_NUM_THREADS", threads)], dir.path(), &args);
            assert!(ran.stderr.contains("sampling.top_k = 40, sampling.min_p = 0.01"), "{}", ran.stderr);
            ran.ok();
            dir.path().join(run)
        };
        let [run, again] = ["1", "2"].map(of_threads);
        let replies = read_completions(&completions_path(&run, 1)).unwrap();
        assert_eq!(read_completions(&completions_path(&again, 1)).unwrap(), replies);
        let stopped = |reply: &&Completion| reply.finish == FinishReason::StopString;
        assert!(replies.iter().filter(stopped).count() > 2, "{replies:?}");
        assert!(replies.iter().all(|reply| !reply.completion.contains("</think>")), "{replies:?}");
        let ended = replies.iter().filter(|reply| reply.finish != FinishReason::Length).count();
        let rate = metrics(&run)[0]["stop_rate"].as_f64().unwrap();
        assert!((rate - ended as f64 / replies.len() as f64).abs() < 1e-9, "{rate}");
        let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
        assert!(config.contains("stop = [\"</think>\", \"never written\"]"), "{config}");
    }
}

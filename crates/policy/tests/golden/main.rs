//! The decoder against reference values computed by transformers.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod inputs;

use std::convert::Infallible;
use std::path::Path;
use std::process::Command;

use burn::tensor::Tensor;
use inputs::{Tensors, models};
use toolrl_kernels::{CacheSpans, Ids, Packing, logprob_entropy};
use toolrl_policy::{
    Activations, Derivatives, JoinedProjections, KvCache, Pass, PassSettings, Policy, Precision,
};
use toolrl_testing::{device, shared, smollm2};

fn vec<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.into_data().try_into_vec_as().unwrap()
}

fn logits(policy: &Policy, ids: &[u32]) -> Vec<f32> {
    let hidden = policy.decoder().hidden(ids.to_vec().into(), &Packing::single(ids.len()).into());
    vec(policy.decoder().logits(hidden))
}

fn largest_gap(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0.0, |m, (a, b)| m.max((a - b).abs()))
}

/// At most n greedy tokens by prefill and cached decoding, to the first of `stop`.
fn greedy(policy: &Policy, prompt: &[u32], n: usize, stop: &[u32]) -> Vec<u32> {
    let decoder = policy.decoder();
    let mut cache = KvCache::new(policy, prompt.len() + n);
    let rows: Vec<usize> = (0..prompt.len()).collect();
    let mut last =
        decoder.prefill(prompt.to_vec().into(), &Packing::single(prompt.len()).into(), &mut cache, rows);
    let mut out = Vec::new();
    loop {
        let logits = vec(decoder.logits(last));
        let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap() as u32;
        out.push(best);
        if out.len() == n || stop.contains(&best) {
            return out;
        }
        let spans = CacheSpans { prefix: (0, prompt.len()), own: (prompt.len(), out.len()) };
        last = decoder.decode(
            &decoder.decode_step(vec![best], vec![spans]),
            &JoinedProjections::default(),
            &mut cache,
        );
    }
}

#[test]
fn tiny_models_have_the_reference_logits_and_greedy_tokens() {
    let Some(dir) = shared("golden/model/tiny") else { return };
    for name in models() {
        let policy = Policy::load(&dir.join(name), Precision::F32, &device()).unwrap();
        let io = Tensors::read(&dir.join(name).join("io.safetensors"));
        let (ids, expected) = (io.rows("input_ids"), io.floats("logits"));
        let per_row = expected.len() / ids.len();
        for (row, ids) in ids.iter().enumerate() {
            let got = logits(&policy, ids);
            let tail = &got[got.len() - per_row..];
            let gap = largest_gap(tail, &expected[row * per_row..(row + 1) * per_row]);
            assert!(gap < 1e-4, "{name}: logits differ by {gap}");
        }
        let expected = &io.rows("greedy_ids")[0];
        assert_eq!(&greedy(&policy, &io.rows("greedy_prompt")[0], expected.len(), &[]), expected, "{name}");
    }
}

#[test]
fn computing_layers_again_gives_the_same_gradients() {
    let Some(dir) = shared("golden/model/tiny") else { return };
    for name in models() {
        let policy = Policy::load(&dir.join(name), Precision::F32, &device()).unwrap();
        // A prompt of five tokens and two replies that share it.
        let mut packing = Packing::new();
        let prompt = packing.push(5, None);
        packing.push(3, Some(prompt));
        packing.push(2, Some(prompt));
        let pass = Pass {
            tokens: Ids::new((10..20).collect()),
            packing: packing.into(),
            rows: vec![4, 5, 6, 7, 4, 8, 9].into(),
            targets: vec![15, 16, 17, 3, 18, 19, 4].into(),
        };
        let gradients = |activations| {
            let loss = |logp: &[f32], _: &[f32]| {
                let by_logp = (0..logp.len()).map(|i| i as f32 - 2.5).collect();
                Ok::<_, Infallible>(Derivatives { by_logp, by_entropy: vec![0.1; logp.len()] })
            };
            let settings = PassSettings { inverse_temperature: 0.7, activations, seed: 1 };
            policy.gradients(&pass, &settings, loss).unwrap().into_values()
        };
        let (kept, again) = (gradients(Activations::Keep), gradients(Activations::Recompute));
        for ((parameter, kept), again) in policy.parameters().iter().zip(&kept).zip(&again) {
            assert_eq!(kept.len(), parameter.values.len(), "{name} {}", parameter.name);
            assert!(kept.iter().any(|g| *g != 0.0), "{name} {} has a gradient", parameter.name);
            assert_eq!(kept, again, "{name} {}", parameter.name);
        }
    }
}

#[test]
fn saving_and_loading_keeps_every_bit() {
    let Some(dir) = shared("golden/model/tiny") else { return };
    let out = tempfile::tempdir().unwrap();
    for name in models() {
        let policy = Policy::load(&dir.join(name), Precision::F32, &device()).unwrap();
        let saved = out.path().join(name);
        policy.save(&saved, |dir| std::fs::write(dir.join("tokenizer.json"), "{}")).unwrap();
        assert!(saved.join("tokenizer.json").exists());
        policy.save(&saved, |_| Ok::<_, std::io::Error>(())).unwrap();
        assert!(!saved.join("tokenizer.json").exists(), "the new directory replaces the old one");
        let again = Policy::load(&saved, Precision::F32, &device()).unwrap();
        assert_eq!(policy.parameters(), again.parameters(), "{name}");
        assert_eq!(policy.generation(), again.generation());
        assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 1, "nothing is left beside it");
        std::fs::remove_dir_all(&saved).unwrap();
    }
}

/// What `same_model.py` exits with where Python has no transformers.
const NO_TRANSFORMERS: i32 = 77;

#[test]
fn transformers_reads_what_is_saved_without_a_difference() {
    let Some(dir) = shared("golden/model/tiny") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/same_model.py");
    let python = std::env::var_os("TOOLRL_PYTHON").unwrap_or_else(|| "python3".into());
    let out = tempfile::tempdir().unwrap();
    for name in models() {
        let saved = out.path().join(name);
        let policy = Policy::load(&dir.join(name), Precision::F32, &device()).unwrap();
        policy.save(&saved, |_| Ok::<_, std::io::Error>(())).unwrap();
        let run = Command::new(&python).arg(&script).args([dir.join(name), saved]).output();
        match run.as_ref().map(|run| run.status.code()) {
            Ok(Some(0)) => {}
            Err(_) | Ok(Some(NO_TRANSFORMERS)) => {
                eprintln!("skipped: {} has no transformers", python.display());
                return;
            }
            _ => panic!("{name}: {run:?}"),
        }
    }
}

#[test]
fn smollm2_has_the_reference_numbers() {
    let (Some(dir), Some(reference)) = (smollm2(), shared("golden/model/smollm2/reference.json")) else {
        return;
    };
    let policy = Policy::load(&dir, Precision::F32, &device()).unwrap();
    let reference: serde_json::Value = serde_json::from_slice(&std::fs::read(reference).unwrap()).unwrap();
    for case in reference["cases"].as_array().unwrap() {
        let ids: Vec<u32> = serde_json::from_value(case["input_ids"].clone()).unwrap();
        let hidden = policy.decoder().hidden(ids.clone().into(), &Packing::single(ids.len()).into());
        let last = vec(policy.decoder().logits(hidden.clone().narrow(0, ids.len() - 1, 1)));
        let top: Vec<usize> = serde_json::from_value(case["last_logits_top20"]["ids"].clone()).unwrap();
        let expected: Vec<f32> = serde_json::from_value(case["last_logits_top20"]["logits"].clone()).unwrap();
        let got: Vec<f32> = top.iter().map(|&i| last[i]).collect();
        assert!(largest_gap(&got, &expected) < 1e-3, "{}: {}", case["name"], largest_gap(&got, &expected));

        let next = Ids::new(ids[1..].to_vec());
        let hidden = hidden.narrow(0, 0, ids.len() - 1);
        let logp = vec(logprob_entropy(hidden, policy.decoder().head(), next, 1.0).narrow(0, 0, 1));
        let expected: Vec<f32> = serde_json::from_value(case["token_logprobs"].clone()).unwrap();
        assert!(largest_gap(&logp, &expected) < 1e-3, "{}", case["name"]);

        let expected: Vec<u32> = serde_json::from_value(case["greedy_ids"].clone()).unwrap();
        let stop = &policy.generation().stop_tokens;
        assert_eq!(greedy(&policy, &ids, expected.len(), stop), expected, "{}", case["name"]);
    }
}

#[test]
fn a_missing_and_an_unexpected_tensor_are_named_together() {
    let Some(dir) = shared("golden/model/tiny/qwen2_tied") else { return };
    let out = tempfile::tempdir().unwrap();
    let mut config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("config.json")).unwrap()).unwrap();
    config["num_hidden_layers"] = 1.into();
    config["tie_word_embeddings"] = false.into();
    config["intermediate_size"] = 64.into();
    std::fs::write(out.path().join("config.json"), config.to_string()).unwrap();
    std::fs::copy(dir.join("model.safetensors"), out.path().join("model.safetensors")).unwrap();
    let message = Policy::load(out.path(), Precision::F32, &device()).unwrap_err().to_string();
    for part in [
        "1 missing: lm_head.weight",
        "unexpected: model.layers.1.",
        "mlp.up_proj.weight is F32 [128, 64], expected floats [64, 64]",
    ] {
        assert!(message.contains(part), "{message}");
    }
    config["hidden_act"] = "gelu".into();
    std::fs::write(out.path().join("config.json"), config.to_string()).unwrap();
    let message = Policy::load(out.path(), Precision::F32, &device()).unwrap_err().to_string();
    assert!(message.contains("hidden_act = \"gelu\" is not supported"), "{message}");
}

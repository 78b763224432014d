//! Directories that follow other conventions, or contradict themselves: read as transformers reads them, with a warning
//! that names both where two things contradict each other.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use burn::tensor::Device;
use safetensors::Dtype;
use serde_json::{Value, json};
use toolrl_policy::{Critic, Inspection, Policy, Precision};

use crate::row::{compare, logprobs};
use crate::tensors::{Tensor, read_tensors, write};
use crate::{adapter, load, policy_with, read, reference};

const WEIGHTS: &str = "model.safetensors";
const TABLE: &str = "model.embed_tokens.weight";

/// What a directory's policy is, and what was warned of while it was read.
fn load_with_warnings(dir: &Path) -> (Policy, String) {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let (writer, level) = (log.clone(), tracing_subscriber::filter::LevelFilter::WARN);
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_writer(move || writer.clone());
    let policy = tracing::subscriber::with_default(subscriber.with_ansi(false).finish(), || load(dir));
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    (policy, text)
}

fn expected(form: &str) -> Value {
    read(&reference().join("rope.json"))[form]["logprobs"].clone()
}

/// The reference policy with other tensors and keys of its configuration.
fn changed(dir: &Path, over: &Value, change: impl FnOnce(&mut Vec<Tensor>)) -> std::path::PathBuf {
    let policy = policy_with(dir, over);
    let mut tensors = read_tensors(&policy.join(WEIGHTS));
    change(&mut tensors);
    write(&policy.join(WEIGHTS), &tensors);
    policy
}

fn head(tensors: &[Tensor], change: impl FnOnce(&mut [u8])) -> Tensor {
    let mut head = tensors.iter().find(|tensor| tensor.name == TABLE).unwrap().clone();
    head.name = "lm_head.weight".to_owned();
    change(&mut head.bytes);
    head
}

/// Another number in the first row.
fn other(bytes: &mut [u8]) {
    bytes[..4].copy_from_slice(&1.5f32.to_le_bytes());
}

#[test]
fn names_of_tensors() {
    type Change = fn(&mut Vec<Tensor>);
    let changes: [(&str, Change); 6] = [
        ("without a prefix", |tensors| {
            tensors.iter_mut().for_each(|t| t.name = t.name.strip_prefix("model.").unwrap().to_owned());
        }),
        ("one too much", |tensors| tensors.iter_mut().for_each(|t| t.name = format!("model.{}", t.name))),
        ("buffers of angles", |tensors| {
            for layer in 0..2 {
                let name = format!("model.layers.{layer}.self_attn.rotary_emb.inv_freq");
                tensors.push(Tensor::floats(&name, vec![4], vec![9.0; 4]));
            }
        }),
        ("the table as head too", |tensors| tensors.push(head(tensors, |_| ()))),
        ("the table as head, stored otherwise", |tensors| {
            // Numbers of bf16, in both.
            let table = tensors.iter_mut().find(|t| t.name == TABLE).unwrap();
            table.bytes.chunks_exact_mut(4).for_each(|four| four[..2].fill(0));
            tensors.push(head(tensors, |_| ()).narrow());
        }),
        ("the table as head alone", |tensors| {
            tensors.iter_mut().filter(|t| t.name == TABLE).for_each(|t| t.name = "lm_head.weight".to_owned());
        }),
    ];
    for (name, change) in changes {
        let dir = tempfile::tempdir().unwrap();
        let (policy, warnings) = load_with_warnings(&changed(dir.path(), &json!({}), change));
        assert_eq!(warnings, "", "{name}");
        assert!(policy.config().tie_word_embeddings, "{name}");
        if name != "the table as head, stored otherwise" {
            compare(name, &policy, &expected("as it is"), 80);
        }
    }
}

#[test]
fn names_of_architectures() {
    for (architectures, warns) in [
        (json!(null), false),
        (json!(["FSDPQwen2ForCausalLM"]), false),
        (json!(["Qwen2Model"]), false),
        (json!(["Qwen2ForSequenceClassification"]), false),
        (json!([]), false),
        (json!(["LlamaForCausalLM"]), true),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let from = policy_with(dir.path(), &json!({ "architectures": architectures }));
        let (policy, warnings) = load_with_warnings(&from);
        compare("architectures", &policy, &expected("as it is"), 80);
        assert_eq!(
            warnings.contains("model_type") && warnings.contains("LlamaForCausalLM"),
            warns,
            "{warnings}"
        );
        // What is saved has the name of what it is.
        let to = dir.path().join("saved");
        policy.save(&to, |_| Ok::<_, std::io::Error>(())).unwrap();
        assert_eq!(read(&to.join("config.json"))["architectures"], json!(["Qwen2ForCausalLM"]));
    }
    // The head of a critic counts, whatever is before its name.
    let dir = tempfile::tempdir().unwrap();
    let (policy, critic) = (load(&reference().join("policy")), dir.path().join("critic"));
    Critic::of(&policy).save(&critic, |_| Ok::<_, std::io::Error>(())).unwrap();
    let path = critic.join("config.json");
    let text = fs::read_to_string(&path).unwrap().replace("Qwen2For", "FSDPQwen2For");
    fs::write(&path, text).unwrap();
    assert!(Critic::load(&critic, Precision::F32, &Device::flex()).is_ok());
    assert!(Policy::load(&critic, Precision::F32, &Device::flex()).is_err());
}

#[test]
fn a_head_of_its_own_counts() {
    let dir = tempfile::tempdir().unwrap();
    let told = changed(&dir.path().join("tied"), &json!({}), |tensors| tensors.push(head(tensors, other)));
    let untied = json!({"tie_word_embeddings": false});
    let right = changed(&dir.path().join("untied"), &untied, |tensors| tensors.push(head(tensors, other)));
    let (policy, warnings) = load_with_warnings(&told);
    assert!(warnings.contains("lm_head.weight") && warnings.contains("tie_word_embeddings"), "{warnings}");
    assert_eq!(warnings.lines().count(), 1, "{warnings}");
    assert_eq!(logprobs(&policy, 30), logprobs(&load(&right), 30));
    assert_ne!(logprobs(&policy, 30), logprobs(&load(&reference().join("policy")), 30));
    assert!(!Inspection::of(&told).unwrap().config.tie_word_embeddings);
    // Saved, it does not contradict itself any more.
    let again = dir.path().join("again");
    policy.save(&again, |_| Ok::<_, std::io::Error>(())).unwrap();
    let (same, warnings) = load_with_warnings(&again);
    assert_eq!((logprobs(&same, 30), warnings), (logprobs(&policy, 30), String::new()));
}

#[test]
fn the_single_file_counts_and_not_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let policy = policy_with(dir.path(), &json!({}));
    let index = |file: &str| {
        let map = json!({"weight_map": {TABLE: file}}).to_string();
        fs::write(policy.join("model.safetensors.index.json"), map).unwrap();
        load_with_warnings(&policy)
    };
    let (stale, warnings) = index("model-00001-of-00002.safetensors");
    compare("a stale index", &stale, &expected("as it is"), 80);
    assert!(warnings.contains("model.safetensors counts") && warnings.contains("index.json"), "{warnings}");
    assert_eq!(index(WEIGHTS).1, "");
}

#[test]
fn keys_that_contradict_each_other() {
    for (over, names) in [
        (json!({"dtype": "float32", "torch_dtype": "bfloat16"}), ["dtype", "torch_dtype"]),
        (
            json!({"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": {"rope_type": "default"}}),
            ["rope_scaling", "rope_parameters"],
        ),
        (json!({"rope_theta": 5.0, "rope_parameters": {"rope_theta": 100.0}}), ["5.0", "100.0"]),
        (json!({"rope_parameters": {"rope_type": "default", "type": "linear"}}), ["rope_type", "type"]),
        (json!({"rope_parameters": {"rope_type": "default", "factor": 3.5}}), ["factor", "3.5"]),
        (json!({"rope_parameters": {"partial_rotary_factor": 0.5}}), ["partial_rotary_factor", "0.5"]),
        (
            json!({"original_max_position_embeddings": 8, "rope_parameters": null, "rope_scaling":
                {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 16}}),
            ["8", "16"],
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (_, warnings) = load_with_warnings(&policy_with(dir.path(), &over));
        assert!(names.iter().all(|name| warnings.contains(name)), "{over}: {warnings}");
        assert_eq!(warnings.lines().count(), 1, "{warnings}");
    }
    let dir = tempfile::tempdir().unwrap();
    let same = json!({"dtype": "float32", "torch_dtype": "float32", "rope_theta": 10_000});
    assert_eq!(load_with_warnings(&policy_with(dir.path(), &same)).1, "");
}

#[test]
fn adapters_beside_a_whole_model() {
    let (dir, all) = (tempfile::tempdir().unwrap(), read(&reference().join("adapters.json")));
    let form = &all["plain"];
    let both = adapter(dir.path(), &form["config"], &form["tensors"]);
    for file in ["config.json", WEIGHTS] {
        fs::copy(reference().join("policy").join(file), both.join(file)).unwrap();
    }
    for base in [json!("/somewhere/else"), json!(both), json!(null)] {
        let mut config = form["config"].clone();
        config["base_model_name_or_path"] = base.clone();
        fs::write(both.join("adapter_config.json"), config.to_string()).unwrap();
        let (policy, warnings) = load_with_warnings(&both);
        compare("beside a model", &policy, &form["logprobs"], 20);
        assert!(warnings.contains("its adapters are applied to the model in it"), "{warnings}");
        assert_eq!(warnings.contains("/somewhere/else"), base == "/somewhere/else", "{warnings}");
        assert!(Inspection::of(&both).unwrap().lora.is_some());
    }
    // Settings without weights are no model.
    fs::remove_file(both.join(WEIGHTS)).unwrap();
    let mut config = form["config"].clone();
    config["base_model_name_or_path"] = json!(reference().join("policy"));
    fs::write(both.join("adapter_config.json"), config.to_string()).unwrap();
    compare("beside settings", &load(&both), &form["logprobs"], 20);
}

#[test]
fn merged_weights_have_the_type_of_their_base() {
    let all = read(&reference().join("adapters.json"));
    for (over, narrow, expected) in [
        (json!({"dtype": null}), false, Dtype::F32),
        (json!({"dtype": null}), true, Dtype::BF16),
        (json!({"dtype": "bfloat16"}), true, Dtype::BF16),
        (json!({"dtype": null, "torch_dtype": "float16"}), false, Dtype::F16),
        (json!({"dtype": "float16", "torch_dtype": "bfloat16"}), true, Dtype::F16),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let base = changed(dir.path(), &over, |tensors| {
            if narrow {
                *tensors = std::mem::take(tensors).into_iter().map(Tensor::narrow).collect();
            }
        });
        for form in ["plain", "dora"] {
            let from = adapter(dir.path(), &all[form]["config"], &all[form]["tensors"]);
            let path = from.join("adapter_config.json");
            let mut config = read(&path);
            config["base_model_name_or_path"] = json!(base);
            fs::write(&path, config.to_string()).unwrap();
            let (policy, merged) = (load(&from), dir.path().join(form));
            policy.merged().save_as_read(&merged, |_| Ok::<_, std::io::Error>(())).unwrap();
            let tensors = read_tensors(&merged.join(WEIGHTS));
            assert!(tensors.iter().all(|tensor| tensor.dtype == expected), "{over} {form}");
            let (config, name) = (read(&merged.join("config.json")), format!("{expected:?}"));
            let told = ["dtype", "torch_dtype"].map(|key| config.get(key).and_then(Value::as_str));
            let bits = if expected == Dtype::F32 { "float32" } else { "float16" };
            let right = |told: &&str| *told == if name == "BF16" { "bfloat16" } else { bits };
            assert!(
                told.iter().flatten().count() > 0 && told.iter().flatten().all(right),
                "{over}: {told:?}"
            );
        }
    }
}

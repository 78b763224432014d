//! The prompts of a model's own template, held to those of bfcl-eval's handler of Qwen3.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use toolrl_benchmarks::{Benchmark as _, Bfcl, BfclSettings};
use toolrl_bfcl::{Category, Handler, NativeFormat, Sources};
use toolrl_chat::Chat;
use toolrl_testing::shared;

/// With Qwen3's tokenizer and template and BFCL's cases, where they are. `fixtures/bfcl_native/make.py` writes the hashes.
#[test]
fn every_prompt_is_official() {
    let Some((data, qwen)) = shared("data/bfcl_v3").zip(shared("golden/model/tokenizers/qwen3")) else {
        return;
    };
    let chat = Chat::load(&qwen).unwrap();
    let (handler, categories) = (Handler::Native(NativeFormat::Hermes), Category::single_turn());
    let settings = BfclSettings { handler, categories, ..BfclSettings::new().unwrap() };
    let bfcl = Bfcl::load(&Sources::new(data), settings).unwrap();
    for line in include_str!("../../../fixtures/bfcl_native/prompts.jsonl").lines() {
        let official: Value = serde_json::from_str(line).unwrap();
        // The handler writes letters beyond ASCII as escapes, which no template does.
        let escaped = official["escaped"].as_array().unwrap();
        let cases = bfcl.cases().iter().enumerate().filter(|(_, case)| official["category"] == *case.group);
        assert_eq!(cases.clone().count() as u64, official["cases"]);
        let plain = cases.filter(|(_, case)| !escaped.contains(&Value::from(case.id.as_str())));
        let mut hashes = Sha256::new();
        for (index, _) in plain {
            let opening = bfcl.open(index).unwrap().opening();
            let prompt = chat.render_with_tools(&opening.messages, &opening.tools, true).unwrap();
            hashes.update(hex(&Sha256::digest(prompt)));
        }
        assert_eq!(official["sha256"], hex(&hashes.finalize()), "{}", official["category"]);
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

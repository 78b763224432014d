//! `toolrl policy inspect`: what a model directory is and what it will take, before anything is loaded.

use serde_json::json;
use toolrl_chat::{TemplateVariables, TurnEnd};
use toolrl_policy::{Activations, Inspection, LoraConfig, Memory, ModelConfig, Workload};

use crate::args::InspectArgs;
use crate::hub;
use crate::loaded::words;
use crate::policy::precision;

/// A table, or one JSON object.
pub(crate) fn inspect(args: &InspectArgs) -> anyhow::Result<()> {
    let place = hub::find(&args.policy)?;
    let mut found = Inspection::of(&place)?;
    // A directory without words stops at what it is configured to.
    if let Ok(chat) = words(&place, TemplateVariables::default()) {
        found.generation.stop_tokens = TurnEnd::of(&chat, &found.generation.stop_tokens)?.stops;
    }
    let activations = if args.recompute { Activations::Recompute } else { Activations::Keep };
    let fresh = |rank| found.config.lora_params(&(&LoraConfig { rank, ..LoraConfig::default() }).into());
    let workload = Workload {
        precision: precision(args.bf16),
        adapters: args.lora_rank.map(fresh).or(found.adapter_params()),
        reference: args.reference.into(),
        micro_tokens: args.micro_tokens,
        activations,
        kept_prompts: args.kept_prompts_mib.saturating_mul(1 << 20),
        slots: args.slots,
        prompt_tokens: args.prompt_tokens,
        reply_tokens: args.reply_tokens,
    };
    let memory = found.config.memory(&workload);
    let text =
        if args.json { json(&found, &memory).to_string() + "\n" } else { table(&found, &memory, args) };
    print!("{text}");
    Ok(())
}

fn json(found: &Inspection, memory: &Memory) -> serde_json::Value {
    let c = &found.config;
    json!({
        "architecture": format!("{:?}", c.architecture),
        "parameters": found.num_params(),
        "layers": c.layers,
        "layers_without_rope": c.without_rope,
        "sliding_layers": c.sliding.as_ref().map(|sliding| &sliding.layers),
        "sliding_window": c.sliding.as_ref().map(|sliding| sliding.window),
        "hidden_size": c.hidden_size,
        "intermediate_size": c.intermediate_size,
        "heads": { "query": c.heads.query, "kv": c.heads.kv, "dim": c.heads.dim },
        "vocab_size": c.vocab_size,
        "max_positions": c.max_positions,
        "tied_head": c.tie_word_embeddings,
        "lora": found.lora,
        "stop_tokens": found.generation.stop_tokens,
        "stored": found.bytes_by_dtype().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "memory": memory,
        "training": memory.training(),
        "sampling": memory.sampling(),
    })
}

fn table(found: &Inspection, memory: &Memory, args: &InspectArgs) -> String {
    let (c, heads) = (&found.config, found.config.heads);
    let stored = found.bytes_by_dtype();
    let stored: Vec<_> =
        stored.into_iter().map(|(dtype, bytes)| format!("{} {dtype}", size(bytes))).collect();
    let adapters = match &found.lora {
        Some(lora) => format!("rank {} for {}", lora.rank, lora.targets_shown()),
        None => "none".to_owned(),
    };
    let tied = if c.tie_word_embeddings { "the embedding table" } else { "of its own" };
    let passes = format!("passes of {} tokens", args.micro_tokens);
    let replies = format!("{} replies of {} + {} tokens", args.slots, args.prompt_tokens, args.reply_tokens);
    let rows = [
        ("architecture", format!("{:?}", c.architecture)),
        ("parameters", found.num_params().to_string()),
        (
            "layers",
            format!(
                "{} of width {}, feed-forward {}{}",
                c.layers,
                c.hidden_size,
                c.intermediate_size,
                unlike(c)
            ),
        ),
        (
            "heads",
            format!("{} for queries, {} for keys and values, {} wide", heads.query, heads.kv, heads.dim),
        ),
        ("vocabulary", format!("{} tokens, head {tied}", c.vocab_size)),
        ("positions", c.max_positions.to_string()),
        ("stop tokens", format!("{:?}", found.generation.stop_tokens)),
        ("stored", stored.join(", ")),
        ("adapters", adapters),
        ("", String::new()),
        ("weights", format!("{} in {}", size(memory.weights), if args.bf16 { "bf16" } else { "f32" })),
        ("reference", size(memory.reference)),
        ("gradients", size(memory.gradients)),
        ("AdamW", size(memory.optimizer)),
        ("activations", format!("{} for {passes}", size(memory.activations))),
        ("prompts", format!("{} at most, from sampling to the update", size(memory.kept_prompts))),
        ("cache", format!("{} for {replies}", size(memory.cache))),
        ("training", format!("about {}", size(memory.training()))),
        ("sampling", format!("about {}", size(memory.sampling()))),
    ];
    rows.map(|(name, value)| format!("{name:<13}{value}").trim_end().to_owned() + "\n").concat()
}

/// Layers that are not like the others.
fn unlike(c: &ModelConfig) -> String {
    match (&c.sliding, c.without_rope.len()) {
        (Some(sliding), _) => {
            format!("; {} see the last {} tokens alone", sliding.layers.len(), sliding.window)
        }
        (None, 0) => String::new(),
        (None, without) => format!("; {without} without rope"),
    }
}

/// Bytes in the unit that fits.
pub(crate) fn size(bytes: u64) -> String {
    let (gib, mib) = ((1u64 << 30) as f64, (1u64 << 20) as f64);
    let bytes = bytes as f64;
    if bytes >= gib { format!("{:.2} GiB", bytes / gib) } else { format!("{:.1} MiB", bytes / mib) }
}

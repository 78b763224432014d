//! `toolrl bench`: how long training's parts take.

mod gemm;

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::ensure;
use serde_json::json;
use toolrl_chat::{Chat, TemplateVariables};
use toolrl_policy::{Activations, LoraConfig};
use toolrl_rollout::{Prompt, Sampled, SamplingParams};
use toolrl_train::{Bench, BenchSettings, BenchStep, Layout, OptimizerConfig};

pub(crate) use gemm::gemm;

use crate::args::BenchStepArgs;
use crate::device;
use crate::loaded::Loaded;
use crate::policy::{precision, prompts};
use crate::train::block_on;

/// One line a step, as JSON or as a table's row.
pub(crate) fn step(args: &BenchStepArgs) -> anyhow::Result<()> {
    ensure!(args.groups > 0 && args.group_size > 0, "--groups and --group-size should be at least 1");
    let device = device::open(args.device)?;
    let loaded = Loaded::of(&args.policy, precision(args.bf16), &device, TemplateVariables::default())?;
    let chat = loaded.chat()?.clone();
    let adapters = args.lora_rank.map(|rank| LoraConfig { rank, ..LoraConfig::default() });
    let policy = match adapters {
        Some(adapters) => loaded.policy.with_lora(&adapters, args.seed)?,
        None => loaded.policy,
    };
    let prompts: Vec<_> = prompts(&args.prompts, Some(&chat))?.into_iter().map(Arc::new).collect();
    ensure!(!prompts.is_empty(), "{} has no rows", args.prompts.display());

    let layouts =
        if args.compare.is_some() { vec![Layout::Shared, Layout::Plain] } else { vec![Layout::Shared] };
    let mut benches: Vec<_> =
        layouts.iter().map(|&layout| Bench::new(policy.clone(), settings(args, layout))).collect();
    drop(policy);
    let mut rows = Vec::new();
    for step in 0..args.steps {
        let of_step = (0..args.groups).map(|i| prompts[(step * args.groups + i) % prompts.len()].clone());
        let of_step: Vec<Arc<Prompt>> = of_step.collect();
        for bench in &mut benches {
            let row = block_on(bench.step(&of_step, |turn| distinct_words(turn, &chat)))?;
            print(&row, args.json);
            rows.push(row);
        }
    }
    if args.compare.is_some() {
        ratios(&rows, args.json);
    }
    Ok(())
}

fn settings(args: &BenchStepArgs, layout: Layout) -> BenchSettings {
    BenchSettings {
        group_size: args.group_size,
        sampling: SamplingParams {
            temperature: args.temperature,
            max_new_tokens: args.max_new_tokens,
            ..SamplingParams::default()
        },
        micro_tokens: args.micro_tokens,
        activations: if args.recompute { Activations::Recompute } else { Activations::Keep },
        kept_prompts_mib: args.kept_prompts_mib,
        layout,
        optimizer: OptimizerConfig { lr: args.lr, ..OptimizerConfig::default() },
        seed: args.seed,
    }
}

fn distinct_words(turn: &Sampled, chat: &Chat) -> f64 {
    let text = chat.decode(&turn.tokens, true).unwrap_or_default();
    text.split_whitespace().collect::<HashSet<_>>().len() as f64 / 50.0
}

fn print(step: &BenchStep, as_json: bool) {
    if as_json {
        let mut row = json!(step);
        row["threads"] = rayon::current_num_threads().into();
        row["peak_rss_gib"] = json!(peak_rss_gib());
        println!("{row}");
        return;
    }
    if step.step == 1 && step.layout == Layout::Shared {
        println!("step layout   wall s  sampling  training  optimizer  generated  computed  largest gap");
    }
    println!(
        "{:>4} {:<7} {:>8.2} {:>9.2} {:>9.2} {:>10.2} {:>10} {:>9} {:>12.1e}",
        step.step,
        format!("{:?}", step.layout).to_lowercase(),
        step.wall_s,
        step.sampling_s,
        step.training_s,
        step.optimizer_s,
        step.generated_tokens,
        step.computed_tokens,
        step.logprob_gap_max,
    );
}

/// The plain layout's median seconds over the shared one's.
fn ratios(rows: &[BenchStep], as_json: bool) {
    let ratio = |seconds: fn(&BenchStep) -> f64| {
        let median = |layout| {
            let mut all: Vec<f64> = rows.iter().filter(|r| r.layout == layout).map(seconds).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
        };
        median(Layout::Plain) / median(Layout::Shared)
    };
    let (wall, sampling, training) = (ratio(|r| r.wall_s), ratio(|r| r.sampling_s), ratio(|r| r.training_s));
    if as_json {
        println!(
            "{}",
            json!({ "plain_over_shared": { "wall": wall, "sampling": sampling, "training": training } })
        );
    } else {
        println!("plain over shared: wall {wall:.2}, sampling {sampling:.2}, training {training:.2}");
    }
}

/// The most memory that the process has held, where the system says.
fn peak_rss_gib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / (1u64 << 20) as f64)
}

//! Rewards a second on one core, reading prompt, reply and reference anew for each.
//!
//! `cargo bench -p toolrl-reward`

use std::hint::black_box;

use divan::{Bencher, counter::ItemsCount};
use toolrl_grammar::parse;
use toolrl_reward::released::{Template, extract_reply};
use toolrl_reward::rows::Row;
use toolrl_reward::{Context, Reference, Rubric};
use toolrl_testing::shared_lines;

/// Prompt with reply, and reference.
type Pair = (Vec<u8>, Vec<u8>);

fn pairs() -> Vec<Pair> {
    let Some(lines) = shared_lines("golden/reward/reward_bench.jsonl.gz") else {
        return synthetic();
    };
    let pair = |line: &String| {
        let row = Row::parse(line).expect("a row");
        (row.solution.as_bytes().to_vec(), row.ground_truth.as_bytes().to_vec())
    };
    lines.iter().map(pair).collect()
}

/// Pairs of about the same size, no two alike, half of them with a wrong value.
fn synthetic() -> Vec<Pair> {
    let prompt = "Name the tools, then decide which of them to call and with what. ".repeat(60);
    let reply = |city: usize, day: usize| {
        format!(
            "<think> {}</think>\n<tool_call>\n{{\"name\": \"forecast\", \"parameters\": \
             {{\"city\": \"town {city}\", \"day\": {day}}}}}\n</tool_call>",
            "The request asks for a forecast. ".repeat(12)
        )
    };
    let pair = |i: usize| {
        let turn = format!("<|im_start|>assistant\n{}<|im_end|>", reply(i, i % 2));
        (format!("<|im_start|>user\n{prompt}<|im_end|>\n{turn}").into(), reply(i, 0).into())
    };
    (0..5_000).map(pair).collect()
}

fn reward(rubric: &Rubric, (solution, gold): &Pair) -> f64 {
    let reply = extract_reply(solution, Template::Qwen).expect("a template");
    let reference = Reference::parse(gold).expect("a readable reference");
    let score = rubric.score(&parse(reply), &reference, &Context::evaluation());
    score.expect("a score").total
}

fn main() {
    divan::main();
}

/// All pairs in one go: the items a second are rewards a second.
#[divan::bench(sample_count = 20)]
fn score(bencher: Bencher<'_, '_>) {
    let pairs = pairs();
    let rubric = Rubric::toolrl();
    bencher
        .counter(ItemsCount::new(pairs.len()))
        .bench_local(|| pairs.iter().map(|pair| reward(&rubric, black_box(pair))).sum::<f64>());
}

//! Reports of made-up runs.

use std::collections::BTreeMap;

use toolrl_eval::{EvalReport, Rates, SampledRates};
use toolrl_rollout::FinishReason;

use super::*;
use crate::{GrpoMetrics, LogprobGap, ReplyLength, SetSummary, SftMetrics, Spread, StepDetail, StoppedEarly};

fn grpo_row(step: u64) -> StepMetrics {
    let x = step as f64;
    let noise = (x * 12.9898).sin() * 0.3;
    let reward = 4.0 - 5.0 * (-x / 20.0).exp() + noise;
    StepMetrics {
        step,
        detail: StepDetail::Grpo(GrpoMetrics {
            reward: Spread { mean: reward, std: 1.0, min: -3.0, max: 4.0 },
            components: BTreeMap::from([
                ("format".to_owned(), 1.0 - 0.2 * (-x / 10.0).exp()),
                ("correctness".to_owned(), reward - 1.0),
            ]),
            reply_length: ReplyLength { mean: 60.0 + 10.0 * noise, max: 128 },
            stop_rate: 0.97,
            groups: 16,
            zero_variance_groups: step as usize % 6,
            logprob_gap: LogprobGap { mean: 1e-6, max: 2e-5 },
            entropy: Some(0.4 * (-x / 50.0).exp()),
            ..GrpoMetrics::default()
        }),
        loss: -0.01 + noise / 50.0,
        grad_norm: 1.0 + noise,
        lr: 1e-4,
        tokens_trained: 4000,
        skipped_updates: 0,
        weights: None,
        seconds: BTreeMap::from([("sample".to_owned(), 1.5 + noise), ("update".to_owned(), 2.5)]),
    }
}

fn rates(mean_reward: f64, exact_call_rate: f64) -> Rates {
    Rates { tasks: 500, mean_reward, format_rate: 0.9, exact_call_rate, ..Rates::default() }
}

fn summary() -> Summary {
    let report = |policy: &str, shift: f64| EvalReport {
        policy: policy.into(),
        overall: rates(1.2 + shift, 0.4 + shift / 6.0),
        by_kind: ["several_calls", "one_call", "no_tool"]
            .map(|kind| (kind.to_owned(), rates(1.0 + shift, 0.3 + shift / 6.0)))
            .into(),
        seen_tools: Some(rates(1.5 + shift, 0.5)),
        unseen_tools: Some(rates(0.5 - shift / 10.0, 0.2)),
        ..EvalReport::default()
    };
    Summary {
        cpu_seconds: None,
        recipe: "quickstart".into(),
        seed: 1,
        steps: 120,
        seconds: 431.0,
        before: report("fixtures/start", 0.0),
        after: report("runs/quickstart/policy", 1.3),
        ..Summary::default()
    }
}

fn example() -> Example {
    let call = r#"{"name": "get_weather", "parameters": {"city": "Köln"}}"#;
    Example {
        completion: Completion {
            step: 120,
            prompt_index: 3,
            sample_id: "world-3".into(),
            kind: "one_call".into(),
            member: 2,
            prompt: "You may call tools.\n<script>alert(1)</script>".into(),
            prompt_cut: 0,
            completion: format!("<think> I look it up. </think>\n<tool_call>\n{call}\n</tool_call>"),
            gold: format!("<tool_call>\n{call}\n</tool_call>"),
            reward: 3.25,
            components: BTreeMap::from([("format".to_owned(), 1.0), ("correctness".to_owned(), 2.25)]),
            advantage: 0.71,
            finish: FinishReason::Stop,
            tokens: 48,
            logprob_sum: -9.5,
            episode: None,
        },
        explanation: "format       1 of 1\ncorrectness  2.25 of 3\n  call 1 <-> gold 1: name 1, keys 1"
            .into(),
    }
}

fn page(metrics: &[StepMetrics], summary: Option<&Summary>, examples: &[Example]) -> String {
    let config = "[train]\nsteps = 120 # <b>\n";
    let input = ReportInput {
        title: "quickstart & more",
        metrics,
        evaluations: &[],
        summary,
        examples,
        notes: &["steps 1 to 5: <nothing>".to_owned()],
        config,
    };
    render(&input).unwrap()
}

#[test]
fn shows_every_part_and_escapes_text() {
    let metrics: Vec<_> = (1..=120).map(grpo_row).collect();
    let page = page(&metrics, Some(&summary()), &[example()]);
    for expected in [
        "<title>quickstart &amp; more</title>",
        "<figcaption>Mean reward</figcaption>",
        "<figcaption>Time by stage</figcaption>",
        "correctness, step 120: ",
        "share of groups",
        "1.200 <i>&rarr;</i> 2.500",
        "<td class=\"up\">+1.300</td>",
        "<td class=\"down\">-0.130</td>",
        "several calls",
        "unseen tools",
        "7 min 11 s",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "call 1 &lt;-&gt; gold 1",
        "steps = 120 # &lt;b&gt;",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("<script"), "no program in the page");
    assert!(!page.contains("NaN"));
}

#[test]
fn needs_no_network() {
    let page = page(&[grpo_row(1), grpo_row(2)], Some(&summary()), &[example()]);
    for reference in ["http:", "https:", "src=", "href=", "url(", "@import"] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn leaves_out_what_a_run_does_not_have() {
    let empty = page(&[], None, &[]);
    assert!(!empty.contains("<svg") && !empty.contains("<table") && !empty.contains("Sampled"));
    assert!(empty.contains("Configuration"));

    let detail = StepDetail::Sft(SftMetrics { epoch: 0.1, replies: 4, ..SftMetrics::default() });
    let row = StepMetrics { detail, loss: f64::NAN, ..grpo_row(1) };
    let sft = page(&[row], None, &[]);
    assert!(!sft.contains("Mean reward") && !sft.contains("<figcaption>Loss"));
    assert!(sft.contains("Gradient norm"));
}

#[test]
fn tells_of_other_sets_of_sampled_replies_and_of_an_early_end() {
    let whole = summary();
    let with = |report: &EvalReport, avg: f64| {
        let exact_calls = [("avg@4".to_owned(), avg), ("pass@4".to_owned(), 0.75)].into();
        let sampled = Some(SampledRates { samples: 4, mean_reward: 1.0, exact_calls });
        EvalReport { overall: Rates { sampled, ..report.overall.clone() }, ..report.clone() }
    };
    let set =
        SetSummary { name: "mine".into(), before: with(&whole.before, 0.25), after: with(&whole.after, 0.5) };
    let stopped =
        StoppedEarly { by: "mine".into(), score: "avg@4".into(), without_gain: 2, best_step: 8, best: 0.5 };
    let page = page(
        &[],
        Some(&Summary { sets: vec![set], stopped_early: Some(stopped), final_step: Some(8), ..whole }),
        &[],
    );
    for expected in [
        "<h3>mine</h3>",
        "Exact calls, avg@4",
        "25.0% <i>&rarr;</i> 50.0%",
        "Stopped early after step 120",
        "after step 8, the best",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert_eq!(page.matches("Exact calls, pass@4").count(), 2, "of one set alone");
}

#[test]
fn tags_are_balanced() {
    let metrics: Vec<_> = (1..=30).map(grpo_row).collect();
    let page = page(&metrics, Some(&summary()), &[example(), example()]);
    for tag in ["section", "div", "table", "tr", "figure", "svg", "g", "details", "pre", "ul", "li"] {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        let closed = page.matches(&format!("</{tag}>")).count();
        assert!(opened > 0 && opened == closed, "{tag}: {opened} opened, {closed} closed");
    }
}

#[test]
fn every_evaluation_has_its_first_last_and_best() {
    let row = |step, evaluation: &str, value| {
        let scores = [("<Overall>".to_owned(), value)].into();
        EvaluationRow { step, evaluation: evaluation.to_owned(), cases: 7, seconds: 0.0, scores }
    };
    let page = |evaluations: &[EvaluationRow]| {
        let input = ReportInput {
            title: "",
            metrics: &[],
            evaluations,
            summary: None,
            examples: &[],
            notes: &[],
            config: "",
        };
        render(&input).unwrap()
    };
    assert!(!page(&[row(0, "held-out", 0.1), row(9, "held-out", 0.2)]).contains("Evaluations"));
    let page =
        page(&[row(0, "bfcl", 0.25), row(5, "bfcl", 0.75), row(9, "bfcl", 0.5), row(0, "held-out", 1.0)]);
    assert!(page.contains("bfcl, 7 cases"), "{page}");
    let expected = "<tr><th>&lt;Overall&gt;</th><td>0.25</td><td>0.5</td><td>0.75</td><td>5</td></tr>";
    assert!(page.contains(expected), "{page}");
}

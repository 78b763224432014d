//! Claims, by seeds and by tasks, and the table in the documentation.

use toolrl_eval::Outcome;
use toolrl_record::TaskOutcomes;

use super::*;
use crate::page::findings;
use crate::{ArmRun, Curve};

fn claim(claim: &str, better: &str, worse: &str, by: Measure) -> Finding {
    Finding { claim: claim.into(), better: better.into(), worse: worse.into(), by }
}

fn arm(name: &str, values: &[f64]) -> ArmResult {
    let measures = [(Measure::Reward, Statistic::of(values.to_vec()).unwrap())].into();
    let runs = values.iter().map(|_| ArmRun::default()).collect();
    ArmResult { name: name.to_owned(), runs, measures, intervals: [].into(), curve: Curve::of(&[]) }
}

/// Outcomes with these rewards, one a task.
fn outcomes(rewards: &[f64]) -> TaskOutcomes {
    let outcome = |(id, total): (usize, &f64)| -> Outcome {
        let text = format!(
            r#"{{"id": "{id}", "kind": "one_call", "unseen_tools": false, "gold": "g", "reply": "", "error": null,
                "score": {{"total": {total}, "components": {{}}}}, "well_formed": false, "exact": true,
                "overlong": false, "tokens": 0, "finish": "length"}}"#
        );
        serde_json::from_str(&text).unwrap()
    };
    TaskOutcomes { tasks: rewards.iter().enumerate().map(outcome).collect() }
}

#[test]
fn a_claim_holds_where_chance_is_ruled_out_among_all() {
    let arms = [
        arm("start", &[0.0, 0.0, 0.0]),
        arm("good", &[1.0, 1.01, 1.02]),
        arm("fair", &[0.9, 0.95, 0.97]),
        arm("one", &[3.0]),
    ];
    let claims = [
        ("good", "start", Verdict::Holds),
        ("start", "good", Verdict::Reversed),
        ("good", "fair", Verdict::NotShown),
        ("one", "good", Verdict::TooFewSeeds),
        ("start", "start", Verdict::NotShown),
    ];
    let asked: Vec<Finding> =
        claims.iter().map(|(better, worse, _)| claim("c", better, worse, Measure::Reward)).collect();
    let found = FindingResult::all(&asked, &arms);
    for (result, (better, worse, verdict)) in found.iter().zip(claims) {
        assert_eq!(result.verdict, verdict, "{better} {worse}: {:?}", result.p);
    }
    // A claim that would stand alone.
    let alone = [claim("c", "fair", "start", Measure::Reward), claim("c", "good", "fair", Measure::Reward)];
    let arms = [arm("start", &[0.0, 0.0, 0.0]), arm("good", &[1.0, 1.2, 1.1]), arm("fair", &[0.4, 0.9, 0.7])];
    let found = FindingResult::all(&alone, &arms);
    assert_eq!(found[0].verdict, Verdict::Alone, "{:?}", found[0].p);
    assert!(found[0].p.seeds.unwrap() < 0.05 && found[0].p.corrected.unwrap() >= 0.05);
}

#[test]
fn tasks_are_paired_by_their_means_over_the_seeds_and_the_greater_p_counts() {
    let with = |name: &str, of_seeds: &[&[f64]]| {
        let means: Vec<f64> = of_seeds.iter().map(|r| r.iter().sum::<f64>() / r.len() as f64).collect();
        let mut arm = arm(name, &means);
        arm.runs = of_seeds
            .iter()
            .map(|rewards| ArmRun { outcomes: Some(outcomes(rewards)), ..ArmRun::default() })
            .collect();
        arm
    };
    let better = with("better", &[&[1.0, 2.0, 3.0, 2.0], &[1.5, 2.0, 3.5, 2.0]]);
    let worse = with("worse", &[&[0.0, 0.5, 1.0, 2.0], &[0.0, 0.5, 1.25, 2.0]]);
    let claims = [claim("c", "better", "worse", Measure::Reward)];
    let found = FindingResult::all(&claims, &[better.clone(), worse.clone()]).remove(0);
    // Differences 1.25, 1.5, 2.125 and 0: two of the eight signs of three are as far from 0.
    assert_eq!(found.p.tasks, Some(0.25));
    assert!(found.p.seeds.unwrap() < 0.25 && found.p.corrected == Some(0.25), "{:?}", found.p);
    let text = findings(&[found]);
    assert!(text.contains("| 0.250 | 0.250 | not shown |"), "{text}");
    // Runs without outcomes, as earlier versions left them, are judged by seeds.
    let mut without = worse;
    without.runs[1].outcomes = None;
    let found = FindingResult::all(&claims, &[better, without]).remove(0);
    assert_eq!((found.p.tasks, found.p.corrected), (None, found.p.seeds));
}

/// The table of findings in the documentation: what a program makes of the figures in it (`mean ± std` of three seeds).
#[test]
fn the_documented_findings_are_what_the_program_makes_of_their_figures() {
    let page = include_str!("../../../docs/study.md");
    let rows = page.lines().filter(|line| line.matches(" | ").count() == 7 && line.contains(" ± "));
    let rows: Vec<Vec<&str>> =
        rows.map(|line| line.trim_matches(['|', ' ']).split(" | ").collect()).collect();
    let rows: Vec<_> =
        rows.into_iter().filter(|row| row[2].contains(": ") && row[3].contains(": ")).collect();
    assert_eq!(rows.len(), 26);
    let side = |cell: &str| -> (String, Statistic) {
        let (name, value) = cell.rsplit_once(": ").unwrap();
        let (mean, std) = value.split_once(" ± ").unwrap();
        let (mean, std) = (mean.parse().unwrap(), std.parse().unwrap());
        (name.to_owned(), Statistic { values: vec![mean; 3], mean, std })
    };
    let found = rows.iter().map(|row| {
        let ((better, of_better), (worse, of_worse)) = (side(row[2]), side(row[3]));
        let by = Measure::all().find(|measure| measure.title() == row[1]).unwrap();
        FindingResult::one(&claim(row[0], &better, &worse, by), Some(of_better), Some(of_worse), None)
    });
    let made = findings(&FindingResult::corrected(found.collect()));
    assert!(page.contains(&made), "docs/study.md should have\n{made}");
}

//! Every setting, on small replies with the reward worked out by hand.

use toolrl_grammar::{ReplyKind, parse};
use toolrl_reward::{
    Breakdown, Context, Correctness, CorrectnessSettings, Defect, Format, FormatSettings, Granularity,
    Length, LengthSettings, LengthTarget, Loss, Matching, Outcome, Reference, Registry, RewardError, Rubric,
    RubricConfig, Scale, Side, Term, TermScore,
};

/// A reply that makes these calls, each `name parameters`.
fn reply(calls: &[(&str, &str)]) -> String {
    let line =
        |(name, parameters): &(&str, &str)| format!("{{\"name\": {name:?}, \"parameters\": {parameters}}}");
    let lines: Vec<String> = calls.iter().map(line).collect();
    format!("<think>t</think>\n<tool_call>\n{}\n</tool_call>", lines.join("\n"))
}

fn score_text(term: &dyn Term, reply: &str, gold: &str, context: Context) -> TermScore {
    let reference = Reference::parse(gold).expect("a readable reference");
    let score = term.score(&parse(reply), &reference, &context).expect("a score");
    let (min, max) = term.range(&context);
    assert!((min..=max).contains(&score.value) || reference.calls().is_none(), "{score:?}");
    score
}

fn correctness(settings: CorrectnessSettings, predicted: &[(&str, &str)], gold: &[(&str, &str)]) -> f64 {
    let term = Correctness::new(settings);
    score_text(&term, &reply(predicted), &reply(gold), Context::evaluation()).value
}

#[test]
fn the_two_matchings_differ_where_the_first_choice_is_not_the_best() {
    // The reference, the reply, the greedy value and the best assignment's.
    type Calls<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Calls<'_>, Calls<'_>, f64, f64); 2] = [
        (
            &[("weather", r#"{"city": "Paris"}"#), ("weather", r#"{"city": "Rome"}"#)],
            &[("weather", r#"{"city": "Rome"}"#)],
            -1.2,
            0.0,
        ),
        (
            &[("a", r#"{"x": 1}"#), ("a", r#"{"x": 1, "y": 2}"#)],
            &[("a", r#"{"x": 1, "y": 2}"#), ("a", r#"{"x": 9}"#)],
            0.0,
            2.0,
        ),
    ];
    let value = |matching, (gold, predicted): (Calls<'_>, Calls<'_>)| {
        let settings = CorrectnessSettings { matching, ..Default::default() };
        correctness(settings, predicted, gold)
    };
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    for (gold, predicted, greedy, best) in cases {
        close(value(Matching::Parity, (gold, predicted)), greedy);
        close(value(Matching::BestAssignment, (gold, predicted)), best);
    }
    // The paper's text takes the tools' names as sets too: {weather} on both sides is 1 and not
    // 1/2, so with the 2 for Rome there are 3 points of 5.
    close(value(Matching::Paper, (cases[0].0, cases[0].1)), 6.0 * 3.0 / 5.0 - 3.0);
    close(value(Matching::Paper, (cases[1].0, cases[1].1)), 2.0);
}

#[test]
fn granularity() {
    use Granularity::{Coarse, FineGrained, Intermediate, Strict, StrictIntermediate};
    let gold = [("f", r#"{"x": 1, "y": 2}"#), ("g", "{}")];
    let reordered = [("g", "{}"), ("f", r#"{"y": 2, "x": 1}"#)];
    let wrong_value = [("f", r#"{"x": 1, "y": 3}"#), ("g", "{}")];
    // Points of S = 1 + 3 + 1 = 5, or S = 3 where calls are scored as a whole.
    let cases = [
        (FineGrained, reordered, 5.0 / 5.0),
        (Strict, reordered, (0.0 + 2.0 + 1.0) / 5.0),
        (Intermediate, reordered, 3.0 / 3.0),
        (StrictIntermediate, reordered, 2.0 / 3.0),
        (Coarse, reordered, 0.0),
        (FineGrained, wrong_value, 4.0 / 5.0),
        (Strict, wrong_value, 4.0 / 5.0),
        (Intermediate, wrong_value, 2.0 / 3.0),
        (StrictIntermediate, wrong_value, 2.0 / 3.0),
        (Coarse, wrong_value, 0.0),
    ];
    for (granularity, predicted, share) in cases {
        let settings = CorrectnessSettings { granularity, ..Default::default() };
        let value = correctness(settings.clone(), &predicted, &gold);
        assert!((value - (6.0 * share - 3.0)).abs() < 1e-12, "{granularity:?}: {value}");
        assert_eq!(correctness(settings, &gold, &gold), 3.0, "{granularity:?}");
    }
}

#[test]
fn scales() {
    use Scale::{EqualMax, Smooth, SmoothOver, TwoStage, TwoStageAt};
    let training = |step| Context::training(step, 105);
    // Scale, context, range of format, range of correctness.
    type Range = (f64, f64);
    let cases: [(&[Scale], Context, Range, Range); 18] = [
        (&[], training(40), (0.0, 1.0), (-3.0, 3.0)),
        (&[EqualMax], training(40), (0.0, 1.0), (-1.0, 1.0)),
        (&[TwoStage], training(29), (0.0, 1.0), (-1.0, 1.0)),
        (&[TwoStage], training(30), (0.0, 0.5), (-3.0, 3.0)),
        (&[Smooth], training(0), (-2.0, 2.0), (-2.0, 2.0)),
        (&[Smooth], training(75), (-1.0, 1.5), (-2.5, 2.5)),
        (&[Smooth], training(300), (-1.0, 1.0), (-3.0, 3.0)),
        (&[EqualMax, Smooth], training(75), (-1.0, 1.5), (-1.5, 1.5)),
        (&[TwoStage, Smooth], training(150), (-1.0, 1.0), (-3.0, 3.0)),
        (&[TwoStageAt(8)], training(7), (0.0, 1.0), (-1.0, 1.0)),
        (&[TwoStageAt(8)], training(8), (0.0, 0.5), (-3.0, 3.0)),
        (&[SmoothOver(40)], training(20), (-1.0, 1.5), (-2.5, 2.5)),
        (&[SmoothOver(40)], training(80), (-1.0, 1.0), (-3.0, 3.0)),
        (&[TwoStageAt(8)], Context::evaluation(), (0.0, 1.0), (-3.0, 3.0)),
        (&[SmoothOver(0)], training(0), (-2.0, 2.0), (-2.0, 2.0)),
        (&[TwoStage], Context::evaluation(), (0.0, 1.0), (-3.0, 3.0)),
        (&[Smooth], Context::evaluation(), (0.0, 1.0), (-3.0, 3.0)),
        (&[EqualMax, Smooth], Context::evaluation(), (0.0, 1.0), (-1.0, 1.0)),
    ];
    for (scale, context, format, correctness) in cases {
        let settings = FormatSettings { scale: scale.to_vec() };
        assert_eq!(Format::new(settings).range(&context), format, "{scale:?} {context:?}");
        let settings = CorrectnessSettings { scale: scale.to_vec(), ..Default::default() };
        assert_eq!(Correctness::new(settings).range(&context), correctness, "{scale:?} {context:?}");
    }
}

#[test]
fn length_targets() {
    use LengthTarget::{Dynamic, DynamicPaper, Fixed, GrowingWords, Words};
    let thoughts = |words: usize| format!("<think> {} </think>", "w ".repeat(words));
    let cases = [
        (Fixed, 512, Context::training(9, 10), 1.0),
        (Fixed, 600, Context::evaluation(), 1.0),
        (Fixed, 64, Context::evaluation(), 0.12),
        (Dynamic, 192, Context::training(0, 105), 0.5),
        (Dynamic, 192, Context::training(105, 105), 0.3),
        (Dynamic, 256, Context::evaluation(), 0.5),
        (DynamicPaper, 384, Context::training(50, 100), 0.5),
        (DynamicPaper, 256, Context::training(0, 0), 0.5),
        (Words(32), 8, Context::training(9, 10), 0.25),
        (Words(0), 8, Context::evaluation(), 1.0),
        (GrowingWords(32), 24, Context::training(50, 100), 0.5),
        (GrowingWords(32), 16, Context::evaluation(), 0.5),
    ];
    for (target, words, context, value) in cases {
        let term = Length::new(LengthSettings { target });
        let found = score_text(&term, &thoughts(words), "<think>", context).value;
        assert_eq!(found, value, "{target:?} {words}");
    }
    let term = Length::default();
    assert_eq!(score_text(&term, "a b c", "", Context::evaluation()).value, 0.0);
}

#[test]
fn the_breakdown_says_what_cost_each_point() {
    let gold = reply(&[("f", r#"{"x": 1, "y": 2}"#), ("g", r#"{"z": 1}"#)]);
    let text = reply(&[("h", "{}"), ("f", r#"{"y": 3, "q": 0}"#)]);
    let score = score_text(&Correctness::default(), &text, &gold, Context::evaluation());
    let Breakdown::Correctness(Outcome::Compared(comparison)) = score.breakdown else {
        panic!("the calls were compared")
    };
    // Names {f, g} and {h, f}: 1/3. Parameters' names {x, y} and {y, q}: 1/3. No value.
    assert_eq!(comparison.points.possible, 6.0);
    assert!((comparison.points.gained - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(comparison.spare, [0]);
    assert_eq!(comparison.calls[0].matched, Some(1));
    assert_eq!(comparison.calls[1].matched, None);
    let wrong = Loss::WrongValue { key: "y".into(), expected: "2".into(), found: "3".into() };
    assert_eq!(comparison.calls[0].losses, [Loss::MissingKey("x".into()), wrong, Loss::ExtraKey("q".into())]);
    let fractions: Vec<f64> = score.components.iter().map(|c| c.value).collect();
    assert_eq!(fractions, [1.0 / 3.0, (1.0 / 3.0) / 2.0, 0.0]);
}

#[test]
fn calls_that_cannot_be_compared_are_named() {
    let gold = reply(&[("f", r#"{"x": 1}"#)]);
    let block = |line: &str| format!("<tool_call>\n{line}\n</tool_call>");
    let cases = [
        (block("1"), Defect::NotAnObject),
        (block("{}"), Defect::Missing("name")),
        (block(r#"{"name": "f"}"#), Defect::Missing("parameters")),
        (block(r#"{"name": "f", "parameters": []}"#), Defect::ParametersNotAnObject),
        (block(r#"{"name": ["f"]}"#), Defect::UnhashableName),
    ];
    for (text, defect) in cases {
        let score = score_text(&Correctness::default(), &text, &gold, Context::evaluation());
        let Breakdown::Correctness(Outcome::Unscorable(why)) = score.breakdown else {
            panic!("{text} cannot be compared")
        };
        assert_eq!((score.value, why.side, why.call, why.defect), (-3.0, Side::Reply, 0, defect));
    }
}

#[test]
fn format_names_the_fault() {
    let gold = reply(&[("f", "{}")]);
    let score = score_text(&Format::default(), "<think>a</think>", &gold, Context::evaluation());
    assert!(matches!(score.breakdown, Breakdown::Format { kind: ReplyKind::ToolCall, fault: Some(_) }));
    assert_eq!(score_text(&Format::default(), &gold, &gold, Context::evaluation()).value, 1.0);
}

fn rubric(recipe: &str) -> Result<Rubric, RewardError> {
    let recipe: Recipe = toml::from_str(recipe).expect("TOML");
    Rubric::from_config(&recipe.reward, &Registry::builtin())
}

#[test]
fn recipes_name_terms_and_settings() {
    let rubric = rubric(
        r#"
        [[reward]]
        id = "format"
        scale = ["two_stage"]
        [[reward]]
        id = "correctness"
        weight = 2
        granularity = "intermediate"
        matching = "paper"
        [[reward]]
        id = "length"
        weight = 0.0
        target = "dynamic"
        "#,
    )
    .expect("a rubric");
    assert_eq!(rubric.ids().collect::<Vec<_>>(), ["format", "correctness", "length"]);
    assert_eq!(rubric.range(&Context::training(30, 100)), (-6.0, 6.5));
    let gold = reply(&[("f", "{}")]);
    let reference = Reference::parse(&gold).unwrap();
    let score = rubric.score(&parse(&gold), &reference, &Context::training(30, 100)).unwrap();
    assert_eq!(score.total, 6.5);
    let names: Vec<String> = score.metrics().map(|(name, _)| name).collect();
    let expected = "format format/rate correctness correctness/names correctness/keys \
                    correctness/values length";
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn schedules_and_lengths_are_given_in_a_recipe() {
    let rubric = rubric(
        r#"
        [[reward]]
        id = "format"
        scale = [{ two_stage_at = 8 }]
        [[reward]]
        id = "correctness"
        scale = ["equal_max", { smooth_over = 40 }]
        [[reward]]
        id = "length"
        target = { growing_words = 4 }
        "#,
    )
    .expect("a rubric");
    // Format 0 to 0.5; correctness -1.5 to 1.5; length 0 to 1.
    assert_eq!(rubric.range(&Context::training(20, 40)), (-1.5, 3.0));
    let text = "<think> one two three </think>";
    let reference = Reference::parse(text).unwrap();
    let length = |context: &Context| {
        let score = rubric.score(&parse(text), &reference, context).unwrap();
        score.metrics().find(|(name, _)| name == "length").unwrap().1
    };
    assert_eq!((length(&Context::training(20, 40)), length(&Context::evaluation())), (0.5, 0.75));
}

#[test]
fn bad_recipes_are_refused_with_a_place() {
    let cases = [
        ("reward = []", "a rubric needs at least one reward term"),
        (
            "[[reward]]\nid = \"nice\"",
            "unknown reward term \"nice\"; known: binary, correctness, format, length, random, rouge_values, schema",
        ),
        ("[[reward]]\nid = \"length\"\n[[reward]]\nid = \"length\"", "listed twice"),
        ("[[reward]]\nid = \"length\"\nweight = inf", "weight inf is not a finite number"),
        ("[[reward]]\nid = \"length\"\ntargt = \"fixed\"", "unknown field `targt`"),
        ("[[reward]]\nid = \"correctness\"\ngranularity = \"fine\"", "unknown variant `fine`"),
        ("[[reward]]\nid = \"format\"\nscale = [{ two_stage_at = -1 }]", "expected u64"),
        ("[[reward]]\nid = \"format\"\nscale = { two_stage_at = 8 }", "expected a sequence"),
        ("[[reward]]\nid = \"length\"\ntarget = { words = \"a\" }", "expected u32"),
        ("[[reward]]\nid = \"schema\"\ncredit = \"half\"", "unknown variant `half`"),
        ("[[reward]]\nid = \"binary\"\nthoughts = \"some\"", "unknown variant `some`"),
        ("[[reward]]\nid = \"rouge_values\"\npenalty = -1.0", "penalty = -1 should be"),
    ];
    for (recipe, message) in cases {
        let error = rubric(recipe).expect_err(recipe).to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Recipe {
    reward: RubricConfig,
}

#[test]
fn a_preset_stands_for_its_terms() {
    let cases: [(&str, &[&str], (f64, f64)); 4] = [
        ("reward = \"released\"", &["format", "correctness"], (-3.0, 4.0)),
        ("[reward]\npreset = \"tool-n1\"", &["binary"], (0.0, 1.0)),
        ("reward = \"star\"", &["rouge_values"], (-1.0, 1.0)),
        ("[[reward]]\nid = \"binary\"\n[[reward]]\nid = \"schema\"", &["binary", "schema"], (0.0, 2.0)),
    ];
    for (text, ids, range) in cases {
        let recipe: Recipe = toml::from_str(text).expect(text);
        // As a recipe is read that is changed first.
        let table: toml::Table = toml::from_str(text).expect(text);
        assert_eq!(table.try_into::<Recipe>().expect(text), recipe);
        let rubric = Rubric::from_config(&recipe.reward, &Registry::builtin()).expect(text);
        assert_eq!(rubric.ids().collect::<Vec<_>>(), ids, "{text}");
        assert_eq!(rubric.range(&Context::evaluation()), range, "{text}");
        let written = toml::to_string(&recipe).expect(text);
        assert_eq!(toml::from_str::<Recipe>(&written).expect(&written), recipe, "{written}");
    }
    let refused = [
        ("reward = \"tool_n1\"", "unknown reward preset \"tool_n1\"; known: released, tool-n1, star"),
        ("[reward]\npreset = \"starr\"", "unknown reward preset \"starr\""),
        ("[reward]\npreset = \"star\"\nweight = 2", "unknown field `weight`"),
        ("reward = 3", "expected a list of terms ([[reward]]) or a preset's name"),
    ];
    for (text, message) in refused {
        let error = toml::from_str::<Recipe>(text).expect_err(text).to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_config_survives_toml() {
    let mut recipe = Recipe { reward: RubricConfig::default() };
    recipe.reward.terms[1].settings.insert("granularity".into(), "coarse".into());
    let nested: toml::Table = toml::from_str("scale = ['equal_max', { two_stage_at = 8 }]").expect("TOML");
    recipe.reward.terms[0].settings.extend(nested);
    let text = toml::to_string(&recipe).expect("written");
    assert_eq!(toml::from_str::<Recipe>(&text).expect("read"), recipe, "{text}");
}

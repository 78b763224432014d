//! Format, correctness and length say of a turn what they say in ToolRL's dialect, whatever the dialect it is written in.

use toolrl_grammar::dialect::{DIALECTS, ParameterTypes};
use toolrl_grammar::{Call, Dialect, ToolRl, Turn, json};
use toolrl_reward::{
    Context, Correctness, CorrectnessSettings, Format, Granularity, Length, LengthSettings, LengthTarget,
    Matching, PartId, Reference, Rubric, Score, WeightedTerm, explain, parts,
};

const TOOLS: &str = r#"[
    {"name": "weather", "parameters": {"properties": {"city": {"type": "string"}, "days": {"type": "integer"},
     "exact": {"type": "boolean"}}}},
    {"name": "alarm", "parameters": {"properties": {"times": {"type": "array"}, "label": {"type": "string"},
     "volume": {"type": "number"}}}},
    {"name": "stop", "parameters": {"properties": {}}}
]"#;

const ROME: (&str, &str) = ("weather", r#"{"city": "Rome", "days": 2}"#);
const OSLO: (&str, &str) = ("weather", r#"{"city": "Oslo", "days": 2, "exact": true}"#);
const ALARM: (&str, &str) = ("alarm", r#"{"times": [6, 7], "label": "wake", "volume": 0.5}"#);
const STOP: (&str, &str) = ("stop", "{}");

type Calls<'a> = &'a [(&'a str, &'a str)];

/// References and replies to them: right, in another order, too few, too many, wrong in a name, a parameter's name or a
/// value, and none at all.
const CASES: [(Calls<'_>, Calls<'_>); 18] = [
    (&[ROME], &[ROME]),
    (&[ROME], &[OSLO]),
    (&[ROME], &[("weather", r#"{"days": 2, "city": "Rome"}"#)]),
    (&[ROME], &[("weather", r#"{"city": "Rome"}"#)]),
    (&[ROME], &[("weather", r#"{"city": "Rome", "times": [1]}"#)]),
    (&[ROME], &[ALARM]),
    (&[ROME], &[ROME, ROME]),
    (&[ROME], &[]),
    (&[STOP], &[STOP]),
    (&[STOP], &[]),
    (&[STOP], &[STOP, ALARM]),
    (&[ROME, OSLO], &[OSLO, ROME]),
    (&[ROME, OSLO], &[("weather", r#"{"city": "Oslo", "days": 3}"#)]),
    (&[ROME, OSLO, ALARM], &[ALARM, OSLO, ROME]),
    (&[ROME, ALARM], &[ALARM]),
    (&[ALARM, STOP], &[STOP, STOP, ROME]),
    (&[ALARM], &[("alarm", r#"{"times": [6, 8], "label": "wake", "volume": 0.5}"#)]),
    (&[ALARM], &[("alarm", r#"{"volume": 0.25, "label": "down", "times": []}"#)]),
];

const GRANULARITIES: [Granularity; 5] = [
    Granularity::FineGrained,
    Granularity::Strict,
    Granularity::Intermediate,
    Granularity::StrictIntermediate,
    Granularity::Coarse,
];

fn turn(thoughts: &'static str, calls: Calls<'_>, response: Option<&'static str>) -> Turn<'static> {
    let call = |(name, arguments): &(&str, &str)| {
        let arguments = json::parse(*arguments).expect("JSON");
        Call::new(*name, arguments.as_object().cloned().expect("an object")).into_owned()
    };
    let calls = calls.iter().map(call).collect();
    Turn { thoughts: Some(thoughts.into()), calls, response: response.map(Into::into) }
}

/// The reference in a dialect, as training makes it.
fn reference(gold: &str, dialect: &'static dyn Dialect) -> Reference {
    if dialect.name() == ToolRl.name() {
        return Reference::parse(gold).expect("a readable reference");
    }
    Reference::typed(gold, dialect, ParameterTypes::of(&json::parse(TOOLS).expect("JSON")))
}

fn rubrics() -> impl Iterator<Item = Rubric> {
    let settings =
        GRANULARITIES.into_iter().flat_map(|granularity| {
            [Matching::Parity, Matching::BestAssignment, Matching::Paper]
                .map(|matching| CorrectnessSettings { granularity, matching, scale: Vec::new() })
        });
    settings.map(|settings| {
        let length = Length::new(LengthSettings { target: LengthTarget::Words(8) });
        Rubric::of(vec![
            WeightedTerm::new(1.0, Box::new(Format::default())),
            WeightedTerm::new(1.0, Box::new(Correctness::new(settings))),
            WeightedTerm::new(1.0, Box::new(length)),
        ])
        .expect("a rubric")
    })
}

fn score(rubric: &Rubric, reply: &str, reference: &Reference) -> Score {
    let parsed = reference.read(reply.as_bytes());
    let score = rubric.score(&parsed, reference, &Context::evaluation()).expect("a score");
    let sum: f64 = parts(&parsed, reference, &score).iter().map(|part| part.reward).sum();
    assert!((sum - score.total).abs() < 1e-9, "{reply}: the parts add up to {sum}, not to {}", score.total);
    assert!(explain(&parsed, reference, &score).starts_with("total "));
    score
}

fn metrics(score: &Score) -> Vec<(String, f64)> {
    score.metrics().collect()
}

#[test]
fn a_turn_has_the_same_score_in_every_dialect() {
    let mut seen = [0_usize; DIALECTS.len()];
    for (gold_calls, calls) in CASES {
        for (gold_words, words) in [(None, None), (Some("Done."), Some("It is so.")), (None, Some("Done."))] {
            let gold = turn("I look it up.", gold_calls, gold_words);
            let reply = turn("Let me see what there is now.", calls, words);
            let (Ok(gold_text), Ok(text)) = (ToolRl.write(&gold), ToolRl.write(&reply)) else {
                panic!("ToolRL says any of these turns")
            };
            let expected = reference(&gold_text, &ToolRl);
            let expected: Vec<_> =
                rubrics().map(|rubric| metrics(&score(&rubric, &text, &expected))).collect();
            for (dialect, seen) in DIALECTS.iter().zip(&mut seen) {
                let (Ok(gold), Ok(reply)) = (dialect.write(&gold), dialect.write(&reply)) else { continue };
                let reference = reference(&gold, *dialect);
                *seen += 1;
                for (rubric, expected) in rubrics().zip(&expected) {
                    let found = metrics(&score(&rubric, &reply, &reference));
                    assert_eq!(&found, expected, "{}: {reply:?} against {gold:?}", dialect.name());
                }
            }
        }
    }
    for (dialect, seen) in DIALECTS.iter().zip(seen) {
        assert!(seen >= 18, "{} says only {seen} of the pairs", dialect.name());
    }
}

#[test]
fn a_reply_that_is_cut_off_has_nothing_of_what_was_cut() {
    let gold = turn("I look it up in the long list.", &[ROME], None);
    for dialect in DIALECTS {
        let whole = dialect.write(&gold).expect("a turn that all can say");
        let reference = reference(&whole, dialect);
        let inside = |needle: &str| whole.find(needle).map(|at| at + needle.len()).expect(needle);
        for rubric in rubrics() {
            let values = |reply: &str| {
                let score = score(&rubric, reply, &reference);
                ["format", "correctness", "length"].map(|id| score.value(id).expect("a term"))
            };
            assert_eq!(values(&whole), [1.0, 3.0, 1.0], "{}", dialect.name());
            // In the thoughts, in a call's name and in a value.
            let cuts = [(inside("I look it"), 0.0), (inside("weat"), 1.0), (inside("Ro"), 1.0), (0, 0.0)];
            for (cut, length) in cuts {
                let reply = &whole[..cut];
                assert_eq!(values(reply), [0.0, -3.0, length], "{}: {reply:?}", dialect.name());
            }
        }
    }
}

#[test]
fn parts_are_settled_within_their_calls_in_every_dialect() {
    let gold = turn("I look it up.", &[ROME, ALARM], None);
    for dialect in DIALECTS {
        let Ok(text) = dialect.write(&gold) else { continue };
        let reference = reference(&text, dialect);
        let parsed = reference.read(text.as_bytes());
        let score = Rubric::toolrl().score(&parsed, &reference, &Context::evaluation()).expect("a score");
        let parts = parts(&parsed, &reference, &score);
        let settled = |id: PartId| {
            let part = parts.iter().find(|part| part.id == id).expect("a part");
            part.settled.unwrap_or_else(|| panic!("{}: {id:?} is not settled in {text:?}", dialect.name()))
        };
        let end = |needle: &str| text.find(needle).map(|at| at + needle.len()).expect(needle);
        // A value is settled behind its text, at the end of its call at the latest, before the next call's name.
        let (city, first) = (settled(PartId::Value(0, "city".into())), settled(PartId::Keys(0)));
        assert!(end("Rome") <= city && city <= first, "{}: {city} {first} {text:?}", dialect.name());
        assert!(first < end("alarm"), "{}: {first} {text:?}", dialect.name());
        let (label, second) = (settled(PartId::Value(1, "label".into())), settled(PartId::Keys(1)));
        assert!(end("wake") <= label && label <= second && second <= text.len(), "{}", dialect.name());
        if text.contains("\"arguments\"") || text.contains("\"parameters\"") {
            assert!(city <= end("Rome") + 1 && label < second, "{}: {city} {text:?}", dialect.name());
        }
    }
}

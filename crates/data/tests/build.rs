//! Samples from public datasets, on small files of our own in each form.

#![allow(clippy::unwrap_used, reason = "the lint spares test functions, not their helpers")]

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use toolrl_data::build::{BuildConfig, Built, Cause, NamedTake, SourceConfig, SourceForm, Take, build};
use toolrl_data::{GoldReport, Sample, TaskKind, load, write_jsonl, write_parquet};
use toolrl_grammar::{ReplyKind, json, lenient, strict};

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../fixtures/data", name].iter().collect()
}

fn source(form: SourceForm, take: Take) -> SourceConfig {
    let name = if form == SourceForm::Toolace { "toolace.json" } else { "xlam.jsonl" };
    SourceConfig { form, file: fixture(name), take }
}

const ALL: Take = Take::Named(NamedTake::All);

/// Every sample of the form's fixture, by id.
fn all(form: SourceForm) -> (BTreeMap<String, Sample>, Built) {
    let built = build(&BuildConfig { sources: vec![source(form, ALL)], ..BuildConfig::default() }).unwrap();
    let samples: BTreeMap<_, _> = built.samples.iter().map(|s| (s.id.clone(), s.clone())).collect();
    assert_eq!(samples.len(), built.samples.len(), "ids are unique");
    (samples, built)
}

/// The calls of a gold reply, as their lines.
fn calls(sample: &Sample) -> Vec<String> {
    let block = lenient(&sample.gold).unwrap();
    block.calls.unwrap().iter().map(|call| sample.gold[call.span.range()].to_owned()).collect()
}

#[test]
fn dialogues_become_steps() {
    let (samples, _) = all(SourceForm::Toolace);
    let ids: Vec<_> = samples.keys().map(String::as_str).collect();
    let expected = ["toolace:0.0", "toolace:0.1", "toolace:0.2", "toolace:1", "toolace:10.0", "toolace:2"];
    assert_eq!(ids, [&expected[..], &["toolace:3", "toolace:4"]].concat());
    let kinds = [
        ("toolace:0.0", TaskKind::OneCall),
        ("toolace:0.1", TaskKind::NoCall),
        ("toolace:0.2", TaskKind::History),
        ("toolace:2", TaskKind::SeveralCalls),
        ("toolace:4", TaskKind::NoCall),
    ];
    for (id, kind) in kinds {
        assert_eq!(samples[id].kind, kind, "{id}");
    }
    let lines = [
        ("toolace:0.0", r#"{"name": "Get Weather", "parameters": {"city": "Rome", "days": 3}}"#),
        (
            "toolace:1",
            r#"{"name": "Best Albums (All Time)", "parameters": {"from_year": 1960, "genres": ["jazz", "soul"], "filter": {"vinyl": true, "label": null}}}"#,
        ),
        ("toolace:3", r#"{"name": "Fahrplan/Zürich.v2", "parameters": {"stop": "Höschgasse"}}"#),
    ];
    for (id, line) in lines {
        assert_eq!(calls(&samples[id]), [line], "{id}");
    }
    assert!(
        samples["toolace:4"].gold.ends_with("<response> I have no function that books tables. </response>")
    );
}

#[test]
fn the_prompt_holds_the_tools_and_the_history() {
    let (samples, _) = all(SourceForm::Toolace);
    let prompt = |id: &str, message: usize| samples[id].messages[message].content.clone();
    let system = prompt("toolace:0.2", 0);
    let tools = "1. Name: Get Weather\nDescription: Tells the weather of a city.\n\
        Parameters: {\"city\": {\"type\": \"string\", \"description\": \"The city\"}, \
        \"days\": {\"type\": \"int\", \"description\": \"Days ahead\", \"default\": 1}}\n\
        2. Name: Best Albums (All Time)\n";
    assert!(system.contains(tools), "{system}");
    assert!(prompt("toolace:3", 0).contains("Trams between stops – in Zürich."));
    let first = "Conversation so far:\n<user> What is the weather in Rome for three days? </user>";
    assert_eq!(prompt("toolace:0.0", 1), first);
    let earlier = [samples["toolace:0.0"].gold.text(), samples["toolace:0.1"].gold.text()];
    let observation = r#"<obs> [{"name": "Get Weather", "results": {"sky": "clear"}}] </obs>"#;
    let expected =
        format!("{first}\n{}\n{observation}\n{}\n<user> And in Oslo? </user>", earlier[0], earlier[1]);
    assert_eq!(prompt("toolace:0.2", 1), expected);
}

#[test]
fn tools_of_three_forms() {
    let (samples, _) = all(SourceForm::Xlam);
    let parameters = [
        // A flat object with a parameter of the name `type`.
        (0, r#"{"type": {"description": "Kind of match", "type": "str", "default": "league"}, "team": "#),
        (2, r#"{"origin": {"type": "string"}, "dates": {"type": "array", "items": {"type": "string"}}}"#),
        (3, r#"{"a": {"type": "integer"}, "b": {"type": "integer"}}"#),
        (4, "1. Name: now\nDescription: Tells the time.\nParameters: {}\n2. "),
    ];
    for (row, part) in parameters {
        let system = &samples[&format!("xlam:{row}")].messages[0].content;
        assert!(system.contains(part), "{system}: lacks {part}");
    }
    assert_eq!(samples["xlam:1"].kind, TaskKind::SeveralCalls);
    let francs = r#"{"name": "convert", "parameters": {"amount": 20.0, "to": "JPY"}}"#;
    assert_eq!(calls(&samples["xlam:1"])[0], francs);
    assert!(calls(&samples["xlam:3"])[0].contains("12345678901234567890123}"), "no digit is lost");
    assert!(calls(&samples["xlam:2"])[0].contains("Genève"));
    // A row without answers, as Hammer's own irrelevance rows are.
    assert_eq!(samples["xlam:5"].kind, TaskKind::NoCall);
    assert!(samples["xlam:5"].gold.contains("<response>"));
}

#[test]
fn every_gold_reply_is_right_and_can_be_scored() {
    for form in [SourceForm::Toolace, SourceForm::Xlam, SourceForm::Hammer] {
        let (samples, built) = all(form);
        assert_eq!(GoldReport::of(&built.samples).unscorable, []);
        for sample in samples.values() {
            let kind =
                if sample.kind == TaskKind::NoCall { ReplyKind::Response } else { ReplyKind::ToolCall };
            strict(&sample.gold, kind).unwrap_or_else(|error| panic!("{}: {error}", sample.gold));
        }
    }
}

#[test]
fn what_is_not_converted_is_counted() {
    type Counted<'a> = (Cause, usize, &'a str);
    let cases: [(SourceForm, &[Counted<'_>]); 2] = [
        (
            SourceForm::Toolace,
            &[
                (Cause::Field, 1, "row 18: field `conversations`"),
                (Cause::Tools, 2, "row 13: no JSON list"),
                (Cause::SameName, 1, "row 15: Get Weather"),
                (Cause::Speaker, 1, "row 16: critic"),
                (Cause::NoReply, 1, "row 17: 1 turns"),
                (Cause::OutOfTurn, 1, "row 11, reply 2: a reply without"),
                (Cause::Empty, 1, "row 10, reply 1: "),
                (Cause::Calls, 1, "row 7, reply 1: expected a Python literal (bytes 18..23)"),
                (Cause::UnknownTool, 1, "row 8, reply 1: Weather"),
                (Cause::UnknownParameter, 1, "row 9, reply 1: Get Weather: town"),
                (Cause::Gold, 1, "row 12, reply 1: "),
                (Cause::Follows, 1, "row 7, reply 2: "),
            ],
        ),
        (
            SourceForm::Xlam,
            &[
                (Cause::Field, 1, "line 21: field `query`: expected a string, found nothing"),
                (Cause::Tools, 2, "line 16: expected a JSON value"),
                (Cause::Answers, 1, "line 18: {\"name\": \"now\"}"),
                (Cause::UnknownTool, 1, "line 19, reply 1: later"),
                (Cause::UnknownParameter, 1, "line 20, reply 1: now: zone"),
            ],
        ),
    ];
    for (form, expected) in cases {
        let (_, built) = all(form);
        let source = &built.report.sources[0];
        let found: Vec<_> = source.refused.iter().map(|refused| (refused.cause, refused.count)).collect();
        assert_eq!(found, expected.iter().map(|(cause, count, _)| (*cause, *count)).collect::<Vec<_>>());
        for (refused, (_, _, text)) in source.refused.iter().zip(expected) {
            let example = refused.examples[0].to_string();
            assert!(example.starts_with(text), "{example}: lacks {text}");
        }
        let of_rows: usize = source.refused.iter().filter(|r| r.cause.is_of_row()).map(|r| r.count).sum();
        let of_replies: usize = source.refused.iter().filter(|r| !r.cause.is_of_row()).map(|r| r.count).sum();
        assert_eq!((source.rows_refused, source.replies_refused), (of_rows, of_replies));
        assert_eq!(source.duplicates, 1);
        let accounted = of_replies + source.duplicates + source.used + source.taken + source.left_over;
        assert_eq!(accounted, source.replies);
    }
}

#[test]
fn masks_are_consistent_and_follow_from_the_seed() {
    let hammer = |seed: u64| {
        let sources = vec![source(SourceForm::Hammer, ALL)];
        build(&BuildConfig { seed, irrelevance: 0.0, sources, ..BuildConfig::default() }).unwrap().samples
    };
    let (plain, _) = all(SourceForm::Xlam);
    let masked = hammer(4);
    assert_eq!(masked, hammer(4));
    assert_ne!(masked, hammer(5));
    assert_eq!(masked.len(), plain.len());
    for sample in masked.iter().filter(|sample| sample.kind != TaskKind::NoCall) {
        assert_eq!(sample.kind, TaskKind::Masked);
        let original = &plain[&sample.id.replace("hammer", "xlam")];
        assert_eq!(sample.messages[1], original.messages[1], "the request stays as it is");
        let system = &sample.messages[0].content;
        for (masked, original) in calls(sample).iter().zip(calls(original)) {
            let (masked, original) = (json::parse(masked).unwrap(), json::parse(&original).unwrap());
            let name = |call: &json::Value<'_>| call.get("name").unwrap().to_string().replace('"', "");
            assert_ne!(name(&masked), name(&original));
            let description = |system: &str, name: &str| {
                let (_, after) = system.split_once(&format!(". Name: {name}\n")).unwrap();
                after.lines().next().unwrap().to_owned()
            };
            let system_before = &original_system(&plain, sample);
            assert_eq!(
                description(system, &name(&masked)),
                description(system_before, &name(&original)),
                "the tool is the same"
            );
            let (masked, original) = (masked.get("parameters").unwrap(), original.get("parameters").unwrap());
            let (masked, original) = (masked.as_object().unwrap(), original.as_object().unwrap());
            assert_eq!(masked.len(), original.len());
            for ((masked, value), (original, before)) in masked.iter().zip(original) {
                assert_ne!(masked, original);
                assert!(json::equal(value, before), "values stay as they are");
                assert!(system.contains(&format!("\"{}\": {{", masked.lossy())), "{system}");
            }
        }
    }
}

fn original_system(plain: &BTreeMap<String, Sample>, sample: &Sample) -> String {
    plain[&sample.id.replace("hammer", "xlam")].messages[0].content.clone()
}

#[test]
fn irrelevance_takes_the_right_tools_away() {
    let sources = vec![source(SourceForm::Hammer, Take::Count(10))];
    let built = build(&BuildConfig { irrelevance: 0.4, sources, ..BuildConfig::default() }).unwrap();
    assert_eq!((built.report.sources[0].taken, built.report.sources[0].irrelevance), (10, 4));
    let (plain, _) = all(SourceForm::Xlam);
    let count = |system: &str| system.matches(". Name: ").count();
    let mut lost = 0;
    for sample in built.samples.iter().filter(|sample| sample.kind == TaskKind::NoCall) {
        let original = &plain[&sample.id.replace("hammer", "xlam")];
        let (now, before) = (count(&sample.messages[0].content), count(&original.messages[0].content));
        if original.kind != TaskKind::NoCall {
            assert!(0 < now && now < before, "{now} of {before} tools are left");
            assert!(sample.gold.contains("<response>") && !sample.gold.contains("<tool_call>"));
            lost += 1;
        }
    }
    assert!(lost >= 3, "one row alone has no answers to begin with");
    assert!(build(&BuildConfig { irrelevance: 1.5, ..BuildConfig::default() }).is_err());
}

#[test]
fn a_prompt_without_a_tool_to_spare_keeps_its_tools() {
    let directory = tempfile::tempdir().unwrap();
    let row = |query: &str| {
        serde_json::json!({
            "query": query,
            "tools": [{"name": "now", "parameters": {}}],
            "answers": [{"name": "now", "arguments": {}}],
        })
    };
    let file = directory.path().join("one_tool.json");
    std::fs::write(&file, serde_json::json!([row("What time is it?"), row("How late is it?")]).to_string())
        .unwrap();
    let sources = vec![SourceConfig { form: SourceForm::Hammer, file, take: ALL }];
    let built = build(&BuildConfig { irrelevance: 1.0, sources, ..BuildConfig::default() }).unwrap();
    assert_eq!((built.report.sources[0].taken, built.report.sources[0].irrelevance), (2, 0));
    assert_eq!(built.report.by_kind, BTreeMap::from([(TaskKind::Masked, 2)]));
}

#[test]
fn a_mix_follows_from_the_seed_and_takes_no_row_twice() {
    let mix = |seed: u64| {
        let sources = vec![
            source(SourceForm::Toolace, Take::Count(3)),
            source(SourceForm::Xlam, Take::Count(6)),
            source(SourceForm::Hammer, Take::Count(20)),
            source(SourceForm::Xlam, ALL),
        ];
        build(&BuildConfig { seed, sources, ..BuildConfig::default() }).unwrap()
    };
    let built = mix(1);
    assert_eq!(built, mix(1));
    assert_ne!(built.samples, mix(2).samples);
    let [toolace, xlam, hammer, rest] = &built.report.sources[..] else { panic!("four sources") };
    assert_eq!((toolace.taken, toolace.left_over, toolace.missing()), (3, 5, 0));
    assert_eq!((xlam.taken, xlam.left_over, xlam.used), (6, 8, 0));
    assert_eq!((hammer.taken, hammer.used, hammer.asked, hammer.missing()), (8, 6, Some(20), 12));
    assert_eq!((rest.name.as_str(), rest.taken, rest.used, rest.missing()), ("xlam-2", 0, 14, 0));
    let requests: HashSet<_> = built.samples.iter().map(|s| &s.messages[1].content).collect();
    assert_eq!(requests.len(), 17, "no request is there twice");
    let order: Vec<_> = built.samples.iter().map(|s| s.id.split(':').next().unwrap()).collect();
    assert!(order.windows(2).filter(|pair| pair[0] != pair[1]).count() > 3, "{order:?}");
}

#[test]
fn a_dialogue_is_never_on_both_sides() {
    for seed in 0..12 {
        let sources = vec![source(SourceForm::Toolace, ALL), source(SourceForm::Xlam, ALL)];
        let built = build(&BuildConfig { seed, held_out: 9, sources, ..BuildConfig::default() }).unwrap();
        assert_eq!(built.samples.len() + built.held_out.len(), 22);
        assert!((9..12).contains(&built.held_out.len()), "{}", built.held_out.len());
        assert_eq!(built.report.held_out, built.held_out.len());
        let rows = |samples: &[Sample]| -> HashSet<String> {
            samples.iter().map(|sample| sample.id.split('.').next().unwrap().to_owned()).collect()
        };
        assert!(rows(&built.samples).is_disjoint(&rows(&built.held_out)));
    }
}

#[test]
fn what_is_built_is_what_training_loads() {
    let directory = tempfile::tempdir().unwrap();
    let sources =
        [SourceForm::Toolace, SourceForm::Xlam, SourceForm::Hammer].map(|f| source(f, Take::default()));
    let built = build(&BuildConfig { sources: sources.to_vec(), ..BuildConfig::default() }).unwrap();
    let (lines, table) = (directory.path().join("a.jsonl"), directory.path().join("a.parquet"));
    write_jsonl(&lines, &built.samples).unwrap();
    write_parquet(&table, &built.samples).unwrap();
    assert_eq!(load(&lines).unwrap().samples, built.samples);
    assert_eq!(load(&table).unwrap().samples, built.samples);
}

#[test]
fn a_prompt_of_ones_own() {
    let sources = vec![source(SourceForm::Toolace, ALL)];
    let config = BuildConfig { prompt: Some(fixture("prompt.jinja")), sources, ..BuildConfig::default() };
    let built = build(&config).unwrap();
    let sample = built.samples.iter().find(|sample| sample.id == "toolace:0.1").unwrap();
    assert!(sample.messages[0].content.starts_with("Get Weather(city) {\"city\": {"));
    let expected = "user: What is the weather in Rome for three days?\n\
        assistant: {\"name\": \"Get Weather\", \"parameters\": {\"city\": \"Rome\", \"days\": 3}}\n\
        tool: [{\"name\": \"Get Weather\", \"results\": {\"sky\": \"clear\"}}]";
    assert_eq!(sample.messages[1].content, expected);
    let gone = BuildConfig { prompt: Some(fixture("gone.jinja")), ..config };
    assert!(build(&gone).unwrap_err().to_string().contains("gone.jinja"));
}

#[test]
fn hostile_rows_are_refused_in_time() {
    let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    let tool = |default: &str| {
        format!("[{{\"name\": \"f\", \"parameters\": {{\"a\": {{\"default\": {default}}}}}}}]")
    };
    let toolace = |system: String, reply: String| {
        serde_json::json!({"system": system, "conversations": [
            {"from": "user", "value": "x"}, {"from": "assistant", "value": reply},
        ]})
    };
    let texts =
        ["[{\"a", "[{", "[{}],", "[{\"name\": \"f\"},", "[", "{", "[ "].map(|text| text.repeat(200_000));
    let mut rows: Vec<_> = texts.iter().map(|text| toolace(text.clone(), text.clone())).collect();
    rows.extend(texts.iter().map(|text| toolace(tool("1"), format!("[f(a={text}"))));
    rows.push(toolace(tool("1"), format!("[f(a={})]", deep(900))));
    rows.push(toolace(tool(&deep(900)), "[f(a=1)]".to_owned()));
    rows.push(toolace(tool(&deep(2_000)), "[f(a=1)]".to_owned()));
    rows.push(toolace(tool("1"), "[f(1)]".to_owned()));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hostile.json");
    std::fs::write(&file, serde_json::to_vec(&rows).unwrap()).unwrap();
    let sources = vec![SourceConfig { form: SourceForm::Toolace, file, take: ALL }];
    let start = std::time::Instant::now();
    let built = build(&BuildConfig { sources, ..BuildConfig::default() }).unwrap();
    assert!(start.elapsed().as_secs() < 20, "{:?} for 15 MB", start.elapsed());
    assert_eq!(built.samples.len(), 2, "nesting that Python reads is read");
}

#[test]
fn digits_are_kept_and_other_fields_counted() {
    let row = r#"{"query": "Pay.", "id": 1, "score": NaN, "tools": [{"name": "pay", "parameters": {"to": {"type": "int"}, "sum": {"type": "float"}}}],
        "answers": [{"name": "pay", "arguments": {"to": 98765432109876543210987, "sum": [{"of": -1e-7}]}}]}"#;
    let row = row.replace('\n', " ");
    let with_history = row.replace("\"id\": 1", "\"history\": [\"earlier\"]");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pay.jsonl");
    std::fs::write(&file, format!("{row}\n{with_history}\n")).unwrap();
    for form in [SourceForm::Xlam, SourceForm::Hammer] {
        let sources = vec![SourceConfig { form, file: file.clone(), take: ALL }];
        let built = build(&BuildConfig { sources, irrelevance: 0.0, ..BuildConfig::default() }).unwrap();
        let gold = built.samples[0].gold.text();
        assert!(
            gold.contains(": 98765432109876543210987, ") && gold.contains("[{\"of\": -1e-07}]"),
            "{gold}"
        );
        let source = &built.report.sources[0];
        assert_eq!(source.passed_over, BTreeMap::from([("score".to_owned(), 1)]));
        assert_eq!((source.rows_refused, source.refused[0].cause), (1, Cause::Field));
        assert!(source.refused[0].examples[0].detail.contains("`history`"));
    }
}

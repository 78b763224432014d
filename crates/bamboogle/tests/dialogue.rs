//! Questions and dialogues.

use std::path::Path;

use toolrl_bamboogle::{Dialogue, DialogueSettings, Ended, Hit, Outcome, Step, Tally, load};

fn search(queries: &[&str]) -> String {
    let line = |query: &&str| format!("{{\"name\": \"search\", \"parameters\": {{\"query\": {query:?}}}}}");
    let lines: Vec<String> = queries.iter().map(line).collect();
    format!("<think> x </think>\n<tool_call>\n{}\n</tool_call>", lines.join("\n"))
}

fn outcome(answer: &str, calls: usize, rounds: usize, ended: Ended) -> Step {
    Step::Done(Outcome { answer: answer.into(), calls, rounds, ended })
}

#[test]
fn replies_search_or_end() {
    let answer = "<think> x </think>\n<response> Ada </response>";
    let other = r#"<tool_call>{"name": "look", "parameters": {"query": "x"}}</tool_call>"#;
    let both = format!("{}\n<response> Bo </response>", search(&["a"]));
    let one = search(&["a"]);
    let two = search(&["a", " b "]);
    let six = search(&["a"; 6]);
    let cases: [(&[&str], Step); 9] = [
        (&[answer], outcome("Ada", 0, 1, Ended::Answered)),
        (&["no idea"], outcome("", 0, 1, Ended::Silent)),
        (&[other], outcome("", 0, 1, Ended::Silent)),
        (&[&search(&["", "  "])], outcome("", 0, 1, Ended::Silent)),
        (&[&two], Step::Search(vec!["a".into(), "b".into()])),
        (&[&six], Step::Search(vec!["a".into(); 5])),
        (&[&two, &one, answer], outcome("Ada", 3, 3, Ended::Answered)),
        (&[&one, &one, &one, &one], outcome("", 3, 4, Ended::OutOfRounds)),
        (&[&one, &one, &one, &both], outcome("Bo", 3, 4, Ended::Answered)),
    ];
    for (replies, expected) in cases {
        let mut dialogue = Dialogue::new("Who?", &DialogueSettings::default());
        let mut last = None;
        for reply in replies {
            last = Some(dialogue.reply(reply));
            dialogue.found(&[]);
        }
        assert_eq!(last, Some(expected), "{replies:?}");
    }
}

#[test]
fn the_prompt_retells_the_dialogue() {
    let settings = DialogueSettings { hit_bytes: 5, ..DialogueSettings::default() };
    let mut dialogue = Dialogue::new(" Who? ", &settings);
    assert_eq!(dialogue.user(), "**Dialogue so far**\n<user> Who? </user>");
    dialogue.reply(&search(&["a \"b\"", "c"]));
    let hit = |title: &str, text: &str| Hit { title: title.into(), text: text.into() };
    dialogue.found(&[vec![hit("T", " école du soir "), hit("U", "x")], vec![]]);
    let expected = "<user> Who? </user>\n\n<think> x </think>\n<tool_call>\n\
                    {\"name\": \"search\", \"parameters\": {\"query\": \"a \\\"b\\\"\"}}\n\
                    {\"name\": \"search\", \"parameters\": {\"query\": \"c\"}}\n</tool_call>\n\
                    <obs> The search for \"a \\\"b\\\"\" found:\n1. T\nécol\n2. U\nx </obs>\n\
                    <obs> The search for \"c\" found:\nnothing </obs>";
    assert!(dialogue.user().ends_with(expected), "{}", dialogue.user());
}

#[test]
fn questions_load() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/bamboogle");
    let questions = load(&folder.join("data.json")).unwrap();
    assert_eq!((questions.len(), questions[1].index), (2, 1));
    let cases = [
        ("[", "not JSON"),
        ("{}", "`file`: expected a list of questions, found object"),
        (r#"[{"Question": "x"}]"#, "question 0: `Answer`: expected a string, found nothing"),
    ];
    for (text, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("data.json"), text).unwrap();
        let error = load(&folder.path().join("data.json")).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let missing = load(Path::new("/nowhere/data.json")).unwrap_err().to_string();
    assert!(missing.contains("ToolRL"), "{missing}");
}

#[test]
fn the_released_questions_load() {
    let Some(path) = toolrl_testing::shared("data/bamboogle/data.json") else { return };
    assert_eq!(load(&path).unwrap().len(), 125);
}

#[test]
fn totals_are_means() {
    let mut tally = Tally::default();
    assert_eq!(tally.totals(), None);
    tally.count(true, 1.0, 2);
    tally.count(false, 0.5, 1);
    let totals = tally.totals().unwrap();
    assert_eq!((totals.questions, totals.accuracy, totals.f1, totals.calls), (2, 0.5, 0.75, 1.5));
}

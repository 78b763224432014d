//! ToolRL's dialect: its readings of a reply, and what it writes.

use toolrl_grammar::json::{self, Object};
use toolrl_grammar::{
    Call, DIALECTS, Dialect, Outcome, ReplyKind, SyntaxErrorKind as Kind, ToolRl, Turn, TurnPart, WriteError,
    dialect, lenient, parse, strict,
};

const T: &str = "<tool_call>\n{\"name\": \"f\", \"parameters\": {}}\n</tool_call>";

#[test]
fn the_kind_is_decided_by_substrings() {
    let cases = [
        ("<think> a </think>", ReplyKind::Thoughts),
        ("<think> no <tool_call> </think>", ReplyKind::ToolCall),
        ("<response>", ReplyKind::Response),
        ("<response><tool_call>", ReplyKind::Both),
        ("</response></tool_call>", ReplyKind::Thoughts),
    ];
    for (reference, kind) in cases {
        assert_eq!(ReplyKind::of(reference), kind, "{reference}");
    }
}

#[test]
fn strict_takes_the_shape_of_the_kind() {
    let well_formed = [
        (ReplyKind::Thoughts, "<think></think>".to_string()),
        (ReplyKind::Thoughts, "<think> a </think> junk </think>".into()),
        (ReplyKind::Response, "<think>a</think>\n<response>\n</response>".into()),
        (ReplyKind::Response, "<think>a</think></think>\n<response>b<tool_call></response>".into()),
        (ReplyKind::ToolCall, format!("<think>a</think>\n{T}")),
        (ReplyKind::ToolCall, format!("<think>a<response></think>\n{T}")),
        (ReplyKind::ToolCall, "<think></think>\n<tool_call>\n\n</tool_call>".into()),
        (ReplyKind::Both, format!("<think>a</think> x </think>\n{T}\n<response>b</response>")),
    ];
    for (kind, text) in well_formed {
        let layout = strict(&text, kind).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let thoughts = layout.thoughts.expect("they are there");
        assert!(text[..thoughts.start].ends_with("<think>"), "{text:?}");
        assert!(text[thoughts.end..].starts_with("</think>"), "{text:?}");
        if let Some(response) = layout.response {
            assert!(text[response.end..].starts_with("</response>"), "{text:?}");
        }
    }
}

#[test]
fn strict_refuses_other_shapes() {
    let literal = |literal| Kind::ExpectedLiteral { literal };
    let again = |tag, count| Kind::RepeatedTag { tag, count };
    let cases = [
        (ReplyKind::Thoughts, "".to_string(), literal("<think>")),
        (ReplyKind::Thoughts, "<think></think>.".into(), literal("</think>")),
        (ReplyKind::Thoughts, "<think>/think>".into(), literal("</think>")),
        (ReplyKind::ToolCall, format!(" <think>a</think>\n{T}"), literal("<think>")),
        (ReplyKind::ToolCall, format!("<think>a</think>{T}"), literal("</think>\n<tool_call>\n")),
        // The two newlines around the calls are two.
        (
            ReplyKind::ToolCall,
            "<think>a</think>\n<tool_call>\n</tool_call>".into(),
            literal("\n</tool_call>"),
        ),
        (ReplyKind::ToolCall, format!("<think>a</think>\n{T}\n{T}"), again("<tool_call>", 2)),
        (
            ReplyKind::ToolCall,
            format!("<think>a</tool_call></tool_call></think>\n{T}"),
            again("</tool_call>", 3),
        ),
        (
            ReplyKind::Both,
            format!("<think>a</think>\n<response>b</response>\n{T}"),
            literal("</think>\n<tool_call>\n"),
        ),
        (
            ReplyKind::Both,
            format!("<think>a</think>\n{T}<response>b</response>"),
            literal("\n</tool_call>\n<response>"),
        ),
        (
            ReplyKind::Response,
            "<think><response></think>\n<response>b</response>".into(),
            again("<response>", 2),
        ),
    ];
    for (kind, text, expected) in cases {
        assert_eq!(strict(&text, kind).expect_err(&text).kind, expected, "{text:?}");
    }
}

#[test]
fn lenient_takes_the_first_block() {
    // The text, the values of its lines, and whether it has a closing tag.
    let cases: [(&str, Option<&[&str]>, bool); 9] = [
        ("<tool_call>1</tool_call>", Some(&["1"]), true),
        ("</tool_call> <tool_call>1", Some(&["1"]), true),
        ("<tool_call>\u{1f}1\n 2 \r\n3\u{3000}", Some(&["1", "2", "3"]), false),
        ("<tool_call>1<tool_call>2</tool_call>", Some(&["1"]), true),
        ("<tool_call>1</tool_call><tool_call>2</tool_call>", Some(&["1"]), true),
        ("<tool_call></tool_call>", None, true),
        ("<tool_call>1\n\n2</tool_call>", None, true),
        ("<tool_call>1\u{2028}2</tool_call>", None, true),
        ("<tool_call>\"<tool_call>\"</tool_call>", None, true),
    ];
    for (text, expected, closing) in cases {
        let block = lenient(text).expect(text);
        let read = block.calls.ok();
        let values =
            read.as_ref().map(|calls| calls.iter().map(|call| call.value.to_string()).collect::<Vec<_>>());
        let expected = expected.map(|lines| lines.iter().map(ToString::to_string).collect());
        assert_eq!((values, block.has_closing_tag), (expected, closing), "{text:?}");
        for call in read.into_iter().flatten() {
            assert_eq!(text[call.span.range()].trim(), call.value.to_string());
        }
    }
    assert!(lenient("no </tool_call>").is_none());
}

#[test]
fn parse_lists_what_is_wrong_and_where() {
    let whole = format!("<think>a</think>\n{T}\n<response>b</response>");
    let parsed = parse(&whole);
    assert!(parsed.faults.is_empty());
    assert_eq!(parsed.turn.response.unwrap().as_bytes(), b"b");

    let broken = "<tool_call>\n{\"name\": \"f\",}\n<response> b";
    let parsed = parse(broken);
    let kinds: Vec<_> = parsed.faults.iter().map(|fault| fault.error.kind.clone()).collect();
    let missing = |tag| Kind::MissingTag { tag };
    assert_eq!(
        kinds,
        [missing("<think>"), missing("</tool_call>"), Kind::ExpectedKey, missing("</response>")]
    );
    assert_eq!(&broken[parsed.faults[2].error.span.range()], "}");
}

/// The parts of a turn on one line, for tables of cases.
fn shown(turn: &Turn<'_>) -> String {
    let passage = |passage: &Option<toolrl_grammar::Passage<'_>>| {
        passage.as_ref().map_or("-".to_owned(), |passage| passage.text.lossy().into_owned())
    };
    let calls: Vec<_> = turn
        .calls
        .iter()
        .map(|call| format!("{} {}", call.name.lossy(), json::Entries(&call.arguments)))
        .collect();
    format!("{} | {} | {}", passage(&turn.thoughts), calls.join("; "), passage(&turn.response))
}

#[test]
fn a_text_means_a_turn_and_is_whole_cut_off_broken_or_foreign() {
    use Outcome::{Foreign, Incomplete, Malformed, Whole};
    let f =
        |more: &str| format!("<tool_call>\n{{\"name\": \"f\", \"parameters\": {{}}{more}}}\n</tool_call>");
    let at = |at| Malformed { at };
    let cases = [
        (format!("<think> a </think>\n{T}"), "a | f {} | -", Whole),
        ("<think> a </think>\n<response> b </response>".into(), "a |  | b", Whole),
        ("<think>a</think>".into(), "a |  | -", Whole),
        // Parts do not nest.
        (format!("<think> no <tool_call> </think>\n{T}"), "no <tool_call> | f {} | -", Whole),
        ("<think>a</think><response>no <tool_call></response>".into(), "a |  | no <tool_call>", Whole),
        // Cut off.
        ("".into(), "- |  | -", Incomplete),
        ("<thi".into(), "- |  | -", Incomplete),
        ("<think> a".into(), "a |  | -", Incomplete),
        ("<think>a</think>\n<tool_call>\n".into(), "a |  | -", Incomplete),
        ("<think>a</think>\n<tool_call>\n{\"name\": \"f".into(), "a |  | -", Incomplete),
        (format!("<think>a</think>\n{}", T.replace("</tool_call>", "</tool_c")), "a | f {} | -", Incomplete),
        (format!("<think>a</think>\n{}", T.replace("</tool_call>", "")), "a | f {} | -", Incomplete),
        // Broken.
        (T.into(), "- | f {} | -", at(0)),
        (format!("<think>a\n{T}"), "a | f {} | -", at(0)),
        (format!("<think>a</think>\n{T}\n{T}"), "a | f {} | -", at(74)),
        (format!("<think>a</think>{}", f(", \"x\": 1")), "a | f {} | -", at(28)),
        ("<think>a</think><tool_call>\n[1]\n</tool_call>".into(), "a |  | -", at(28)),
        (
            "<think>a</think><tool_call>{\"name\": 1, \"parameters\": {}}</tool_call>".into(),
            "a |  | -",
            at(27),
        ),
        ("<think>a</think><tool_call>{\"name\": \"f\"}</tool_call>".into(), "a |  | -", at(27)),
        ("<think>a</think><tool_call></tool_call>".into(), "a |  | -", at(27)),
        ("Hello.".into(), "- |  | -", Foreign),
        ("{\"name\": \"f\", \"parameters\": {}}".into(), "- |  | -", Foreign),
    ];
    for (text, turn, outcome) in cases {
        let parsed = parse(&text);
        assert_eq!((shown(&parsed.turn).as_str(), parsed.outcome), (turn, outcome), "{text:?}");
    }
}

#[test]
fn a_turn_that_is_written_reads_as_itself() {
    let arguments = json::parse(r#"{"x": [1, 2.50, NaN], "é": "a\n\ud83d"}"#).unwrap();
    let call = Call::new("Get Weather", arguments.as_object().cloned().unwrap());
    let (thoughts, response) = (Some("I think.".into()), Some("é".into()));
    let turn = Turn { thoughts, calls: vec![call.clone(), Call::new("", Object::default())], response };
    let text = ToolRl.write(&turn).unwrap();
    let line = r#"{"name": "Get Weather", "parameters": {"x": [1, 2.5, NaN], "é": "a\n\ud83d"}}"#;
    let empty = r#"{"name": "", "parameters": {}}"#;
    let expected = format!(
        "<think> I think. </think>\n<tool_call>\n{line}\n{empty}\n</tool_call>\n<response> é </response>"
    );
    assert_eq!(text, expected);
    assert!(strict(&text, turn.kind()).is_ok());
    let parsed = parse(&text);
    assert_eq!((parsed.outcome, shown(&parsed.turn)), (Outcome::Whole, shown(&turn)));
    assert_eq!(ToolRl.write(&parsed.turn.into_owned()), Ok(text));
}

#[test]
fn what_the_dialect_cannot_say_is_told() {
    let turn = |thoughts: Option<&'static str>, name: &'static str, response: Option<&'static str>| Turn {
        thoughts: thoughts.map(Into::into),
        calls: vec![Call::new(name, Object::default())],
        response: response.map(Into::into),
    };
    let tag = |part, tag| WriteError::Tag { part, tag };
    let cases = [
        (turn(None, "f", None), WriteError::NoThoughts),
        (turn(Some("a </think> b"), "f", None), tag(TurnPart::Thoughts, "</think>")),
        (turn(Some("a"), "</tool_call>", None), tag(TurnPart::Calls, "</tool_call>")),
        (turn(Some("a"), "f", Some("<response>")), tag(TurnPart::Response, "<response>")),
    ];
    for (turn, error) in cases {
        assert_eq!(ToolRl.write(&turn), Err(error));
    }
    let surrogate = json::PyStr(b"\xed\xa0\xbd"[..].into()).into();
    let turn = Turn { thoughts: Some(surrogate), ..Turn::default() };
    assert_eq!(ToolRl.write(&turn), Err(WriteError::NotText { part: TurnPart::Thoughts }));
}

#[test]
fn dialects_have_names_of_their_own() {
    let mut names: Vec<_> = DIALECTS.iter().map(|dialect| dialect.name()).collect();
    assert!(names.iter().all(|name| dialect::named(name).unwrap().name() == *name));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), DIALECTS.len());
    for dialect in DIALECTS {
        let opening = dialect.thoughts_opening().unwrap_or_default();
        assert_eq!(dialect.parse(opening.as_bytes()).outcome, Outcome::Incomplete, "{}", dialect.name());
    }
}

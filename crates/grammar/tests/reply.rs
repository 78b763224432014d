//! The two readings of a reply.

use toolrl_grammar::reply::last_thoughts;
use toolrl_grammar::{ReplyKind, SyntaxErrorKind as Kind, lenient, parse, strict};

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
        assert!(text[..layout.thoughts.start].ends_with("<think>"), "{text:?}");
        assert!(text[layout.thoughts.end..].starts_with("</think>"), "{text:?}");
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
    assert!(parsed.errors.is_empty());
    assert_eq!(parsed.reply.response.map(|span| span.of(parsed.text)), Some(&b"b"[..]));

    let broken = "<tool_call>\n{\"name\": \"f\",}\n<response> b";
    let parsed = parse(broken);
    let kinds: Vec<_> = parsed.errors.iter().map(|error| error.kind.clone()).collect();
    let missing = |tag| Kind::MissingTag { tag };
    assert_eq!(
        kinds,
        [missing("<think>"), missing("</tool_call>"), Kind::ExpectedKey, missing("</response>")]
    );
    assert_eq!(&broken[parsed.errors[2].span.range()], "}");
}

#[test]
fn the_last_thoughts_are_measured() {
    let cases = [
        ("<think>a</think><think>b c</think>d</think>", Some("b c")),
        ("</think><think>a", Some("a")),
        ("<think>a", None),
        ("a</think>", None),
    ];
    for (text, thoughts) in cases {
        assert_eq!(last_thoughts(text).map(|span| &text[span.range()]), thoughts, "{text:?}");
    }
}

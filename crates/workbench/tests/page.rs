//! The page of explanations.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use common::{ANSWER, CALL, row};
use toolrl_workbench::{Page, Reward, Row};

fn page(rows: &[Row], reward: &Reward) -> String {
    let mut page = Page::new();
    for (row, scored) in rows.iter().zip(reward.score(rows)) {
        match scored {
            Ok(scored) => page.add(row, &scored),
            Err(error) => page.add_unscorable(row, &error.to_string()),
        }
    }
    page.finish("a <title>").unwrap()
}

/// The pieces of a page that stand with a class.
fn marked<'p>(page: &'p str, class: &str) -> Vec<&'p str> {
    let start = format!("<i class=\"{class}\" ");
    let pieces = page.split(&start).skip(1);
    pieces.map(|piece| piece.split_once('>').unwrap().1.split("</i>").next().unwrap()).collect()
}

#[test]
fn names_keys_values_and_tags_are_marked_by_what_they_earned() {
    let reply = CALL.replace("\"y\": 2", "\"z\": \"<b>\", \"x\": 5");
    let page = page(&[row(1, &reply, CALL)], &Reward::per_row());
    assert_eq!(marked(&page, "name earned"), ["&quot;f&quot;"]);
    // Python keeps the last value of a key that is repeated, which is not the reference's.
    assert_eq!(marked(&page, "key lost"), ["&quot;z&quot;"]);
    assert_eq!(marked(&page, "value lost"), ["1", "5"]);
    assert_eq!(marked(&page, "value logged"), ["&quot;&lt;b&gt;&quot;"]);
    assert_eq!(marked(&page, "tag earned").len(), 4);
    assert!(page.contains("missing of call 1 of the reference: &quot;y&quot;"), "{page}");
    assert!(page.contains("title=\"the reference has 1\""));
}

#[test]
fn every_outcome_has_its_marks() {
    let other_tool = CALL.replace("\"f\"", "\"g\"");
    let broken = CALL.replace("}}", "}");
    let late = format!("so: {CALL}");
    // A reply, a class, and how many pieces have it.
    let cases = [
        (CALL.to_owned(), CALL, "value earned", 2),
        (other_tool.clone(), CALL, "name lost", 1),
        (other_tool, CALL, "value lost", 1),
        (broken, CALL, "call lost", 1),
        (late.clone(), CALL, "fault lost", 1),
        (late, CALL, "tag lost", 4),
        (CALL.to_owned(), ANSWER, "value logged", 2),
        (String::new(), CALL, "tag lost", 0),
        ("<think> a".to_owned(), ANSWER, "tag lost", 1),
    ];
    for (reply, gold, class, count) in cases {
        let page = page(&[row(1, &reply, gold)], &Reward::per_row());
        assert_eq!(marked(&page, class).len(), count, "{class} in {reply}:\n{page}");
    }
    let whole =
        page(&[row(1, &CALL.replace("2}", "3}"), CALL)], &Reward::released("INTERMEDIATEREWARD").unwrap());
    assert_eq!(marked(&whole, "value earned").len(), 0);
}

#[test]
fn text_is_escaped_and_the_page_needs_no_network() {
    let hostile = "</pre><script>alert(1)</script>\u{0}\" onload=\"x <think> <tool_call>\n{\"name\": \"</i><img src=x>\", \"parameters\": {\"<a>\": \"'\"}}\n</tool_call>";
    let line = serde_json::json!({"solution_str": hostile, "ground_truth": CALL, "id": "<b>"}).to_string();
    let unscorable = row(2, "a", "<tool_call> <i> </tool_call>");
    let page = page(&[Row::parse(line.as_bytes(), 1, None).unwrap(), unscorable], &Reward::per_row());
    for part in ["<script>alert", "<img", "<b>\"", "onload=\"", "\u{0}", "http://", "https://", "src="] {
        let found = page.contains(part) && !(part == "src=" && page.contains("src=x&gt;"));
        assert!(!found, "{part:?} is in the page");
    }
    assert!(page.contains("a &lt;title&gt;") && page.contains("&lt;b&gt;"));
    for tag in ["article", "div", "pre", "details", "p", "h2", "i", "main", "form", "span"] {
        let (opened, closed) = (
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count(),
            page.matches(&format!("</{tag}>")).count(),
        );
        assert_eq!(opened, closed, "<{tag}>");
    }
}

#[test]
fn a_long_reply_is_cut() {
    let long = format!("<think> {} </think>", "word ".repeat(100_000));
    let page = page(&[row(1, &long, ANSWER)], &Reward::per_row());
    assert!(page.len() < 60_000, "{}", page.len());
    assert!(page.contains("more bytes"));
}

//! Whether a reply makes the gold calls.

use toolrl_data::Gold;
use toolrl_grammar::json::{self, Line, Value};
use toolrl_grammar::{Dialect, Parsed, ToolRl, TurnPart, lenient, tags};
use toolrl_reward::{AnyCall, Reference};

/// Whether a reply makes exactly the calls of the gold reply: as many, in any order, each with the
/// name and the parameters of another one's, by Python's equality (`1 == 1.0`, objects in any order).
///
/// Where the gold reply makes no call, a reply that makes none is exact, whatever else it says. A block
/// that is not closed, or that holds something other than calls, is no calls made rightly, so it is not
/// exact either way. Tags that the thoughts mention make no call.
pub fn is_exact(reply: &str, gold: &str) -> bool {
    match (calls(reply), calls(gold)) {
        (Made::None, Made::None) => true,
        (Made::Calls(made), Made::Calls(wanted)) => same_calls(&made, &wanted),
        _ => false,
    }
}

/// [`is_exact`] of a reply in a dialect, as its policy words it.
pub fn makes_gold_calls(reply: &str, (gold, reference): (&Gold, &Reference), dialect: &dyn Dialect) -> bool {
    if dialect.name() == ToolRl.name() {
        is_exact(reply, gold)
    } else {
        makes_the_calls(&reference.read(reply.as_bytes()), reference)
    }
}

/// The same of a reply that was read in its own dialect: no fault in its calls, and the reference's calls in any order.
fn makes_the_calls(parsed: &Parsed<'_>, reference: &Reference) -> bool {
    let mut unmatched: Vec<_> = reference.calls().unwrap_or_default().iter().collect();
    let all_wanted = parsed.turn.calls.iter().map(AnyCall::of).all(|call| {
        let equal = unmatched.iter().position(|other| call.same(other));
        equal.map(|at| unmatched.swap_remove(at)).is_some()
    });
    parsed.faults_of(TurnPart::Calls).next().is_none() && all_wanted && unmatched.is_empty()
}

/// The calls that a text makes.
enum Made<'a> {
    None,
    Broken,
    Calls(Vec<Line<'a>>),
}

fn calls(text: &str) -> Made<'_> {
    let Some(block) = lenient(after_thoughts(text.as_bytes())) else {
        return Made::None;
    };
    match block.calls {
        Ok(calls) if block.has_closing_tag => Made::Calls(calls),
        _ => Made::Broken,
    }
}

/// What follows the thoughts; the whole text where they are not closed.
fn after_thoughts(text: &[u8]) -> &[u8] {
    tags::THINK.after_first(text).unwrap_or(text)
}

/// Whether each call of one list has its own equal in the other.
fn same_calls(made: &[Line<'_>], wanted: &[Line<'_>]) -> bool {
    let mut unmatched: Vec<_> = wanted.iter().collect();
    let all_wanted = made.iter().all(|call| {
        let equal = unmatched.iter().position(|other| same_call(&call.value, &other.value));
        equal.map(|at| unmatched.swap_remove(at)).is_some()
    });
    all_wanted && unmatched.is_empty()
}

fn same_call(a: &Value<'_>, b: &Value<'_>) -> bool {
    let same = |key: &str| match (a.get(key), b.get(key)) {
        (Some(a), Some(b)) => json::identical_or_equal(a, b),
        _ => false,
    };
    same("name") && same("parameters")
}

#[cfg(test)]
mod tests {
    use super::*;

    const F1: &str = r#"{"name": "f", "parameters": {"x": 1, "y": "a"}}"#;
    const F1_OTHERWISE: &str = r#"{"parameters": {"y": "\u0061", "x": 1.0}, "name": "f"}"#;
    const F2: &str = r#"{"name": "f", "parameters": {"x": 2, "y": "a"}}"#;
    const G: &str = r#"{"name": "g", "parameters": {}}"#;

    fn reply(calls: &[&str]) -> String {
        format!("<think> a </think>\n<tool_call>\n{}\n</tool_call>", calls.join("\n"))
    }

    #[test]
    fn calls_are_compared_by_name_and_parameters() {
        let cases: [(&[&str], &[&str], bool); 10] = [
            (&[F1], &[F1], true),
            (&[F1_OTHERWISE], &[F1], true),
            (&[F2], &[F1], false),
            (&[G], &[F1], false),
            (&[F1, G], &[G, F1], true),
            (&[F1, F1], &[F1], false),
            (&[F1], &[F1, F1], false),
            (&[F1, F1, G], &[F1, G, G], false),
            (&[r#"{"name": "g"}"#], &[G], false),
            (&["[1]"], &["[1]"], false),
        ];
        for (made, wanted, expected) in cases {
            assert_eq!(is_exact(&reply(made), &reply(wanted)), expected, "{made:?} {wanted:?}");
        }
    }

    #[test]
    fn no_call_is_exact_only_where_none_is_wanted() {
        let answer = "<think> a </think>\n<response> b </response>";
        let mention = "<think> no <tool_call> here </think>\n<response> b </response>";
        let open = reply(&[F1]).replace("</tool_call>", "");
        let cases = [
            (answer.to_owned(), answer.to_owned(), true),
            (mention.to_owned(), answer.to_owned(), true),
            (answer.to_owned(), mention.to_owned(), true),
            (String::new(), answer.to_owned(), true),
            (reply(&[F1]), answer.to_owned(), false),
            (answer.to_owned(), reply(&[F1]), false),
            (reply(&["{"]), answer.to_owned(), false),
            (reply(&["{"]), reply(&[F1]), false),
            (open.clone(), reply(&[F1]), false),
            (open, answer.to_owned(), false),
            (reply(&[F1]).replace(" </think>", ""), reply(&[F1]), true),
            (reply(&[F1]).replace(" a ", " <tool_call> a "), reply(&[F1]), true),
        ];
        for (made, wanted, expected) in cases {
            assert_eq!(is_exact(&made, &wanted), expected, "{made:?} {wanted:?}");
        }
    }
}

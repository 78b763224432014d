//! Where tokens start in what the reward has read, and which parts of it they answer for.

use toolrl_rollout::{Prompt, Reply, SamplingParams, Segment};

use super::*;
use crate::score::Scored;
use crate::test_fixtures::{World, group, measured, scored, skipped, turn};

/// The episode of these turns, each said after what the template has opened; two tokens are given between two turns.
fn episode(chat: &Chat, opened: &str, turns: &[&str]) -> Episode {
    let prompt = Prompt { opened: opened.to_owned(), ..Prompt::default() };
    let mut tokens = Vec::new();
    let mut whole = scored(0.0, &[1]).episode;
    (whole.tokens, whole.segments, whole.logprobs, whole.replies) = Default::default();
    for text in turns {
        let said = turn(chat, text, 0);
        let reply = Reply::of_turn(chat, &prompt, &said, &SamplingParams::default()).unwrap();
        let one = Episode::of_turn(0, said, reply);
        if !tokens.is_empty() {
            tokens.extend([1, 2]);
            whole.segments.push(Segment::Given { len: 2 });
        }
        tokens.extend(one.tokens);
        whole.segments.extend(one.segments);
        whole.logprobs.extend(one.logprobs);
        whole.replies.extend(one.replies);
    }
    Episode { tokens, ..whole }
}

/// With a token a byte; the last is the one that ends the turn.
#[test]
fn tokens_start_where_the_scored_text_has_them() {
    let chat = World::new(1).chat;
    let cases: [(&str, &[&str], &str, &[usize]); 5] = [
        ("", &["abc"], "abc", &[0, 1, 2, 3]),
        // What is cut off before the text starts with it.
        ("", &["\n\nab "], "ab", &[0, 0, 0, 1, 2, 3]),
        ("<think>\n", &["ab"], "<think>\nab", &[8, 9, 10]),
        ("\n<think>", &[" a"], "<think> a", &[7, 8, 9]),
        // All of an earlier turn answers for the whole of the last.
        ("<a>", &["bcd", "ef"], "<a>ef", &[0, 0, 0, 0, 3, 4, 5]),
    ];
    for (opened, turns, text, expected) in cases {
        let episode = episode(&chat, opened, turns);
        assert_eq!((episode.reply().text.as_str(), &starts(&episode, &chat)[..]), (text, expected));
        assert_eq!(expected.len(), episode.sampled());
    }
}

const VALUE: PartId = PartId::Value(0, String::new());

/// A member that says two bytes and earned so much by a value that the first byte settles, and so much altogether.
fn member(chat: &Chat, value: f64, total: f64) -> Measured {
    let part = |id, reward, settled| Part { id, reward, settled };
    let parts = vec![part(VALUE, value, Some(0)), part(PartId::Names, total - value, None)];
    let scored = scored(total, &[1]);
    measured(Scored { episode: episode(chat, "", &["ab"]), parts, ..scored })
}

/// Differences from the group's means, 2 altogether and 1 by the value, over a scale of 2. The value is settled before
/// the second token.
#[test]
fn the_first_token_has_the_whole_advantage_and_later_ones_what_is_open() {
    let chat = World::new(1).chat;
    let left_out = measured(skipped(member(&chat, 100.0, 100.0).scored));
    let members = [member(&chat, 2.0, 4.0), left_out, member(&chat, 0.0, 0.0)];
    let found = credit(&group(0, members), &chat, 2.0);
    let of = |whole: f64, rest: f64| Credit::Tokens(vec![whole, rest, rest]);
    assert_eq!(found, [of(1.0, 0.5), Credit::LeftOut, of(-1.0, -0.5)]);
}

#[test]
fn a_group_without_spread_has_no_advantage() {
    let chat = World::new(1).chat;
    // One total by different parts.
    let found = credit(&group(0, [member(&chat, 2.0, 3.0), member(&chat, 1.0, 3.0)]), &chat, 1.0);
    assert_eq!(found, vec![Credit::Reply(0.0); 2]);
}

#[test]
fn a_token_answers_for_what_is_open_when_it_is_written() {
    // Of a whole of 3 in units of 2: 1 is settled at byte 4, -0.5 at 8.
    let found = to_go(&[(4, 2.0), (8, -1.0)], 3.0, 2.0, &[0, 3, 4, 5, 8, 9, 12]);
    assert_eq!(found, [3.0, 3.0, 3.0, 2.0, 2.0, 2.5, 2.5]);
    assert_eq!(to_go(&[], 1.0, 1.0, &[0, 1]), [1.0, 1.0]);
    assert_eq!(to_go(&[(0, 1.0)], 1.0, 1.0, &[]), [0.0; 0]);
}

#[test]
fn parts_are_compared_with_the_groups_mean() {
    let part = |id: PartId, reward: f64, settled: Option<usize>| Part { id, reward, settled };
    let id = PartId::Value(0, "x".to_owned());
    let parts =
        [part(PartId::Names, 1.0, None), part(id.clone(), 1.0, Some(7)), part(PartId::Keys(0), 0.5, Some(3))];
    let names = PartId::Names;
    let means = BTreeMap::from([(&id, 0.25), (&names, 0.5)]);
    assert_eq!(settled(&parts, &means), [(3, 0.5), (7, 0.75)]);
}

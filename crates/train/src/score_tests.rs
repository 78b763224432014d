//! Whose score is whose, and what a verdict and a failure make of it.

use pollster::block_on;
use toolrl_reward::OnFailure;
use toolrl_rollout::Reply;

use super::*;
use crate::test_fixtures::{World, group, numbers, scored};

/// Groups of tasks 1 and 0, whose members say these texts.
fn groups(texts: [[&str; 2]; 2]) -> Vec<Group<Episode>> {
    let episode = |text: &str| Episode { replies: vec![Reply::of_text(text)], ..scored(0.0, &[2]).episode };
    [1, 0].into_iter().zip(texts).map(|(task, texts)| group(task, texts.map(episode))).collect()
}

fn score_by(rubric: &Rubric, groups: Vec<Group<Episode>>) -> Result<Vec<Group<Scored>>, TrainError> {
    block_on(score(groups, &World::new(2).tasks, (rubric, None), (3, 9)))
}

#[test]
fn scores_keep_the_order_of_groups_and_members() {
    let rubric = numbers(OnFailure::SkipReply, |number, gold| number + 10.0 * gold);
    let scored = score_by(&rubric, groups([["1", "2"], ["3", "4"]])).unwrap();
    let rewards: Vec<Vec<f64>> =
        scored.iter().map(|group| group.members.iter().map(|member| member.reward).collect()).collect();
    assert_eq!(rewards, [[11.0, 12.0], [3.0, 4.0]]);
    for (group, task) in scored.iter().zip([1, 0]) {
        assert_eq!(group.prompt.task, task);
    }
}

#[test]
fn the_last_turn_is_what_is_scored() {
    let mut groups = groups([["1", "2"], ["3", "4"]]);
    groups[1].members[0].replies.push(Reply::of_text(" 7\n"));
    let scored = score_by(&World::new(1).rubric, groups).unwrap();
    assert_eq!(scored[1].members[0].reward, 7.0);
}

#[test]
fn an_environments_verdict_joins_reward_terms_and_components() {
    let mut groups = groups([["1", "2"], ["3", "4"]]);
    groups[0].members[1].outcome = Some(0.25);
    let scored = score_by(&World::new(1).rubric, groups).unwrap();
    let term = |value| TermReward { weight: 1.0, value };
    let component = |name: &str, value| (name.to_owned(), value);
    let [without, with] = &scored[0].members[..] else { panic!("two members") };
    assert_eq!((without.reward, &without.terms), (1.0, &vec![term(1.0)]));
    assert_eq!(without.components, BTreeMap::from([component("number", 1.0)]));
    assert_eq!((with.reward, &with.terms), (2.25, &vec![term(2.0), term(0.25)]));
    assert_eq!(with.components, BTreeMap::from([component("number", 2.0), component("outcome", 0.25)]));
    assert_eq!(with.parts.iter().map(|part| part.reward).sum::<f64>(), 2.0, "the rubric's alone");
}

#[test]
fn an_error_names_the_sample() {
    let rubric = numbers(OnFailure::Stop, |number, _| number);
    let failed = score_by(&rubric, groups([["1", "2"], ["3", "none"]]));
    assert!(matches!(&failed, Err(TrainError::Reward { step: 3, id, .. }) if id == "task-0"), "{failed:?}");
    let failed = score_by(&rubric, groups([["none", "2"], ["3", "4"]]));
    assert!(matches!(&failed, Err(TrainError::Reward { step: 3, id, .. }) if id == "task-1"), "{failed:?}");
}

#[test]
fn failed_terms_are_counted_and_may_leave_a_member_out() {
    for (on_failure, leaves_out, reward) in
        [(OnFailure::SkipReply, true, 0.0), (OnFailure::Minimum, false, -10.0)]
    {
        let rubric = numbers(on_failure, |number, _| number);
        let scored = score_by(&rubric, groups([["1", "none"], ["no", "4"]])).unwrap();
        let members = || scored.iter().flat_map(|group| &group.members);
        let skipped: Vec<bool> = members().map(|member| member.skipped).collect();
        assert_eq!(skipped, [false, leaves_out, leaves_out, false]);
        let failed = &scored[0].members[1];
        assert_eq!((failed.reward, failed.failures.len()), (reward, 1));
        assert_eq!(count_failures(3, members()), BTreeMap::from([("number".to_owned(), 2)]));
        assert_eq!(count_failures(3, scored[0].members[..1].iter()), BTreeMap::new());
    }
}

#[test]
fn success_is_asked_for_and_is_not_the_reward() {
    let world = World::new(2);
    let call = "<tool_call>\n{\"name\": \"f\", \"parameters\": {}}\n</tool_call>";
    let rubric = numbers(OnFailure::SkipReply, |number, _| if number.is_nan() { 0.5 } else { number });
    let judged = |success: Option<Success>| -> Vec<Option<bool>> {
        let judge = success.map(|success| Judge { success, dialect: world.chat.dialect() });
        let groups = groups([["1", "2"], ["3", call]]);
        let scored = block_on(score(groups, &world.tasks, (&rubric, judge), (3, 9))).unwrap();
        scored.iter().flat_map(|group| &group.members).map(|member| member.success).collect()
    };
    assert_eq!(judged(None), [None; 4]);
    // Nothing is to be called.
    assert_eq!(judged(Some(Success::Exact)), [Some(true), Some(true), Some(true), Some(false)]);
    assert_eq!(judged(Some(Success::Reward(2.0))), [Some(false), Some(true), Some(true), Some(false)]);
    let skipping = numbers(OnFailure::SkipReply, |number, _| number);
    let judge = Some(Judge { success: Success::Reward(1.0), dialect: world.chat.dialect() });
    let scored =
        block_on(score(groups([["1", "none"], ["3", "4"]]), &world.tasks, (&skipping, judge), (3, 9)));
    assert_eq!(scored.unwrap()[0].members[1].success, None, "what is left out");
}

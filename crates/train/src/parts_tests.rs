//! What a recipe's names stand for, and what is said of those that stand for nothing.

use toolrl_reward::RewardError;

use super::*;

fn recipe(settings: &[&str]) -> Result<Recipe, TrainError> {
    let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
    Recipe::parse("name = \"a\"\n[train]\nmethod = \"grpo\"\n", &settings)
}

/// A registry with one part of each kind of its own.
fn registry() -> Registry {
    let mut rewards = toolrl_reward::Registry::builtin();
    rewards.register_fn("mine", (0.0, 1.0), |_, _, _| 1.0);
    Registry::from(rewards)
        .with_sampler("server", LocalSampler { slots: 1 })
        .with_environment("shop", GoldReply)
        .with_environment("bank", GoldReply)
}

#[test]
fn built_in_and_registered_parts_are_found() {
    let (built_in, own) = (Registry::default(), registry());
    let names = ["sampler.kind=server", "environment.kind=shop", "reward=[{ id = \"mine\" }]"];
    let parts = recipe(&names).unwrap().parts(&own).unwrap();
    assert!(Arc::ptr_eq(&parts.environment, &own.environments["shop"]));
    assert!(Arc::ptr_eq(&parts.sampler, &own.samplers["server"]));
    assert_eq!(parts.rubrics.training.ids().collect::<Vec<_>>(), ["mine"]);
    for registry in [&built_in, &own] {
        let parts = recipe(&[]).unwrap().parts(registry).unwrap();
        assert_eq!(parts.rubrics.training.ids().collect::<Vec<_>>(), ["format", "correctness"]);
    }
}

#[test]
fn an_unknown_name_is_refused_with_the_known_ones() {
    let cases = [
        ("sampler.kind=x", "sampler.kind: no sampler \"x\": expected local, vllm, sglang, server"),
        ("environment.kind=x", "environment.kind: no environment \"x\": expected gold, bank, shop"),
    ];
    for (setting, expected) in cases {
        let refused = recipe(&[setting]).unwrap().parts(&registry()).map(drop);
        assert!(matches!(&refused, Err(TrainError::Recipe(said)) if said == expected), "{refused:?}");
    }
    for reward in ["reward", "eval.reward"] {
        let unknown = recipe(&[&format!("{reward}=[{{ id = \"x\" }}]")]).unwrap();
        let refused = unknown.parts(&registry()).map(drop);
        let Err(TrainError::Rubric(RewardError::UnknownTerm { id, known })) = refused else {
            panic!("{reward}: {refused:?}")
        };
        assert_eq!(
            (id.as_str(), known.join(" ").as_str()),
            ("x", "binary command correctness format http length mine python random rouge_values schema")
        );
    }
}

#[test]
fn an_episode_without_a_turn_is_refused() {
    let refused = recipe(&["environment.max_turns=0"]).unwrap_err().to_string();
    assert_eq!(refused, "recipe: environment.max_turns should be at least 1");
    assert_eq!(recipe(&["environment.max_turns=1"]).unwrap().environment.max_turns, 1);
}

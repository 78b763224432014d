//! What is asked of servers that are well, and what comes of it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use toolrl_rollout::{FinishReason, Request, RolloutError, Sampler, SamplingParams};
use toolrl_servers::{Kind, Servers, ServersConfig, Sync};

use crate::model::{END, Model};
use crate::stand_in::{Fault, StandIn, seed_of};
use crate::{KEY, Trainer, WAYS, assert_of, block_on, config, contexts, params, request, write};

#[test]
fn turns_have_the_log_probabilities_of_what_was_published() {
    for way in WAYS {
        let (first, second) = (StandIn::new(way.0), StandIn::new(way.0));
        let servers = Servers::new(config(way, &[&first, &second])).unwrap();
        let trainer = Trainer::new(way.1);
        let model = Model(0.5);
        let report = trainer.publish(&servers, 5, model).unwrap();
        assert_eq!(report.servers.len(), 2);
        assert!(report.servers.iter().all(|server| server.gap < 1e-6) && report.left_out.is_empty());

        let turns = trainer.sample(&servers, 5, 6, &params(12)).unwrap();
        assert_of(&turns, 6, model, 1.0);
        for turn in turns.iter().flatten() {
            let ended = turn.tokens.last() == Some(&END);
            let expected = if ended { FinishReason::Stop } else { FinishReason::Length };
            assert_eq!((turn.finish, turn.version), (expected, 5));
            assert!(ended || turn.tokens.len() == 12);
            assert_eq!(turn.tokens.iter().position(|&token| token == END).is_some(), ended);
        }
        let finishes: HashSet<_> = turns.iter().flatten().map(|turn| turn.tokens.len()).collect();
        assert!(finishes.len() > 3, "{finishes:?}");
        assert!(turns.iter().all(|group| group[0].tokens != group[1].tokens), "members differ");

        // The same key draws the same, however the groups lie.
        assert_eq!(trainer.sample(&servers, 5, 6, &params(12)).unwrap(), turns);
        let counts = servers.counts();
        assert_eq!((counts.requests, counts.retries, counts.left_out), (48, 0, 0));
        assert!(counts.idle_seconds > 0.0 && servers.counts().requests == 0);
    }
}

#[test]
fn a_group_stays_on_a_server_and_all_servers_have_some() {
    let servers = [0; 3].map(|_| StandIn::new(Kind::Vllm));
    let way = (Kind::Vllm, Sync::Lora);
    let all = Servers::new(config(way, &servers.each_ref())).unwrap();
    let trainer = Trainer::new(Sync::Lora);
    trainer.publish(&all, 1, Model(0.5)).unwrap();
    let mut sampler = all.sampler(&trainer.chat, 1);
    let prompts = contexts(9);
    let first: Vec<_> = prompts.iter().map(|(index, tokens)| request(*index, tokens)).collect();
    block_on(sampler.sample(&first, &params(4), KEY)).unwrap();
    // A second turn of one member each, in another order.
    let later = prompts.iter().rev().map(|(index, tokens)| Request {
        members: 2..3,
        drawn: 4,
        ..request(*index, tokens)
    });
    block_on(sampler.sample(&later.collect::<Vec<_>>(), &params(4), KEY)).unwrap();
    let mut seen = HashSet::new();
    for server in &servers {
        let own: HashSet<String> = server.turns().iter().map(|body| body["prompt"].to_string()).collect();
        assert!(!own.is_empty());
        for prompt in own {
            assert!(seen.insert(prompt), "a group on two servers");
        }
    }
    assert_eq!(seen.len(), 9);
    let seeds: HashSet<_> =
        servers.iter().flat_map(StandIn::turns).map(|body| seed_of(&body).unwrap()).collect();
    assert_eq!(seeds.len(), 9 * 4 + 9, "each turn has a seed of its own");
}

#[test]
fn a_server_that_comes_later_has_its_share() {
    let (first, late) = (StandIn::new(Kind::Vllm), StandIn::new(Kind::Vllm));
    late.set(Fault::Gone);
    let servers = Servers::new(config((Kind::Vllm, Sync::Lora), &[&first, &late])).unwrap();
    let trainer = Trainer::new(Sync::Lora);
    trainer.publish(&servers, 1, Model(0.5)).unwrap();
    let mut sampler = servers.sampler(&trainer.chat, 1);
    let prompts = contexts(6);
    let requests: Vec<_> = prompts.iter().map(|(index, tokens)| request(*index, tokens)).collect();
    block_on(sampler.sample(&requests, &params(4), KEY)).unwrap();
    late.set(Fault::None);
    let since = Instant::now();
    while late.turns().is_empty() && since.elapsed() < Duration::from_secs(5) {
        block_on(sampler.sample(&requests, &params(4), KEY)).unwrap();
    }
    let before = late.turns().len();
    block_on(sampler.sample(&requests, &params(4), KEY)).unwrap();
    assert!(before > 0 && late.turns().len() - before >= 8, "{before}, {}", late.turns().len());
}

#[test]
fn a_model_s_own_settings_say_nothing() {
    let neutral = [
        ("top_p", 1.0),
        ("top_k", -1.0),
        ("min_p", 0.0),
        ("repetition_penalty", 1.0),
        ("frequency_penalty", 0.0),
        ("presence_penalty", 0.0),
        ("temperature", 1.0),
        ("n", 1.0),
    ];
    for kind in [Kind::Vllm, Kind::Sglang] {
        let server = StandIn::new(kind);
        let servers = Servers::new(config((kind, Sync::Disk), &[&server])).unwrap();
        let trainer = Trainer::new(Sync::Disk);
        trainer.publish(&servers, 1, Model(0.5)).unwrap();
        trainer.sample(&servers, 1, 1, &params(3)).unwrap();
        let body = server.turns().remove(0);
        let sampling = if kind == Kind::Vllm { &body } else { &body["sampling_params"] };
        for (key, value) in neutral {
            assert_eq!(sampling[key].as_f64(), Some(value), "{key}");
        }
        assert_eq!(sampling["skip_special_tokens"], false);
        assert_eq!(sampling["spaces_between_special_tokens"], false);
        assert_eq!(sampling["stop_token_ids"], serde_json::json!([END]));
    }
}

#[test]
fn turns_end_at_stop_strings_and_never_behind_their_end() {
    for (kind, behind) in [(Kind::Vllm, 0), (Kind::Sglang, 0), (Kind::Vllm, 3), (Kind::Sglang, 2)] {
        let server = StandIn::new(kind);
        server.with(|state| state.behind = behind);
        let servers = Servers::new(config((kind, Sync::Lora), &[&server])).unwrap();
        let trainer = Trainer::new(Sync::Lora);
        trainer.publish(&servers, 1, Model(0.5)).unwrap();
        let plain = trainer.sample(&servers, 1, 3, &params(12)).unwrap();
        let ends =
            |token| plain.iter().flatten().any(|turn| turn.tokens[..turn.tokens.len() - 1].contains(&token));
        assert!(!ends(END), "nothing stands behind a stop token");

        // The stand-in knows no stop strings: the rule is ours.
        let longest = plain.iter().flatten().max_by_key(|turn| turn.tokens.len()).unwrap();
        let stop = trainer.chat.decode(&longest.tokens[2..3], false).unwrap();
        let stopping = SamplingParams { stop: vec![stop.clone()], ..params(12) };
        let turns = trainer.sample(&servers, 1, 3, &stopping).unwrap();
        let mut stopped = 0;
        for (turn, whole) in turns.iter().flatten().zip(plain.iter().flatten()) {
            assert_eq!(turn.tokens, whole.tokens[..turn.tokens.len()]);
            let text = trainer.chat.decode(&turn.tokens, false).unwrap();
            assert_eq!(text.contains(&stop), turn.finish == FinishReason::StopString);
            stopped += usize::from(turn.finish == FinishReason::StopString);
            let before = trainer.chat.decode(&turn.tokens[..turn.tokens.len() - 1], false).unwrap();
            assert!(!before.contains(&stop));
        }
        assert!(stopped > 0 && server.turns().last().unwrap().to_string().contains("\"stop\""));
    }
}

#[test]
fn the_context_of_servers_and_of_the_policy_is_kept() {
    for kind in [Kind::Vllm, Kind::Sglang] {
        let server = StandIn::new(kind);
        server.with(|state| state.context = 10);
        let servers = Servers::new(config((kind, Sync::Lora), &[&server])).unwrap();
        let trainer = Trainer::new(Sync::Lora);
        assert_eq!(servers.context(), None);
        trainer.publish(&servers, 1, Model(0.0)).unwrap();
        assert_eq!(servers.context(), Some(10));
        let turns = trainer.sample(&servers, 1, 4, &params(50)).unwrap();
        let cut = |turn: &&toolrl_rollout::Sampled| turn.finish == FinishReason::Length;
        assert!(turns.iter().flatten().filter(cut).all(|turn| turn.tokens.len() == 7));
        assert!(turns.iter().flatten().any(|turn| turn.finish == FinishReason::Length));

        let mut sampler = servers.sampler(&trainer.chat, 1).with_context(5);
        let turns = block_on(sampler.sample(&[request(0, &[1, 2, 3])], &params(50), KEY)).unwrap();
        assert!(turns[0].iter().all(|turn| turn.tokens.len() <= 2));
        let error = block_on(sampler.sample(&[request(8, &[1; 5])], &params(50), KEY)).unwrap_err();
        assert!(matches!(error, RolloutError::PromptTooLong { prompt: 8, tokens: 5, limit: 4 }), "{error}");
        let error = block_on(sampler.sample(&[request(8, &[])], &params(50), KEY)).unwrap_err();
        assert!(matches!(error, RolloutError::EmptyPrompt { prompt: 8 }), "{error}");
        let error = block_on(sampler.sample(&[request(8, &[70_000])], &params(50), KEY)).unwrap_err();
        assert!(error.to_string().contains("token 70000"), "{error}");
        let wrong = SamplingParams { temperature: -1.0, ..params(3) };
        assert!(block_on(sampler.sample(&[request(8, &[1])], &wrong, KEY)).is_err());
    }
}

#[test]
fn log_probabilities_of_another_distribution_are_refused() {
    let hot = SamplingParams { temperature: 0.7, ..params(6) };
    let few = SamplingParams { top_k: 20, ..params(6) };
    let both = SamplingParams { temperature: 0.7, ..few.clone() };
    let greedy = SamplingParams::greedy(6);
    // What is told: vLLM's processed ones, SGLang's original ones.
    let cases = [
        (Kind::Vllm, false, &hot, Err("processed_logprobs")),
        (Kind::Vllm, false, &few, Ok(1.0)),
        (Kind::Vllm, false, &both, Err("leave one out")),
        (Kind::Vllm, true, &hot, Ok(0.7)),
        (Kind::Vllm, true, &few, Err("raw_logprobs")),
        (Kind::Vllm, true, &both, Err("leave one out")),
        (Kind::Sglang, false, &hot, Ok(0.7)),
        (Kind::Sglang, false, &few, Ok(1.0)),
        (Kind::Sglang, false, &both, Ok(0.7)),
        (Kind::Sglang, true, &hot, Err("SGLANG_RETURN_ORIGINAL_LOGPROB")),
        (Kind::Sglang, true, &few, Ok(1.0)),
        (Kind::Vllm, true, &greedy, Err("")),
    ];
    for (kind, other, params, expected) in cases {
        let server = StandIn::new(kind);
        server.with(|state| (state.processed, state.original) = (other, other));
        let servers = Servers::new(config((kind, Sync::Lora), &[&server])).unwrap();
        let trainer = Trainer::new(Sync::Lora);
        trainer.publish(&servers, 1, Model(0.5)).unwrap();
        let turns = trainer.sample(&servers, 1, 2, params);
        match expected {
            Ok(temperature) => assert_of(&turns.unwrap(), 2, Model(0.5), temperature),
            // Greedy turns need none of it.
            Err("") => assert!(turns.is_ok()),
            Err(part) => {
                let error = turns.unwrap_err().to_string();
                assert!(error.contains(part) && error.contains(&server.url), "{error}");
            }
        }
    }
}

#[test]
fn the_key_is_sent_and_shown_nowhere() {
    let server = StandIn::new(Kind::Vllm);
    let trainer = Trainer::new(Sync::Lora);
    let file = trainer.dir.path().join("key");
    write(&file, "secret\n");
    let config = ServersConfig { key_file: Some(file), ..config((Kind::Vllm, Sync::Lora), &[&server]) };
    let servers = Servers::new(config.clone()).unwrap();
    trainer.publish(&servers, 1, Model(0.5)).unwrap();
    server.with(|state| {
        let has_key = |asked: &toolrl_testing::stub::Asked| {
            asked.headers.contains(&"authorization: bearer secret".to_owned())
        };
        assert!(state.asked.len() > 3 && state.asked.iter().all(has_key));
    });
    assert!(!format!("{servers:?}").contains("secret"));
    let gone = ServersConfig { key_file: Some("/no/such/key".into()), ..config };
    assert!(Servers::new(gone).unwrap_err().to_string().contains("/no/such/key"));
}

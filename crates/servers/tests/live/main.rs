//! A real server, held to what transformers computes. `case.py` beside this says how to start one.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::path::PathBuf;

use pollster::block_on;
use serde::Deserialize;
use toolrl_chat::Chat;
use toolrl_rollout::{FinishReason, Request, Sampled, Sampler, SamplingParams, StreamKey};
use toolrl_servers::{Probe, Servers, ServersConfig};

#[derive(Deserialize)]
struct Case {
    servers: ServersConfig,
    model_dir: PathBuf,
    probe: Vec<u32>,
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    dir: PathBuf,
    probe: Vec<f32>,
    replies: Vec<Reply>,
}

#[derive(Deserialize)]
struct Reply {
    prompt: Vec<u32>,
    tokens: Vec<u32>,
    logprobs: Vec<f32>,
}

const NEW_TOKENS: usize = 24;

fn sample(
    servers: &Servers,
    chat: &Chat,
    (number, of): (u64, &Version),
    params: &SamplingParams,
) -> Vec<Vec<Sampled>> {
    let requests = of.replies.iter().zip(0..).map(|(reply, index)| Request {
        index,
        tokens: &reply.prompt,
        members: 0..2,
        drawn: 0,
    });
    let key = StreamKey { seed: u64::MAX, step: number };
    block_on(servers.sampler(chat, number).sample(&requests.collect::<Vec<_>>(), params, key)).unwrap()
}

#[test]
fn a_real_server_gives_the_turns_of_each_version() {
    let Some(dir) = toolrl_testing::server_case() else { return };
    let case: Case = serde_json::from_str(&std::fs::read_to_string(dir.join("case.json")).unwrap()).unwrap();
    let chat = Chat::load(&case.model_dir).unwrap();
    let servers = Servers::new(case.servers).unwrap();
    for (number, version) in (1..).zip(&case.versions) {
        let probe = Probe { tokens: case.probe.clone(), logprobs: version.probe.clone() };
        let report = servers.publish(number, &version.dir, &probe).unwrap();
        assert!(report.left_out.is_empty(), "{report:?}");
        let followed =
            report.servers.iter().all(|server| server.followed.is_none_or(|share| (share - 1.0).abs() < 0.1));
        assert!(followed, "{report:?}");
    }
    // The versions stand beside each other.
    for (number, version) in (1..).zip(&case.versions) {
        let greedy = sample(&servers, &chat, (number, version), &SamplingParams::greedy(NEW_TOKENS));
        for (turns, reply) in greedy.iter().zip(&version.replies) {
            for turn in turns {
                assert_eq!(turn.tokens, reply.tokens);
                for (own, expected) in turn.logprobs.iter().zip(&reply.logprobs) {
                    assert!((own - expected).abs() < 1e-3, "{own} {expected}");
                }
            }
        }
        let params = SamplingParams { max_new_tokens: NEW_TOKENS, ..SamplingParams::default() };
        let sampled = sample(&servers, &chat, (number, version), &params);
        let again = sample(&servers, &chat, (number, version), &params);
        for (turn, again) in sampled.iter().flatten().zip(again.iter().flatten()) {
            assert_eq!(turn.tokens, again.tokens, "the same seeds");
            // The batches were others.
            let close = turn.logprobs.iter().zip(&again.logprobs).all(|(a, b)| (a - b).abs() < 1e-3);
            assert!(close, "{:?} {:?}", turn.logprobs, again.logprobs);
        }
        assert!(sampled.iter().any(|turns| turns[0].tokens != turns[1].tokens), "members differ");

        let stopping = SamplingParams { stop: vec![" the".into(), ".".into()], ..params };
        for turn in sample(&servers, &chat, (number, version), &stopping).iter().flatten() {
            let text = chat.decode(&turn.tokens, false).unwrap();
            let stops = stopping.stop.iter().any(|stop| text.contains(stop));
            assert_eq!(stops, turn.finish == FinishReason::StopString, "{text}");
        }
    }
}

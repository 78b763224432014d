//! No batch is lost, and no wrong turn is taken, whatever a server does.

use std::time::{Duration, Instant};

use toolrl_servers::{Kind, Servers, ServersConfig, Sync};

use crate::model::Model;
use crate::stand_in::{self, Fault, StandIn};
use crate::{Trainer, WAYS, assert_of, config, params};

/// What is wrong with turns, and what is said of it.
const FAULTS: [(Fault, &str); 18] = [
    (Fault::HangUp, "no answer"),
    (Fault::Status(500), "the server answered 500: something is wrong here"),
    (Fault::Status(503), "answered 503"),
    (Fault::Status(404), "answered 404"),
    (Fault::Status(429), "answered 429"),
    (Fault::Slow, "no answer"),
    (Fault::OtherTokens, "token 70000"),
    (Fault::NoTokenIds, "no token ids"),
    (Fault::NoLogprobs, "no log-probabilities"),
    (Fault::OneLogprobTooFew, "log-probabilit"),
    (Fault::NullLogprob, "log-probability of token 0"),
    (Fault::InfiniteLogprob, "log-probability of token 0 of a reply is Some(-9999.0)"),
    (Fault::CutShort, "cut off after 1 of 8 tokens (finish reason Some(\"abort\"))"),
    (Fault::Empty, "a reply is empty"),
    (Fault::TooLong, "a reply has 9 tokens, and 8 were asked for"),
    (Fault::OtherPrompt, "another prompt"),
    (Fault::HalfAnswer, "no answer"),
    (Fault::NoJson, "not what it should be"),
];

/// Those that a kind of server and a way of weights can have.
fn faults((kind, sync): (Kind, Sync)) -> Vec<(Fault, &'static str)> {
    let mut faults = FAULTS.to_vec();
    if kind == Kind::Sglang {
        // Its ids and log-probabilities come together.
        faults.retain(|(fault, _)| !matches!(fault, Fault::NoTokenIds | Fault::OtherPrompt));
    }
    if (kind, sync) != (Kind::Vllm, Sync::Lora) {
        // It takes its time, and nothing of it depends on the rest.
        faults.retain(|(fault, _)| *fault != Fault::Slow);
    }
    if matches!((kind, sync), (Kind::Vllm, Sync::Lora) | (Kind::Sglang, Sync::Disk)) {
        faults.push((Fault::OtherVersion, "of the weights \"other\""));
    }
    faults
}

/// What is slow is found out soon; nothing else is found out by time.
fn patient_but(fault: Fault, config: ServersConfig) -> ServersConfig {
    match fault {
        // A busy machine may be slow too, and then gives its turns later.
        Fault::Slow => ServersConfig { timeout: 1.0, attempts: config.attempts * 5, ..config },
        _ => config,
    }
}

#[test]
fn what_one_server_fails_at_others_do() {
    for way in WAYS {
        for (fault, _) in faults(way) {
            let (good, bad) = (StandIn::new(way.0), StandIn::new(way.0));
            let servers = Servers::new(patient_but(fault, config(way, &[&good, &bad]))).unwrap();
            let trainer = Trainer::new(way.1);
            trainer.publish(&servers, 1, Model(0.5)).unwrap();
            bad.set(fault);
            let turns = trainer.sample(&servers, 1, 8, &params(8));
            assert_of(&turns.unwrap_or_else(|error| panic!("{fault:?}: {error}")), 8, Model(0.5), 1.0);
            assert!(servers.counts().retries > 0, "{fault:?}");
        }
    }
}

#[test]
fn what_the_only_server_fails_at_is_told_with_its_address() {
    for way in WAYS {
        for (fault, part) in faults(way) {
            let server = StandIn::new(way.0);
            let timeout = if fault == Fault::Slow { 1.0 } else { 30.0 };
            let few = ServersConfig { attempts: 2, timeout, ..config(way, &[&server]) };
            let servers = Servers::new(few).unwrap();
            let trainer = Trainer::new(way.1);
            trainer.publish(&servers, 1, Model(0.5)).unwrap();
            server.set(fault);
            let error = trainer.sample(&servers, 1, 1, &params(8)).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(&server.url), "{way:?} {fault:?}: {error}");
        }
    }
}

#[test]
fn a_request_that_no_server_takes_is_not_made_again() {
    for status in [400, 401, 403, 422] {
        let (first, second) = (StandIn::new(Kind::Vllm), StandIn::new(Kind::Vllm));
        let way = (Kind::Vllm, Sync::Lora);
        let servers =
            Servers::new(ServersConfig { concurrency: 1, ..config(way, &[&first, &second]) }).unwrap();
        let trainer = Trainer::new(way.1);
        trainer.publish(&servers, 1, Model(0.5)).unwrap();
        first.set(Fault::Status(status));
        second.set(Fault::Status(status));
        let error = trainer.sample(&servers, 1, 8, &params(8)).unwrap_err().to_string();
        assert!(error.contains(&status.to_string()), "{error}");
        assert!(first.turns().len() + second.turns().len() <= 2, "those in progress alone were asked");
        assert_eq!(servers.counts().left_out, 0);
    }
}

#[test]
fn a_server_that_was_started_anew_takes_the_weights_again() {
    for way in WAYS {
        let server = StandIn::new(way.0);
        let servers = Servers::new(config(way, &[&server])).unwrap();
        let trainer = Trainer::new(way.1);
        trainer.publish(&servers, 1, Model(0.5)).unwrap();
        trainer.publish(&servers, 2, Model(0.7)).unwrap();
        server.set(Fault::Gone);
        let turns = std::thread::scope(|scope| {
            let sampling = scope.spawn(|| trainer.sample(&servers, 2, 4, &params(8)));
            std::thread::sleep(Duration::from_millis(300));
            server.restart(Fault::None);
            sampling.join().unwrap()
        });
        assert_of(&turns.unwrap(), 4, Model(0.7), 1.0);
        if way.1 == Sync::Lora {
            assert_of(&trainer.sample(&servers, 1, 2, &params(8)).unwrap(), 2, Model(0.5), 1.0);
        }
    }
}

#[test]
fn a_server_that_was_started_anew_unnoticed_gives_no_turn_of_an_adapter() {
    for (kind, path) in [(Kind::Vllm, "/v1/load_lora_adapter"), (Kind::Sglang, "/load_lora_adapter")] {
        let server = StandIn::new(kind);
        let servers = Servers::new(config((kind, Sync::Lora), &[&server])).unwrap();
        let trainer = Trainer::new(Sync::Lora);
        trainer.publish(&servers, 1, Model(0.5)).unwrap();
        server.restart(Fault::None);
        assert_of(&trainer.sample(&servers, 1, 4, &params(8)).unwrap(), 4, Model(0.5), 1.0);
        assert_eq!(server.asked(path).len(), 2);
    }
}

/// A whole model's name is the same as before: nothing in a reply of vLLM tells.
#[test]
fn a_server_that_was_started_anew_while_nobody_asked_it_gives_no_turn_of_its_first_weights() {
    for kind in [Kind::Vllm, Kind::Sglang] {
        let server = StandIn::new(kind);
        let servers = Servers::new(config((kind, Sync::Disk), &[&server])).unwrap();
        let trainer = Trainer::new(Sync::Disk);
        trainer.publish(&servers, 1, Model(0.5)).unwrap();
        server.restart(Fault::None);
        std::thread::sleep(Duration::from_millis(1100));
        assert_of(&trainer.sample(&servers, 1, 4, &params(8)).unwrap(), 4, Model(0.5), 1.0);
        std::thread::sleep(Duration::from_millis(1100));
        assert_of(&trainer.sample(&servers, 1, 4, &params(8)).unwrap(), 4, Model(0.5), 1.0);
        let loads = [server.asked("/collective_rpc"), server.asked("/update_weights_from_disk")].concat();
        assert_eq!(loads.len(), 2, "once for each start");
    }
}

#[test]
fn a_server_that_comes_back_with_other_weights_is_not_asked() {
    for way in [(Kind::Vllm, Sync::Disk), (Kind::Sglang, Sync::Lora)] {
        let (good, bad) = (StandIn::new(way.0), StandIn::new(way.0));
        let hasty = ServersConfig { patience: 2.0, ..config(way, &[&good, &bad]) };
        let servers = Servers::new(hasty).unwrap();
        let trainer = Trainer::new(way.1);
        trainer.publish(&servers, 1, Model(0.6)).unwrap();
        bad.set(Fault::Gone);
        assert_of(&trainer.sample(&servers, 1, 8, &params(8)).unwrap(), 8, Model(0.6), 1.0);
        // It is tried again while others sample, and found out before it is asked for a turn.
        bad.with(|state| state.base = Model(0.1));
        bad.restart(Fault::OtherWeights);
        let before = bad.turns().len();
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(400) {
            assert_of(&trainer.sample(&servers, 1, 8, &params(8)).unwrap(), 8, Model(0.6), 1.0);
        }
        assert_eq!(bad.turns().len(), before);
        assert_eq!(servers.counts().left_out, 1);

        good.set(Fault::Gone);
        let error = trainer.sample(&servers, 1, 2, &params(8)).unwrap_err().to_string();
        assert!(error.contains("no server holds version 1") && error.contains(&good.url), "{error}");
        assert!(error.contains(&bad.url) && error.contains("other weights"), "{error}");
    }
}

#[test]
fn a_slow_server_holds_up_neither_the_batch_nor_a_publication() {
    let (good, slow) = (StandIn::new(Kind::Vllm), StandIn::new(Kind::Vllm));
    let way = (Kind::Vllm, Sync::Disk);
    let servers = Servers::new(patient_but(Fault::Slow, config(way, &[&good, &slow]))).unwrap();
    let trainer = Trainer::new(way.1);
    trainer.publish(&servers, 1, Model(0.5)).unwrap();
    slow.set(Fault::Slow);
    let since = Instant::now();
    assert_of(&trainer.sample(&servers, 1, 8, &params(8)).unwrap(), 8, Model(0.5), 1.0);
    trainer.publish(&servers, 2, Model(0.6)).unwrap();
    assert!(since.elapsed() < stand_in::SLOW, "{:?}", since.elapsed());
}

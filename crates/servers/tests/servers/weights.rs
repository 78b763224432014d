//! Weights on their way, and how it is found out where they are.

use serde_json::json;
use toolrl_servers::{Kind, Probe, Servers, ServersConfig, ServersError, Sync};

use crate::model::Model;
use crate::stand_in::{Fault, StandIn};
use crate::{Trainer, WAYS, assert_of, config, params};

#[test]
fn versions_follow_each_other_and_old_ones_are_forgotten() {
    for way in WAYS {
        let server = StandIn::new(way.0);
        let servers = Servers::new(config(way, &[&server])).unwrap();
        let trainer = Trainer::new(way.1);
        for version in 1..=4 {
            let model = Model(0.3 + 0.1 * version as f64);
            trainer.publish(&servers, version, model).unwrap();
            let turns = trainer.sample(&servers, version, 2, &params(6)).unwrap();
            assert_of(&turns, 2, model, 1.0);
        }
        let earlier = trainer.sample(&servers, 3, 2, &params(6));
        match way.1 {
            Sync::Lora => {
                assert_of(&earlier.unwrap(), 2, Model(0.6), 1.0);
                assert_eq!(server.with(|state| state.adapters.len()), 2, "the oldest are unloaded");
            }
            Sync::Disk => {
                let error = earlier.unwrap_err().to_string();
                assert!(error.contains("version 3") && error.contains("[4]"), "{error}");
            }
        }
        let error = trainer.sample(&servers, 9, 2, &params(6)).unwrap_err().to_string();
        assert!(error.contains("version 9 of the weights is not on the servers"), "{error}");
        assert!(!server.with(|state| state.paused));
    }
}

#[test]
fn an_adapter_s_name_tells_its_content() {
    let server = StandIn::new(Kind::Vllm);
    let trainer = Trainer::new(Sync::Lora);
    let names = || -> Vec<String> {
        let of = |body: &serde_json::Value| body["lora_name"].as_str().unwrap().to_owned();
        server.asked("/v1/load_lora_adapter").iter().map(of).collect()
    };
    // Two runs, the second of which meets what the first left there: the same, and another under the same number.
    for model in [Model(0.5), Model(0.5), Model(0.7)] {
        let servers = Servers::new(config((Kind::Vllm, Sync::Lora), &[&server])).unwrap();
        trainer.publish(&servers, 1, model).unwrap();
        assert_of(&trainer.sample(&servers, 1, 2, &params(6)).unwrap(), 2, model, 1.0);
    }
    let names = names();
    assert_eq!(names[0], names[1]);
    assert!(names[1] != names[2] && names[0].starts_with("toolrl-v1-"), "{names:?}");
}

#[test]
fn a_server_with_other_weights_is_named_with_the_gap() {
    for way in WAYS {
        let (good, bad) = (StandIn::new(way.0), StandIn::new(way.0));
        bad.set(Fault::OtherWeights);
        let servers = Servers::new(config(way, &[&good, &bad])).unwrap();
        let trainer = Trainer::new(way.1);
        let error = trainer.publish(&servers, 3, Model(0.6)).unwrap_err();
        let expected = crate::probe(Model(0.6)).logprobs.into_iter().zip(crate::probe(Model(0.3)).logprobs);
        let expected = expected.map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / 6.0;
        match &error {
            ServersError::OtherWeights { url, version: 3, gap, limit } => {
                assert_eq!((url, *limit), (&bad.url, 0.02));
                assert!((gap - expected).abs() < 1e-5, "{gap} {expected}");
            }
            other => panic!("{other}"),
        }
        assert!(error.to_string().contains("holds other weights"), "{error}");
        let error = trainer.sample(&servers, 3, 1, &params(3)).unwrap_err().to_string();
        assert!(error.contains("version 3"), "what did not arrive is not sampled from: {error}");
    }
}

#[test]
fn a_server_that_is_a_small_step_behind_is_found_out() {
    for way in WAYS {
        let server = StandIn::new(way.0);
        let servers = Servers::new(config(way, &[&server])).unwrap();
        let trainer = Trainer::new(way.1);
        let first = trainer.publish(&servers, 1, Model(0.3)).unwrap();
        assert_eq!(first.servers[0].followed, None);
        let second = trainer.publish(&servers, 2, Model(0.3002)).unwrap();
        let followed = second.servers[0].followed.unwrap();
        assert!((followed - 1.0).abs() < 0.01, "{followed}");

        // The base's number is that of the first version.
        server.set(Fault::OtherWeights);
        server.with(|state| (state.base, state.held) = (Model(0.3002), Model(0.3002)));
        let error = trainer.publish(&servers, 3, Model(0.3004)).unwrap_err();
        assert!(matches!(error, ServersError::Behind { version: 3, before: 2, .. }), "{error}");
        assert!(error.to_string().contains("its own by 0 % of that"), "{error}");
    }
}

#[test]
fn a_server_that_took_a_part_of_a_step_is_found_out() {
    for way in WAYS {
        let server = StandIn::new(way.0);
        let servers = Servers::new(config(way, &[&server])).unwrap();
        let trainer = Trainer::new(way.1);
        trainer.publish(&servers, 1, Model(0.3)).unwrap();
        server.set(Fault::OtherWeights);
        server.with(|state| (state.base, state.held) = (Model(0.3075), Model(0.3075)));
        let error = trainer.publish(&servers, 2, Model(0.31)).unwrap_err();
        assert!(matches!(error, ServersError::Partly { version: 2, .. }), "{error}");
    }
}

#[test]
fn a_large_limit_lets_everything_pass() {
    let server = StandIn::new(Kind::Vllm);
    server.set(Fault::OtherWeights);
    let trainer = Trainer::new(Sync::Lora);
    let wide = ServersConfig { probe_limit: 9.0, ..config((Kind::Vllm, Sync::Lora), &[&server]) };
    let report = trainer.publish(&Servers::new(wide).unwrap(), 1, Model(0.6)).unwrap();
    assert!(report.servers[0].gap > 0.02);
}

#[test]
fn whole_models_are_exchanged_while_nothing_is_in_progress() {
    let server = StandIn::new(Kind::Vllm);
    let servers = Servers::new(config((Kind::Vllm, Sync::Disk), &[&server])).unwrap();
    let trainer = Trainer::new(Sync::Disk);
    trainer.publish(&servers, 1, Model(0.5)).unwrap();
    let paths: Vec<String> =
        server.with(|state| state.asked.iter().map(|asked| asked.path.clone()).collect());
    let expected = [
        "/health",
        "/v1/models",
        "/metrics",
        "/pause?mode=wait",
        "/collective_rpc",
        "/reset_prefix_cache",
        "/resume",
        "/v1/completions",
    ];
    assert_eq!(paths, expected);
    let dir = trainer.dir.path().join("v1");
    assert_eq!(server.asked("/collective_rpc")[0]["kwargs"], json!({"weights_path": dir}));

    let server = StandIn::new(Kind::Sglang);
    let servers = Servers::new(config((Kind::Sglang, Sync::Disk), &[&server])).unwrap();
    trainer.publish(&servers, 1, Model(0.5)).unwrap();
    let update = json!({"model_path": dir, "flush_cache": true, "weight_version": "toolrl-v1"});
    assert_eq!(server.asked("/update_weights_from_disk"), [update]);
}

#[test]
fn a_cache_of_prompts_that_is_not_emptied_is_told() {
    let server = StandIn::new(Kind::Vllm);
    let servers = Servers::new(config((Kind::Vllm, Sync::Disk), &[&server])).unwrap();
    server.with(|state| state.empties = false);
    let error = Trainer::new(Sync::Disk).publish(&servers, 1, Model(0.5)).unwrap_err();
    assert!(matches!(error, ServersError::NotTaken { version: 1, .. }), "{error}");
    assert!(error.to_string().contains("cache of prompts"), "{error}");
}

#[test]
fn publishing_waits_for_servers_that_start_and_leaves_out_those_that_do_not() {
    let way = (Kind::Vllm, Sync::Lora);
    let server = StandIn::new(way.0);
    server.set(Fault::Gone);
    let servers = Servers::new(config(way, &[&server])).unwrap();
    let trainer = Trainer::new(way.1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(300));
            server.set(Fault::None);
        });
        let report = trainer.publish(&servers, 1, Model(0.5)).unwrap();
        assert!(report.seconds > 0.2 && report.servers.len() == 1);
    });

    let absent = StandIn::new(way.0);
    absent.set(Fault::Gone);
    let both = Servers::new(config(way, &[&server, &absent])).unwrap();
    let report = trainer.publish(&both, 2, Model(0.6)).unwrap();
    assert_eq!((report.servers.len(), report.left_out), (1, vec![absent.url.clone()]));
    assert_eq!(both.counts().left_out, 1);
    assert_of(&trainer.sample(&both, 2, 3, &params(5)).unwrap(), 3, Model(0.6), 1.0);

    let none = Servers::new(ServersConfig { patience: 0.1, ..config(way, &[&absent]) }).unwrap();
    let error = trainer.publish(&none, 1, Model(0.5)).unwrap_err();
    assert!(matches!(error, ServersError::Remote(_)) && error.to_string().contains(&absent.url), "{error}");
}

#[test]
fn what_a_server_cannot_take_is_told() {
    let trainer = Trainer::new(Sync::Lora);
    for (kind, part) in [(Kind::Vllm, "No adapter found"), (Kind::Sglang, "No adapter")] {
        let server = StandIn::new(kind);
        let servers = Servers::new(config((kind, Sync::Lora), &[&server])).unwrap();
        let empty = trainer.dir.path().join("empty");
        std::fs::create_dir_all(&empty).unwrap();
        let error = servers.publish(1, &empty, &crate::probe(Model(0.5))).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains(&server.url), "{error}");
        let error = servers.publish(1, &empty.join("no"), &crate::probe(Model(0.5))).unwrap_err();
        assert!(matches!(error, ServersError::File { .. }), "{error}");

        let other = ServersConfig { model: "other".into(), ..config((kind, Sync::Lora), &[&server]) };
        let error = trainer.publish(&Servers::new(other).unwrap(), 1, Model(0.5)).unwrap_err();
        assert!(matches!(&error, ServersError::NotServed { served, .. } if served == &["base"]), "{error}");
    }
    // A server of the other kind.
    let server = StandIn::new(Kind::Sglang);
    let servers = Servers::new(config((Kind::Vllm, Sync::Lora), &[&server])).unwrap();
    let error = trainer.publish(&servers, 1, Model(0.5)).unwrap_err().to_string();
    assert!(error.contains("404") && error.contains("/v1/load_lora_adapter"), "{error}");
}

#[test]
fn a_server_that_cannot_read_a_model_goes_on_where_it_still_has_the_old_one() {
    let trainer = Trainer::new(Sync::Disk);
    for (kind, paused) in [(Kind::Vllm, true), (Kind::Sglang, false)] {
        let server = StandIn::new(kind);
        let hasty = ServersConfig { patience: 0.1, ..config((kind, Sync::Disk), &[&server]) };
        let servers = Servers::new(hasty).unwrap();
        let (dir, probe) = (trainer.dir.path().join("none"), crate::probe(Model(0.5)));
        let error = servers.publish(1, &dir, &probe).unwrap_err().to_string();
        assert!(error.contains(&server.url), "{error}");
        // vLLM may have loaded a part.
        assert_eq!(server.with(|state| state.paused), paused);
        trainer.publish(&servers, 1, Model(0.5)).unwrap();
        assert_of(&trainer.sample(&servers, 1, 2, &params(5)).unwrap(), 2, Model(0.5), 1.0);
    }
}

type Change = fn(&mut ServersConfig);

#[test]
fn probes_and_settings_that_cannot_be_are_refused() {
    let server = StandIn::new(Kind::Vllm);
    let good = config((Kind::Vllm, Sync::Lora), &[&server]);
    let servers = Servers::new(good.clone()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let probes = [(vec![1], vec![]), (vec![1, 2], vec![]), (vec![1, 2], vec![f32::NAN])];
    for (tokens, logprobs) in probes {
        let error = servers.publish(1, dir.path(), &Probe { tokens, logprobs }).unwrap_err();
        assert!(matches!(error, ServersError::Probe { version: 1, .. }), "{error}");
    }
    let cases: [(&str, Change); 9] = [
        ("urls", |config| config.urls.clear()),
        ("urls", |config| config.urls.push(config.urls[0].clone())),
        ("model", |config| config.model.clear()),
        ("keep", |config| config.keep = 0),
        ("concurrency", |config| config.concurrency = 0),
        ("attempts", |config| config.attempts = 0),
        ("probe_limit", |config| config.probe_limit = 0.0),
        ("timeout", |config| config.timeout = f64::NAN),
        ("rest", |config| config.rest = f64::INFINITY),
    ];
    for (expected, change) in cases {
        let mut config = good.clone();
        change(&mut config);
        let error = Servers::new(config).unwrap_err();
        assert!(matches!(error, ServersError::Setting { key, .. } if key == expected), "{error}");
    }
    let address = ServersConfig { urls: vec!["localhost:8000".into()], ..good };
    assert!(Servers::new(address).unwrap_err().to_string().contains("http://"));

    let text = json!({"kind": "sglang", "urls": ["http://a"], "model": "m", "sync": "disk"});
    let read: ServersConfig = serde_json::from_value(text.clone()).unwrap();
    assert_eq!(read, ServersConfig::new(Kind::Sglang, vec!["http://a".into()], "m", Sync::Disk));
    let mut unknown = text;
    unknown["probelimit"] = json!(1);
    assert!(serde_json::from_value::<ServersConfig>(unknown).unwrap_err().to_string().contains("probelimit"));
}

//! Settings as a recipe writes them, and inputs that are refused.

use toolrl_grpo::*;

#[test]
fn recipes_name_every_setting() {
    let text = r#"
        surrogate = "sequence_ratio"
        clip_high = 0.28
        aggregation = { fixed_length = { max_tokens = 16 } }
        kl = { coef = 0.01, estimator = "k2", weighting = "ratio" }
    "#;
    let config: LossConfig = toml::from_str(text).unwrap();
    assert_eq!(config.surrogate, Surrogate::SequenceRatio);
    assert_eq!((config.clip_low, config.clip_high), (0.2, 0.28));
    assert_eq!(config.aggregation, Aggregation::FixedLength { max_tokens: 16 });
    let kl = config.kl.unwrap();
    assert_eq!((kl.estimator, kl.weighting), (KlEstimator::K2, KlWeighting::Ratio));
    let written = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<LossConfig>(&written).unwrap(), config);
    assert_eq!(toml::from_str::<LossConfig>("").unwrap(), LossConfig::default());
    for wrong in ["clip = 0.2", "aggregation = \"sum\"", "kl = { coefficient = 1 }"] {
        assert!(toml::from_str::<LossConfig>(wrong).is_err(), "{wrong}");
    }
    let further = LossConfig {
        dual_clip: Some(3.0),
        sampler_ratio_cap: Some(2.0),
        sampler_ratio_mode: SamplerRatioMode::SequenceMask,
        sampler_ratio_floor: Some(0.5),
        kl: Some(KlConfig { target: Some(4.0), horizon: Some(500.0), ..KlConfig::default() }),
        ..LossConfig::default()
    };
    assert_eq!(toml::from_str::<LossConfig>(&toml::to_string(&further).unwrap()).unwrap(), further);
    further.validate().unwrap();
    assert!(toml::from_str::<LrSchedule>("decay = \"cosine\"\nwarmup = 0.1").is_ok());
    assert!(toml::from_str::<AdamWConfig>("beta3 = 0.9").is_err());
}

#[test]
fn bad_input_is_named() {
    let ok = [-1.0_f64, -2.0];
    let good = Sequence {
        logp: &ok,
        old_logp: &ok,
        ref_logp: None,
        entropy: None,
        sampler_logp: None,
        advantage: 1.0.into(),
    };
    let whole = BatchExtent { sequences: 1, tokens: 2 };
    let run = |sequence: Sequence<'_, f64>, batch, config: LossConfig| {
        policy_loss(&[sequence], batch, &config).unwrap_err().to_string()
    };
    let defaults = LossConfig::default();
    let cases = [
        (
            run(Sequence { old_logp: &ok[..1], ..good }, whole, defaults),
            "old_logp has 1 values where 2 are expected (sequence 0)",
        ),
        (
            run(Sequence { logp: &[-1.0, f64::NAN], ..good }, whole, defaults),
            "logp is NaN at token 1 of sequence 0",
        ),
        (
            run(Sequence { advantage: f64::INFINITY.into(), ..good }, whole, defaults),
            "the loss is -inf at token 0 of sequence 0",
        ),
        (
            run(good, whole, LossConfig { kl: Some(KlConfig::default()), ..defaults }),
            "the loss needs ref_logp, which sequence 0 does not carry",
        ),
        (
            run(good, whole, LossConfig { entropy_coef: 0.1, ..defaults }),
            "the loss needs entropy, which sequence 0 does not carry",
        ),
        (
            run(good, BatchExtent { sequences: 1, tokens: 1 }, defaults),
            "1 sequences of 2 tokens are more than the update batch's 1 sequences of 1 tokens",
        ),
        (run(good, whole, LossConfig { clip_low: 1.5, ..defaults }), "clip_low = 1.5: expected 0 to 1"),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn settings_that_mean_nothing_are_refused_with_their_key() {
    for (text, expected) in [
        ("dual_clip = 1", "dual_clip = 1: expected a number above 1"),
        ("dual_clip = inf", "dual_clip = inf: expected a number above 1"),
        ("dual_clip = 3\nsurrogate = \"cispo\"", "dual_clip: cispo clips no ratio"),
        ("sampler_ratio_cap = 0", "sampler_ratio_cap = 0: expected above 0"),
        (
            "sampler_ratio_mode = \"token_mask\"",
            "sampler_ratio_mode: it does nothing without sampler_ratio_cap",
        ),
        ("sampler_ratio_floor = 0.5", "sampler_ratio_floor: it does nothing without sampler_ratio_cap"),
        ("sampler_ratio_cap = 2\nsampler_ratio_floor = 0.5", "sampler_ratio_floor: it is of the modes"),
        (
            "sampler_ratio_cap = 2\nsampler_ratio_mode = \"sequence_mask\"\nsampler_ratio_floor = 2",
            "sampler_ratio_floor = 2: expected above 0 and below sampler_ratio_cap",
        ),
        ("kl = { coef = nan }", "kl.coef = NaN: expected a finite number"),
        ("kl = { coef = 0, target = 6 }", "kl.coef = 0: expected above 0"),
        ("kl = { target = 0 }", "kl.target = 0: expected a number above 0"),
        ("kl = { target = 6, horizon = inf }", "kl.horizon = inf: expected a number above 0"),
        ("kl = { horizon = 100 }", "kl.horizon: there is no target beside it"),
    ] {
        let found = toml::from_str::<LossConfig>(text).unwrap().validate().unwrap_err().to_string();
        assert!(found.starts_with(expected), "{text}: {found}");
    }
    let penalty = KlPenalty { target: Some(-1.0), ..KlPenalty::default() };
    assert_eq!(penalty.validate().unwrap_err().to_string(), "target = -1: expected a number above 0");
    assert!(KlPenalty { coef: 0.0, ..KlPenalty::default() }.validate().is_ok());
    assert!(toml::from_str::<LossConfig>("sampler_ratio_mode = \"none\"").is_err());
}

#[test]
fn nothing_and_empty_replies_cost_nothing() {
    let none: [Sequence<'_, f32>; 0] = [];
    let output = policy_loss(&none, BatchExtent::default(), &LossConfig::default()).unwrap();
    assert_eq!((output.loss, output.d_logp.len()), (0.0, 0));
    let empty: Sequence<'_, f32> = Sequence {
        logp: &[],
        old_logp: &[],
        ref_logp: None,
        entropy: None,
        sampler_logp: None,
        advantage: 1.0.into(),
    };
    let batch = BatchExtent { sequences: 1, tokens: 0 };
    for aggregation in [Aggregation::TokenMean, Aggregation::SequenceMean] {
        let config = LossConfig { aggregation, ..LossConfig::default() };
        assert_eq!(policy_loss(&[empty], batch, &config).unwrap().loss, 0.0);
    }
}

#[test]
fn kl_in_the_reward_is_the_sum_of_differences() {
    let of_tokens = KlPenalty::default().of_tokens(&[-1.0_f64, -2.0, -0.5], &[-1.5, -1.0, -1.5]);
    let penalty: f64 = of_tokens.iter().sum();
    assert!((penalty - 0.001 * (0.5 - 1.0 + 1.0)).abs() < 1e-15);
}

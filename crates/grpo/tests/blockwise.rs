//! Quantisation and steps are those of bitsandbytes.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use serde_json::Value;
use toolrl_grpo::{AdamWConfig, BLOCK, BlocksMut, Blockwise, DynamicMap, adamw_step_blockwise};

/// Made by `blockwise/make.py`.
const FOUND: &str = include_str!("blockwise/bitsandbytes.json");

fn found() -> Value {
    serde_json::from_str(FOUND).unwrap()
}

/// As in `make.py`.
fn numbers(n: usize, seed: usize) -> Vec<f32> {
    let number = |i: usize| {
        let k = ((i * 7919 + seed * 104_729) % 100_003) as i32;
        (f64::from(k - 50_001) / 1024.0 * 2f64.powi(-(k % 23))) as f32
    };
    (0..n).map(number).collect()
}

fn whole(values: &Value) -> Vec<i64> {
    values.as_array().unwrap().iter().flat_map(Value::as_i64).collect()
}

fn floats(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().flat_map(Value::as_f64).collect()
}

fn bits(values: impl IntoIterator<Item = f32>) -> Vec<i64> {
    values.into_iter().map(|value| i64::from(value.to_bits().cast_signed())).collect()
}

fn quantized(map: &DynamicMap, values: &[f32]) -> Blockwise {
    let mut out = Blockwise::zeros(values.len());
    let blocks = values.chunks(BLOCK).zip(out.codes.chunks_mut(BLOCK)).zip(&mut out.scales);
    blocks.for_each(|((values, codes), scale)| *scale = map.quantize(values, codes));
    out
}

#[test]
fn codes_and_scales_are_those_of_bitsandbytes() {
    let found = found();
    for (name, map) in [("signed", DynamicMap::signed()), ("unsigned", DynamicMap::unsigned())] {
        assert_eq!(bits((0..=255).map(|code| map.value(code))), whole(&found["maps"][name]), "{name}");
        let values = match name {
            "signed" => numbers(600, 1),
            _ => numbers(600, 2).into_iter().map(f32::abs).collect(),
        };
        let ours = quantized(map, &values);
        let theirs = &found["blocks"][name];
        assert_eq!(bits(ours.scales.iter().copied()), whole(&theirs["scales"]), "{name}");
        assert_eq!(
            ours.codes.iter().map(|&code| i64::from(code)).collect::<Vec<_>>(),
            whole(&theirs["codes"])
        );
    }
}

#[test]
fn a_number_gets_the_nearest_value() {
    for map in [DynamicMap::signed(), DynamicMap::unsigned()] {
        let distance = |code: u8, value: f32| (f64::from(map.value(code)) - f64::from(value)).abs();
        for code in 0..=255u8 {
            assert_eq!(map.code(map.value(code)), code);
        }
        for i in 0..40_000u32 {
            let value = f32::from_bits(i * 26_633).min(1.0) * if i % 2 == 0 { 1.0 } else { -1.0 };
            let nearest = (0..=255).map(|code| distance(code, value)).fold(f64::MAX, f64::min);
            assert!(distance(map.code(value), value) <= nearest * (1.0 + 1e-6) + 1e-9, "{value}");
        }
        assert_eq!(quantized(map, &[0.0; 300]).values(map), [0.0; 300]);
    }
}

#[test]
fn steps_are_those_of_adamw8bit() {
    let found = found();
    let config = AdamWConfig { beta1: 0.9, beta2: 0.99, epsilon: 1e-6, weight_decay: 0.1 };
    let mut param = numbers(5000, 3);
    let (mut mean, mut square) = (Blockwise::zeros(5000), Blockwise::zeros(5000));
    for t in 0..5 {
        let grad: Vec<f32> = numbers(5000, 10 + t).into_iter().map(|g| g * 0.01).collect();
        let mean = BlocksMut { codes: &mut mean.codes, scales: &mut mean.scales };
        let square = BlocksMut { codes: &mut square.codes, scales: &mut square.scales };
        let step = config.step(t as u32 + 1, 1e-2, 1.0);
        adamw_step_blockwise(&mut param, &grad, mean, square, &step).unwrap();
    }
    let theirs = &found["steps"];
    for (i, (ours, theirs)) in param.iter().step_by(41).zip(floats(&theirs["parameters"])).enumerate() {
        assert!((f64::from(*ours) - theirs).abs() < 2e-5, "parameter {}: {ours} for {theirs}", 41 * i);
    }
    // A number between two values may go to either by the rounding of a sum.
    for (ours, key) in [(&mean.codes, "mean"), (&square.codes, "mean_square")] {
        let ours: Vec<i64> = ours.iter().step_by(41).map(|&code| code.into()).collect();
        let theirs = whole(&theirs[key]);
        let differ = ours.iter().zip(&theirs).filter(|(a, b)| a != b).count();
        assert!(differ <= 1, "{key}: {differ} of {} differ", theirs.len());
    }
    for (ours, key) in [(&mean.scales, "mean_scales"), (&square.scales, "mean_square_scales")] {
        for (ours, theirs) in ours.iter().zip(floats(&theirs[key])) {
            assert!((f64::from(*ours) - theirs).abs() < 1e-5 * theirs, "{key}: {ours} for {theirs}");
        }
    }
}

#[test]
fn parts_at_blocks_are_the_whole() {
    let step = AdamWConfig::default().step(1, 1e-2, 1.0);
    let grad = numbers(1000, 4);
    let stepped = |part: usize| {
        let (mut param, mut mean, mut square) =
            (numbers(1000, 5), Blockwise::zeros(1000), Blockwise::zeros(1000));
        let means = mean.codes.chunks_mut(part).zip(mean.scales.chunks_mut(part / BLOCK));
        let squares = square.codes.chunks_mut(part).zip(square.scales.chunks_mut(part / BLOCK));
        for (((p, g), m), v) in param.chunks_mut(part).zip(grad.chunks(part)).zip(means).zip(squares) {
            let [m, v] = [m, v].map(|(codes, scales)| BlocksMut { codes, scales });
            adamw_step_blockwise(p, g, m, v, &step).unwrap();
        }
        (param, mean, square)
    };
    assert_eq!(stepped(BLOCK), stepped(4 * BLOCK));
    let (mut p, mut codes, mut scales) = ([1.0], [0], [0.0]);
    let (mut other, none) = ([0; 2], &mut []);
    let mean = BlocksMut { codes: &mut codes, scales: &mut scales };
    let square = BlocksMut { codes: &mut other, scales: none };
    assert!(adamw_step_blockwise(&mut p, &[1.0], mean, square, &step).is_err());
    assert_eq!(p, [1.0]);
}

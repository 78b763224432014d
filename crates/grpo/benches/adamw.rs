//! Nanoseconds a parameter that a step of AdamW takes on one thread, by how moments are stored, and that reading 8 bits takes.

use std::time::Instant;

use toolrl_grpo::{AdamWConfig, BLOCK, BlocksMut, Blockwise, DynamicMap, adamw_step, adamw_step_blockwise};

/// As many as the largest caches hold a small part of.
const PARAMETERS: usize = 1 << 24;
const ROUNDS: u32 = 12;

fn main() {
    let grad: Vec<f32> = (0..PARAMETERS).map(|i| ((i * 7919 % 10_007) as f32 - 5003.0) * 1e-6).collect();
    let mut param = vec![0.5; PARAMETERS];
    let (mut mean, mut square) = (vec![0.0; PARAMETERS], vec![0.0; PARAMETERS]);
    let full = best(|t| {
        let step = AdamWConfig::default().step(t, 1e-4, 1.0);
        assert!(adamw_step(&mut param, &grad, &mut mean, &mut square, &step).is_ok());
    });
    let (mut mean, mut square) = (Blockwise::zeros(PARAMETERS), Blockwise::zeros(PARAMETERS));
    let blockwise = best(|t| {
        let step = AdamWConfig::default().step(t, 1e-4, 1.0);
        let mean = BlocksMut { codes: &mut mean.codes, scales: &mut mean.scales };
        let square = BlocksMut { codes: &mut square.codes, scales: &mut square.scales };
        assert!(adamw_step_blockwise(&mut param, &grad, mean, square, &step).is_ok());
    });
    let mut values = [0.0; BLOCK];
    let read = best(|_| {
        for (codes, &scale) in mean.codes.chunks(BLOCK).zip(&mean.scales) {
            DynamicMap::signed().dequantize(codes, scale, &mut values);
            std::hint::black_box(&values);
        }
    });
    println!("moments in f32 {full:.2} ns, in 8 bits {blockwise:.2} ns; reading 8 bits {read:.2} ns");
}

/// The least time of some rounds, a parameter.
fn best(mut round: impl FnMut(u32)) -> f64 {
    let time = |t| {
        let clock = Instant::now();
        round(t);
        clock.elapsed().as_secs_f64() * 1e9 / PARAMETERS as f64
    };
    (1..=ROUNDS).map(time).fold(f64::INFINITY, f64::min)
}

//! An optimiser step and the gradient's norm.

use toolrl_cube::{Dtype, adamw_step, norm};
use toolrl_layout::{AdamWState, AdamWStep};

use crate::device::{assert_close, everywhere, numbers, put, wide};

/// The published algorithm in f64, on one parameter.
fn step(s: &AdamWStep, g: f64, [p, m, v]: [f64; 3]) -> [f64; 3] {
    let m = s.beta1 * m + (1.0 - s.beta1) * g;
    let v = s.beta2 * v + (1.0 - s.beta2) * g * g;
    let m_hat = m / (1.0 - s.beta1.powi(s.t as i32));
    let v_hat = v / (1.0 - s.beta2.powi(s.t as i32));
    [p - s.lr * s.weight_decay * p - s.lr * m_hat / (v_hat.sqrt() + s.epsilon), m, v]
}

#[test]
fn follows_the_published_algorithm() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(9);
        for len in [1, 7, 1024, 5000] {
            let start = numbers(&mut rng, len, Dtype::F32);
            let zeros = vec![0.0; len];
            let state = AdamWState {
                param: put(client, &start, Dtype::F32),
                mean: put(client, &zeros, Dtype::F32),
                mean_square: put(client, &zeros, Dtype::F32),
            };
            let mut expected: Vec<[f64; 3]> = start.iter().map(|&p| [f64::from(p), 0.0, 0.0]).collect();
            for t in 1..=5 {
                let grad = numbers(&mut rng, len, dtype);
                let s = AdamWStep { t, lr: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };
                for (e, &g) in expected.iter_mut().zip(&grad) {
                    *e = step(&s, f64::from(g) * 0.25, *e);
                }
                let grad = put(client, &grad, dtype);
                adamw_step(client, &state, &grad, &put(client, &[0.25], Dtype::F32), &s).unwrap();
            }
            let [p, m, v] = [0, 1, 2].map(|i| expected.iter().map(|e| e[i]).collect::<Vec<f64>>());
            assert_close("param", client, &state.param, &p, 32);
            assert_close("mean", client, &state.mean, &m, 32);
            assert_close("mean_square", client, &state.mean_square, &v, 32);
        }
    });
}

#[test]
fn the_norm_is_over_all_gradients() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(10);
        let (mut grads, mut expected) = (Vec::new(), 0.0);
        for len in [0, 1, 63, 70_001, 200_000] {
            let grad = numbers(&mut rng, len, dtype);
            expected += wide(&grad).iter().map(|g| g * g).sum::<f64>();
            grads.push(put(client, &grad, dtype));
        }
        let (found, expected) = (f64::from(norm(client, &grads).unwrap()), expected.sqrt());
        assert!((found - expected).abs() < 4e-6 * expected, "{found} for {expected}");
        assert_eq!(norm(client, &[]).unwrap(), 0.0);
    });
}

//! An optimiser step and the gradient's norm.

use toolrl_cube::{AdamWState, AdamWStep, Dtype, SquareSums, adamw_step};

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
        for (len, copied) in [(1, true), (7, false), (1024, true), (5000, true)] {
            let start = numbers(&mut rng, len, Dtype::F32);
            let zeros = vec![0.0; len];
            let state = AdamWState {
                param: put(client, &start, Dtype::F32),
                mean: put(client, &zeros, Dtype::F32),
                mean_square: put(client, &zeros, Dtype::F32),
                copy: copied.then(|| put(client, &zeros, dtype)),
            };
            let mut expected: Vec<[f64; 3]> = start.iter().map(|&p| [f64::from(p), 0.0, 0.0]).collect();
            for t in 1..=5 {
                let grad = numbers(&mut rng, len, dtype);
                let norm = wide(&grad).iter().map(|g| g * g).sum::<f64>().sqrt();
                let max_norm = norm * 0.5;
                let s = AdamWStep { t, lr: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };
                for (e, &g) in expected.iter_mut().zip(&grad) {
                    *e = step(&s, f64::from(g) * max_norm / (norm + 1e-6), *e);
                }
                let grad = put(client, &grad, dtype);
                let mut sums = SquareSums::new();
                sums.add(client, &grad);
                let clip = sums.clip(client, max_norm as f32);
                assert_close("clip", client, &clip, &[norm, max_norm / (norm + 1e-6)], 16);
                adamw_step(client, &state, &grad, &clip, &s).unwrap();
            }
            let [p, m, v] = [0, 1, 2].map(|i| expected.iter().map(|e| e[i]).collect::<Vec<f64>>());
            assert_close("param", client, &state.param, &p, 32);
            assert_close("mean", client, &state.mean, &m, 32);
            assert_close("mean_square", client, &state.mean_square, &v, 32);
            if let Some(copy) = &state.copy {
                assert_close("copy", client, copy, &p, 32);
            }
        }
    });
}

#[test]
fn the_norm_is_over_all_gradients_and_small_ones_stay() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(10);
        let (mut sums, mut expected) = (SquareSums::new(), 0.0);
        for len in [0, 1, 63, 70_001, 200_000] {
            let grad = numbers(&mut rng, len, dtype);
            expected += wide(&grad).iter().map(|g| g * g).sum::<f64>();
            sums.add(client, &put(client, &grad, dtype));
        }
        let norm = expected.sqrt();
        assert_close("large", client, &sums.clip(client, 1.0), &[norm, 1.0 / (norm + 1e-6)], 64);
        let found = sums.clip(client, 1e9).read(client).unwrap();
        assert_eq!(found[1], 1.0);
        assert_eq!(SquareSums::new().clip(client, 1.0).read(client).unwrap(), [0.0, 1.0]);
    });
}

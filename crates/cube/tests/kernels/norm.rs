//! RMSNorm and its gradients.

use toolrl_cube::{Dtype, rms_norm, rms_norm_grad};

use crate::device::{assert_close, everywhere, numbers, put, wide};

const EPS: f32 = 1e-6;

/// Tokens, parts of a row, and their width.
const SHAPES: [(usize, usize, usize); 8] =
    [(1, 1, 1), (3, 1, 7), (5, 2, 33), (1, 3, 128), (70, 1, 64), (600, 1, 40), (2, 1, 1536), (3, 1, 4100)];

fn forward(x: &[f64], weight: &[f64]) -> Vec<f64> {
    let row = |x: &[f64]| {
        let mean = x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64;
        let r = 1.0 / (mean + f64::from(EPS)).sqrt();
        x.iter().zip(weight).map(|(x, w)| x * r * w).collect::<Vec<_>>()
    };
    x.chunks_exact(weight.len()).flat_map(row).collect()
}

fn backward(x: &[f64], weight: &[f64], grad: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let width = weight.len();
    let (mut dx, mut dw) = (Vec::new(), vec![0.0; width]);
    for (x, g) in x.chunks_exact(width).zip(grad.chunks_exact(width)) {
        let mean = x.iter().map(|v| v * v).sum::<f64>() / width as f64;
        let r = 1.0 / (mean + f64::from(EPS)).sqrt();
        let dot: f64 = (0..width).map(|i| g[i] * weight[i] * x[i] * r).sum::<f64>() / width as f64;
        for i in 0..width {
            dx.push(r * (g[i] * weight[i] - x[i] * r * dot));
            dw[i] += g[i] * x[i] * r;
        }
    }
    (dx, dw)
}

#[test]
fn follows_the_formula() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(1);
        for (tokens, parts, width) in SHAPES {
            let x = numbers(&mut rng, tokens * parts * width, dtype);
            let grad = numbers(&mut rng, x.len(), dtype);
            for weight_dtype in [dtype, Dtype::F32] {
                let weight = numbers(&mut rng, width, weight_dtype);
                let (x_ti, weight_i) = (put(client, &x, dtype), put(client, &weight, weight_dtype));
                let what = format!("{tokens} x {parts} x {width}");
                let out = rms_norm(client, &x_ti, &weight_i, EPS).unwrap();
                assert_close(&what, client, &out, &forward(&wide(&x), &wide(&weight)), 16 + width / 16);
                let grad_ti = put(client, &grad, dtype);
                let [dx, dw] = rms_norm_grad(client, &x_ti, &weight_i, &grad_ti, EPS).unwrap();
                let expected = backward(&wide(&x), &wide(&weight), &wide(&grad));
                assert_close(&what, client, &dx, &expected.0, 16 + width / 16);
                assert_close(&what, client, &dw, &expected.1, 16 + tokens * parts);
                assert_eq!(dw.dtype(), Dtype::F32);
            }
        }
    });
}

#[test]
fn the_reference_is_the_gradient_by_differences() {
    let mut rng = fastrand::Rng::with_seed(2);
    let [x, weight, grad] = [6, 3, 6].map(|n| wide(&numbers(&mut rng, n, Dtype::F32)));
    let loss = |x: &[f64], w: &[f64]| -> f64 { forward(x, w).iter().zip(&grad).map(|(o, g)| o * g).sum() };
    let (dx, dw) = backward(&x, &weight, &grad);
    let h = 1e-6;
    let nudged = |v: &[f64], i: usize, by: f64| {
        let mut v = v.to_vec();
        v[i] += by;
        v
    };
    for (i, by) in dx.iter().enumerate() {
        let slope = (loss(&nudged(&x, i, h), &weight) - loss(&nudged(&x, i, -h), &weight)) / (2.0 * h);
        assert!((slope - by).abs() < 1e-7, "{slope} {by}");
    }
    for (i, by) in dw.iter().enumerate() {
        let slope = (loss(&x, &nudged(&weight, i, h)) - loss(&x, &nudged(&weight, i, -h))) / (2.0 * h);
        assert!((slope - by).abs() < 1e-7, "{slope} {by}");
    }
}

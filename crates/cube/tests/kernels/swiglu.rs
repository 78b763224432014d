//! The gated activation and its gradients.

use toolrl_cube::{swiglu, swiglu_grad};

use crate::device::{assert_close, everywhere, numbers, put};

#[test]
fn follows_the_formula() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(4);
        for n in [1, 7, 64, 1000, 70_000] {
            let [gate, up, grad] = [8.0, 1.0, 1.0].map(|scale| {
                let values = numbers(&mut rng, n, dtype);
                values.into_iter().map(|v| v * scale).collect::<Vec<f32>>()
            });
            let [mut out, mut dgate, mut dup] = [const { Vec::new() }; 3];
            for ((&gate, &up), &grad) in gate.iter().zip(&up).zip(&grad) {
                let [gate, up, grad] = [gate, up, grad].map(f64::from);
                let s = 1.0 / (1.0 + (-gate).exp());
                out.push(gate * s * up);
                dgate.push(grad * up * (s + gate * s * (1.0 - s)));
                dup.push(grad * gate * s);
            }
            let [gate, up, grad] = [gate, up, grad].map(|values| put(client, &values, dtype));
            assert_close("out", client, &swiglu(client, &gate, &up).unwrap(), &out, 16);
            let [by_gate, by_up] = swiglu_grad(client, &gate, &up, &grad).unwrap();
            assert_close("dgate", client, &by_gate, &dgate, 16);
            assert_close("dup", client, &by_up, &dup, 16);
        }
    });
}

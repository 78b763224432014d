//! Rotary position embedding and its gradient.

use toolrl_cube::{Angles, Dtype, rope};
use toolrl_layout::Rotation;

use crate::device::{assert_close, everywhere, numbers, put};

fn turned(x: &[f32], angles: &[f32], heads: usize, half: usize, sign: f64) -> Vec<f64> {
    let mut out = vec![0.0; x.len()];
    for (head, (x, out)) in x.chunks_exact(2 * half).zip(out.chunks_exact_mut(2 * half)).enumerate() {
        for i in 0..half {
            let angle = angles[head / heads * half + i];
            let (cos, sin) = (f64::from(angle.cos()), sign * f64::from(angle.sin()));
            let (a, b) = (f64::from(x[i]), f64::from(x[half + i]));
            out[i] = a * cos - b * sin;
            out[half + i] = b * cos + a * sin;
        }
    }
    out
}

#[test]
fn turns_halves_forth_and_back() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(3);
        for (tokens, heads, half) in [(1, 1, 1), (5, 3, 16), (7, 2, 64), (300, 9, 32), (4, 2, 5)] {
            let x = numbers(&mut rng, tokens * heads * 2 * half, dtype);
            let angles: Vec<f32> = (0..tokens * half).map(|_| rng.f32() * 7.0).collect();
            let [cos, sin] = [f32::cos, f32::sin].map(|f| angles.iter().map(|&a| f(a)).collect::<Vec<_>>());
            let (cos, sin) = (put(client, &cos, Dtype::F32), put(client, &sin, Dtype::F32));
            let table = Angles { cos, sin, half };
            for (rotation, sign) in [(Rotation::Forward, 1.0), (Rotation::Backward, -1.0)] {
                let out = rope(client, &put(client, &x, dtype), &table, heads, rotation).unwrap();
                let expected = turned(&x, &angles, heads, half, sign);
                assert_close(&format!("{tokens} x {heads} x {half}"), client, &out, &expected, 4);
            }
        }
    });
}

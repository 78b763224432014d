//! A decoding step's fused operations against the same one by one.

use toolrl_cube::{
    Angles, Buffer, CubeError, Dtype, Indices, add_rms_norm, add_row, place, rms_norm, rope, write_rows,
};
use toolrl_layout::{Heads, NewRows, Projected, Rotation};

use crate::device::{assert_close, everywhere, numbers, put, wide};

/// The numbers of a buffer.
fn read(client: &cubecl::prelude::Client, buffer: &Buffer) -> Vec<f64> {
    wide(&buffer.read(client).unwrap())
}

#[test]
fn projections_are_placed() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(16);
        for (heads, rows, biased) in [
            (Heads { query: 1, kv: 1, dim: 2 }, 1, true),
            (Heads { query: 6, kv: 2, dim: 10 }, 5, true),
            (Heads { query: 9, kv: 3, dim: 64 }, 7, false),
            (Heads { query: 12, kv: 2, dim: 128 }, 3, true),
        ] {
            let (widths, cached) = ([heads.query, heads.kv, heads.kv].map(|n| n * heads.dim), 11);
            let qkv = widths.map(|width| put(client, &numbers(&mut rng, rows * width, dtype), dtype));
            let biases = widths.map(|width| put(client, &numbers(&mut rng, width, dtype), dtype));
            let half = heads.dim / 2;
            let [cos, sin] =
                [0, 1].map(|_| put(client, &numbers(&mut rng, rows * half, Dtype::F32), Dtype::F32));
            let table = Angles { cos, sin, half };
            // One token is no one's.
            let at: Vec<u32> = (0..rows as u32).map(|i| if i == 1 { 11 } else { 10 - i }).collect();
            let at = Indices::from_slice(client, &at);
            let before = numbers(&mut rng, cached * widths[1], dtype);
            let caches = || [0, 1].map(|_| put(client, &before, dtype));

            let expected_caches = caches();
            let with_bias = |i: usize| {
                if biased { add_row(client, &qkv[i], &biases[i]).unwrap() } else { qkv[i].clone() }
            };
            let expected = rope(client, &with_bias(0), &table, heads.query, Rotation::Forward).unwrap();
            let k = rope(client, &with_bias(1), &table, heads.kv, Rotation::Forward).unwrap();
            for (cache, new) in expected_caches.iter().zip([k, with_bias(2)]) {
                write_rows(client, cache, &new, &at, widths[1]).unwrap();
            }

            let values = qkv.each_ref().map(|buffer| buffer.read(client).unwrap());
            let of_row = |row| {
                values.each_ref().map(|values| &values[row * values.len() / rows..][..values.len() / rows])
            };
            let side_by_side: Vec<f32> = (0..rows).flat_map(|row| of_row(row).concat()).collect();
            let side_by_side = put(client, &side_by_side, dtype);
            for qkv in [Projected::Apart(qkv.clone()), Projected::Joined(side_by_side)] {
                let new = NewRows { qkv, biases: biased.then_some(biases.clone()) };
                let found_caches = caches();
                let found = place(client, &new, &table, &at, found_caches.each_ref(), heads).unwrap();
                assert_close(&format!("{heads:?}, q"), client, &found, &read(client, &expected), 2);
                for (what, found, expected) in [
                    ("k", &found_caches[0], &expected_caches[0]),
                    ("v", &found_caches[1], &expected_caches[1]),
                ] {
                    assert_close(&format!("{heads:?}, {what}"), client, found, &read(client, expected), 2);
                }
            }
        }
    });
}

#[test]
fn a_sum_is_kept_and_normalised() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(17);
        for (rows, width) in [(1, 1), (3, 5), (9, 64), (5, 1536), (2, 3072)] {
            let [x, y] = [0, 1].map(|_| numbers(&mut rng, rows * width, dtype));
            let weight = put(client, &numbers(&mut rng, width, Dtype::F32), Dtype::F32);
            let sums: Vec<f32> = x.iter().zip(&y).map(|(x, y)| x + y).collect();
            let sums = put(client, &sums, dtype);
            let expected = rms_norm(client, &sums, &weight, 1e-6).unwrap();
            let (x, y) = (put(client, &x, dtype), put(client, &y, dtype));
            let [sum, normed] = add_rms_norm(client, [&x, &y], &weight, 1e-6).unwrap();
            assert_eq!(sum.read(client).unwrap(), sums.read(client).unwrap());
            assert_close(&format!("{rows} x {width}"), client, &normed, &read(client, &expected), 2);
        }
    });
}

#[test]
fn what_does_not_fit_is_refused() {
    everywhere(|client, dtype| {
        let heads = Heads { query: 2, kv: 1, dim: 4 };
        let zeros = |n: usize| put(client, &vec![0.0; n], dtype);
        let angles = |n: usize| put(client, &vec![0.0; n], Dtype::F32);
        let table = |half: usize| Angles { cos: angles(half * 2), sin: angles(half * 2), half };
        let at = Indices::from_slice(client, &[0, 1]);
        let refused = |q: usize, k: usize, half: usize, cache: usize| {
            let qkv = [zeros(q), zeros(k), zeros(8)];
            let caches = [zeros(cache), zeros(cache)];
            let new = NewRows { qkv: Projected::Apart(qkv), biases: None };
            place(client, &new, &table(half), &at, caches.each_ref(), heads).map(drop)
        };
        assert!(refused(16, 8, 2, 12).is_ok());
        let (cache, new) = (zeros(12), NewRows { qkv: Projected::Joined(zeros(31)), biases: None });
        let refused_whole = place(client, &new, &table(2), &at, [&cache; 2], heads).unwrap_err();
        assert!(
            matches!(refused_whole, CubeError::Length { expected: 32, found: 31, .. }),
            "{refused_whole}"
        );
        assert!(matches!(
            refused(15, 8, 2, 12),
            Err(CubeError::Length { what: "q", expected: 16, found: 15 })
        ));
        assert!(matches!(refused(16, 9, 2, 12), Err(CubeError::Length { what: "k", .. })));
        assert!(matches!(refused(16, 8, 1, 12), Err(CubeError::Size { value: 1, of: 4, .. })));
        assert!(matches!(refused(16, 8, 2, 13), Err(CubeError::Size { of: 13, .. })));
        let refused = add_rms_norm(client, [&zeros(8), &zeros(4)], &zeros(4), 1e-6).unwrap_err();
        assert!(matches!(refused, CubeError::Length { what: "y", expected: 8, found: 4 }), "{refused}");
    });
}

//! Products on tensor cores against sums in f64. They are CUDA's alone: elsewhere there is nothing to run.

use cubecl::prelude::*;
use toolrl_cube::{
    Buffer, CubeError, Dtype, Matrix, ProductKind, gated_product, product, product_kinds, swiglu,
};

use crate::device::{assert_close, everywhere, numbers, put, wide};

/// A matrix of random numbers with some more in each line than it has, and those numbers by rows.
fn matrix(
    client: &Client,
    sizes: [usize; 2],
    transposed: bool,
    dtype: Dtype,
    seed: u64,
) -> (Matrix, Vec<f64>) {
    let [rows, columns] = sizes;
    let (lines, width) = if transposed { (columns, rows) } else { (rows, columns) };
    let stride = width + 8;
    let values = numbers(&mut fastrand::Rng::with_seed(seed), lines * stride, dtype);
    let at = |row: usize, column: usize| {
        f64::from(if transposed { values[column * stride + row] } else { values[row * stride + column] })
    };
    let by_rows = (0..rows * columns).map(|i| at(i / columns, i % columns)).collect();
    (Matrix { buffer: put(client, &values, dtype), rows, columns, stride, transposed }, by_rows)
}

fn expected(a: &[f64], b: &[f64], [m, n, k]: [usize; 3]) -> Vec<f64> {
    let mut out = vec![0.0; m * n];
    for (row, sums) in out.chunks_mut(n).enumerate() {
        for (inner, &x) in a[row * k..(row + 1) * k].iter().enumerate() {
            sums.iter_mut().zip(&b[inner * n..]).for_each(|(sum, y)| *sum += x * y);
        }
    }
    debug_assert_eq!(b.len(), k * n);
    out
}

/// Every kind of kernel that a product of these sizes has, however its operands lie, stored alike or in f32.
fn check(sizes: [usize; 3], every_way: bool) {
    let [m, n, k] = sizes;
    everywhere(|client, dtype| {
        for ways in 0..if every_way { 4 } else { 1 } {
            let (a_transposed, b_transposed) = (ways & 1 == 1, ways & 2 == 0);
            let (a, a_values) = matrix(client, [m, k], a_transposed, dtype, 1);
            let (b, b_values) = matrix(client, [k, n], b_transposed, dtype, 2);
            let expected = expected(&a_values, &b_values, sizes);
            for kind in product_kinds(client, &a, &b) {
                for out in [dtype, Dtype::F32] {
                    let what =
                        format!("{kind:?} {sizes:?} {dtype:?} in {out:?}, {a_transposed} {b_transposed}");
                    let run = || {
                        product(client, &a, &b, out, Some(kind)).unwrap().expect("the kind is one of those")
                    };
                    let found = run();
                    assert_close(&what, client, &found, &expected, k);
                    // A second time: what the first left behind of a split product is nothing.
                    assert_eq!(found.read(client).unwrap(), run().read(client).unwrap(), "{what}");
                }
            }
        }
    });
}

#[test]
fn every_kernel_and_layout_follows_the_formula() {
    // Ragged tiles of every kind, and steps that are none of 32.
    check([136, 264, 80], true);
    check([24, 72, 40], true);
}

#[test]
fn few_rows() {
    check([1, 64, 64], false);
    check([13, 200, 72], false);
}

#[test]
fn a_split_inner_dimension_adds_up() {
    check([8, 64, 1096], true);
    check([72, 72, 1096], false);
}

#[test]
fn a_gated_product_is_that_of_two() {
    everywhere(|client, dtype| {
        for [m, n, k] in [[1, 64, 72], [40, 200, 1096], [70, 72, 40]] {
            let (x, _) = matrix(client, [m, k], false, dtype, 1);
            let [gate, up] = [2, 3].map(|seed| matrix(client, [k, n], true, dtype, seed).0);
            let Some(found) = gated_product(client, &x, &gate, &up).unwrap() else {
                assert!(product_kinds(client, &x, &gate).is_empty());
                continue;
            };
            let apart = [&gate, &up].map(|w| product(client, &x, w, dtype, None).unwrap().unwrap());
            let expected = wide(&swiglu(client, &apart[0], &apart[1]).unwrap().read(client).unwrap());
            // Sums may be of other parts, which now and then rounds a product to the next number.
            assert_close(&format!("{m} x {n} x {k}"), client, &found, &expected, 1 << 15);
        }
    });
}

#[test]
fn what_does_not_fit_is_refused() {
    everywhere(|client, dtype| {
        let (a, _) = matrix(client, [16, 24], false, dtype, 1);
        let (b, _) = matrix(client, [32, 16], false, dtype, 2);
        let refused = |a: &Matrix, b: &Matrix| product(client, a, b, Dtype::F32, None).unwrap_err();
        assert!(matches!(refused(&a, &b), CubeError::Length { expected: 24, found: 32, .. }));
        let short = Matrix { buffer: Buffer::empty(client, 32 * 15, dtype), ..b.clone() };
        let long = Matrix { columns: 40, ..a.clone() };
        assert!(matches!(refused(&long, &b), CubeError::Length { .. }));
        let (x, _) = matrix(client, [16, 32], false, dtype, 1);
        assert!(matches!(refused(&x, &short), CubeError::Length { .. }));
        // Seven columns cannot be copied 16 bytes at a time: that is another kernel's.
        let (odd, _) = matrix(client, [32, 7], false, dtype, 3);
        let [twelve, other] = [3, 4].map(|seed| matrix(client, [32, 12], true, dtype, seed).0);
        assert!(gated_product(client, &x, &twelve, &other).unwrap().is_none(), "columns are taken in eights");
        assert_eq!(product_kinds(client, &x, &odd), Vec::<ProductKind>::new());
        assert!(product(client, &x, &odd, Dtype::F32, None).unwrap().is_none());
    });
}

//! Products of random shapes and strides against sums in f64.

use half::bf16;

use super::*;

/// Numbers in [-1, 1) that follow from the seed.
fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(next).collect()
}

fn at(of: Mat, i: usize, j: usize) -> f64 {
    let index = i * of.strides.0 + j * of.strides.1;
    f64::from(match of.data {
        Floats::F32(data) => data[index],
        Floats::Bf16(data) => data[index].to_f32(),
    })
}

fn check(lhs: Mat, rhs: Mat, what: &str) {
    check_by(gemm, lhs, rhs, what);
}

/// Of a product that takes what [`gemm()`] does.
fn check_by(product: impl Fn(&mut [f32], usize, Write, Mat, Mat, Threads), lhs: Mat, rhs: Mat, what: &str) {
    let ((m, k), n) = (lhs.shape, rhs.shape.1);
    let stride = n + 3;
    for (write, threads) in
        [(Write::Set, Threads::One), (Write::Add, Threads::All), (Write::Set, Threads::All)]
    {
        let before = numbers(m * stride, 9);
        let mut out = before.clone();
        product(&mut out, stride, write, lhs, rhs, threads);
        for i in 0..m {
            for j in 0..stride {
                let (got, was) = (out[i * stride + j], before[i * stride + j]);
                if j >= n {
                    assert_eq!(got, was, "{what}: ({i}, {j}) is outside the result");
                    continue;
                }
                let sum: f64 = (0..k).map(|l| at(lhs, i, l) * at(rhs, l, j)).sum();
                let expected = sum + if write == Write::Add { f64::from(was) } else { 0.0 };
                let error = (f64::from(got) - expected).abs();
                assert!(error < 1e-6 * (4.0 + k as f64), "{what}: ({i}, {j}) is {got}, not {expected}");
            }
        }
    }
}

#[test]
fn products_of_all_layouts_equal_f64_sums() {
    let shapes =
        [(1, 1, 1), (8, 5, 48), (7, 3, 47), (9, 400, 49), (65, 33, 100), (130, 17, 1000), (1, 769, 200)];
    for (m, k, n) in shapes {
        let (a, b) = (numbers(m * (k + 2), 1), numbers(k * (n + 1), 2));
        let (a_t, b_t) = (numbers(k * (m + 2), 3), numbers(n * (k + 1), 4));
        let lhs = [Mat::new(&a, m, k, k + 2), Mat::new(&a_t, k, m, m + 2).t()];
        let rhs = [Mat::new(&b, k, n, n + 1), Mat::new(&b_t, n, k, k + 1).t()];
        for (i, lhs) in lhs.into_iter().enumerate() {
            for (j, rhs) in rhs.into_iter().enumerate() {
                check(lhs, rhs, &format!("{m} x {k} x {n}, layouts {i} and {j}"));
            }
        }
    }
}

#[test]
fn blocks_are_added_up() {
    let (m, k, n) = (3, 1000, 5000);
    let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
    check(Mat::new(&a, m, k, k), Mat::new(&b, k, n, n), "blocks of columns and of sums");
    check(Mat::new(&b, n, k, k), Mat::new(&a, m, k, k).t(), "blocks of rows");
}

/// Layers of a real model: too large for all sums in f64, so some elements of every block of the result.
#[test]
fn products_of_a_layers_size_equal_f64_sums() {
    for (m, k, n) in
        [(1141, 576, 1536), (1536, 1141, 576), (1141, 1536, 192), (380, 3000, 576), (3001, 380, 576)]
    {
        let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
        let lhs = [Mat::new(&a, m, k, k), Mat::new(&a, k, m, m).t()];
        let rhs = [Mat::new(&b, k, n, n), Mat::new(&b, n, k, k).t()];
        for (lhs, rhs) in lhs.into_iter().flat_map(|l| rhs.map(|r| (l, r))) {
            let mut out = vec![f32::NAN; m * n];
            gemm(&mut out, n, Write::Set, lhs, rhs, Threads::All);
            assert!(out.iter().all(|x| x.is_finite()), "{m} x {k} x {n}: all is written");
            for index in (0..m * n).step_by(997) {
                let (i, j) = (index / n, index % n);
                let expected: f64 = (0..k).map(|l| at(lhs, i, l) * at(rhs, l, j)).sum();
                let error = (f64::from(out[index]) - expected).abs();
                assert!(
                    error < 1e-6 * k as f64,
                    "{m} x {k} x {n}: ({i}, {j}) is {}, not {expected}",
                    out[index]
                );
            }
        }
    }
}

#[test]
fn bf16_operands_are_widened() {
    let (m, k, n) = (20, 70, 60);
    let narrow: Vec<bf16> = numbers(n * k, 5).into_iter().map(bf16::from_f32).collect();
    let a = numbers(m * k, 6);
    let weight = Mat::stored(Floats::Bf16(&narrow), n, k, k);
    check(Mat::new(&a, m, k, k), weight.t(), "bf16 weight");
    let grad = numbers(m * n, 7);
    check(Mat::new(&grad, m, n, n), weight, "bf16 weight, backward");
}

/// By the machine's instructions for it where there are some.
#[test]
fn products_of_bf16_equal_f64_sums() {
    let shapes = [(1, 1, 1), (7, 2, 47), (9, 400, 49), (65, 33, 100), (130, 18, 1000), (3, 1769, 200)];
    check_pairs(gemm, &shapes);
}

/// Operands of bf16 whose rows or columns lie side by side: whole and broken pairs, rows that begin within a pair.
pub(super) fn check_pairs(
    product: impl Fn(&mut [f32], usize, Write, Mat, Mat, Threads) + Copy,
    shapes: &[(usize, usize, usize)],
) {
    let narrow = |n, seed| -> Vec<bf16> { numbers(n, seed).into_iter().map(bf16::from_f32).collect() };
    for &(m, k, n) in shapes {
        for gap in [0, 1] {
            let (a, b) = (narrow(m * (k + gap), 1), narrow(k * (n + gap), 2));
            let (a_t, b_t) = (narrow(k * (m + gap), 3), narrow(n * (k + gap), 4));
            let mat = |of, rows, cols: usize| Mat::stored(Floats::Bf16(of), rows, cols, cols + gap);
            for (i, lhs) in [mat(&a, m, k), mat(&a_t, k, m).t()].into_iter().enumerate() {
                for (j, rhs) in [mat(&b, k, n), mat(&b_t, n, k).t()].into_iter().enumerate() {
                    check_by(product, lhs, rhs, &format!("bf16, {m} x {k} x {n}, layouts {i} and {j}"));
                }
            }
        }
    }
}

#[test]
fn nothing_times_nothing() {
    let mut out = vec![1.0; 6];
    gemm(&mut out, 3, Write::Set, Mat::new(&[], 2, 0, 0), Mat::new(&[], 0, 3, 3), Threads::All);
    assert_eq!(out, [0.0; 6]);
    gemm(&mut out, 3, Write::Add, Mat::new(&[], 0, 4, 4), Mat::new(&[1.0; 12], 4, 3, 3), Threads::All);
    assert_eq!(out, [0.0; 6]);
    let (none, weight) = (Floats::F32(&[]), Floats::F32(&[1.0; 12]));
    assert!(project(none, weight, 4).is_empty() && project_grad_x(none, weight, 4).is_empty());
}

//! A linear layer's products, of many rows and of few.

use toolrl_cpu::gemm::{project, project_grad_weight, project_grad_x};
use toolrl_cpu::numbers::Floats;
use toolrl_cpu::skinny;

use super::{check, narrow_numbers, sum, times};

/// Rows, width and outputs: tiles of every shape, whole and in part, and sums of more than one pass.
const SHAPES: [(usize, usize, usize); 6] =
    [(1, 1, 1), (7, 33, 5), (26, 400, 40), (50, 61, 64), (97, 70, 96), (130, 150, 200)];

/// `x * weight^T`, row by row.
fn plain(x: &[f32], weight: &[f32], width: usize) -> Vec<f64> {
    let of_row =
        |x: &[f32]| weight.chunks(width).map(|w| sum(width, |k| times(x[k], w[k]))).collect::<Vec<_>>();
    x.chunks(width).flat_map(of_row).collect()
}

#[test]
fn forward_and_backward() {
    for (rows, width, outputs) in SHAPES {
        let (narrow_x, x) = narrow_numbers(rows * width, 1);
        let (narrow_grad, grad) = narrow_numbers(rows * outputs, 2);
        let (narrow, weight) = narrow_numbers(outputs * width, 3);
        let what = format!("{rows} rows of {width}, {outputs} outputs");
        let by_x =
            |row: usize, k: usize| sum(outputs, |o| times(grad[row * outputs + o], weight[o * width + k]));
        let by_x: Vec<f64> = (0..rows * width).map(|i| by_x(i / width, i % width)).collect();
        let by_weight =
            |o: usize, k: usize| sum(rows, |row| times(grad[row * outputs + o], x[row * width + k]));
        let by_weight: Vec<f64> = (0..outputs * width).map(|i| by_weight(i / width, i % width)).collect();
        check(&format!("gradient by the weight, {what}"), &by_weight, 2e-5, || {
            project_grad_weight(Floats::F32(&x), Floats::F32(&grad), width, outputs)
        });
        check(&format!("gradient by the weight, bf16, {what}"), &by_weight, 2e-5, || {
            project_grad_weight(Floats::Bf16(&narrow_x), Floats::Bf16(&narrow_grad), width, outputs)
        });
        let stored = [
            ("f32", (Floats::F32(&x), Floats::F32(&grad)), Floats::F32(&weight)),
            ("bf16 weight", (Floats::F32(&x), Floats::F32(&grad)), Floats::Bf16(&narrow)),
            ("bf16", (Floats::Bf16(&narrow_x), Floats::Bf16(&narrow_grad)), Floats::Bf16(&narrow)),
        ];
        for (stored, (rows, grads), weights) in stored {
            check(&format!("{stored}, {what}"), &plain(&x, &weight, width), 2e-5, || {
                project(rows, weights, width)
            });
            check(&format!("gradient by x, {stored}, {what}"), &by_x, 2e-5, || {
                project_grad_x(grads, weights, width)
            });
        }
    }
}

/// Rows that fill a vector in part, whole, and several vectors and blocks of them.
#[test]
fn of_few_rows() {
    for rows in [1, 2, 3, 4, 5, 8, 11, 13, 16, 24, 33, 63] {
        for (width, outputs) in [(70, 1), (64, 101), (33, 200)] {
            let (narrow_x, x) = narrow_numbers(rows * width, 4);
            let (narrow, weight) = narrow_numbers(outputs * width, 5);
            let expected = plain(&x, &weight, width);
            let stored = [
                ("f32", Floats::F32(&x), Floats::F32(&weight)),
                ("bf16 weight", Floats::F32(&x), Floats::Bf16(&narrow)),
                ("bf16", Floats::Bf16(&narrow_x), Floats::Bf16(&narrow)),
            ];
            for (stored, x, weights) in stored {
                let what = format!("{rows} rows of {width}, {outputs} outputs, {stored}");
                check(&what, &expected, 2e-5, || skinny::project(x, weights, width));
            }
        }
    }
}

//! Operations on each row or number by itself.

use half::bf16;
use toolrl_cpu::bias::{add_row, add_row_grad};
use toolrl_cpu::element::{narrow, widen};
use toolrl_cpu::norm::{rms_norm, rms_norm_grad};
use toolrl_cpu::numbers::{Floats, Numbers};
use toolrl_cpu::rope::rope;
use toolrl_cpu::swiglu::{swiglu, swiglu_grad};
use toolrl_layout::{RopeTable, Rotation};

use super::{check, narrow_numbers, numbers, sum, times};

/// How far the nearest bf16 may be, as a part of a number, with what f32 is wrong by.
const ROUNDED: f64 = 1.0 / 256.0 + 1e-5;

#[test]
fn norms() {
    for (rows, width) in [(1, 1), (5, 33), (130, 64)] {
        let [(stored, x), (stored_weight, weight)] =
            [(1, rows), (2, 1)].map(|(seed, rows)| narrow_numbers(rows * width, seed));
        let grad = numbers(rows * width, 3);
        let (mut out, mut dx, mut dw) = (Vec::new(), Vec::new(), vec![0.0; width]);
        for (x, grad) in x.chunks(width).zip(grad.chunks(width)) {
            let r = (sum(width, |i| times(x[i], x[i])) / width as f64 + 1e-6).powf(-0.5);
            let mean = sum(width, |i| times(grad[i], weight[i]) * f64::from(x[i]) * r) / width as f64;
            for i in 0..width {
                let n = f64::from(x[i]) * r;
                out.push(n * f64::from(weight[i]));
                dx.push(r * (times(grad[i], weight[i]) - n * mean));
                dw[i] += f64::from(grad[i]) * n;
            }
        }
        check("norm", &out, 1e-6, || rms_norm(Floats::F32(&x), Floats::F32(&weight), 1e-6).wide());
        check("norm in bf16", &out, ROUNDED, || {
            rms_norm(Floats::Bf16(&stored), Floats::Bf16(&stored_weight), 1e-6).wide()
        });
        let grads = [dx, dw].concat();
        check("norm's gradients", &grads, 1e-4, || {
            let (dx, dw) = rms_norm_grad(Floats::F32(&x), Floats::F32(&weight), &grad, 1e-6);
            [dx, dw].concat()
        });
        check("norm's gradients in bf16", &grads, 1e-4, || {
            let (dx, dw) = rms_norm_grad(Floats::Bf16(&stored), Floats::Bf16(&stored_weight), &grad, 1e-6);
            [dx, dw].concat()
        });
    }
}

#[test]
fn rotations() {
    let (rows, heads, half) = (70, 3, 10);
    let frequencies: Vec<f32> = (0..half).map(|i| 10_000f32.powf(-(i as f32) / half as f32)).collect();
    let positions: Vec<usize> = (0..rows).map(|i| i * 3 % 37).collect();
    let table = RopeTable::new(&positions, &frequencies);
    let (stored, x) = narrow_numbers(rows * heads * 2 * half, 4);
    for (rotation, sign) in [(Rotation::Forward, 1.0), (Rotation::Backward, -1.0)] {
        let turned = |i: usize| {
            let (row, part) = (i / (heads * 2 * half), i % (2 * half));
            let (cos, sin) = table.row(row);
            let (cos, sin) = (f64::from(cos[part % half]), sign * f64::from(sin[part % half]));
            let other = if part < half { -f64::from(x[i + half]) } else { f64::from(x[i - half]) };
            f64::from(x[i]) * cos + other * sin
        };
        let expected: Vec<f64> = (0..x.len()).map(turned).collect();
        check("rope", &expected, 1e-6, || rope(Floats::F32(&x), &table, heads, rotation).wide());
        check("rope in bf16", &expected, ROUNDED, || {
            rope(Floats::Bf16(&stored), &table, heads, rotation).wide()
        });
    }
}

#[test]
fn gated_units() {
    let [(mut stored_gate, mut gate), (stored_up, up)] = [5, 6].map(|seed| narrow_numbers(20_001, seed));
    let grad = numbers(20_001, 7);
    // Multiples of a power of two are as exact.
    gate.iter_mut().zip(&mut stored_gate).for_each(|(gate, stored)| {
        *gate *= 16.0;
        *stored = bf16::from_f32(*gate);
    });
    let (mut out, mut dgate, mut dup) = (Vec::new(), Vec::new(), Vec::new());
    for ((&g, &u), &d) in gate.iter().zip(&up).zip(&grad) {
        let (g, u, d) = (f64::from(g), f64::from(u), f64::from(d));
        let s = 1.0 / (1.0 + (-g).exp());
        out.push(g * s * u);
        dgate.push(d * u * s * (1.0 + g * (1.0 - s)));
        dup.push(d * g * s);
    }
    let grads = [dgate, dup].concat();
    let stored = [
        ("SwiGLU", (1e-6, 2e-6), Floats::F32(&gate), Floats::F32(&up)),
        ("SwiGLU in bf16", (ROUNDED, ROUNDED), Floats::Bf16(&stored_gate), Floats::Bf16(&stored_up)),
    ];
    for (what, (within, of_grads), gate, up) in stored {
        check(what, &out, within, || swiglu(gate, up).wide());
        check(&format!("{what}, gradients"), &grads, of_grads, || {
            swiglu_grad(gate, up, &grad).map(Numbers::wide).concat()
        });
    }
}

#[test]
fn rows_added_to_rows() {
    let (rows, width) = (41, 30);
    let x = numbers(rows * width, 8);
    let (stored, row) = narrow_numbers(width, 9);
    let expected: Vec<f64> =
        x.iter().enumerate().map(|(i, x)| f64::from(*x) + f64::from(row[i % width])).collect();
    check("row", &expected, 1e-6, || add_row(&x, Floats::F32(&row)));
    check("row in bf16", &expected, 1e-6, || add_row(&x, Floats::Bf16(&stored)));
    let sums: Vec<f64> = (0..width).map(|i| sum(rows, |row| f64::from(x[row * width + i]))).collect();
    check("sum of rows", &sums, 1e-5, || add_row_grad(&x, width));
}

#[test]
fn storage() {
    let (stored, wide) = narrow_numbers(70_001, 10);
    let expected: Vec<f64> = wide.iter().map(|x| f64::from(*x)).collect();
    check("widened", &expected, 0.0, || widen(&stored));
    check("rounded", &expected, 0.0, || {
        let near: Vec<f32> = wide.iter().map(|x| x * 1.001).collect();
        widen(&narrow(&near))
    });
}

//! Matrix products through the `gemm` crate, on borrowed row-major views.

use super::element::Weight;

/// A read-only matrix: element (i, j) is `data[i * rows + j * cols]`.
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a> {
    data: &'a [f32],
    shape: (usize, usize),
    strides: (usize, usize),
}

impl<'a> Mat<'a> {
    /// A row-major matrix of `rows` by `cols` whose rows are `stride` apart.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        debug_assert!(rows == 0 || cols == 0 || (rows - 1) * stride + cols <= data.len());
        Self { data, shape: (rows, cols), strides: (stride, 1) }
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.shape.0
    }

    /// The transposed view.
    pub(crate) fn t(self) -> Self {
        let (shape, strides) = (self.shape, self.strides);
        Self { shape: (shape.1, shape.0), strides: (strides.1, strides.0), ..self }
    }
}

/// `x * weight^T`: `x` is `[rows, width]`, `weight` `[outputs, width]`, the result `[rows, outputs]`.
pub(crate) fn project(x: &[f32], weight: Weight, width: usize) -> Vec<f32> {
    let (rows, outputs) = (x.len() / width, weight.len() / width);
    let mut out = vec![0.0; rows * outputs];
    let x = Mat::new(x, rows, width, width);
    weight.runs(width, |first, w| {
        let w = Mat::new(w, w.len() / width, width, width);
        gemm(&mut out[first..], outputs, false, x, w.t(), Threads::All);
    });
    out
}

/// `grad * weight`, the gradient of [`project`] by `x`: `grad` is `[rows, outputs]`.
pub(crate) fn project_grad_x(grad: &[f32], weight: Weight, width: usize) -> Vec<f32> {
    let outputs = weight.len() / width;
    let rows = grad.len() / outputs;
    let mut out = vec![0.0; rows * width];
    weight.runs(width, |first, w| {
        let w = Mat::new(w, w.len() / width, width, width);
        let grad = Mat::new(&grad[first..], rows, w.rows(), outputs);
        gemm(&mut out, width, first > 0, grad, w, Threads::All);
    });
    out
}

/// `grad^T * x`, the gradient of [`project`] by the weight.
pub(crate) fn project_grad_weight(x: &[f32], grad: &[f32], width: usize, outputs: usize) -> Vec<f32> {
    let rows = x.len() / width;
    let mut out = vec![0.0; outputs * width];
    let grad = Mat::new(grad, rows, outputs, outputs);
    gemm(&mut out, width, false, grad.t(), Mat::new(x, rows, width, width), Threads::All);
    out
}

/// Whether a product may use every core or is itself one task of many.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Threads {
    One,
    All,
}

/// Multiply-adds below which a second thread costs more than it brings.
const PARALLEL_FROM: usize = 1 << 22;

/// `out = lhs * rhs`, or `out += lhs * rhs` with `accumulate`. The rows of `out` are `stride` apart.
///
/// # Panics
/// When the shapes do not fit each other or the output.
pub(crate) fn gemm(out: &mut [f32], stride: usize, accumulate: bool, lhs: Mat, rhs: Mat, threads: Threads) {
    let ((m, k), n) = (lhs.shape, rhs.shape.1);
    assert_eq!(k, rhs.shape.0, "gemm: inner sizes differ");
    if m == 0 || n == 0 {
        return;
    }
    assert!((m - 1) * stride + n <= out.len(), "gemm: the output is too small");
    // SAFETY: the assertion above bounds the writes.
    unsafe { gemm_raw(out.as_mut_ptr(), stride, accumulate, lhs, rhs, threads) }
}

/// As [`gemm()`], to a pointer: for tasks that write disjoint columns of one matrix.
///
/// # Safety
/// `out` must be valid for the strided m by n matrix, which no other thread touches meanwhile.
pub(crate) unsafe fn gemm_raw(
    out: *mut f32,
    stride: usize,
    accumulate: bool,
    lhs: Mat,
    rhs: Mat,
    threads: Threads,
) {
    let ((m, k), n) = (lhs.shape, rhs.shape.1);
    if m == 0 || n == 0 {
        return;
    }
    let parallelism = match threads {
        Threads::All if m * n * k >= PARALLEL_FROM => gemm::Parallelism::Rayon(0),
        _ => gemm::Parallelism::None,
    };
    // SAFETY: `Mat::new` checked the inputs' extents, the caller answers for the output's.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out,
            1,
            stride as isize,
            accumulate,
            lhs.data.as_ptr(),
            lhs.strides.1 as isize,
            lhs.strides.0 as isize,
            rhs.data.as_ptr(),
            rhs.strides.1 as isize,
            rhs.strides.0 as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

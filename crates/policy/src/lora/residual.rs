//! What PEFT takes off a weight W when it reads an adapter that started from W itself: the projection of W's columns on
//! a few orthonormal ones U, `U U^T W`, which no sign or rotation of U changes.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// A matrix `[rows, columns]`, row after row, and its transposed.
pub(super) struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
    transposed: Vec<f32>,
}

type Vector = Vec<f64>;

impl Matrix {
    pub(super) fn new(values: Vec<f32>, [rows, columns]: [usize; 2]) -> Self {
        let transposed = (0..rows * columns).map(|i| values[i % rows * columns + i / rows]).collect();
        Self { rows, columns, values, transposed }
    }

    /// The matrix less `share` of its projection on the span of its first columns (OLoRA: the first columns of Q in
    /// its QR decomposition). `None` where these are not independent.
    pub(super) fn less_first_columns(self, rank: usize, share: f64) -> Option<Vec<f32>> {
        let columns = self.transposed.chunks_exact(self.rows).take(rank);
        let columns = columns.map(|column| column.iter().map(|&x| f64::from(x)).collect());
        let span = added_to(&[], columns.collect());
        (span.len() == rank).then(|| self.less_projection(&span, share))
    }

    /// The matrix less its best approximation of the rank (PiSSA). `None` where the first singular vectors cannot be
    /// told from the next.
    pub(super) fn less_best_approximation(self, rank: usize) -> Option<Vec<f32>> {
        let span = self.first_singular_vectors(rank.min(self.rows).min(self.columns))?;
        Some(self.less_projection(&span, 1.0))
    }

    fn less_projection(self, span: &[Vector], share: f64) -> Vec<f32> {
        let of_columns: Vec<Vector> = span.iter().map(|u| self.transposed_times(u)).collect();
        let row = |(i, row): (usize, &[f32])| {
            let mut less: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
            for (u, of_columns) in span.iter().zip(&of_columns) {
                less.iter_mut().zip(of_columns).for_each(|(x, c)| *x -= share * u[i] * c);
            }
            less.into_iter().map(|x| x as f32).collect::<Vec<_>>()
        };
        self.values.par_chunks(self.columns).enumerate().flat_map_iter(row).collect()
    }

    /// `W x`.
    fn times(&self, x: &[f64]) -> Vector {
        self.values.par_chunks(self.columns).map(|row| mixed_dot(row, x)).collect()
    }

    /// `W^T x`.
    fn transposed_times(&self, x: &[f64]) -> Vector {
        self.transposed.par_chunks(self.rows).map(|column| mixed_dot(column, x)).collect()
    }

    /// The left singular vectors of the greatest singular values, by Rayleigh-Ritz on a growing basis: each round adds
    /// the residuals of the wanted vectors, and a basis that has grown is cut back to the best of its span (thick
    /// restarts; Wu and Simon, SIAM J. Matrix Anal. Appl. 22, 2000).
    fn first_singular_vectors(&self, rank: usize) -> Option<Vec<Vector>> {
        if !self.values.iter().all(|x| x.is_finite()) {
            return None;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut random = || (0..self.rows).map(|_| rng.random_range(-1.0..1.0)).collect();
        let mut basis = Basis::default();
        basis.extend(self, (0..rank + EXTRA).map(|_| random()).collect());
        for _ in 0..MOST_ROUNDS {
            let kept = (2 * rank + EXTRA).min(basis.vectors.len());
            let (squares, best) = basis.best(kept);
            let residual = |i: usize| -> Vector {
                let pairs = best.squared[i].iter().zip(&best.vectors[i]);
                pairs.map(|(squared, x)| squared - squares[i] * x).collect()
            };
            let residuals: Vec<Vector> = (0..rank).map(residual).collect();
            let least = CONVERGED * squares[0];
            if residuals.iter().all(|r| dot(r, r).sqrt() <= least) {
                return Some(best.vectors.into_iter().take(rank).collect());
            }
            if basis.vectors.len() > LONGEST * (rank + EXTRA) {
                basis = best;
            }
            basis.extend(self, residuals);
        }
        None
    }
}

/// Vectors that are looked for beside the wanted ones.
const EXTRA: usize = 8;
/// A basis has at most so many times the wanted vectors.
const LONGEST: usize = 6;
const MOST_ROUNDS: usize = 1000;
/// The largest residual, as a share of the greatest squared singular value.
const CONVERGED: f64 = 1e-10;

/// Orthonormal vectors, and what `W^T` and `W W^T` make of them.
#[derive(Default)]
struct Basis {
    vectors: Vec<Vector>,
    halfway: Vec<Vector>,
    squared: Vec<Vector>,
}

impl Basis {
    /// Adds what the vectors have beyond the span.
    fn extend(&mut self, of: &Matrix, more: Vec<Vector>) {
        for vector in added_to(&self.vectors, more) {
            let halfway = of.transposed_times(&vector);
            self.squared.push(of.times(&halfway));
            self.halfway.push(halfway);
            self.vectors.push(vector);
        }
    }

    /// The best `n` approximations of singular vectors in the span, with their squared singular values, greatest first.
    fn best(&self, n: usize) -> (Vec<f64>, Self) {
        let k = self.vectors.len();
        let entry = |i: usize| dot(&self.halfway[i / k], &self.halfway[i % k]);
        let (squares, vectors) = eigen((0..k * k).into_par_iter().map(entry).collect(), k);
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by(|&a, &b| squares[b].total_cmp(&squares[a]));
        order.truncate(n);
        let combined = |of: &[Vector]| -> Vec<Vector> {
            let one = |&at: &usize| {
                let mut sum = vec![0.0; of[0].len()];
                for (j, vector) in of.iter().enumerate() {
                    sum.iter_mut().zip(vector).for_each(|(s, x)| *s += vectors[j * k + at] * x);
                }
                sum
            };
            order.par_iter().map(one).collect()
        };
        let [vectors, halfway, squared] =
            [&self.vectors, &self.halfway, &self.squared].map(|of| combined(of));
        (order.iter().map(|&at| squares[at]).collect(), Self { vectors, halfway, squared })
    }
}

/// What vectors add to a span, orthonormal; one that adds nothing is left out.
fn added_to(span: &[Vector], vectors: Vec<Vector>) -> Vec<Vector> {
    let mut added: Vec<Vector> = Vec::new();
    for mut vector in vectors {
        let before = dot(&vector, &vector).sqrt();
        // Twice is enough: the second pass takes off what rounding left.
        for _ in 0..2 {
            for other in span.iter().chain(&added) {
                let along = dot(other, &vector);
                vector.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
            }
        }
        let left = dot(&vector, &vector).sqrt();
        if left > 1e-7 * before {
            vector.iter_mut().for_each(|x| *x /= left);
            added.push(vector);
        }
    }
    added
}

/// Eigenvalues and, in columns, eigenvectors of a symmetric matrix of n rows: Jacobi's rotations in turn.
fn eigen(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors: Vec<f64> = (0..n * n).map(|i| f64::from(i % (n + 1) == 0)).collect();
    let size = dot(&a, &a).sqrt();
    for _ in 0..50 {
        let off: f64 = (0..n * n).filter(|i| i % (n + 1) != 0).map(|i| a[i] * a[i]).sum();
        if off.sqrt() <= 1e-15 * size {
            break;
        }
        for (p, q) in (0..n).flat_map(|p| (p + 1..n).map(move |q| (p, q))) {
            let apq = a[p * n + q];
            if apq.abs() <= 1e-18 * size {
                continue;
            }
            let tau = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
            let t = tau.signum() / (tau.abs() + (1.0 + tau * tau).sqrt());
            let c = 1.0 / (1.0 + t * t).sqrt();
            let turn = |m: &mut [f64], i: usize, j: usize| {
                let (x, y) = (m[i], m[j]);
                (m[i], m[j]) = (c * x - t * c * y, t * c * x + c * y);
            };
            for k in 0..n {
                turn(&mut a, k * n + p, k * n + q);
                turn(&mut vectors, k * n + p, k * n + q);
            }
            for k in 0..n {
                turn(&mut a, p * n + k, q * n + k);
            }
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), vectors)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// As [`dot`], with a vector of f32.
fn mixed_dot(a: &[f32], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (whole, rest) = a.as_chunks::<8>();
    for (a, b) in whole.iter().zip(b.as_chunks::<8>().0) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(s, (&a, b))| *s += f64::from(a) * b);
    }
    let rest = rest.iter().zip(&b[a.len() - rest.len()..]).map(|(&a, b)| f64::from(a) * b);
    sums.iter().sum::<f64>() + rest.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix with known singular values: U diag(s) V^T of orthonormal U and V.
    fn known(shape: [usize; 2], values: &[f64]) -> (Matrix, Vec<Vector>, Vec<Vector>) {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut random = |n: usize| -> Vec<Vector> {
            (0..values.len()).map(|_| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()).collect()
        };
        let (u, v) = (added_to(&[], random(shape[0])), added_to(&[], random(shape[1])));
        let entry = |i: usize| {
            let (row, column) = (i / shape[1], i % shape[1]);
            (0..values.len()).map(|k| values[k] * u[k][row] * v[k][column]).sum::<f64>() as f32
        };
        (Matrix::new((0..shape[0] * shape[1]).map(entry).collect(), shape), u, v)
    }

    #[test]
    fn the_best_approximation_is_taken_off() {
        for shape in [[40, 24], [24, 40], [31, 31]] {
            let values: Vec<f64> = (0..20).map(|k| 2.0 * 0.9f64.powi(k)).collect();
            let (matrix, u, v) = known(shape, &values);
            let rank = 4;
            let less = matrix.less_best_approximation(rank).unwrap();
            for (i, less) in less.into_iter().enumerate() {
                let (row, column) = (i / shape[1], i % shape[1]);
                let rest: f64 = (rank..20).map(|k| values[k] * u[k][row] * v[k][column]).sum();
                assert!((f64::from(less) - rest).abs() < 1e-5, "{shape:?} {i}: {less} {rest}");
            }
        }
        let zeros = Matrix::new(vec![0.0; 12], [3, 4]);
        assert_eq!(zeros.less_best_approximation(2), Some(vec![0.0; 12]));
    }

    #[test]
    fn the_first_columns_are_taken_off() {
        let (matrix, ..) = known([12, 10], &[3.0, 2.0, 1.0, 0.5, 0.25]);
        let (values, columns) = (matrix.values.clone(), matrix.columns);
        let less = matrix.less_first_columns(2, 1.0).unwrap();
        // Nothing of the first columns is left, and what is left is orthogonal to them.
        let column = |of: &[f32], i: usize| -> Vector {
            of.iter().skip(i).step_by(columns).map(|&x| f64::from(x)).collect()
        };
        for i in 0..2 {
            assert!(column(&less, i).iter().all(|x| x.abs() < 1e-6));
            assert!((2..columns).all(|j| dot(&column(&less, j), &column(&values, i)).abs() < 1e-5));
        }
        assert_eq!(Matrix::new(vec![1.0; 9], [3, 3]).less_first_columns(2, 1.0), None);
    }
}

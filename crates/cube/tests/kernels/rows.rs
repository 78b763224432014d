//! A bias and its gradient, and rows written to a cache.

use toolrl_cube::{CubeError, Dtype, Indices, add_row, sum_rows, write_rows};

use crate::device::{assert_close, everywhere, numbers, put, rounded, wide};

#[test]
fn a_row_is_added_and_rows_are_summed() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(5);
        for (rows, width) in [(1, 1), (3, 5), (64, 32), (65, 300), (1000, 7), (20_000, 16)] {
            let x = numbers(&mut rng, rows * width, dtype);
            let row = numbers(&mut rng, width, Dtype::F32);
            let (x_ti, row_i) = (put(client, &x, dtype), put(client, &row, Dtype::F32));
            let sums: Vec<f64> = (0..x.len()).map(|i| f64::from(x[i]) + f64::from(row[i % width])).collect();
            assert_close("add_row", client, &add_row(client, &x_ti, &row_i).unwrap(), &sums, 2);
            let mut total = vec![0.0; width];
            x.iter().enumerate().for_each(|(i, &v)| total[i % width] += f64::from(v));
            let found = sum_rows(client, &x_ti, width).unwrap();
            assert_close(&format!("{rows} x {width}"), client, &found, &total, rows / 8 + 32);
            let again = sum_rows(client, &x_ti, width).unwrap().read(client).unwrap();
            assert_eq!(found.read(client).unwrap(), again);
        }
    });
}

#[test]
fn rows_are_written_where_they_belong_and_nowhere_else() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(6);
        for width in [1, 6, 64] {
            let (mut cache, new) =
                (numbers(&mut rng, 9 * width, dtype), numbers(&mut rng, 3 * width, Dtype::F32));
            let (cache_ci, at) = (put(client, &cache, dtype), [7, 0, 4]);
            let rows = Indices::from_slice(client, &at);
            write_rows(client, &cache_ci, &put(client, &new, Dtype::F32), &rows, width).unwrap();
            for (&row, new) in at.iter().zip(new.chunks_exact(width)) {
                let rounded: Vec<f32> = new.iter().map(|&v| rounded(v, dtype)).collect();
                cache[row as usize * width..][..width].copy_from_slice(&rounded);
            }
            assert_close("cache", client, &cache_ci, &wide(&cache), 0);
        }
    });
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    everywhere(|client, dtype| {
        let x = put(client, &[0.0; 6], dtype);
        let refused = add_row(client, &x, &put(client, &[0.0; 4], dtype)).unwrap_err();
        assert!(matches!(refused, CubeError::Size { value: 4, of: 6, .. }), "{refused}");
        let refused = sum_rows(client, &x, 0).unwrap_err();
        assert!(matches!(refused, CubeError::Size { value: 0, of: 6, .. }), "{refused}");
        let at = Indices::from_slice(client, &[0]);
        let refused = write_rows(client, &x, &x, &at, 3).unwrap_err();
        assert!(matches!(refused, CubeError::Length { expected: 3, found: 6, .. }), "{refused}");
    });
}

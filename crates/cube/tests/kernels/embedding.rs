//! Rows of a table and the gradient of the table.

use toolrl_cube::{CubeError, Dtype, GatherOrder, Indices, gather_rows, gather_rows_grad};

use crate::device::{assert_close, everywhere, numbers, put};

#[test]
fn rows_are_gathered_and_gradients_added_to_them() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(7);
        for (rows, width, n) in [(1, 1, 1), (5, 3, 8), (40, 64, 300), (1000, 130, 17)] {
            let table = numbers(&mut rng, rows * width, dtype);
            let grad = numbers(&mut rng, n * width, dtype);
            let ids: Vec<u32> = (0..n).map(|_| rng.u32(0..rows as u32)).collect();
            let of_ids = ids.iter().flat_map(|&id| &table[id as usize * width..][..width]);
            let expected: Vec<f64> = of_ids.map(|&v| f64::from(v)).collect();
            let on_device = Indices::from_slice(client, &ids);
            let found = gather_rows(client, &put(client, &table, dtype), &on_device, width).unwrap();
            assert_close("rows", client, &found, &expected, 0);

            let mut expected = vec![0.0; rows * width];
            for (&id, grad) in ids.iter().zip(grad.chunks_exact(width)) {
                let sums = &mut expected[id as usize * width..][..width];
                sums.iter_mut().zip(grad).for_each(|(sum, &g)| *sum += f64::from(g));
            }
            let order = GatherOrder::new(client, &ids, rows).unwrap();
            let found = gather_rows_grad(client, &put(client, &grad, dtype), &order, width).unwrap();
            assert_eq!(found.dtype(), Dtype::F32);
            assert_close(&format!("{rows} x {width}, {n}"), client, &found, &expected, 2 * n);
        }
    });
}

#[test]
fn an_id_beyond_the_table_is_refused() {
    everywhere(|client, _| {
        let refused = GatherOrder::new(client, &[2, 9], 9).unwrap_err();
        assert!(matches!(refused, CubeError::Index { value: 9, limit: 9, .. }), "{refused}");
    });
}

//! Work that is recorded and replayed.

use toolrl_cube::{Buffer, Dtype, Recording, Runs, add_row, rms_norm};

use crate::device::{everywhere, put};

#[test]
fn a_replay_reads_what_its_inputs_hold_now() {
    everywhere(|client, dtype| {
        if dtype != Dtype::F32 {
            return;
        }
        let inputs = Runs::empty(client, &[4, 3, 6]);
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let write = |rows: &[f32], row: &[f32]| inputs.write(client, [&bits(row)[..2], &[9, 9], &bits(rows)]);
        let row = Buffer::new(inputs.floats(0).handle().clone(), 2, Dtype::F32);
        let weight = put(client, &[1.0, 2.0], dtype);
        let work = || {
            let sum = add_row(client, &inputs.floats(2), &row).unwrap();
            rms_norm(client, &sum, &weight, 0.0).unwrap()
        };
        let recording = Recording::new(client, work).unwrap();
        for (rows, row) in [([1.0, 2.0, 0.5, 0.5, -1.0, 0.0], [0.5, 0.5]), ([4.0; 6], [-1.0, 3.0])] {
            write(&rows, &row);
            // SAFETY: inputs and weight are there until the end.
            unsafe { recording.replay() }.unwrap();
            let expected: Vec<f32> = rows
                .chunks_exact(2)
                .flat_map(|pair| {
                    let [a, b] = [pair[0] + row[0], pair[1] + row[1]];
                    let rms = ((a * a + b * b) / 2.0).sqrt();
                    [a / rms, 2.0 * b / rms]
                })
                .collect();
            let found = recording.output().read(client).unwrap();
            assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
            assert_eq!(inputs.indices(1).read(client).unwrap(), [9, 9, 0]);
        }
    });
}

/// CUDA records an upload with what it held then, other runtimes refuse.
#[test]
fn what_is_uploaded_is_recorded_as_it_was_or_not_at_all() {
    everywhere(|client, dtype| {
        let x = put(client, &[1.0, 2.0], dtype);
        let work = || add_row(client, &x, &put(client, &[1.0, 1.0], Dtype::F32)).unwrap();
        if let Ok(recording) = Recording::new(client, work) {
            // SAFETY: the numbers are there until the end.
            unsafe { recording.replay() }.unwrap();
            assert_eq!(recording.output().read(client).unwrap(), [2.0, 3.0]);
        }
        // The queue goes on as before.
        assert_eq!(work().read(client).unwrap(), [2.0, 3.0]);
    });
}

//! Checksums of numbers on the device.

use toolrl_cube::{Dtype, checksums};

use crate::device::{everywhere, numbers, put};

fn expected(values: &[f32]) -> u32 {
    let mixed = |(at, value): (usize, &f32)| {
        let mut hash = value.to_bits() ^ (at as u32).wrapping_mul(0x9E37_79B9);
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85EB_CA6B);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
        hash ^ (hash >> 16)
    };
    values.iter().enumerate().map(mixed).fold(0, u32::wrapping_add)
}

#[test]
fn bits_and_places_count() {
    everywhere(|client, dtype| {
        if dtype != Dtype::F32 {
            assert!(checksums(client, &[put(client, &[1.0], dtype)]).is_err());
            return;
        }
        let mut rng = fastrand::Rng::with_seed(18);
        let all: Vec<Vec<f32>> = [1, 255, 256, 257, 70_000, 200_001]
            .into_iter()
            .map(|len| numbers(&mut rng, len, dtype))
            .collect();
        let buffers: Vec<_> = all.iter().map(|values| put(client, values, dtype)).collect();
        let found = checksums(client, &buffers).unwrap();
        assert_eq!(found, all.iter().map(|values| expected(values)).collect::<Vec<_>>());
        let mut changed = all[4].clone();
        changed[69_999] = changed[69_999].next_up();
        let mut swapped = all[4].clone();
        swapped.swap(3, 60_000);
        let others = [changed, swapped].map(|values| put(client, &values, dtype));
        let others = checksums(client, &others).unwrap();
        assert!(others[0] != found[4] && others[1] != found[4]);
        assert!(checksums(client, &[]).unwrap().is_empty());
    });
}

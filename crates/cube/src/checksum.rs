//! A checksum of numbers in device memory, so that weights can be compared without a copy to the host.

use cubecl::prelude::*;

use crate::launch::UNITS;
use crate::{Buffer, CubeError, Dtype};

/// Workgroups that go through one buffer, at most: each leaves a sum.
const CUBES: usize = 256;

/// Of each buffer of f32, the sum of a hash of every number's bits and place, modulo 2^32: whole numbers, whose order
/// does not matter. Waits for the device, once.
///
/// # Cost
/// Reads each number once, for 12 operations.
///
/// # Errors
/// [`CubeError::Storage`] for a buffer of other numbers, [`CubeError::Device`] when the device failed.
pub fn checksums(client: &Client, buffers: &[Buffer]) -> Result<Vec<u32>, CubeError> {
    let mut parts = Vec::with_capacity(buffers.len());
    for buffer in buffers {
        buffer.expect_dtype("what is summed", Dtype::F32)?;
        let cubes = buffer.len().div_ceil(UNITS as usize).clamp(1, CUBES);
        let out = client.empty(4 * cubes);
        let count = CubeCount::Static(cubes as u32, 1, 1);
        // SAFETY: the kernel stays below the buffer's end, and writes one number a workgroup.
        unsafe {
            let sums = BufferArg::from_raw_parts(out.clone(), cubes);
            hash::launch_unchecked(client, count, CubeDim::new_1d(UNITS), buffer.arg(), sums);
        }
        parts.push((out, cubes));
    }
    let read = client.read(parts.iter().map(|(out, _)| out.clone()).collect())?;
    let sums = read.iter().zip(&parts).map(|(bytes, &(_, cubes))| {
        let of_cubes = bytes.as_chunks::<4>().0.iter().take(cubes);
        of_cubes.fold(0u32, |sum, &part| sum.wrapping_add(u32::from_ne_bytes(part)))
    });
    Ok(sums.collect())
}

#[cube(launch_unchecked)]
fn hash(values: &[f32], out: &mut [u32]) {
    let mut sums = Shared::<[u32]>::new_slice(comptime!(UNITS as usize));
    let mut sum = 0u32;
    let mut at = ABSOLUTE_POS;
    while at < values.len() {
        sum += mixed(u32::reinterpret(values[at]) ^ (at as u32 * 0x9E37_79B9u32));
        at += CUBE_COUNT * comptime!(UNITS as usize);
    }
    sums[UNIT_POS as usize] = sum;
    sync_cube();
    if UNIT_POS == 0 {
        let mut total = 0u32;
        for unit in 0..comptime!(UNITS as usize) {
            total += sums[unit];
        }
        out[CUBE_POS] = total;
    }
}

/// Every bit of the result depends on every bit of the argument (the end of Appleby's MurmurHash3).
#[cube]
fn mixed(bits: u32) -> u32 {
    let mut hash = bits;
    hash ^= hash >> 16;
    hash *= 0x85EB_CA6Bu32;
    hash ^= hash >> 13;
    hash *= 0xC2B2_AE35u32;
    hash ^ (hash >> 16)
}

//! A checksum that any device makes of the same numbers.

/// The sum of a hash of every number's bits and place (the end of Appleby's MurmurHash3), modulo 2^32.
pub fn checksum(values: &[f32]) -> u32 {
    let hash = |(at, value): (usize, &f32)| {
        let mut hash = value.to_bits() ^ (at as u32).wrapping_mul(0x9E37_79B9);
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85EB_CA6B);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
        hash ^ (hash >> 16)
    };
    values.iter().enumerate().map(hash).fold(0, u32::wrapping_add)
}

//! The random numbers of the tests.

/// SplitMix64 (Steele, Lea and Flood, 2014). The draws are the same each time: a p and an interval are figures of the outcomes
/// alone.
pub(super) struct SplitMix(pub(super) u64);

impl SplitMix {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// One of `0..end`, by the high bits of a product (Lemire, arXiv 1805.10941, without rejection: of `end` below 2^32 the
    /// odds differ by less than 2^-32).
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }
}

//! Python's `random.Random`: the Mersenne Twister MT19937 of Matsumoto and Nishimura (1998), seeded by
//! an integer.

use num_bigint::BigInt;

const STATE: usize = 624;
const SHIFT: usize = 397;

/// A stream of random numbers.
#[derive(Clone)]
pub(crate) struct Random {
    state: [u32; STATE],
    next: usize,
}

impl Random {
    /// Python's `random.Random(seed)`; the seed's sign does not count.
    pub(crate) fn new(seed: &BigInt) -> Self {
        let mut random = Self { state: [0; STATE], next: STATE };
        random.fill(19_650_218);
        random.mix(&seed.magnitude().to_u32_digits());
        random
    }

    /// The reference's `init_genrand`.
    fn fill(&mut self, seed: u32) {
        let mut last = seed;
        for (i, word) in self.state.iter_mut().enumerate() {
            if i > 0 {
                last = 1_812_433_253u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(i as u32);
            }
            *word = last;
        }
    }

    /// The reference's `init_by_array`.
    fn mix(&mut self, key: &[u32]) {
        let key = if key.is_empty() { &[0] } else { key };
        let mut i = 1;
        for k in 0..STATE.max(key.len()) {
            let last = self.state[i - 1];
            let j = k % key.len();
            self.state[i] = (self.state[i] ^ (last ^ (last >> 30)).wrapping_mul(1_664_525))
                .wrapping_add(key[j])
                .wrapping_add(j as u32);
            i = self.after(i);
        }
        for _ in 1..STATE {
            let last = self.state[i - 1];
            self.state[i] =
                (self.state[i] ^ (last ^ (last >> 30)).wrapping_mul(1_566_083_941)).wrapping_sub(i as u32);
            i = self.after(i);
        }
        self.state[0] = 0x8000_0000;
    }

    /// The index after `i` while seeding, which goes from the last back to 1.
    fn after(&mut self, i: usize) -> usize {
        if i + 1 < STATE {
            return i + 1;
        }
        self.state[0] = self.state[STATE - 1];
        1
    }

    fn twist(&mut self) {
        for i in 0..STATE {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % STATE] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + SHIFT) % STATE] ^ (y >> 1) ^ odd;
        }
        self.next = 0;
    }

    /// 32 random bits.
    fn word(&mut self) -> u32 {
        if self.next >= STATE {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// Python's `getrandbits(bits)`, for 1 to 64 of them.
    fn bits(&mut self, bits: u32) -> u64 {
        if bits <= 32 {
            return u64::from(self.word() >> (32 - bits));
        }
        let low = u64::from(self.word());
        low | u64::from(self.word() >> (64 - bits)) << 32
    }

    /// Python's `randint(low, high)`, both ends included.
    pub(crate) fn integer(&mut self, low: u64, high: u64) -> u64 {
        let count = high - low + 1;
        let bits = u64::BITS - count.leading_zeros();
        loop {
            let drawn = self.bits(bits);
            if drawn < count {
                return low + drawn;
            }
        }
    }

    /// Python's `uniform(low, high)`.
    pub(crate) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        let (a, b) = (f64::from(self.word() >> 5), f64::from(self.word() >> 6));
        low + (high - low) * ((a * 67_108_864.0 + b) / 9_007_199_254_740_992.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first draws of CPython 3.11's `random.Random(seed)`.
    #[test]
    fn draws_equal_those_of_python() {
        let mut random = Random::new(&1_053_520.into());
        let draws: Vec<u64> = (0..4).map(|_| random.integer(100_000_000_000, 999_999_999_999)).collect();
        assert_eq!(draws, DRAWS);
        let mut random = Random::new(&(-141_053).into());
        assert_eq!(random.uniform(-10.0, 40.0), UNIFORM);
        let mut random = Random::new(&BigInt::parse_bytes(b"123456789012345678901234567890", 10).unwrap());
        assert_eq!(random.integer(10_000, 99_999), WIDE);
    }

    const DRAWS: [u64; 4] = [158_096_061_786, 909_576_826_245, 326_081_480_584, 846_702_006_226];
    const UNIFORM: f64 = 36.63485703790535;
    const WIDE: u64 = 38_902;
}

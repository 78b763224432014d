//! Counter-based random numbers: a pure function of where they are used.

use toolrl_data::random::{GAMMA, mix};

/// What one training step's random numbers have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamKey {
    /// The run's seed.
    pub seed: u64,
    /// The training step, from 0.
    pub step: u64,
}

/// The random numbers of one member of one prompt's group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    base: u64,
}

impl StreamKey {
    /// The stream of `member` of the group of the prompt with this index.
    pub fn stream(self, prompt: u64, member: u64) -> Stream {
        let mut base = mix(self.seed ^ 0x746f_6f6c_726c_0001);
        for part in [self.step, prompt, member] {
            base = mix(base ^ mix(part.wrapping_add(GAMMA)));
        }
        Stream { base }
    }
}

impl Stream {
    /// A number in [0, 1) for the reply's token at `position`, with 53 random bits.
    pub fn uniform(self, position: u64) -> f64 {
        let bits = mix(self.base.wrapping_add(position.wrapping_mul(GAMMA)));
        (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_is_uniform_and_depends_on_every_part() {
        let key = StreamKey { seed: 1, step: 2 };
        let n = 100_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for i in 0..n {
            let u = key.stream(3, 4).uniform(i);
            assert!((0.0..1.0).contains(&u));
            sum += u;
            squares += u * u;
        }
        assert!((sum / n as f64 - 0.5).abs() < 0.005);
        assert!((squares / n as f64 - 1.0 / 3.0).abs() < 0.005);
        let here = key.stream(3, 4).uniform(5);
        for other in [
            StreamKey { seed: 2, step: 2 }.stream(3, 4).uniform(5),
            StreamKey { seed: 1, step: 3 }.stream(3, 4).uniform(5),
            key.stream(4, 4).uniform(5),
            key.stream(3, 5).uniform(5),
            key.stream(3, 4).uniform(6),
        ] {
            assert_ne!(here, other);
        }
    }
}

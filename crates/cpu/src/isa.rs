//! The vector instructions that this crate computes with: the widest that the machine has, or fewer by choice, which
//! is how one machine measures and tests what another will do.

use std::sync::atomic::{AtomicU8, Ordering};

use pulp::{Arch, WithSimd};

#[cfg(target_arch = "x86_64")]
use super::amx;

/// A set of vector instructions. Results are the same to the bit on machines that compute with the same set: sums are
/// rounded in the order that it fixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// No vector instructions but those that the compiler finds by itself.
    Scalar,
    /// NEON, of every 64-bit ARM: 4 numbers a vector.
    Neon,
    /// As that, with products of bf16 numbers, two a lane.
    NeonBf16,
    /// AVX2 with FMA: 8 numbers a vector.
    Avx2,
    /// AVX-512: 16 numbers a vector.
    Avx512,
    /// As that, with products of bf16 numbers, two a lane.
    Avx512Bf16,
    /// As that, with products of bf16 numbers by the tiles of Intel's AMX, on Linux. Tested by an interpreter of its
    /// instructions, and never run on hardware.
    AmxBf16,
}

/// This machine does not have these vector instructions, or no build for it computes with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotHere(pub Isa);

impl Isa {
    const ALL: [Self; 7] =
        [Self::Scalar, Self::Neon, Self::NeonBf16, Self::Avx2, Self::Avx512, Self::Avx512Bf16, Self::AmxBf16];

    /// All sets that this machine has, the best last.
    pub fn here() -> Vec<Self> {
        Self::ALL.into_iter().filter(|isa| isa.arch().is_some()).collect()
    }

    /// The set that operations compute with.
    #[inline]
    pub fn current() -> Self {
        let chosen = CHOSEN.load(Ordering::Relaxed);
        Self::ALL.get(usize::from(chosen)).copied().unwrap_or_else(Self::choose_best)
    }

    #[cold]
    fn choose_best() -> Self {
        let best = Self::here().last().copied().unwrap_or(Self::Scalar);
        CHOSEN.store(best as u8, Ordering::Relaxed);
        best
    }

    /// Makes every operation of this process compute with this set from now on. To be called before any of them: what
    /// several threads compute meanwhile is made partly with one set and partly with another.
    ///
    /// # Errors
    /// [`NotHere`] where the machine does not have it.
    pub fn choose(self) -> Result<(), NotHere> {
        self.arch().ok_or(NotHere(self))?;
        CHOSEN.store(self as u8, Ordering::Relaxed);
        Ok(())
    }

    /// As commands and records write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Neon => "neon",
            Self::NeonBf16 => "neon-bf16",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512-bf16",
            Self::AmxBf16 => "amx-bf16",
        }
    }

    /// Whether it multiplies numbers that are stored in bf16 without widening them first.
    pub fn multiplies_bf16(self) -> bool {
        matches!(self, Self::NeonBf16 | Self::Avx512Bf16 | Self::AmxBf16)
    }

    /// What it is for numbers in f32 alone: sets with one name here give one result.
    #[must_use]
    pub fn in_f32(self) -> Self {
        match self {
            Self::NeonBf16 => Self::Neon,
            Self::Avx512Bf16 | Self::AmxBf16 => Self::Avx512,
            _ => self,
        }
    }

    /// The set of a [`Isa::name`].
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|isa| isa.name() == name)
    }

    /// As `pulp` has it.
    #[inline]
    fn arch(self) -> Option<Arch> {
        match self {
            Self::Scalar => Some(Arch::Scalar),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => pulp::aarch64::Neon::try_new().map(Arch::Neon),
            #[cfg(target_arch = "aarch64")]
            Self::NeonBf16 if std::arch::is_aarch64_feature_detected!("bf16") => Self::Neon.arch(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => pulp::x86::V3::try_new().map(Arch::V3),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => pulp::x86::V4::try_new().map(Arch::V4),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 if is_x86_feature_detected!("avx512bf16") => Self::Avx512.arch(),
            #[cfg(target_arch = "x86_64")]
            Self::AmxBf16 if amx::unit().is_some() => Self::Avx512Bf16.arch(),
            _ => None,
        }
    }
}

/// The number of a set in [`Isa::ALL`], or none of them: none is chosen yet.
static CHOSEN: AtomicU8 = AtomicU8::new(u8::MAX);

/// What dispatches to the current set.
#[inline]
pub(crate) fn arch() -> Arch {
    Isa::current().arch().unwrap_or(Arch::Scalar)
}

/// Runs what multiplies [`Pair`](super::element::Pair)s.
///
/// # Panics
/// Where the current set does not multiply bf16.
#[inline]
pub(crate) fn dispatch_pairs<Op: WithSimd>(op: Op) -> Op::Output {
    assert!(Isa::current().multiplies_bf16(), "no products of bf16 here");
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V4::try_new() {
        // SAFETY: the machine has these instructions, or its set would not be the current one.
        return unsafe { with_avx512_bf16(simd, op) };
    }
    arch().dispatch(op)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(
    enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512bf16,avx2,fma,bmi1,bmi2,lzcnt,popcnt,fxsr"
)]
fn with_avx512_bf16<Op: WithSimd>(simd: pulp::x86::V4, op: Op) -> Op::Output {
    op.with_simd(simd)
}

/// Does the same with each set that this machine has: for tests.
#[cfg(test)]
pub(crate) fn on_each(op: impl pulp::WithSimd<Output = ()> + Copy) {
    Isa::here().into_iter().filter_map(Isa::arch).for_each(|arch| arch.dispatch(op));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_what_is_not_here_is_refused() {
        for isa in Isa::ALL {
            assert_eq!(Isa::named(isa.name()), Some(isa));
            if !Isa::here().contains(&isa) {
                assert_eq!(isa.choose(), Err(NotHere(isa)));
            }
        }
        assert_eq!(Isa::named("sse9"), None);
        assert_eq!(Isa::here().last(), Some(&Isa::current()));
    }

    /// As Linux sees its processor.
    #[cfg(target_os = "linux")]
    #[test]
    fn tiles_are_here_only_where_linux_says_so() {
        let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let says = |feature| processor.split_whitespace().any(|word| word == feature);
        if !(says("amx_tile") && says("amx_bf16") && says("avx512_bf16")) {
            assert!(!Isa::here().contains(&Isa::AmxBf16));
            assert_eq!(Isa::AmxBf16.choose(), Err(NotHere(Isa::AmxBf16)));
        }
    }
}

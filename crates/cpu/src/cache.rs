//! A core's caches: how much the second holds, and what is asked for ahead.

use std::sync::OnceLock;

/// Numbers of a cache line.
pub(crate) const LINE: usize = 16;

/// What the second cache holds where the machine does not tell.
const UNKNOWN: usize = 512 << 10;

/// Bytes of a core's second cache.
pub(crate) fn second_cache() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| told().filter(|&bytes| bytes >= 64 << 10).unwrap_or(UNKNOWN))
}

/// As the processor describes its caches: leaf 4 of CPUID at Intel's, leaf 0x8000001d in the same form at AMD's.
#[cfg(target_arch = "x86_64")]
fn told() -> Option<usize> {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    let of_leaf = |leaf: u32| {
        if __cpuid(leaf & 0x8000_0000).eax < leaf {
            return None;
        }
        let caches = (0..16).map(|i| __cpuid_count(leaf, i)).take_while(|cache| cache.eax & 0x1f != 0);
        let second = caches.into_iter().find(|cache| (cache.eax >> 5) & 7 == 2)?;
        let field = |shift: u32, bits: u32| ((second.ebx >> shift) as usize & ((1 << bits) - 1)) + 1;
        Some(field(22, 10) * field(12, 10) * field(0, 12) * (second.ecx as usize + 1))
    };
    of_leaf(4).or_else(|| of_leaf(0x8000_001d))
}

#[cfg(not(target_arch = "x86_64"))]
fn told() -> Option<usize> {
    None
}

/// Asks for a number to be fetched into the nearest cache. It need not be there.
#[inline(always)]
pub(crate) fn ask_for<E>(data: *const E, index: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which faults on no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(data.wrapping_add(index).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (data, index);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_cache_is_between_64_kb_and_64_mb() {
        assert!((64 << 10..=64 << 20).contains(&second_cache()), "{} bytes", second_cache());
    }
}

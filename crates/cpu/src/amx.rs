//! Intel's AMX: products of bf16 numbers in tiles of 16 by 16 sums ("Intel 64 and IA-32 Architectures Software
//! Developer's Manual", volume 1, chapter 18).
//!
//! It was tested by an interpreter of its instructions, and has never been run on hardware. So a known product is
//! computed before the first other, and a machine that gets it wrong counts as one without these instructions.

use std::sync::OnceLock;

use half::bf16;

/// Rows and columns of a square of sums: two tiles by two.
pub(crate) const SIDE: usize = 32;
/// Pairs of numbers that a tile has of each of its lines.
pub(crate) const PAIRS: usize = 16;

/// A square of sums, row after row.
#[repr(align(64))]
pub(crate) struct Square(pub [[f32; SIDE]; SIDE]);

impl Square {
    pub(crate) const fn zeros() -> Self {
        Self([[0.0; SIDE]; SIDE])
    }
}

/// What computes squares: a machine's tiles, or in tests an interpreter of the same instructions.
pub(crate) struct Unit {
    /// Makes this thread's tiles ready.
    pub begin: fn(),
    /// Of the packed pairs of 32 rows, side by side in each, and of 32 columns, side by side for each pair: the sums of
    /// their products. A line has whole tiles of pairs. To be called after `begin`.
    pub square: fn(rows: &[f32], columns: &[f32], sums: &mut Square),
    /// Gives this thread's tiles back.
    pub end: fn(),
}

/// This machine's, where there is one that computes what it should.
pub(crate) fn unit() -> Option<&'static Unit> {
    static HERE: OnceLock<Option<&'static Unit>> = OnceLock::new();
    *HERE.get_or_init(|| tiles().filter(|unit| multiplies(unit)))
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use machine::tiles;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn tiles() -> Option<&'static Unit> {
    None
}

/// Whether a product of whole numbers, whose sums are exact, is what a plain loop gives.
pub(crate) fn multiplies(unit: &Unit) -> bool {
    const PAIRS: usize = 2 * self::PAIRS;
    let left = |i: usize, k: usize| ((5 * i + 3 * k + i * k) % 13) as f32 - 6.0;
    let right = |k: usize, j: usize| ((7 * k + 2 * j + 3 * k * j) % 11) as f32 - 5.0;
    let lane = |pair: [f32; 2]| {
        let [low, high] = pair.map(|x| u32::from(bf16::from_f32(x).to_bits()));
        f32::from_bits(low | high << 16)
    };
    let row = |at: usize| [0, 1].map(|more| left(at / PAIRS, 2 * (at % PAIRS) + more));
    let column = |at: usize| [0, 1].map(|more| right(2 * (at / SIDE) + more, at % SIDE));
    let rows: Vec<f32> = (0..SIDE * PAIRS).map(|at| lane(row(at))).collect();
    let columns: Vec<f32> = (0..SIDE * PAIRS).map(|at| lane(column(at))).collect();
    // Anything but zeros, which a kernel that adds to them would hide.
    let mut sums = Square([[f32::NAN; SIDE]; SIDE]);
    (unit.begin)();
    (unit.square)(&rows, &columns, &mut sums);
    (unit.end)();
    let plain = |i: usize, j: usize| (0..2 * PAIRS).map(|k| left(i, k) * right(k, j)).sum::<f32>();
    (0..SIDE).all(|i| (0..SIDE).all(|j| sums.0[i][j] == plain(i, j)))
}

/// The instructions, as the assembler and the tests' interpreter read them.
#[cfg(any(test, all(target_arch = "x86_64", target_os = "linux")))]
pub(crate) mod text {
    /// What `ldtilecfg` reads.
    #[repr(align(64))]
    pub(crate) struct Shapes(pub [u8; 64]);

    /// Palette 1 and, for each of its eight tiles, 64 bytes a row and 16 rows.
    pub(crate) static SHAPES: Shapes = {
        let mut bytes = [0; 64];
        bytes[0] = 1;
        let mut tile = 0;
        while tile < 8 {
            bytes[16 + 2 * tile] = 64;
            bytes[48 + tile] = 16;
            tile += 1;
        }
        Shapes(bytes)
    };

    /// Of `Unit::begin`.
    macro_rules! begin {
        () => {
            "ldtilecfg [{shapes}]"
        };
    }

    /// Of `Unit::end`.
    macro_rules! end {
        () => {
            "tilerelease"
        };
    }

    /// Of `Unit::square`: `{upper}` and `{lower}` are the first 16 rows and the last, `{row}` bytes apart each; `{side}` is
    /// the bytes of 32 lanes, and `{steps}` how many tiles a line has.
    macro_rules! square {
        () => {
            "tilezero tmm0
            tilezero tmm1
            tilezero tmm2
            tilezero tmm3
            2:
            tileloadd tmm4, [{upper} + {row}*1]
            tileloadd tmm6, [{columns} + {side}*1]
            tdpbf16ps tmm0, tmm4, tmm6
            tileloadd tmm7, [{columns} + {side}*1 + 64]
            tdpbf16ps tmm1, tmm4, tmm7
            tileloadd tmm5, [{lower} + {row}*1]
            tdpbf16ps tmm2, tmm5, tmm6
            tdpbf16ps tmm3, tmm5, tmm7
            add {upper}, 64
            add {lower}, 64
            add {columns}, 2048
            dec {steps}
            jnz 2b
            tilestored [{sums} + {side}*1], tmm0
            tilestored [{sums} + {side}*1 + 64], tmm1
            tilestored [{sums} + {side}*1 + 2048], tmm2
            tilestored [{sums} + {side}*1 + 2112], tmm3"
        };
    }

    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    pub(super) use {begin, end, square};

    #[cfg(test)]
    pub(crate) const TEXT: [&str; 3] = [begin!(), square!(), end!()];
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod machine {
    use std::arch::asm;
    use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

    use super::text::{SHAPES, begin, end, square};
    use super::{PAIRS, SIDE, Square, Unit};

    static TILES: Unit = Unit { begin, square, end };

    /// This machine's, where there are some that this process may use.
    pub(super) fn tiles() -> Option<&'static Unit> {
        // What vectors do with pairs is done beside tiles.
        let described = is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("xsave");
        // SAFETY: the instruction that reads what the system saves is there.
        (described && has_tiles() && unsafe { are_saved() } && may_use_them()).then_some(&TILES)
    }

    /// AMX-BF16 and AMX-TILE, and tiles of the size that [`SHAPES`] asks for.
    fn has_tiles() -> bool {
        let bits = 1 << 22 | 1 << 24;
        if __cpuid(0).eax < 0x1d || __cpuid_count(7, 0).edx & bits != bits {
            return false;
        }
        let palette = __cpuid_count(0x1d, 1);
        palette.eax >> 16 == 1024 && palette.ebx == (8 << 16 | 64) && palette.ecx & 0xffff == 16
    }

    /// Whether the system keeps the tiles of every thread: bits 17 and 18 of XCR0.
    #[target_feature(enable = "xsave")]
    fn are_saved() -> bool {
        // SAFETY: the function's caller has seen that the instruction is there.
        unsafe { _xgetbv(0) >> 17 & 3 == 3 }
    }

    /// Asks Linux for them (its documentation, "Using XSTATE features in user space applications"):
    /// `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`, for all threads of this process.
    fn may_use_them() -> bool {
        let result: isize;
        // SAFETY: a call that touches none of this process's memory; where the system does not know it, an error.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") 158isize => result,
                in("rdi") 0x1023usize,
                in("rsi") 18usize,
                out("rcx") _,
                out("r11") _,
                options(nostack)
            );
        }
        result == 0
    }

    fn begin() {
        // SAFETY: only `tiles` gives this function out, where there are such tiles; 64 bytes are read.
        unsafe { asm!(begin!(), shapes = in(reg) SHAPES.0.as_ptr(), options(nostack, readonly)) };
    }

    fn end() {
        // SAFETY: as above; no memory is touched.
        unsafe { asm!(end!(), options(nostack, nomem)) };
    }

    fn square(rows: &[f32], columns: &[f32], sums: &mut Square) {
        let width = rows.len() / SIDE;
        assert!(width > 0 && width.is_multiple_of(PAIRS), "{width} pairs are no whole tiles");
        assert!(rows.len() == SIDE * width && columns.len() == SIDE * width, "no panels of one size");
        // SAFETY: as above; what is read are the two panels, as long as was checked, and what is written are the sums.
        unsafe {
            asm!(
                square!(),
                upper = inout(reg) rows.as_ptr() => _,
                lower = inout(reg) rows[SIDE / 2 * width..].as_ptr() => _,
                row = in(reg) width * size_of::<f32>(),
                columns = inout(reg) columns.as_ptr() => _,
                side = in(reg) SIDE * size_of::<f32>(),
                steps = inout(reg) width / PAIRS => _,
                sums = in(reg) sums.0.as_mut_ptr(),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack)
            );
        }
    }
}

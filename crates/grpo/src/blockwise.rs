//! Numbers in 8 bits: bitsandbytes' blockwise dynamic quantisation.
//!
//! A block of 256 numbers is divided by its largest magnitude, and each quotient is stored as the nearest of 256 numbers
//! between -1 and 1 (or 0 and 1). These lie dense near 0: a number's bits are a sign, an exponent of base 10 in unary, and
//! what is left of the bits as a fraction (Dettmers et al., "8-bit Optimizers via Block-wise Quantization", arXiv
//! 2110.02861; the numbers are those of `create_dynamic_map` in bitsandbytes 0.50). The largest is 1 and the least
//! -0.993, so that a block whose largest magnitude is a negative number's loses 0.7 % of it, there as here.

use std::sync::LazyLock;

/// Numbers that share a scale.
pub const BLOCK: usize = 256;

/// Numbers in 8 bits, zeros in a new one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blockwise {
    /// One a number: of which value of a [`DynamicMap`].
    pub codes: Vec<u8>,
    /// One a block: what its values are multiplied by.
    pub scales: Vec<f32>,
}

impl Blockwise {
    /// So many zeros.
    pub fn zeros(len: usize) -> Self {
        Self { codes: vec![0; len], scales: vec![0.0; len.div_ceil(BLOCK)] }
    }

    /// The numbers.
    pub fn values(&self, map: &DynamicMap) -> Vec<f32> {
        let mut values = vec![0.0; self.codes.len()];
        let blocks = values.chunks_mut(BLOCK).zip(self.codes.chunks(BLOCK)).zip(&self.scales);
        blocks.for_each(|((values, codes), &scale)| map.dequantize(codes, scale, values));
        values
    }
}

/// A part of such numbers that begins with a block.
#[derive(Debug)]
pub struct BlocksMut<'a> {
    /// [`Blockwise::codes`].
    pub codes: &'a mut [u8],
    /// [`Blockwise::scales`].
    pub scales: &'a mut [f32],
}

/// Leading bits of an f32 by which its code is looked up: sign, exponent and 7 of the fraction. Numbers that share them
/// have one threshold between them at most.
const LOOKUPS: usize = 1 << 16;
const LOOKUP_SHIFT: u32 = 32 - 16;

static SIGNED: LazyLock<DynamicMap> = LazyLock::new(|| DynamicMap::new(Sign::Both));
static UNSIGNED: LazyLock<DynamicMap> = LazyLock::new(|| DynamicMap::new(Sign::Plus));

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Both,
    Plus,
}

/// What the 256 codes stand for.
#[derive(Debug)]
pub struct DynamicMap {
    /// Ascending.
    values: [f32; 256],
    /// By leading bits.
    lookup: Vec<Lookup>,
}

/// The codes of the numbers that share their leading bits.
#[derive(Clone, Copy, Debug)]
struct Lookup {
    /// That of the least of them.
    code: u32,
    /// Above this number it is the next code.
    bound: f32,
}

impl DynamicMap {
    /// Of numbers of both signs, such as means of gradients.
    pub fn signed() -> &'static Self {
        &SIGNED
    }

    /// Of numbers that are not negative, such as means of squares.
    pub fn unsigned() -> &'static Self {
        &UNSIGNED
    }

    fn new(sign: Sign) -> Self {
        let mut values = vec![0.0, 1.0];
        for exponent in 0..7 {
            // With a sign there is a bit less for the fraction.
            let fractions = if sign == Sign::Both { 1 << exponent } else { 1 << (exponent + 1) };
            let scale = 10f64.powi(exponent - 6) as f32;
            for value in middles(fractions).map(|middle| scale * middle) {
                values.push(value);
                if sign == Sign::Both {
                    values.push(-value);
                }
            }
        }
        values.sort_by(f32::total_cmp);
        let values: [f32; 256] = std::array::from_fn(|i| values.get(i).copied().unwrap_or(1.0));
        // Between each value and the next, where the nearest of the two changes.
        let bound = |i: usize| values.get(i + 1).map_or(f32::INFINITY, |next| (values[i] + next) / 2.0);
        let lookup = |leading: usize| {
            let bits = (leading as u32) << LOOKUP_SHIFT;
            // Of negative numbers the least has the largest fraction.
            let least = if leading < LOOKUPS / 2 { bits } else { bits | ((1 << LOOKUP_SHIFT) - 1) };
            let code = (0..256).position(|i| f32::from_bits(least) <= bound(i)).unwrap_or(0);
            Lookup { code: code as u32, bound: bound(code) }
        };
        Self { values, lookup: (0..LOOKUPS).map(lookup).collect() }
    }

    /// What a code stands for, between -1 and 1.
    pub fn value(&self, code: u8) -> f32 {
        self.values[usize::from(code)]
    }

    /// The code whose value is nearest; of two as near, the lesser.
    pub fn code(&self, value: f32) -> u8 {
        let Lookup { code, bound } = self.lookup[(value.to_bits() >> LOOKUP_SHIFT) as usize];
        (code + u32::from(value > bound)) as u8
    }

    /// Writes what a block's codes stand for.
    pub fn dequantize(&self, codes: &[u8], scale: f32, values: &mut [f32]) {
        for (value, &code) in values.iter_mut().zip(codes) {
            *value = self.value(code) * scale;
        }
    }

    /// Writes a block's codes, and returns its scale.
    pub fn quantize(&self, values: &[f32], codes: &mut [u8]) -> f32 {
        // A comparison of bits orders magnitudes, and is vectorised.
        let most = values.iter().fold(0, |most, value| most.max(value.to_bits() & 0x7fff_ffff));
        let scale = f32::from_bits(most);
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        for (code, &value) in codes.iter_mut().zip(values) {
            *code = self.code(value * inverse);
        }
        scale
    }
}

/// The middles of so many equal parts of [0.1, 1], in PyTorch's arithmetic.
fn middles(parts: usize) -> impl Iterator<Item = f32> {
    let step = (1.0 - 0.1f32) / parts as f32;
    let edge = move |i: usize| {
        // As `torch.linspace`: from either end to the middle, rounded once.
        if i < parts.div_ceil(2) {
            step.mul_add(i as f32, 0.1)
        } else {
            step.mul_add(-((parts - i) as f32), 1.0)
        }
    };
    (0..parts).map(move |i| (edge(i) + edge(i + 1)) / 2.0)
}

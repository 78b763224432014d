//! Numbers in 8 bits: bitsandbytes' blockwise dynamic quantisation.
//!
//! A block of 256 numbers is divided by its largest magnitude, and each quotient is stored as the nearest of 256 numbers
//! between -1 and 1 (or 0 and 1). These lie dense near 0: a number's bits are a sign, an exponent of base 10 in unary, and
//! what is left of the bits as a fraction (Dettmers et al., "8-bit Optimizers via Block-wise Quantization", arXiv
//! 2110.02861; the numbers are those of `create_dynamic_map` in bitsandbytes 0.50).

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

/// Leading bits of an f32 by which its code is looked up: sign, exponent and 6 of the fraction. No two thresholds that
/// share them have a third between them.
const LOOKUP_BITS: u32 = 15;
const LOOKUP_SHIFT: u32 = 32 - LOOKUP_BITS;

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
    /// Between each value and the next, where the nearest of the two changes; infinite behind the last.
    bounds: [f32; 256],
    /// By leading bits, the code of the least number that has them.
    lookup: Box<[u8]>,
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
        let bound = |i: usize| values.get(i + 1).map_or(f32::INFINITY, |next| (values[i] + next) / 2.0);
        let bounds: [f32; 256] = std::array::from_fn(bound);
        let least = |leading: u32| {
            let number = f32::from_bits(leading << LOOKUP_SHIFT);
            // Negative numbers with the same leading bits begin at the other end.
            let number = if number.is_sign_negative() {
                f32::from_bits(number.to_bits() | ((1 << LOOKUP_SHIFT) - 1))
            } else {
                number
            };
            bounds.iter().position(|&bound| number <= bound).unwrap_or(0) as u8
        };
        Self { values, bounds, lookup: (0..1 << LOOKUP_BITS).map(least).collect() }
    }

    /// What a code stands for, between -1 and 1.
    pub fn value(&self, code: u8) -> f32 {
        self.values[usize::from(code)]
    }

    /// The code whose value is nearest; of two as near, the lesser.
    pub fn code(&self, value: f32) -> u8 {
        let mut code = self.lookup[(value.to_bits() >> LOOKUP_SHIFT) as usize];
        code += u8::from(value > self.bounds[usize::from(code)]);
        code += u8::from(value > self.bounds[usize::from(code)]);
        code
    }

    /// Writes what a block's codes stand for.
    pub fn dequantize(&self, codes: &[u8], scale: f32, values: &mut [f32]) {
        for (value, &code) in values.iter_mut().zip(codes) {
            *value = self.value(code) * scale;
        }
    }

    /// Writes a block's codes, and returns its scale.
    pub fn quantize(&self, values: &[f32], codes: &mut [u8]) -> f32 {
        let scale = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
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

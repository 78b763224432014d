//! AdamW's moments of a parameter on the CPU, as they are stored.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use toolrl_grpo::{AdamWStep, BLOCK, BlocksMut, Blockwise, DynamicMap, adamw_step, adamw_step_blockwise};

/// Elements that one thread takes at a time: whole blocks.
pub(crate) const PART: usize = 256 * BLOCK;

/// Parameters of fewer elements have moments in f32 whatever is asked for, as with bitsandbytes.
const LEAST_BLOCKWISE: usize = 4096;

/// How AdamW's two moments are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MomentStorage {
    /// As f32: 8 bytes a parameter.
    #[default]
    #[serde(rename = "f32")]
    F32,
    /// In 8 bits with a scale for every 256: 2 bytes a parameter (Dettmers et al., "8-bit Optimizers via Block-wise
    /// Quantization", arXiv 2110.02861). Tensors of fewer than 4,096 elements keep f32.
    #[serde(rename = "8bit")]
    EightBit,
}

/// The mean of a parameter's gradient, and of its square.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Moments {
    /// As they are.
    Full(Vec<f32>, Vec<f32>),
    /// In 8 bits.
    Blockwise(Blockwise, Blockwise),
}

impl Moments {
    /// Those of a parameter of so many elements before the first update.
    pub(crate) fn zeros(len: usize, storage: MomentStorage) -> Self {
        match storage {
            MomentStorage::EightBit if len >= LEAST_BLOCKWISE => {
                Self::Blockwise(Blockwise::zeros(len), Blockwise::zeros(len))
            }
            _ => Self::Full(vec![0.0; len], vec![0.0; len]),
        }
    }

    /// Makes a step part by part; the checksum of each part's values after it, none where lengths differ.
    pub(crate) fn step(
        &mut self,
        values: &mut [f32],
        gradient: &[f32],
        step: &AdamWStep,
        checksum: fn(&[f32]) -> u32,
    ) -> Vec<Option<u32>> {
        let parts = values.par_chunks_mut(PART).zip(gradient.par_chunks(PART));
        match self {
            Self::Full(mean, square) => {
                let parts = parts.zip(mean.par_chunks_mut(PART).zip(square.par_chunks_mut(PART)));
                parts
                    .map(|((p, g), (m, v))| adamw_step(p, g, m, v, step).ok().map(|()| checksum(p)))
                    .collect()
            }
            Self::Blockwise(mean, square) => {
                let parts = parts.zip(blocks(mean).zip(blocks(square)));
                let stepped = parts.map(|((p, g), (m, v))| {
                    adamw_step_blockwise(p, g, m, v, step).ok().map(|()| checksum(p))
                });
                stepped.collect()
            }
        }
    }

    /// As f32.
    pub(crate) fn into_full(self) -> (Vec<f32>, Vec<f32>) {
        match self {
            Self::Full(mean, square) => (mean, square),
            Self::Blockwise(mean, square) => {
                (mean.values(DynamicMap::signed()), square.values(DynamicMap::unsigned()))
            }
        }
    }
}

/// The parts of such numbers.
fn blocks(of: &mut Blockwise) -> impl IndexedParallelIterator<Item = BlocksMut<'_>> {
    let scales = of.scales.par_chunks_mut(PART / BLOCK);
    of.codes.par_chunks_mut(PART).zip(scales).map(|(codes, scales)| BlocksMut { codes, scales })
}

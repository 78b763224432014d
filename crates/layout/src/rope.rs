//! The angles of rotary position embeddings.

/// Cosines and sines of a packed batch's rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RopeTable {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    /// The table of `positions` for the given inverse frequencies (one per pair of a head's
    /// components, so half the head's width), in f32 as Hugging Face models compute it.
    pub fn new(positions: &[usize], inverse_frequencies: &[f32]) -> Self {
        let angles = positions.iter().flat_map(|&p| inverse_frequencies.iter().map(move |f| p as f32 * f));
        let (cos, sin) = angles.map(|a| (a.cos(), a.sin())).unzip();
        Self { half: inverse_frequencies.len(), cos, sin }
    }

    /// With cosines and sines multiplied by a factor, as YaRN scales what attention sees.
    #[must_use]
    pub fn scaled(mut self, factor: f32) -> Self {
        self.cos.iter_mut().chain(&mut self.sin).for_each(|x| *x *= factor);
        self
    }

    /// Half the width of a head.
    pub fn half(&self) -> usize {
        self.half
    }

    /// Cosines and sines of all rows, row after row.
    pub fn columns(&self) -> [&[f32]; 2] {
        [&self.cos, &self.sin]
    }

    /// Cosines and sines of a row, [`RopeTable::half`] each.
    pub fn row(&self, row: usize) -> (&[f32], &[f32]) {
        let at = row * self.half..(row + 1) * self.half;
        (&self.cos[at.clone()], &self.sin[at])
    }
}

/// Which way a head is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// By the row's angles: the embedding.
    Forward,
    /// By their negatives: the embedding's gradient.
    Backward,
}

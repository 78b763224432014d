//! Which kernel computes a product, and in how many parts.

use cubecl::prelude::*;

use super::Matrix;
use crate::Dtype;
use crate::cuda::{capability, is_aligned};

/// A kernel with the size of its tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProductKind {
    /// Hopper's, 128 x 256 a block.
    Group,
    /// 128 x 128 a block.
    Large,
    /// 64 x 64: for few rows, whose time is that of reading the other matrix.
    Small,
    /// 16 x 64: for fewer still.
    Row,
}

/// A kernel and into how many parts it splits the inner dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub kind: ProductKind,
    pub splits: usize,
}

impl ProductKind {
    /// Rows and columns of a block's tile.
    pub fn tile(self) -> (usize, usize) {
        match self {
            Self::Group => (128, 256),
            Self::Large => (128, 128),
            Self::Small => (64, 64),
            Self::Row => (16, 64),
        }
    }

    /// Blocks that a processor is to hold at a time, of the registers that they take.
    pub fn resident(self) -> usize {
        match self {
            Self::Group => 1,
            Self::Large => 2,
            Self::Small | Self::Row => 4,
        }
    }

    /// Blocks of a processor that keep it busy: of those that read more than they multiply, two have enough on its way.
    fn busy(self) -> usize {
        match self {
            Self::Group | Self::Large => 1,
            Self::Small | Self::Row => 2,
        }
    }
}

impl Plan {
    /// The kernels that compute this on the device, the best by count first.
    pub fn all(client: &Client, a: &Matrix, b: &Matrix) -> Vec<Self> {
        let Some(capability) = capability(client) else { return Vec::new() };
        let dtype = a.buffer.dtype();
        // 16 bytes are copied at a time.
        let aligned = |matrix: &Matrix| {
            let width = if matrix.transposed { matrix.rows } else { matrix.columns };
            matrix.stride.is_multiple_of(8) && width.is_multiple_of(8) && is_aligned(matrix.buffer.handle())
        };
        let fits = dtype != Dtype::F32 && dtype == b.buffer.dtype() && aligned(a) && aligned(b);
        // Results are written in eights.
        if !fits
            || capability < 80
            || !b.columns.is_multiple_of(8)
            || a.rows == 0
            || b.columns == 0
            || a.columns == 0
        {
            return Vec::new();
        }
        let processors = client.properties().hardware.num_streaming_multiprocessors.unwrap_or(1) as usize;
        let kinds = kinds(capability, a, b);
        let plan = |kind| Self { kind, splits: splits(kind, [a.rows, b.columns, a.columns], processors) };
        kinds.into_iter().map(plan).collect()
    }
}

fn kinds(capability: u32, a: &Matrix, b: &Matrix) -> Vec<ProductKind> {
    let mut kinds = Vec::new();
    if capability == 90 && a.rows > 64 && b.columns > 64 {
        kinds.push(ProductKind::Group);
    }
    if a.rows > 64 {
        kinds.push(ProductKind::Large);
    } else if a.rows <= 16 && !a.transposed {
        kinds.push(ProductKind::Row);
    }
    kinds.push(ProductKind::Small);
    kinds
}

/// The fewest numbers of the inner dimension that a part has: below, adding the parts up costs more than it spares.
const SHORTEST: usize = 256;

/// Into how many parts the inner dimension is split: as many as keep the device busy once where tiles alone do not, and so
/// many that the last turn of blocks is not one of few, where there are about as many tiles as processors. A product of
/// more is in one part.
fn splits(kind: ProductKind, [m, n, k]: [usize; 3], processors: usize) -> usize {
    let (rows, columns) = kind.tile();
    let tiles = m.div_ceil(rows) * n.div_ceil(columns);
    let (places, most) = (processors * kind.busy(), (k / SHORTEST).max(1));
    if 2 * tiles <= places {
        return (places / tiles).min(most);
    }
    if tiles >= places {
        return 1;
    }
    // Turns of blocks, in parts of the time of one tile; a part more has to be written and read.
    let cost = |parts: usize| (tiles * parts).div_ceil(places) as f64 / parts as f64 + 0.03 * parts as f64;
    (1..=most.min(8)).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_tiles_are_split_and_many_are_not() {
        let on_132 = |kind, sizes| splits(kind, sizes, 132);
        // Qwen2.5-1.5B at batch 64: the output of the feed-forward, 24 tiles; queries, keys and values; gate and up.
        assert_eq!(on_132(ProductKind::Small, [64, 1536, 8960]), 11);
        assert_eq!(on_132(ProductKind::Small, [64, 2048, 1536]), 6);
        assert_eq!(on_132(ProductKind::Small, [64, 17_920, 1536]), 1);
        // The gradients of the weights of keys, 12 tiles, and of queries, 72.
        assert_eq!(on_132(ProductKind::Group, [256, 1536, 8192]), 11);
        assert_eq!(on_132(ProductKind::Group, [1536, 1536, 8192]), 5);
        assert_eq!(on_132(ProductKind::Group, [8192, 8960, 1536]), 1);
        assert_eq!(on_132(ProductKind::Row, [1, 64, 64]), 1);
    }
}

//! The text of a product's kernel.

use super::{Matrix, ProductKind};
use crate::Dtype;
use crate::cuda::{CudaText, Macros, stored};

const COMMON: &str = include_str!("common.cu");
const WARPS: &str = include_str!("warps.cu");
const GROUP: &str = include_str!("group.cu");

/// Everything that a kernel's text depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Text {
    pub kind: ProductKind,
    /// How the operands are stored.
    pub numbers: Dtype,
    /// How the result is.
    pub out: Dtype,
    /// Whether the left operand lies along the inner dimension in memory.
    pub a_inner: bool,
    /// Whether the right one does.
    pub b_inner: bool,
    /// Whether there are two right matrices: see [`super::gated_product`].
    pub gated: bool,
}

/// What a kind's text is made for.
struct Shape {
    /// Rows and columns of a warp; none where four warps share a tile.
    warp: Option<(usize, usize)>,
    /// Of the inner dimension.
    step: usize,
    stages: usize,
}

impl Text {
    /// That of a product.
    pub fn of(kind: ProductKind, a: &Matrix, b: &Matrix, out: Dtype) -> Self {
        let numbers = a.buffer.dtype();
        Self { kind, numbers, out, a_inner: !a.transposed, b_inner: b.transposed, gated: false }
    }

    fn shape(self) -> Shape {
        let (warp, step, stages) = match self.kind {
            ProductKind::Group => (None, 16, 4),
            ProductKind::Large => (Some((64, 32)), 32, 3),
            ProductKind::Small => (Some((32, 32)), 32, 6),
            ProductKind::Row => (Some((16, 16)), 32, 8),
        };
        Shape { warp, step, stages }
    }
}

impl CudaText for Text {
    const FILES: &'static [&'static str] = &[COMMON, WARPS, GROUP];

    fn name(&self) -> String {
        let lies = |inner| if inner { "rows" } else { "columns" };
        let (a, b) = (lies(self.a_inner), lies(!self.b_inner));
        let what = if self.gated { "gated_product" } else { "product" };
        format!("{what}_{:?}_{:?}_{:?}_{a}_{b}", self.kind, self.numbers, self.out).to_lowercase()
    }

    fn define(&self, macros: &mut Macros) {
        let Shape { warp, step, stages } = self.shape();
        let (rows, columns) = self.kind.tile();
        for (name, value) in [("BM", rows), ("BN", columns), ("BK", step), ("STAGES", stages)] {
            macros.add(name, value);
        }
        macros.add("RESIDENT", self.kind.resident());
        macros.add("A_INNER", self.a_inner);
        macros.add("B_INNER", self.b_inner);
        macros.add("GATED", u8::from(self.gated));
        macros.add("OUT_F32", u8::from(self.out == Dtype::F32));
        macros.add_text("TYPE", stored(self.numbers));
        if let Some((rows, columns)) = warp {
            macros.add("WM", rows);
            macros.add("WN", columns);
        } else {
            let all = |each: &dyn Fn(usize) -> String| (0..128).map(each).collect::<Vec<_>>().join(", ");
            macros.add_text("SUMS", all(&|i| format!("%{i}")));
            macros.add("SUMS_OUT", all(&|i| format!("\"+f\"(sums[{i}])")));
            macros.add_text("TURN_A", u8::from(!self.a_inner));
            macros.add_text("TURN_B", u8::from(!self.b_inner));
        }
    }

    fn files(&self) -> Vec<&'static str> {
        vec![COMMON, if self.kind == ProductKind::Group { GROUP } else { WARPS }]
    }

    fn warps(&self) -> usize {
        let (rows, columns) = self.kind.tile();
        self.shape().warp.map_or(8, |(m, n)| (rows / m) * (columns / n))
    }
}

//! The text of a product's kernel, and its launch.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use cubecl::ir::UIntKind;
use cubecl::ir::metadata::Info;
use cubecl::prelude::*;
use cubecl::server::{Handle, KernelArguments, MetadataBindingInfo};
use cubecl::{CubeKernel, PrecompiledSource};

use super::ProductKind;
use crate::Dtype;

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
}

/// What the text of a kind is made for.
struct Shape {
    /// Rows and columns of a block, of a warp (0 for a group, whose warps share a tile), the step of the inner dimension.
    block: (usize, usize),
    warp: (usize, usize),
    step: usize,
    stages: usize,
    warps: usize,
}

impl Text {
    fn shape(self) -> Shape {
        let block = self.kind.tile();
        let (warp, step, stages, warps) = match self.kind {
            ProductKind::Group => ((0, 0), 16, 4, 8),
            ProductKind::Large => ((64, 32), 32, 3, 8),
            ProductKind::Small => ((32, 32), 32, 6, 4),
            ProductKind::Row => ((16, 16), 32, 8, 4),
        };
        Shape { block, warp, step, stages, warps }
    }

    fn name(self) -> String {
        let lies = |inner| if inner { "rows" } else { "columns" };
        let (a, b) = (lies(self.a_inner), lies(!self.b_inner));
        format!("product_{:?}_{:?}_{:?}_{a}_{b}", self.kind, self.numbers, self.out).to_lowercase()
    }

    /// The kernel in CUDA C++.
    fn source(self) -> String {
        let Shape { block: (bm, bn), warp: (wm, wn), step, stages, warps } = self.shape();
        let stored = |dtype| if dtype == Dtype::Bf16 { "bf16" } else { "f16" };
        let mut text = String::new();
        let mut define = |name: &str, value: &dyn std::fmt::Display| {
            text += &format!("#define {name} {value}\n");
        };
        define("NAME", &self.name());
        for (name, value) in [
            ("BM", bm),
            ("BN", bn),
            ("BK", step),
            ("STAGES", stages),
            ("WARPS", warps),
            ("RESIDENT", self.kind.resident()),
        ] {
            define(name, &value);
        }
        define("A_INNER", &self.a_inner);
        define("B_INNER", &self.b_inner);
        define("OUT_F32", &u8::from(self.out == Dtype::F32));
        define("TYPE", &format!("\"{}\"", stored(self.numbers)));
        let body = if self.kind == ProductKind::Group {
            let all = |each: &dyn Fn(usize) -> String| (0..128).map(each).collect::<Vec<_>>().join(", ");
            define("SUMS", &format!("\"{}\"", all(&|i| format!("%{i}"))));
            define("SUMS_OUT", &all(&|i| format!("\"+f\"(sums[{i}])")));
            define("TURN_A", &format!("\"{}\"", u8::from(!self.a_inner)));
            define("TURN_B", &format!("\"{}\"", u8::from(!self.b_inner)));
            include_str!("group.cu")
        } else {
            define("WM", &wm);
            define("WN", &wn);
            include_str!("warps.cu")
        };
        text + include_str!("common.cu") + body
    }

    fn block(self) -> CubeDim {
        CubeDim::new_1d(32 * self.shape().warps as u32)
    }

    /// Enqueues it.
    pub fn launch(self, client: &Client, grid: [u32; 2], buffers: &[&Handle], sizes: &[u64]) {
        let mut arguments = KernelArguments::new();
        for buffer in buffers {
            arguments = arguments.with_buffer((*buffer).clone().binding());
        }
        // All of it is given to the kernel by value.
        let info = MetadataBindingInfo { data: sizes.to_vec(), dynamic_metadata_offset: sizes.len() };
        let arguments = arguments.with_info(info);
        client.launch(Box::new(self), CubeCount::Static(grid[0], grid[1], 1), arguments);
    }
}

/// What kept kernels are known by: their texts are those of one version of the files.
static VERSION: LazyLock<u64> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    [include_str!("common.cu"), include_str!("warps.cu"), include_str!("group.cu")].hash(&mut hasher);
    hasher.finish()
});

impl KernelMetadata for Text {
    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info((*self, *VERSION)).cube_dim(self.block().into())
    }

    fn address_type(&self) -> ElemType {
        UIntKind::U32.into()
    }
}

impl CubeKernel for Text {
    /// Nothing is compiled of this: it tells the block's size.
    fn define(&self) -> KernelDefinition {
        let settings = KernelSettings::new(self.block().into(), ExecutionMode::Unchecked, AddressType::U32);
        KernelDefinition { body: Scope::root(settings.clone()), settings, info: Info::default() }
    }

    fn source(&self) -> Option<PrecompiledSource> {
        Some(PrecompiledSource {
            source: Self::source(*self),
            entrypoint_name: Self::name(*self),
            lang: "cuda",
        })
    }
}

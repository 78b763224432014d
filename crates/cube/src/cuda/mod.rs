//! Kernels in CUDA C++, launched by CubeCL as its own are, in graphs too. For what it has no words for: fragments loaded as
//! tensor cores' instructions take them, copies that run beside these, and Hopper's instructions.

use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};

use cubecl::ir::UIntKind;
use cubecl::ir::attributes::BufferIOAttr;
use cubecl::ir::metadata::Info;
use cubecl::prelude::*;
use cubecl::server::{Handle, KernelArguments, MetadataBindingInfo};
use cubecl::{CubeKernel, PrecompiledSource};

use crate::Dtype;

/// A kernel's text, which depends on nothing but this.
pub(crate) trait CudaText: Copy + std::fmt::Debug + Eq + Hash + Send + Sync + 'static {
    /// The files that it is made of.
    const FILES: &'static [&'static str];

    /// The kernel's name.
    fn name(&self) -> String;

    /// What stands above the files: macros by name and value.
    fn define(&self, macros: &mut Macros);

    /// Its files, of [`Self::FILES`], after what all kernels share.
    fn files(&self) -> Vec<&'static str>;

    /// Warps of a block.
    fn warps(&self) -> usize;
}

/// Lines of `#define`.
#[derive(Debug, Default)]
pub(crate) struct Macros(String);

impl Macros {
    /// One more.
    pub fn add(&mut self, name: &str, value: impl Display) {
        self.0 += &format!("#define {name} {value}\n");
    }

    /// One that is a string.
    pub fn add_text(&mut self, name: &str, value: impl Display) {
        self.add(name, format_args!("\"{value}\""));
    }
}

/// The compute capability of a device that CUDA C++ is compiled for, times ten; none of others.
pub(crate) fn capability(client: &Client) -> Option<u32> {
    if !cfg!(feature = "cuda") {
        return None;
    }
    client.properties().identity.fingerprint.strip_prefix("ptx_sm")?.parse().ok()
}

/// Whether memory begins where 16 bytes can be copied.
pub(crate) fn is_aligned(handle: &Handle) -> bool {
    handle.offset_start.unwrap_or(0).is_multiple_of(16)
}

/// How numbers of 16 bits are called in PTX.
pub(crate) fn stored(dtype: Dtype) -> &'static str {
    if dtype == Dtype::Bf16 { "bf16" } else { "f16" }
}

/// Enqueues a kernel over a grid. It is given the addresses of what it reads, then of what it writes, and the numbers in one
/// structure, by value. Where the launch fails, what it was to write cannot be read, and all else can.
pub(crate) fn launch<T: CudaText>(
    client: &Client,
    text: T,
    grid: [u32; 2],
    (read, written): (&[&Handle], &[&Handle]),
    numbers: &[u64],
) {
    let mut arguments = KernelArguments::new();
    for (buffers, io) in [(read, BufferIOAttr::ReadOnly), (written, BufferIOAttr::WriteOnly)] {
        for buffer in buffers {
            arguments = arguments.with_buffer_io((*buffer).clone().binding(), io);
        }
    }
    let info = MetadataBindingInfo { data: numbers.to_vec(), dynamic_metadata_offset: numbers.len() };
    let count = CubeCount::Static(grid[0], grid[1], 1);
    client.launch(Box::new(Kernel(text)), count, arguments.with_info(info));
}

struct Kernel<T>(T);

impl<T: CudaText> Kernel<T> {
    fn block(&self) -> CubeDim {
        CubeDim::new_1d(32 * self.0.warps() as u32)
    }
}

const BASE: &str = include_str!("base.cu");

impl<T: CudaText> KernelMetadata for Kernel<T> {
    /// Kernels are kept by this: it tells one version of the files from another.
    fn id(&self) -> KernelId {
        let mut hasher = DefaultHasher::new();
        (BASE, T::FILES).hash(&mut hasher);
        KernelId::new::<Self>().info((self.0, hasher.finish())).cube_dim(self.block().into())
    }

    fn address_type(&self) -> ElemType {
        UIntKind::U32.into()
    }
}

impl<T: CudaText> CubeKernel for Kernel<T> {
    /// Nothing is compiled of this: it tells the block's size.
    fn define(&self) -> KernelDefinition {
        let settings = KernelSettings::new(self.block().into(), ExecutionMode::Unchecked, AddressType::U32);
        KernelDefinition { body: Scope::root(settings.clone()), settings, info: Info::default() }
    }

    fn source(&self) -> Option<PrecompiledSource> {
        let name = self.0.name();
        let mut macros = Macros::default();
        macros.add("NAME", &name);
        macros.add("WARPS", self.0.warps());
        self.0.define(&mut macros);
        let source = [&[macros.0.as_str(), BASE][..], &self.0.files()].concat().concat();
        Some(PrecompiledSource { source, entrypoint_name: name, lang: "cuda" })
    }
}

//! Runs of numbers in device memory.

use cubecl::bytes::Bytes;
use cubecl::ir::{ElemType, FloatKind};
use cubecl::prelude::*;
use cubecl::server::Handle;
use half::{bf16, f16};

use crate::CubeError;

/// How a number is stored. Arithmetic is in f32 whatever this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a single-precision number.
    Bf16,
}

impl Dtype {
    /// Bytes of a number.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    pub(crate) fn elem(self) -> ElemType {
        ElemType::Float(match self {
            Self::F32 => FloatKind::F32,
            Self::F16 => FloatKind::F16,
            Self::Bf16 => FloatKind::BF16,
        })
    }
}

/// A contiguous run of floating-point numbers on a device. A clone is another handle to the same memory.
#[derive(Clone, Debug)]
pub struct Buffer {
    handle: Handle,
    len: usize,
    dtype: Dtype,
}

impl Buffer {
    /// The first `len` numbers of the memory behind a handle.
    pub fn new(handle: Handle, len: usize, dtype: Dtype) -> Self {
        Self { handle, len, dtype }
    }

    /// Fresh memory of undefined content.
    pub fn empty(client: &Client, len: usize, dtype: Dtype) -> Self {
        Self::new(client.empty(len.max(1) * dtype.size()), len, dtype)
    }

    /// Numbers from the host, rounded to the given storage.
    pub fn from_slice(client: &Client, values: &[f32], dtype: Dtype) -> Self {
        let bytes: Vec<u8> = match dtype {
            Dtype::F32 => values.iter().flat_map(|v| v.to_ne_bytes()).collect(),
            Dtype::F16 => values.iter().flat_map(|&v| f16::from_f32(v).to_ne_bytes()).collect(),
            Dtype::Bf16 => values.iter().flat_map(|&v| bf16::from_f32(v).to_ne_bytes()).collect(),
        };
        Self::new(create(client, bytes), values.len(), dtype)
    }

    /// The numbers, widened to f32; waits for the device.
    ///
    /// # Errors
    /// [`CubeError::Device`] when a kernel that should have written them failed.
    pub fn read(&self, client: &Client) -> Result<Vec<f32>, CubeError> {
        if self.len == 0 {
            return Ok(Vec::new());
        }
        let bytes = client.read_one(self.handle.clone())?;
        let bytes = &bytes[..self.len * self.dtype.size()];
        let pairs = || bytes.as_chunks::<2>().0.iter().copied();
        Ok(match self.dtype {
            Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_ne_bytes(b)).collect(),
            Dtype::F16 => pairs().map(|b| f16::from_ne_bytes(b).to_f32()).collect(),
            Dtype::Bf16 => pairs().map(|b| bf16::from_ne_bytes(b).to_f32()).collect(),
        })
    }

    /// The memory.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no numbers.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How the numbers are stored.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    pub(crate) fn arg(&self) -> BufferArg {
        // SAFETY: the memory holds `len` numbers: whoever made this buffer said so.
        unsafe { BufferArg::from_raw_parts(self.handle.clone(), self.len) }
    }

    pub(crate) fn expect_len(&self, what: &'static str, expected: usize) -> Result<(), CubeError> {
        check_len(what, self.len, expected)
    }

    pub(crate) fn expect_dtype(&self, what: &'static str, expected: Dtype) -> Result<(), CubeError> {
        let found = self.dtype;
        if found == expected { Ok(()) } else { Err(CubeError::Storage { what, expected, found }) }
    }
}

/// A contiguous run of 32-bit indices on a device: token ids, rows, offsets.
#[derive(Clone, Debug)]
pub struct Indices {
    handle: Handle,
    len: usize,
}

impl Indices {
    /// The first `len` indices of the memory behind a handle.
    pub fn new(handle: Handle, len: usize) -> Self {
        Self { handle, len }
    }

    /// Fresh memory of undefined content.
    pub fn empty(client: &Client, len: usize) -> Self {
        Self::new(client.empty(len.max(1) * 4), len)
    }

    /// Indices from the host.
    pub fn from_slice(client: &Client, values: &[u32]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
        Self::new(create(client, bytes), values.len())
    }

    /// The indices; waits for the device.
    ///
    /// # Errors
    /// [`CubeError::Device`] when a kernel that should have written them failed.
    pub fn read(&self, client: &Client) -> Result<Vec<u32>, CubeError> {
        if self.len == 0 {
            return Ok(Vec::new());
        }
        let bytes = client.read_one(self.handle.clone())?;
        Ok(bytes.as_chunks::<4>().0[..self.len].iter().map(|&b| u32::from_ne_bytes(b)).collect())
    }

    /// The memory.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// How many indices there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no indices.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn arg(&self) -> BufferArg {
        // SAFETY: the memory holds `len` indices: whoever made this said so.
        unsafe { BufferArg::from_raw_parts(self.handle.clone(), self.len) }
    }
}

/// Several runs of 32-bit numbers in one piece of memory, which one copy from the host writes: what changes from one
/// step to the next where everything else stays.
#[derive(Clone, Debug)]
pub struct Runs {
    handle: Handle,
    /// Bytes of the memory.
    size: usize,
    /// Where each run begins, in bytes, and how many numbers it has.
    places: Vec<(usize, usize)>,
}

impl Runs {
    /// Fresh memory of undefined content for runs of these lengths.
    pub fn empty(client: &Client, lens: &[usize]) -> Self {
        let alignment = (client.properties().memory.alignment as usize).max(4);
        let (mut size, mut places) = (0, Vec::with_capacity(lens.len()));
        for &len in lens {
            places.push((size, len));
            size = (size + len.max(1) * 4).next_multiple_of(alignment);
        }
        Self { handle: client.empty(size.max(4)), size: size.max(4), places }
    }

    /// Writes every run; what is missing at the end of one is 0, what is too much is left out.
    pub fn write<'a>(&self, client: &Client, runs: impl IntoIterator<Item = &'a [u32]>) {
        let mut bytes = vec![0; self.size];
        for (&(start, len), run) in self.places.iter().zip(runs) {
            let numbers = bytes[start..start + len * 4].as_chunks_mut::<4>().0;
            numbers.iter_mut().zip(run).for_each(|(number, value)| *number = value.to_ne_bytes());
        }
        client.write(&self.handle, Bytes::from_bytes_vec(bytes));
    }

    /// A run as indices.
    pub fn indices(&self, run: usize) -> Indices {
        let (handle, len) = self.part(run);
        Indices::new(handle, len)
    }

    /// A run as f32, whose bits are written.
    pub fn floats(&self, run: usize) -> Buffer {
        let (handle, len) = self.part(run);
        Buffer::new(handle, len, Dtype::F32)
    }

    fn part(&self, run: usize) -> (Handle, usize) {
        let (start, len) = self.places[run];
        let end = self.size - start - len.max(1) * 4;
        (self.handle.clone().offset_start(start as u64).offset_end(end as u64), len)
    }
}

fn create(client: &Client, mut bytes: Vec<u8>) -> Handle {
    if bytes.is_empty() {
        bytes.resize(4, 0);
    }
    client.create_from_slice(&bytes)
}

fn check_len(what: &'static str, found: usize, expected: usize) -> Result<(), CubeError> {
    if found == expected { Ok(()) } else { Err(CubeError::Length { what, expected, found }) }
}

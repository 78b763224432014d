//! How weights, activations and cached keys and values are stored.

use std::borrow::Cow;

use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use half::bf16;
use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use toolrl_cpu::element::narrow;
use toolrl_cpu::numbers::Numbers;

/// The type that weights, activations and the key-value cache are stored in. Sums, log-probabilities, gradients of
/// weights and the optimiser's state are f32 in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// The upper 16 bits of an f32: half the memory, 8 binary digits.
    Bf16,
}

impl Precision {
    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }

    /// Burn's name of it.
    pub(crate) fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
        }
    }

    /// Numbers stored so, rounded to nearest where they do not fit.
    pub(crate) fn numbers(self, values: Cow<[f32]>) -> Numbers {
        match self {
            Self::F32 => values.into_owned().into(),
            Self::Bf16 => narrow(&values).into(),
        }
    }

    /// A tensor of such numbers.
    pub(crate) fn tensor<const D: usize>(
        self,
        values: Vec<f32>,
        shape: [usize; D],
        device: &Device,
    ) -> Tensor<D> {
        tensor(self.numbers(values.into()), shape, device)
    }

    /// The precision of a tensor.
    pub(crate) fn of<const D: usize>(tensor: &Tensor<D>) -> Self {
        if tensor.dtype() == DType::BF16 { Self::Bf16 } else { Self::F32 }
    }
}

/// A tensor's numbers, as they are stored.
pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Numbers {
    // The decoder holds f32 or bf16, so the numbers are moved, and that cannot fail.
    match Precision::of(&tensor) {
        Precision::F32 => tensor.into_data().try_into_vec_as::<f32>().unwrap_or_default().into(),
        Precision::Bf16 => tensor.into_data().try_into_vec_as::<bf16>().unwrap_or_default().into(),
    }
}

/// A tensor of numbers as they are stored.
pub(crate) fn tensor<const D: usize>(numbers: Numbers, shape: [usize; D], device: &Device) -> Tensor<D> {
    let data = data(numbers, shape);
    let dtype = data.dtype();
    Tensor::from_data(data, (device, dtype))
}

/// Numbers as they are stored, as a tensor's data.
pub(crate) fn data(numbers: Numbers, shape: impl Into<Shape>) -> TensorData {
    match numbers {
        Numbers::F32(values) => TensorData::new(values, shape.into()),
        Numbers::Bf16(values) => TensorData::new(values, shape.into()),
    }
}

/// The type of the numbers in a weight file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum StoredType {
    #[default]
    F32,
    Bf16,
    F16,
}

impl StoredType {
    /// PyTorch's name of it, as `config.json` has it.
    pub(crate) fn torch_name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::Bf16 => "bfloat16",
            Self::F16 => "float16",
        }
    }

    pub(crate) fn from_torch_name(name: &str) -> Option<Self> {
        [Self::F32, Self::Bf16, Self::F16].into_iter().find(|stored| stored.torch_name() == name)
    }

    /// Safetensors' name of it.
    pub(crate) fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::Bf16 => Dtype::BF16,
            Self::F16 => Dtype::F16,
        }
    }

    pub(crate) fn of(dtype: Dtype) -> Option<Self> {
        [Self::F32, Self::Bf16, Self::F16].into_iter().find(|stored| stored.dtype() == dtype)
    }

    /// Bytes of a number.
    pub(crate) fn bytes(self) -> usize {
        if self == Self::F32 { 4 } else { 2 }
    }
}

impl From<Precision> for StoredType {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

//! Weight files, read, changed and written.

use std::fs;
use std::path::Path;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl Tensor {
    pub(crate) fn floats(name: &str, shape: Vec<usize>, values: Vec<f32>) -> Self {
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        Self { name: name.to_owned(), dtype: Dtype::F32, shape, bytes }
    }

    /// In bf16, cut off.
    pub(crate) fn narrow(mut self) -> Self {
        self.bytes = self.bytes.chunks_exact(4).flat_map(|four| [four[2], four[3]]).collect();
        self.dtype = Dtype::BF16;
        self
    }
}

pub(crate) fn read_tensors(path: &Path) -> Vec<Tensor> {
    let bytes = fs::read(path).unwrap();
    let of = |(name, view): (String, TensorView)| Tensor {
        name,
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    SafeTensors::deserialize(&bytes).unwrap().tensors().into_iter().map(of).collect()
}

pub(crate) fn write(path: &Path, tensors: &[Tensor]) {
    let views = tensors.iter().map(|tensor| {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes).unwrap();
        (tensor.name.as_str(), view)
    });
    safetensors::serialize_to_file(views, None, path).unwrap();
}

//! Hugging Face weights in and out.

mod load;
mod save;

pub(crate) use load::{headers, load, read_tensors};
pub(crate) use save::{save, write_tensors};

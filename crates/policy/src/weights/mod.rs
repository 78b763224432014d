//! Hugging Face weights in and out.

mod files;
mod load;
mod names;
mod save;

pub(crate) use files::has_weights;
pub(crate) use load::{ShapeAndValues, headers, load, read_tensors, stored_type};
pub(crate) use save::{save, write_tensors};

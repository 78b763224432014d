//! Hugging Face weights in and out.

mod load;
mod save;

pub(crate) use load::load;
pub(crate) use save::save;

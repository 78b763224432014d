//! Causal grouped-query attention: over a packed batch with shared prefixes, forward and backward, and of new tokens
//! over a cache.

mod by_key;
mod decode;
mod forward;
mod gradients;
mod key_blocks;
mod layout;
mod matrix;
mod stage;
mod tile;
mod warps;

pub use decode::{DecodePlan, decode_attention};
pub use forward::{Attention, attention};
pub use gradients::attention_grad;
pub use layout::PackedLayout;

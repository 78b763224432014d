//! xLAM-2: a bare list.
//!
//! ```text
//! [{"name": "f", "arguments": {…}}]
//! ```

use super::native::Native;
use super::productions::{Keys, list, list_text, space};

/// xLAM's dialect.
pub static XLAM: Native = Native {
    name: "xlam",
    bare: opens_list,
    block: |input, calls| list(Keys::PLAIN, input, calls),
    calls: |calls| list_text(Keys::PLAIN, calls),
    ends: &["<|eot_id|>", "<|im_end|>"],
    ..Native::COMMON
};

/// Whether a text begins with a list of objects, as much of it as is there. Words may begin with a bracket too.
fn opens_list(text: &[u8]) -> bool {
    text.strip_prefix(b"[").is_some_and(|inner| matches!(space(inner).first(), None | Some(b'{')))
}

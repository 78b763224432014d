//! Host data of a batch or a step, with its copies on GPUs.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Data on the host that operations are given, which owns its copies on GPUs: each is made by the first operation that
/// needs it there, and found by the others. A clone is the same value.
///
/// Made once a pack or step, it costs one upload for all layers.
pub struct Mirrored<T>(Arc<Inner<T>>);

struct Inner<T> {
    host: T,
    #[cfg(feature = "cube")]
    copies: crate::cube::Copies,
}

/// Token ids, or rows.
pub type Ids = Mirrored<Vec<u32>>;

impl<T> Mirrored<T> {
    /// Data without a copy yet.
    pub fn new(host: T) -> Self {
        Self(Arc::new(Inner {
            host,
            #[cfg(feature = "cube")]
            copies: crate::cube::Copies::default(),
        }))
    }

    #[cfg(feature = "cube")]
    pub(crate) fn copies(&self) -> &crate::cube::Copies {
        &self.0.copies
    }
}

impl<T> From<T> for Mirrored<T> {
    fn from(host: T) -> Self {
        Self::new(host)
    }
}

impl<T> Clone for Mirrored<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Mirrored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.host
    }
}

impl<T: fmt::Debug> fmt::Debug for Mirrored<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.host.fmt(f)
    }
}

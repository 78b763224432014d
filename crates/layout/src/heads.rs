//! Sizes of attention's heads.

use crate::LayoutError;

/// Sizes of grouped-query attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Heads {
    /// Query heads.
    pub query: usize,
    /// Key and value heads; divides `query`.
    pub kv: usize,
    /// Width of a head.
    pub dim: usize,
}

impl Heads {
    /// Query heads that share one key-value head.
    pub fn group(&self) -> usize {
        self.query / self.kv
    }

    /// Factor of the scores: one over the root of the head's width.
    pub fn scale(&self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }

    /// Whether attention can have these sizes.
    ///
    /// # Errors
    /// [`LayoutError::Heads`] where one is zero or the key-value heads do not divide the query heads.
    pub fn check(&self) -> Result<(), LayoutError> {
        let Self { query, kv, dim } = *self;
        let fits = query > 0 && kv > 0 && dim > 0 && query.is_multiple_of(kv);
        if fits { Ok(()) } else { Err(LayoutError::Heads(*self)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_do_not_divide_are_refused() {
        for (query, kv, dim, fits) in [(4, 2, 8, true), (3, 2, 8, false), (2, 0, 8, false), (2, 1, 0, false)]
        {
            assert_eq!(Heads { query, kv, dim }.check().is_ok(), fits, "{query} {kv} {dim}");
        }
    }
}

//! Where a sequence's keys and values stand in the cache.

/// The cached rows of one sequence: those of its prompt, which its group shares, then its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheSpans {
    /// The prompt's rows, as (start, len).
    pub prefix: (usize, usize),
    /// The reply's rows, as (start, len).
    pub own: (usize, usize),
}

impl CacheSpans {
    /// All rows, in the order of the sequence's positions.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        let run = |(start, len): (usize, usize)| start..start + len;
        run(self.prefix).chain(run(self.own))
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.prefix.1 + self.own.1
    }

    /// Whether nothing is cached.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

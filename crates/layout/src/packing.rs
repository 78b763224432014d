//! Which tokens of a packed batch see which: runs of tokens, each after a shared prefix or alone.

/// A run of consecutive rows of a packed batch that belong to one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First row.
    pub start: usize,
    /// Number of rows.
    pub len: usize,
    /// The rows of another segment that every token of this one sees, as (start, len); `(0, 0)`
    /// where there are none. A group's prompt is such a prefix of each of its replies.
    pub prefix: (usize, usize),
}

impl Segment {
    /// The position in its sequence of the segment's first token.
    pub fn offset(&self) -> usize {
        self.prefix.1
    }
}

/// A packed batch's layout: no padding, a shared prompt once.
///
/// A token sees every token of its segment's prefix, and those of its own segment up to itself. Segments stand in row
/// order without gaps, and a prefix is another whole segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packing {
    segments: Vec<Segment>,
    tokens: usize,
}

impl Packing {
    /// An empty layout.
    pub fn new() -> Self {
        Self::default()
    }

    /// One sequence of `len` tokens.
    pub fn single(len: usize) -> Self {
        Self { segments: vec![Segment { start: 0, len, prefix: (0, 0) }], tokens: len }
    }

    /// Appends a run of `len` tokens that follows the segment with index `after`, and returns its
    /// index. The segment it follows must be a first run itself: prefixes are one level deep.
    pub fn push(&mut self, len: usize, after: Option<usize>) -> usize {
        let prefix = after.map_or((0, 0), |i| (self.segments[i].start, self.segments[i].len));
        self.segments.push(Segment { start: self.tokens, len, prefix });
        self.tokens += len;
        self.segments.len() - 1
    }

    /// The runs, in row order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Number of rows.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Each row's position in its own sequence.
    pub fn positions(&self) -> Vec<usize> {
        let runs = self.segments.iter();
        runs.flat_map(|s| s.offset()..s.offset() + s.len).collect()
    }
}

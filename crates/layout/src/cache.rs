//! Where a sequence's keys and values stand in the cache, and how many a step has room for.

use crate::LayoutError;

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

    /// The row after the last.
    fn end(&self) -> usize {
        let runs = [self.prefix, self.own].into_iter().filter(|&(_, len)| len > 0);
        runs.map(|(start, len)| start + len).max().unwrap_or(0)
    }
}

/// The most of a decoding step, or of many whose numbers are written over from one to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeRoom {
    /// Sequences: as many are computed in every step. Those that are not there see nothing.
    pub sequences: usize,
    /// Sequences that share a prompt.
    pub members: usize,
    /// Rows of a prompt.
    pub prefix: usize,
    /// Rows of a reply.
    pub own: usize,
    /// Rows of the cache.
    pub rows: usize,
}

impl DecodeRoom {
    /// The room of one step, of which so many sequences share a prompt.
    pub fn of(spans: &[CacheSpans], members: usize) -> Self {
        let most = |of: fn(&CacheSpans) -> usize| spans.iter().map(of).max().unwrap_or(0);
        let (prefix, own, rows) = (most(|s| s.prefix.1), most(|s| s.own.1), most(CacheSpans::end));
        Self { sequences: spans.len(), members, prefix, own, rows }
    }

    /// Whether a step fits.
    ///
    /// # Errors
    /// [`LayoutError::Room`] where it does not, [`LayoutError::NothingSeen`] for a sequence without rows.
    pub fn check(&self, spans: &[CacheSpans]) -> Result<(), LayoutError> {
        if let Some(sequence) = spans.iter().position(CacheSpans::is_empty) {
            return Err(LayoutError::NothingSeen(sequence));
        }
        let found = Self::of(spans, self.members);
        for (what, found, most) in [
            ("sequences", found.sequences, self.sequences),
            ("cached rows of a prompt", found.prefix, self.prefix),
            ("cached rows of a reply", found.own, self.own),
            ("cached rows", found.rows, self.rows),
        ] {
            if found > most {
                return Err(LayoutError::Room { what, found, most });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_from_the_prompt_s_to_the_reply_s() {
        let spans = CacheSpans { prefix: (7, 2), own: (1, 3) };
        assert_eq!(spans.rows().collect::<Vec<_>>(), [7, 8, 1, 2, 3]);
        // An empty run ends nowhere.
        assert_eq!((spans.end(), CacheSpans { own: (90, 0), ..spans }.end()), (9, 9));
    }

    #[test]
    fn a_step_that_does_not_fit_is_refused() {
        let room = DecodeRoom { sequences: 2, members: 2, prefix: 5, own: 3, rows: 20 };
        let span = |prefix, own| CacheSpans { prefix, own };
        assert_eq!(room.check(&[span((0, 5), (17, 3)), span((0, 5), (0, 0))]), Ok(()));
        assert_eq!(
            room.check(&[span((0, 1), (0, 0)), span((3, 0), (4, 0))]),
            Err(LayoutError::NothingSeen(1))
        );
        for (spans, what) in [
            (vec![span((0, 1), (0, 0)); 3], "sequences"),
            (vec![span((0, 6), (0, 0))], "cached rows of a prompt"),
            (vec![span((0, 0), (2, 4))], "cached rows of a reply"),
            (vec![span((0, 1), (18, 3))], "cached rows"),
        ] {
            let refused = room.check(&spans).unwrap_err();
            assert!(matches!(refused, LayoutError::Room { what: found, .. } if found == what), "{refused}");
        }
    }
}

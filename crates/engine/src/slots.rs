//! Who stands where in the cache: a region of rows a prompt in use, a run of rows a reply in
//! progress. A finished reply's place is free at once.

use toolrl_kernels::CacheSpans;

/// Sizes of the cache's parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Prompts in use at a time, which is also the number of replies in progress at a time.
    pub slots: usize,
    /// Rows of a prompt's region.
    pub prompt: usize,
    /// Rows of a reply's run.
    pub reply: usize,
}

impl Layout {
    /// Rows of the whole cache.
    pub(crate) fn rows(&self) -> usize {
        self.slots * (self.prompt + self.reply)
    }

    /// First row of a prompt region.
    pub(crate) fn region(&self, region: usize) -> usize {
        region * self.prompt
    }

    /// The rows of a reply with `written` tokens cached, after a prompt of `prompt` tokens.
    pub(crate) fn spans(&self, slot: usize, region: usize, prompt: usize, written: usize) -> CacheSpans {
        let own = self.slots * self.prompt + slot * self.reply;
        CacheSpans { prefix: (self.region(region), prompt), own: (own, written) }
    }
}

/// A prompt whose keys and values are cached.
#[derive(Debug)]
pub(crate) struct Resident {
    /// Which of the prompts.
    pub prompt: usize,
    /// Logits after its last token: every member's first token is drawn from them.
    pub first_logits: Vec<f32>,
    /// Members that have not finished.
    pub left: usize,
}

/// The prompt regions.
#[derive(Debug)]
pub(crate) struct Regions(Vec<Option<Resident>>);

impl Regions {
    pub(crate) fn new(n: usize) -> Self {
        Self((0..n).map(|_| None).collect())
    }

    /// A free region.
    pub(crate) fn free(&self) -> Option<usize> {
        self.0.iter().position(Option::is_none)
    }

    /// The region that holds a prompt.
    pub(crate) fn of_prompt(&self, prompt: usize) -> Option<usize> {
        self.0.iter().position(|r| r.as_ref().is_some_and(|r| r.prompt == prompt))
    }

    pub(crate) fn put(&mut self, region: usize, resident: Resident) {
        self.0[region] = Some(resident);
    }

    pub(crate) fn first_logits(&self, region: usize) -> &[f32] {
        self.0[region].as_ref().map_or(&[], |r| &r.first_logits)
    }

    /// Counts a member as finished; the last one frees the region.
    pub(crate) fn finish_member(&mut self, region: usize) {
        if let Some(resident) = &mut self.0[region] {
            resident.left -= 1;
            if resident.left == 0 {
                self.0[region] = None;
            }
        }
    }
}

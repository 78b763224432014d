//! Activations of prompts that sampling has computed, kept for the first update, which has the same weights.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::tensor::Tensor;
use toolrl_cpu::layer;
use toolrl_cpu::numbers::Numbers;
use toolrl_cpu::skinny::MAX_ROWS;
use toolrl_kernels::{Ids, Mirrored, Packing, all_together};

use crate::precision::{numbers, tensor};
use crate::whole::WholeLayers;
use crate::{KvCache, Policy};

/// What a policy keeps; nothing of it is in a clone. Whatever changes weights forgets it.
#[derive(Debug, Default)]
pub(crate) struct KeptPrompts(Mutex<Store>);

#[derive(Debug, Default)]
struct Store {
    /// Bytes for which there is room.
    room: u64,
    prompts: Vec<KeptPrompt>,
}

impl Store {
    /// For how many tokens of a prompt there is room.
    fn tokens(&self, policy: &Policy) -> usize {
        (self.room / policy.kept_of_a_token().max(1)) as usize
    }
}

/// A prompt's activations, layer by layer.
#[derive(Debug)]
pub(crate) struct KeptPrompt {
    tokens: Vec<u32>,
    pub layers: Vec<layer::Activations>,
}

impl Clone for KeptPrompts {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl KeptPrompts {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of a packed batch's prompts that are there, with their rows: taken out.
    pub(crate) fn take(&self, tokens: &[u32], packing: &Packing) -> Vec<(Range<usize>, KeptPrompt)> {
        let prompts = &mut self.store().prompts;
        let taken = packing.segments().iter().filter(|segment| segment.prefix.1 == 0).filter_map(|segment| {
            let rows = segment.start..segment.start + segment.len;
            let at = prompts.iter().position(|prompt| prompt.tokens == tokens[rows.clone()])?;
            Some((rows, prompts.swap_remove(at)))
        });
        taken.collect()
    }
}

impl Policy {
    /// From now on, until weights change, [`Policy::prefill`] keeps the activations of prompts, so many bytes together, for
    /// the gradients of passes that begin with them. The prompts of these passes are then not computed again, with the
    /// same results to the bit. Nothing is kept of policies whose layers the CPU does not compute whole.
    pub fn keep_prompts(&self, bytes: u64) {
        if WholeLayers::of(self).is_none() {
            return;
        }
        let mut store = self.kept.store();
        let tokens: usize = store.prompts.iter().map(|prompt| prompt.tokens.len()).sum();
        store.room = bytes.saturating_sub(tokens as u64 * self.kept_of_a_token());
    }

    /// Bytes of a prompt's token that is kept.
    pub(crate) fn kept_of_a_token(&self) -> u64 {
        self.config().kept_of_a_token(self.precision())
    }

    /// Forgets them, and keeps no more.
    pub fn forget_prompts(&self) {
        *self.kept.store() = Store::default();
    }

    /// Whether prompts of these lengths should each be computed by itself, so that they can be kept. Of shorter ones the
    /// sums have another order then.
    pub fn keeps_prompts(&self, mut lengths: impl Iterator<Item = usize>) -> bool {
        self.kept.store().tokens(self) > 0 && lengths.all(|tokens| tokens > MAX_ROWS)
    }

    /// As [`Decoder::prefill`](crate::Decoder::prefill). A batch of one prompt is kept, where there is room.
    pub fn prefill(
        &self,
        tokens: Ids,
        packing: &Mirrored<Packing>,
        cache: &mut KvCache,
        at: Vec<usize>,
    ) -> Tensor<2> {
        let fits = packing.segments().len() == 1
            && tokens.len() > MAX_ROWS
            && tokens.len() <= self.kept.store().tokens(self);
        match fits.then(|| WholeLayers::of(self)).flatten() {
            Some(layers) => all_together(|| self.prefill_whole(&layers, &tokens, packing, (cache, at))),
            None => self.decoder().prefill(tokens, packing, cache, at),
        }
    }

    fn prefill_whole(
        &self,
        layers: &WholeLayers,
        tokens: &Ids,
        packing: &Packing,
        (cache, at): (&mut KvCache, Vec<usize>),
    ) -> Tensor<2> {
        let (decoder, last) = (self.decoder(), [tokens.len() as u32 - 1]);
        let device = decoder.head().device();
        let matrix = |values: Numbers, rows: usize| {
            let width = values.len() / rows;
            tensor(values, [rows, width], &device)
        };
        let at: Ids = at.into_iter().map(|row| row as u32).collect::<Vec<_>>().into();
        let angles = decoder.angles(&packing.positions());
        let batch = layers.batch(packing, &angles.full, &last);
        let mut x = numbers(decoder.embed(tokens.clone()));
        let mut kept = Vec::with_capacity(layers.len());
        for i in 0..layers.len() {
            let (all, y) = layers.layer(i, x, batch, (Vec::new(), batch.table));
            let [k, v] = [&all.k, &all.v].map(|rows| matrix(rows.clone(), tokens.len()));
            cache.write(i, k, v, &at);
            kept.push(all);
            x = y;
        }
        let mut store = self.kept.store();
        store.room = store.room.saturating_sub(tokens.len() as u64 * self.kept_of_a_token());
        store.prompts.push(KeptPrompt { tokens: tokens.to_vec(), layers: kept });
        decoder.normed(matrix(x, 1))
    }
}

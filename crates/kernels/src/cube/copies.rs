//! Copies of host data on GPUs, which the data owns.

use std::any::Any;
use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};

use burn_cubecl::CubeDevice;
use burn_cubecl::tensor::CubeTensor;
use toolrl_cube::{Angles, Buffer, DecodePlan, Dtype, Indices, PackedLayout};

use super::tensor::{fits, storage};
use crate::{CacheSpans, Heads, Ids, Mirrored, Packing, RopeTable};

/// What was made of one host value, by device; there may be several forms of it on one.
#[derive(Default)]
pub(crate) struct Copies(Mutex<Vec<(CubeDevice, Arc<dyn Any + Send + Sync>)>>);

thread_local! {
    static UPLOADS: Cell<usize> = const { Cell::new(0) };
}

/// How often this thread has copied something.
pub(super) fn uploads() -> usize {
    UPLOADS.get()
}

impl<T> Mirrored<T> {
    /// Host data that `copy` stands for on a device, whatever it holds.
    pub(super) fn standing_for<U: Any + Send + Sync>(host: T, device: &CubeDevice, copy: Arc<U>) -> Self {
        let all = Self::new(host);
        all.copies().0.lock().unwrap_or_else(PoisonError::into_inner).push((device.clone(), copy));
        all
    }

    /// The copy on the device of a tensor, of the wanted form; made where there is none.
    fn copy<U: Any + Send + Sync>(
        &self,
        beside: &CubeTensor,
        is_wanted: impl Fn(&U) -> bool,
        make: impl FnOnce(&T) -> U,
    ) -> Arc<U> {
        let mut copies = self.copies().0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = copies.iter().filter(|(device, _)| *device == beside.device);
        let mut of_kind = there.filter_map(|(_, copy)| copy.clone().downcast::<U>().ok());
        if let Some(found) = of_kind.find(|copy| is_wanted(copy)) {
            return found;
        }
        let made = Arc::new(make(self));
        UPLOADS.set(UPLOADS.get() + 1);
        copies.push((beside.device.clone(), made.clone()));
        made
    }
}

impl Ids {
    pub(super) fn beside(&self, tensor: &CubeTensor) -> Arc<Indices> {
        self.copy(tensor, |_| true, |ids| Indices::from_slice(&tensor.client, ids))
    }
}

impl Mirrored<f32> {
    pub(super) fn beside(&self, tensor: &CubeTensor) -> Arc<Buffer> {
        self.copy(tensor, |_| true, |&number| Buffer::from_slice(&tensor.client, &[number], Dtype::F32))
    }
}

impl Mirrored<RopeTable> {
    pub(super) fn beside(&self, tensor: &CubeTensor) -> Arc<Angles> {
        self.copy(tensor, |_| true, |table| Angles::new(&tensor.client, table))
    }
}

impl Mirrored<Packing> {
    /// For heads of these sizes and numbers stored as the tensor's.
    pub(super) fn layout_beside(&self, tensor: &CubeTensor, heads: Heads) -> Arc<PackedLayout> {
        let dtype = storage(tensor.dtype);
        let is_wanted = |layout: &PackedLayout| (layout.heads(), layout.dtype()) == (heads, dtype);
        self.copy(tensor, is_wanted, |packing| fits(PackedLayout::new(&tensor.client, packing, heads, dtype)))
    }
}

impl Mirrored<Vec<CacheSpans>> {
    /// For heads of these sizes.
    pub(super) fn plan_beside(&self, tensor: &CubeTensor, heads: Heads) -> Arc<DecodePlan> {
        let is_wanted = |plan: &DecodePlan| plan.heads() == heads;
        self.copy(tensor, is_wanted, |spans| fits(DecodePlan::new(&tensor.client, spans, heads)))
    }
}

//! Host data that the operations of a pass share, on the device: uploaded by the first that asks, found by the others.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use burn_cubecl::CubeDevice;
use burn_cubecl::tensor::CubeTensor;
use toolrl_cube::{Buffer, DecodePlan, Dtype, Indices, PackedLayout, RopeTable as Angles};

use super::tensor::{fits, storage};
use crate::backend::Ids;
use crate::{CacheSpans, Heads, Packing, RopeTable};

/// What is remembered, at most: a step's ids, positions, spans and places, and those of the step before.
const KEPT: usize = 16;

struct Entry {
    /// Keeps the address of what was uploaded from being used again.
    host: Weak<dyn Any + Send + Sync>,
    device: CubeDevice,
    uploaded: Arc<dyn Any + Send + Sync>,
}

thread_local! {
    /// By thread, as the runtime's streams are.
    static UPLOADED: RefCell<VecDeque<Entry>> = const { RefCell::new(VecDeque::new()) };
    static UPLOADS: Cell<usize> = const { Cell::new(0) };
}

/// What `upload` makes of `host`, made once for as long as it is among the last that were asked for.
pub(super) fn once<T, U>(host: &Arc<T>, device: &CubeDevice, upload: impl FnOnce(&T) -> U) -> Arc<U>
where
    T: Send + Sync + 'static,
    U: Send + Sync + 'static,
{
    once_where(host, device, |_| true, upload)
}

/// As [`once`], where what is found should be of some kind.
fn once_where<T, U>(
    host: &Arc<T>,
    device: &CubeDevice,
    is_wanted: impl Fn(&U) -> bool,
    upload: impl FnOnce(&T) -> U,
) -> Arc<U>
where
    T: Send + Sync + 'static,
    U: Send + Sync + 'static,
{
    let address = Arc::as_ptr(host).cast::<()>();
    let found = UPLOADED.with_borrow(|entries| {
        let same = |e: &&Entry| e.host.as_ptr().cast::<()>() == address && e.device == *device;
        // One host value may have several forms on the device.
        let of_form = |e: &Entry| e.uploaded.clone().downcast::<U>().ok().filter(|found| is_wanted(found));
        entries.iter().filter(same).find_map(of_form)
    });
    if let Some(found) = found {
        return found;
    }
    let uploaded = Arc::new(upload(host));
    UPLOADS.set(UPLOADS.get() + 1);
    UPLOADED.with_borrow_mut(|entries| keep(entries, host, device, uploaded.clone()));
    uploaded
}

/// From here on `uploaded` is what `host` is on the device, whatever it holds, while it is among the last.
pub(super) fn stand_for<T, U>(host: &Arc<T>, device: &CubeDevice, uploaded: Arc<U>)
where
    T: Send + Sync + 'static,
    U: Send + Sync + 'static,
{
    let address = Arc::as_ptr(host).cast::<()>();
    UPLOADED.with_borrow_mut(|entries| {
        // What stood for it before is free at once: a recording finds the memory that the run before it left.
        entries.retain(|e| e.host.as_ptr().cast::<()>() != address || e.device != *device);
        keep(entries, host, device, uploaded);
    });
}

/// How often this thread has uploaded something.
pub(super) fn uploads() -> usize {
    UPLOADS.get()
}

fn keep<T, U>(entries: &mut VecDeque<Entry>, host: &Arc<T>, device: &CubeDevice, uploaded: Arc<U>)
where
    T: Send + Sync + 'static,
    U: Send + Sync + 'static,
{
    let any: Arc<dyn Any + Send + Sync> = host.clone();
    entries.truncate(KEPT - 1);
    entries.push_front(Entry { host: Arc::downgrade(&any), device: device.clone(), uploaded });
}

/// Token ids or row numbers, beside a tensor.
pub(super) fn ids(ids: &Ids, beside: &CubeTensor) -> Arc<Indices> {
    once(ids, &beside.device, |ids| Indices::from_slice(&beside.client, ids))
}

/// Places in a cache, beside a tensor.
pub(super) fn places(at: &Arc<Vec<usize>>, beside: &CubeTensor) -> Arc<Indices> {
    once(at, &beside.device, |at| {
        let rows: Vec<u32> = at.iter().map(|&row| row as u32).collect();
        Indices::from_slice(&beside.client, &rows)
    })
}

/// The angles of a batch's positions, beside a tensor.
pub(super) fn angles(table: &Arc<RopeTable>, beside: &CubeTensor) -> Arc<Angles> {
    once(table, &beside.device, |table| {
        let (cos, sin) = table.columns();
        let upload = |values: &[f32]| Buffer::from_slice(&beside.client, values, Dtype::F32);
        Angles { cos: upload(cos), sin: upload(sin), half: table.half() }
    })
}

/// A batch's layout, beside a tensor.
pub(super) fn layout(packing: &Arc<Packing>, heads: Heads, beside: &CubeTensor) -> Arc<PackedLayout> {
    let (heads, dtype) = (sizes(heads), storage(beside.dtype));
    let upload = |packing: &Packing| {
        let segments: Vec<_> = packing
            .segments()
            .iter()
            .map(|s| toolrl_cube::Segment { start: s.start, len: s.len, prefix: s.prefix })
            .collect();
        fits(PackedLayout::new(&beside.client, &segments, heads, dtype))
    };
    let is_wanted = |layout: &PackedLayout| (layout.heads(), layout.dtype()) == (heads, dtype);
    once_where(packing, &beside.device, is_wanted, upload)
}

/// A decoding step's plan, beside a tensor.
pub(super) fn plan(spans: &Arc<Vec<CacheSpans>>, heads: Heads, beside: &CubeTensor) -> Arc<DecodePlan> {
    once(spans, &beside.device, |spans| {
        let spans: Vec<_> =
            spans.iter().map(|s| toolrl_cube::CacheSpans { prefix: s.prefix, own: s.own }).collect();
        fits(DecodePlan::new(&beside.client, &spans, sizes(heads)))
    })
}

/// Sizes of heads as the kernels take them.
pub(super) fn sizes(Heads { query, kv, dim }: Heads) -> toolrl_cube::Heads {
    toolrl_cube::Heads { query, kv, dim }
}

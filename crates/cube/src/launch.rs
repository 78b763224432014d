//! How much a unit, a team and a workgroup take of an operation's work.

use cubecl::ir::features::Plane;
use cubecl::prelude::*;
use cubecl::server::CubeCountSelection;

use crate::CubeError;

/// Units of a workgroup whose units do not need each other.
pub(crate) const UNITS: u32 = 256;

/// At least `cubes` workgroups, numbered without regard to axes; a kernel leaves out those beyond.
pub(crate) fn grid(client: &Client, cubes: usize) -> CubeCount {
    if cubes == 0 {
        return CubeCount::Static(0, 0, 0);
    }
    CubeCountSelection::new(client, cubes as u32).cube_count()
}

/// Workgroups for `items` independent items, one a unit.
pub(crate) fn elementwise(client: &Client, items: usize) -> (CubeCount, CubeDim) {
    (grid(client, items.div_ceil(UNITS as usize)), CubeDim::new_1d(UNITS))
}

/// The most numbers of `size` bytes that one load takes and that divide each of `widths`.
pub(crate) fn vector_size(client: &Client, size: usize, widths: &[usize]) -> usize {
    let fits = |n: &usize| widths.iter().all(|width| width.is_multiple_of(*n));
    client.io_optimized_vector_sizes(size).filter(fits).max().unwrap_or(1)
}

/// Units that exchange numbers without shared memory: a power of two, 1 where the device has no such thing.
pub(crate) fn plane_size(client: &Client) -> u32 {
    let hardware = &client.properties().hardware;
    let (least, most) = (hardware.plane_size_min, hardware.plane_size_max);
    let whole = least == most && least.is_power_of_two();
    if whole && client.features().plane.contains(Plane::Ops) { least } else { 1 }
}

/// Units that work on one row together, and how many such teams share a workgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Teams {
    /// Units of a team: a power of two.
    pub width: u32,
    /// Teams of a workgroup.
    pub count: u32,
    /// See [`plane_size`].
    pub plane: u32,
}

impl Teams {
    /// Teams for rows of `vectors` vectors: a plane where that leaves a unit few of them, else up to a workgroup.
    pub fn for_rows(client: &Client, vectors: usize) -> Self {
        let wanted = vectors.next_power_of_two();
        let width = if vectors <= 256 { wanted.min(32) } else { (wanted / 4).min(UNITS as usize) } as u32;
        Self { width, count: UNITS / width, plane: plane_size(client) }
    }

    /// The shape of a workgroup.
    pub fn dim(self) -> CubeDim {
        CubeDim::new_2d(self.width, self.count)
    }

    /// Workgroups that take `rows` rows.
    pub fn grid(self, client: &Client, rows: usize) -> CubeCount {
        grid(client, rows.div_ceil(self.count as usize))
    }
}

/// `whole / part`, where `part` is a divisor other than zero.
pub(crate) fn divide(what: &'static str, whole: usize, part: usize) -> Result<usize, CubeError> {
    if part == 0 || !whole.is_multiple_of(part) {
        return Err(CubeError::Size { what, value: part, of: whole });
    }
    Ok(whole / part)
}

//! What can be wrong with a kernel's arguments or its run.

use cubecl::server::ServerError;
use toolrl_layout::LayoutError;

use crate::Dtype;

/// Why an operation was refused, or failed on the device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CubeError {
    /// A buffer does not hold as many numbers as the shapes ask for.
    #[error("{what} holds {found} numbers where {expected} are expected")]
    Length {
        /// Which buffer.
        what: &'static str,
        /// Length that the shapes ask for.
        expected: usize,
        /// Its length.
        found: usize,
    },
    /// A size is zero where it must not be, or does not divide one that it must divide.
    #[error("{what} is {value}, which does not fit {of}")]
    Size {
        /// Which size.
        what: &'static str,
        /// Its value.
        value: usize,
        /// The size that it must fit.
        of: usize,
    },
    /// An index points outside of what it indexes.
    #[error("{what} {value} is not below {limit}")]
    Index {
        /// Which index.
        what: &'static str,
        /// Its value.
        value: usize,
        /// The first value that is too large.
        limit: usize,
    },
    /// Numbers are stored otherwise than the operation needs.
    #[error("{what} is stored as {found:?} where {expected:?} is needed")]
    Storage {
        /// Which buffer.
        what: &'static str,
        /// What the operation needs.
        expected: Dtype,
        /// How the buffer is stored.
        found: Dtype,
    },
    /// A setting is not a number that the operation can work with.
    #[error("{what} is {value}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// What a layout says does not fit.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The device has too little shared memory for a head of this width.
    #[error("a head of width {dim} needs more shared memory than the device's {available} bytes")]
    SharedMemory {
        /// Width of a head.
        dim: usize,
        /// Bytes that the device has for a workgroup.
        available: usize,
    },
    /// The device reported a failure.
    #[error("the device failed: {0}")]
    Device(#[from] ServerError),
}

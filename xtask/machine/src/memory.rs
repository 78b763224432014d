//! The memory that a block sees.

use crate::MachineError;

/// Shared memory's addresses begin here, so that a null pointer is not one.
pub(crate) const SHARED: u64 = 1 << 24;

/// A block's shared memory.
pub(crate) struct Shared {
    bytes: Vec<u128>,
    used: usize,
}

impl Shared {
    /// Memory of so many bytes, filled with what a kernel must not rely on: numbers that are none in any format.
    pub fn new(used: usize) -> Self {
        // Aligned as the strictest of swizzled tiles asks for: 1,024 bytes.
        Self { bytes: vec![u128::MAX; used.div_ceil(16) + 64], used }
    }

    fn base(&self) -> u64 {
        (self.bytes.as_ptr() as u64).next_multiple_of(1024)
    }

    /// The host's address of a shared one.
    pub fn address(&self, address: u64, bytes: usize, name: &str) -> Result<u64, MachineError> {
        let offset = address.wrapping_sub(SHARED);
        if offset.checked_add(bytes as u64).is_none_or(|end| end > self.used as u64) {
            return Err(MachineError::Shared { name: name.to_owned(), bytes: self.used, address: offset });
        }
        Ok(self.base() + offset)
    }

    /// The address that any space's instructions take.
    pub fn generic(&self, address: u64) -> u64 {
        self.base().wrapping_add(address.wrapping_sub(SHARED))
    }

    /// Back from [`Self::generic`].
    pub fn window(&self, address: u64) -> u64 {
        address.wrapping_sub(self.base()).wrapping_add(SHARED)
    }
}

/// Reads `bytes` (1, 2, 4 or 8) bytes.
///
/// # Safety
///
/// The address must be one of the process that may be read.
pub(crate) unsafe fn read(address: u64, bytes: usize) -> u64 {
    let mut value = [0; 8];
    // SAFETY: as the caller promises.
    unsafe { std::ptr::copy_nonoverlapping(address as *const u8, value.as_mut_ptr(), bytes) };
    u64::from_le_bytes(value)
}

/// Writes the lower `bytes` bytes.
///
/// # Safety
///
/// The address must be one of the process that may be written.
pub(crate) unsafe fn write(address: u64, bytes: usize, value: u64) {
    // SAFETY: as the caller promises.
    unsafe { std::ptr::copy_nonoverlapping(value.to_le_bytes().as_ptr(), address as *mut u8, bytes) };
}

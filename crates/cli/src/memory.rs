//! The C library's allocator, told how training uses memory.

/// Keeps freed memory for the next pass. By default the allocator gives it back to the system whenever a pass's
/// activations are freed, and each page comes back through a fault: a million a step of a 135M policy.
pub(crate) fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const NEVER: libc::c_int = libc::c_int::MAX;
        /// The largest that glibc takes.
        const LARGEST_FROM_HEAP: libc::c_int = 32 << 20;
        for (setting, value) in [
            // Other arenas than the first are cut into heaps of 64 MB, which are unmapped when they empty.
            (libc::M_ARENA_MAX, 1),
            (libc::M_MMAP_THRESHOLD, LARGEST_FROM_HEAP),
            (libc::M_TRIM_THRESHOLD, NEVER),
        ] {
            // SAFETY: sets a number; a value that is refused changes nothing.
            unsafe { libc::mallopt(setting, value) };
        }
    }
}

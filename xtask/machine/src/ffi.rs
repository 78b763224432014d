//! What the driver, which is C, calls.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;

use crate::{Kernel, Launch, Module};

/// Reads PTX. Null, and a line on standard error, where that cannot be done.
///
/// # Safety
///
/// `text` must be a string that ends with a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn machine_load(text: *const c_char) -> *mut c_void {
    // SAFETY: as the caller promises.
    let text = unsafe { CStr::from_ptr(text) };
    match Module::parse(&text.to_string_lossy()) {
        Ok(module) => Box::into_raw(Box::new(module)).cast(),
        Err(error) => complain(&error.to_string()),
    }
}

/// A kernel of a module, by name; null where there is none.
///
/// # Safety
///
/// `module` must come from [`machine_load`], `name` be a string that ends with a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn machine_kernel(module: *const c_void, name: *const c_char) -> *mut c_void {
    // SAFETY: as the caller promises.
    let (module, name) = unsafe { (&*module.cast::<Module>(), CStr::from_ptr(name)) };
    match module.kernel(&name.to_string_lossy()) {
        Ok(kernel) => Arc::into_raw(kernel).cast_mut().cast(),
        Err(error) => complain(&error.to_string()),
    }
}

/// How many bytes a kernel's parameters take together.
///
/// # Safety
///
/// `kernel` must come from [`machine_kernel`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn machine_parameters(kernel: *const c_void) -> usize {
    // SAFETY: as the caller promises.
    let kernel = unsafe { &*kernel.cast::<Kernel>() };
    kernel.parameters.last().map_or(0, |(bytes, at)| bytes + at)
}

/// Puts parameters one behind the other, as the kernel reads them.
///
/// # Safety
///
/// `kernel` must come from [`machine_kernel`], `arguments` point to each parameter, and `to` have room for all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn machine_pack(kernel: *const c_void, arguments: *const *const u8, to: *mut u8) {
    // SAFETY: as the caller promises.
    let kernel = unsafe { &*kernel.cast::<Kernel>() };
    for (index, &(bytes, at)) in kernel.parameters.iter().enumerate() {
        // SAFETY: as the caller promises.
        unsafe { std::ptr::copy_nonoverlapping(*arguments.add(index), to.add(at), bytes) };
    }
}

/// Runs a kernel: 0, or 1 and a line on standard error.
///
/// # Safety
///
/// `kernel` must come from [`machine_kernel`], `parameters` from [`machine_pack`], and what they point to be there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn machine_run(
    kernel: *const c_void,
    sizes: *const u32,
    shared: u32,
    parameters: *const u8,
) -> c_int {
    // SAFETY: as the caller promises.
    let kernel = unsafe { &*kernel.cast::<Kernel>() };
    let size = |index: usize| {
        // SAFETY: a grid's and a block's three sizes each.
        unsafe { *sizes.add(index) }
    };
    let bytes = kernel.parameters.last().map_or(0, |(bytes, at)| bytes + at);
    // SAFETY: the parameters take so many bytes.
    let parameters = unsafe { std::slice::from_raw_parts(parameters, bytes) };
    let (grid, block) = ([size(0), size(1), size(2)], [size(3), size(4), size(5)]);
    let launch = Launch { kernel, grid, block, shared: shared as usize, parameters };
    // SAFETY: as the caller promises.
    match unsafe { launch.run() } {
        Ok(()) => 0,
        Err(error) => {
            complain(&format!("{}: {error}", kernel.name));
            1
        }
    }
}

#[expect(clippy::print_stderr, reason = "the driver's user has no other way to know")]
fn complain(message: &str) -> *mut c_void {
    eprintln!("machine: {message}");
    std::ptr::null_mut()
}

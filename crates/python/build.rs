//! Names of Python's that a library leaves open are errors to the linker of macOS, unless it is told.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}

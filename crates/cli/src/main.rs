//! The `toolrl` binary.
fn main() {}

//! The toolrl binary.

//! Steps sampled ahead.

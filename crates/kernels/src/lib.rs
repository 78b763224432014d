//! Fused operations on burn tensors, each with its backward and a plain reference.

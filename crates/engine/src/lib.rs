//! The local sampler: a group's prompt computed once, batched decoding, log-probabilities.

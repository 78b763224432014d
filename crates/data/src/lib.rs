//! Samples, their sources, and the synthetic tool world.

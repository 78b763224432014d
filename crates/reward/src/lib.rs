//! Named, weighted reward terms over a parsed reply, each score with its breakdown.

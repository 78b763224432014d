//! Advantages and losses of the GRPO family as pure functions.

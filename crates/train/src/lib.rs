//! Recipes: SFT and GRPO; scoring, batching, update, checkpoint, metrics, report.

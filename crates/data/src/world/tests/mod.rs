//! Tests of the world: its tables, its settings, its tasks.

mod settings;
mod tables;
mod tasks;

use super::{World, WorldConfig, WorldTasks};

fn generate(train: usize, held_out: usize) -> WorldTasks {
    World::generate(&WorldConfig { train, held_out, ..WorldConfig::default() }).unwrap()
}

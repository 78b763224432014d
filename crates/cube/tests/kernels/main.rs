//! Every kernel against a plain reference in f64, on every device that this machine has.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod adamw;
mod attention;
mod checksum;
mod decode;
mod device;
mod embedding;
mod head;
mod models;
mod norm;
mod place;
mod product;
mod record;
mod rope;
mod rows;
mod sample;
mod swiglu;

//! How likely a difference between two policies, or two ways to train one, is by chance.
//!
//! Two kinds of chance are in it. Which tasks were asked: [`sign_flip()`] compares two policies task by task, which is far sharper
//! than comparing their means, as hard tasks are hard for both (Miller, Adding Error Bars to Evals, arXiv 2411.00640,
//! section 4.2). Which seeds were trained with: [`welch()`] compares means over seeds. A claim on ways to train needs both. By an
//! intersection-union test (Berger, 1982) it is rejected at a level where each rejects at that level, so that its p is the
//! greater of the two. Several claims are corrected by [`holm()`]. [`bootstrap()`] says how far a figure would move if other tasks
//! had been asked.

mod bootstrap;
mod holm;
mod sign_flip;
mod split_mix;
mod student;
mod welch;

pub use bootstrap::{Interval, Stratum, bootstrap};
pub use holm::holm;
pub use sign_flip::sign_flip;
pub use welch::{Moments, welch};

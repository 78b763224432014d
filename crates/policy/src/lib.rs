//! Decoder models, their key-value cache, and Hugging Face weights in and out.
//!
//! Invariant: a parameter's name is its path in the module tree, and that is its name in a Hugging
//! Face file (adapters have PEFT's names in theirs); what is loaded and saved again is equal bit by bit, and nothing is loaded in part.
//!
//! One forward pass serves the trainer (packed sequences, gradients) and the sampler (cached keys
//! and values): they differ in how a layer attends and in nothing else.

mod backward;
mod cache;
mod config;
mod critic;
mod decode;
mod decoder;
mod device;
mod error;
mod geglu;
mod generation;
mod gradients;
mod init;
mod inspect;
mod layer;
mod lora;
mod masters;
mod memory;
mod optimizer;
mod pass;
mod place;
mod policy;
mod precision;
mod prompts;
mod replica;
mod rope;
mod trained;
mod weights;
mod whole;
mod window;

pub use cache::KvCache;
pub use config::{Architecture, ModelConfig, Multipliers, RopeScaling, Sliding};
pub use critic::Critic;
pub use decode::JoinedProjections;
pub use decoder::Decoder;
pub use device::{CudaGpu, CudaReport, DeviceChoice, Place};
pub use error::PolicyError;
pub use generation::Generation;
pub use gradients::ParameterGradients;
pub use inspect::{Inspection, StoredTensor};
pub use lora::{AdapterConfig, LoraConfig};
pub use memory::{Memory, ReferenceCopy, Workload};
pub use optimizer::DeviceMoments;
pub use pass::{Activations, Derivatives, Pass, PassSettings};
pub use place::{NamedBase, PolicyPlace};
pub use policy::{ParameterValues, Policy};
pub use precision::Precision;
pub use toolrl_kernels::{AdamWStep, CacheSpans, Heads, Ids, Isa, Mirrored, NotHere, Packing, norm};

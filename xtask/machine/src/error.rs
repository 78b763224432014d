//! What can be wrong with a program or a launch.

/// An error, with the line of PTX where there is one.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum MachineError {
    /// An instruction that this machine does not have.
    #[error("the instruction {0} is not known")]
    Unknown(String),
    /// Text that is no PTX.
    #[error("expected {expected}, found {found:?}")]
    Syntax {
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A register, label or variable that is not declared.
    #[error("{0} is not declared")]
    Undeclared(String),
    /// A module has no such kernel.
    #[error("no kernel {0}")]
    NoKernel(String),
    /// An address outside a block's shared memory.
    #[error("{name}: shared memory has {bytes} bytes, address {address} is outside")]
    Shared {
        /// The instruction.
        name: String,
        /// How many there are.
        bytes: usize,
        /// What was asked for.
        address: u64,
    },
    /// An address that is no multiple of what is read.
    #[error("{name}: address {address:#x} is no multiple of {bytes}")]
    Misaligned {
        /// The instruction.
        name: String,
        /// The address.
        address: u64,
        /// The size of what is read or written.
        bytes: usize,
    },
    /// Lanes wait for others that do not come.
    #[error("lanes wait at {0:?} for others that have ended or wait elsewhere")]
    Stuck(Vec<String>),
}

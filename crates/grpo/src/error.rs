//! What can be wrong with the numbers handed in.

/// Why a loss or an optimiser step was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GrpoError {
    /// Two slices that go together differ in length.
    #[error("{what} has {found} values where {expected} are expected (sequence {sequence})")]
    LengthMismatch {
        /// Which slice.
        what: &'static str,
        /// Position of the sequence in the call's argument; 0 for an optimiser step.
        sequence: usize,
        /// Length of the slice it must match.
        expected: usize,
        /// Its own length.
        found: usize,
    },
    /// The configuration needs a slice that a sequence does not carry.
    #[error("the loss needs {what}, which sequence {sequence} does not carry")]
    Missing {
        /// Which slice.
        what: &'static str,
        /// Position of the sequence in the call's argument.
        sequence: usize,
    },
    /// An input or a term of the loss is NaN or infinite.
    #[error("{what} is {value} at token {token} of sequence {sequence}")]
    NotFinite {
        /// Which quantity.
        what: &'static str,
        /// Its value.
        value: f64,
        /// Position of the sequence in the call's argument.
        sequence: usize,
        /// Position of the token in its sequence, from 0.
        token: usize,
    },
    /// A micro-batch that is larger than the update batch it is said to be part of.
    #[error(
        "{sequences} sequences of {tokens} tokens are more than the update batch's \
         {batch_sequences} sequences of {batch_tokens} tokens"
    )]
    ExtentTooSmall {
        /// Sequences handed in.
        sequences: usize,
        /// Tokens handed in.
        tokens: usize,
        /// Sequences of the whole update batch, as stated.
        batch_sequences: usize,
        /// Tokens of the whole update batch, as stated.
        batch_tokens: usize,
    },
    /// A setting outside its range.
    #[error("{name} = {value}: expected {expected}")]
    Setting {
        /// The setting's key.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The values it may have.
        expected: &'static str,
    },
    /// A setting that does nothing, or nothing that is known, beside another.
    #[error("{name}: {why}")]
    Conflict {
        /// The setting's key.
        name: &'static str,
        /// What it does not go with.
        why: &'static str,
    },
}

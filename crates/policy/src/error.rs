//! What can be wrong with a model directory.

use std::path::PathBuf;

/// Why a policy could not be loaded or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A JSON file of the directory is not what it should be.
    #[error("{path}: {message}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        message: String,
    },
    /// The configuration asks for what this crate does not do.
    #[error("{path}: {option} = {value} is not supported ({supported})")]
    Unsupported {
        /// The configuration file.
        path: PathBuf,
        /// The key.
        option: String,
        /// Its value.
        value: String,
        /// What is.
        supported: &'static str,
    },
    /// The files that stand beside the weights could not be written.
    #[error(transparent)]
    Companions(Box<dyn std::error::Error + Send + Sync>),
    /// Values that are put back are those of another policy.
    #[error("trained parameter {parameter} has {expected:?} values, and {found:?} were given")]
    Values {
        /// Which parameter, from 0, of those that are trained.
        parameter: usize,
        /// Its values; none where the policy has no such parameter.
        expected: Option<usize>,
        /// Those that were given.
        found: Option<usize>,
    },
    /// A device is not there, or cannot be used.
    #[error("cannot compute on {device}: {problem}")]
    Device {
        /// The device that was asked for.
        device: String,
        /// What is missing, and what to do.
        problem: String,
    },
    /// Adapters cannot be made as asked for.
    #[error("lora: {0}")]
    Lora(String),
    /// A file is what Git leaves in the place of a large one.
    #[error(
        "{path}: this is a pointer of Git LFS, not the file itself: fetch it by `git lfs pull` in its directory"
    )]
    LfsPointer {
        /// The file.
        path: PathBuf,
    },
    /// The weights are there in PyTorch's pickle form alone.
    #[error("{path}: pickle files can run code and are not read; convert it to safetensors once: {convert}")]
    Pickle {
        /// The file.
        path: PathBuf,
        /// A command that does it.
        convert: String,
    },
    /// No weights are in the directory.
    #[error("{dir}: neither model.safetensors nor model.safetensors.index.json is there")]
    NoWeights {
        /// The model directory.
        dir: PathBuf,
    },
    /// A weight file is broken.
    #[error("{path}: not a readable safetensors file: {message}")]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The reader's reason.
        message: String,
    },
    /// The tensors of an adapter's file are not those that its settings describe.
    #[error("{dir}: the adapters do not fit adapter_config.json:{}", list(.missing, .unexpected, .wrong))]
    Adapter {
        /// The adapter's directory.
        dir: PathBuf,
        /// Tensors that the file does not have.
        missing: Vec<String>,
        /// Tensors that the settings do not tell of.
        unexpected: Vec<String>,
        /// Tensors of another shape: name, what was found, what was expected.
        wrong: Vec<String>,
    },
    /// The tensors of the directory are not those that the configuration describes.
    #[error("{dir}: the weights do not fit config.json:{}", list(.missing, .unexpected, .wrong))]
    Weights {
        /// The model directory.
        dir: PathBuf,
        /// Tensors that no file has.
        missing: Vec<String>,
        /// Tensors that the model does not have.
        unexpected: Vec<String>,
        /// Tensors of another shape or type: name, what was found, what was expected.
        wrong: Vec<String>,
    },
}

/// Tensors that a message names of each sort; the error itself has them all.
const SHOWN: usize = 12;

fn list(missing: &[String], unexpected: &[String], wrong: &[String]) -> String {
    let part = |what: &str, names: &[String]| match names {
        [] => String::new(),
        names => {
            let shown = &names[..names.len().min(SHOWN)];
            let rest = names.len() - shown.len();
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            format!(" {} {what}: {}{more};", names.len(), shown.join(", "))
        }
    };
    let all = [part("missing", missing), part("unexpected", unexpected), part("wrong", wrong)].concat();
    all.trim_end_matches(';').to_owned()
}

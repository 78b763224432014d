//! Why servers do not serve.

/// Why servers do not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServersError {
    /// A setting that cannot be.
    #[error("servers: {key}: {problem}")]
    Setting {
        /// Which one.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A version that no server was told to take.
    #[error("version {version} of the weights was not published")]
    NotPublished {
        /// Which one.
        version: u64,
    },
}

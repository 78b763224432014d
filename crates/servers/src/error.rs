//! Why servers do not serve.

use std::path::PathBuf;

use toolrl_remote::RemoteError;

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
    /// A file of an adapter, or the key, that cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A probe that tells nothing.
    #[error("the probe of version {version}: {problem}")]
    Probe {
        /// The version of the weights that it is of.
        version: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A version that is not on the servers: never published, or kept no longer.
    #[error("version {version} of the weights is not on the servers, which have {held:?}")]
    NotHeld {
        /// Which one.
        version: u64,
        /// Those that are there.
        held: Vec<u64>,
    },
    /// A server that cannot be reached, refuses a request, or answers in another form.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A server that serves other models.
    #[error("{url}: it serves no model {model:?}, but {served:?}")]
    NotServed {
        /// The server.
        url: String,
        /// The model that it should serve.
        model: String,
        /// Those that it serves.
        served: Vec<String>,
    },
    /// A server that was started anew, with the weights of its beginning.
    #[error("{url}: it was started anew since it took the weights")]
    Restarted {
        /// The server.
        url: String,
    },
    /// A server that says that it did not take the weights.
    #[error("{url}: it did not take version {version}: {problem}")]
    NotTaken {
        /// The server.
        url: String,
        /// The version of the weights.
        version: u64,
        /// What it says.
        problem: String,
    },
    /// A server that holds other weights than it was told to take.
    #[error(
        "{url}: it holds other weights than version {version}: its log-probabilities are {gap:.4} nats a token off the \
         trainer's, and {limit} is the limit (servers in bf16 need some 0.1: probe_limit)"
    )]
    OtherWeights {
        /// The server.
        url: String,
        /// The version that it should hold.
        version: u64,
        /// Mean absolute difference of the log-probabilities of the probe, in nats a token.
        gap: f64,
        /// The most that it may be: [`crate::ServersConfig::probe_limit`].
        limit: f64,
    },
    /// A server that holds the version before the one that it was told to take.
    #[error(
        "{url}: it holds other weights than version {version}: since version {before} the trainer's log-probabilities have \
         moved by {moved:.1e} nats a token, and its own by {:.0} % of that",
        followed * 100.0
    )]
    Behind {
        /// The server.
        url: String,
        /// The version that it should hold.
        version: u64,
        /// The version that it was found to hold before.
        before: u64,
        /// Mean absolute difference of the trainer's log-probabilities of the probe between the two, in nats a token.
        moved: f64,
        /// The share of it that is seen in the server's.
        followed: f64,
    },
    /// A server that took a part of the weights that it was told to take.
    #[error(
        "{url}: it holds a part of version {version} alone: its log-probabilities are {gap:.1e} nats a token off the \
         trainer's, where those of an earlier version were {least:.1e} off"
    )]
    Partly {
        /// The server.
        url: String,
        /// The version that it should hold.
        version: u64,
        /// Mean absolute difference of the log-probabilities of the probe, in nats a token.
        gap: f64,
        /// The smallest that it was for a version before.
        least: f64,
    },
    /// A server whose log-probabilities are of another distribution than the one that it draws from.
    #[error(
        "{url}: its log-probabilities are {given}, and these settings of sampling need {needed}: {advice}"
    )]
    LogprobMode {
        /// The server.
        url: String,
        /// What they are.
        given: &'static str,
        /// What they should be.
        needed: &'static str,
        /// How to get there.
        advice: &'static str,
    },
    /// A reply that cannot be learned from.
    #[error("{url}: {problem}")]
    Reply {
        /// The server.
        url: String,
        /// What is wrong with it.
        problem: ReplyProblem,
    },
    /// No server that holds the weights.
    #[error("no server holds version {version} after {seconds:.0} s: {}", reasons.join("; "))]
    NoServer {
        /// The version of the weights.
        version: u64,
        /// How long it was waited.
        seconds: f64,
        /// Why each server is left out.
        reasons: Vec<String>,
    },
}

/// What is wrong with a reply.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyProblem {
    /// It has no token ids.
    #[error("a reply has no token ids: the server is too old, or not of the kind that the settings name")]
    NoTokens,
    /// It has no token at all.
    #[error("a reply is empty")]
    Empty,
    /// It has no log-probabilities.
    #[error("a reply of {tokens} tokens has no log-probabilities")]
    NoLogprobs {
        /// Its length.
        tokens: usize,
    },
    /// It has another number of log-probabilities than of tokens.
    #[error("a reply has {tokens} tokens and {logprobs} log-probabilities")]
    LogprobCount {
        /// Its length.
        tokens: usize,
        /// How many there are.
        logprobs: usize,
    },
    /// A log-probability that is none.
    #[error("the log-probability of token {position} of a reply is {value:?}, which is none")]
    NoLogprob {
        /// Which token of the reply, from 0.
        position: usize,
        /// What stands there.
        value: Option<f64>,
    },
    /// A token that the model does not have.
    #[error(
        "a reply has token {token}, and the vocabulary {vocabulary} tokens: the server has another model"
    )]
    Token {
        /// The id.
        token: u32,
        /// The number of ids.
        vocabulary: usize,
    },
    /// It ended before anything that ends a turn.
    #[error("a reply was cut off after {tokens} of {limit} tokens (finish reason {finish:?})")]
    Cut {
        /// Its length.
        tokens: usize,
        /// How long it might have been.
        limit: usize,
        /// What the server says of its end.
        finish: Option<String>,
    },
    /// It is longer than it may be.
    #[error("a reply has {tokens} tokens, and {limit} were asked for")]
    TooLong {
        /// Its length.
        tokens: usize,
        /// How long it may be.
        limit: usize,
    },
    /// It continues another prompt.
    #[error("a reply continues another prompt, of {tokens} tokens instead of {asked}")]
    OtherPrompt {
        /// That one's length.
        tokens: usize,
        /// The length of the prompt that was sent.
        asked: usize,
    },
    /// It is of another version of the weights.
    #[error("a reply is of the weights {told:?}, and {asked:?} were asked for")]
    OtherWeights {
        /// What the server says.
        told: String,
        /// What was asked for.
        asked: String,
    },
}

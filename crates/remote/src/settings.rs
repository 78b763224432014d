//! Where a server is and how patiently it is asked.

use std::fmt;
use std::time::Duration;

/// Where a server is and how it is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address that paths are added to, such as `http://localhost:8000/v1`.
    pub base_url: String,
    /// Sent as a bearer token; none by default.
    pub key: Option<Key>,
    /// Further headers of every request, as secret as the key; none by default.
    pub headers: Vec<(String, Key)>,
    /// The header that holds the key as it is, where a server has one of its own for it.
    pub key_header: Option<&'static str>,
    /// The longest that one attempt may take, its reply included: 10 minutes.
    pub timeout: Duration,
    /// The longest that a connection may take: 20 seconds.
    pub connect_timeout: Duration,
    /// What is done when the server is busy or away.
    pub retries: Retries,
    /// Requests in progress at a time, at most: 8.
    pub threads: usize,
    /// The address of a proxy, such as `http://proxy:3128`; none by default.
    pub proxy: Option<String>,
}

/// How often a request is repeated, and after what wait.
///
/// Before repetition k, counted from 0, the wait is `min(first_wait * 2^k, longest_wait)` times a random
/// number between 0.5 and 1, or what the server's `Retry-After` asks for where that is longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Attempts in all, at least 1: 6.
    pub attempts: u32,
    /// 500 ms.
    pub first_wait: Duration,
    /// 30 seconds.
    pub longest_wait: Duration,
    /// A server that asks for a longer wait than this is not waited for: 3 minutes.
    pub longest_retry_after: Duration,
}

impl Settings {
    /// The defaults for a server at this address.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            key: None,
            headers: Vec::new(),
            key_header: None,
            timeout: Duration::from_secs(600),
            connect_timeout: Duration::from_secs(20),
            retries: Retries::default(),
            threads: 8,
            proxy: None,
        }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 6,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
            longest_retry_after: Duration::from_secs(180),
        }
    }
}

/// A secret. It shows itself nowhere but in the request.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// A secret without the white space around it, which files often end in.
    pub fn new(secret: &str) -> Self {
        Self(secret.trim().to_owned())
    }

    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// The header that it is sent in, and what stands there.
    pub(crate) fn in_header(&self, own: Option<&'static str>) -> (&'static str, String) {
        own.map_or_else(|| ("authorization", self.bearer()), |header| (header, self.0.clone()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

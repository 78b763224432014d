//! Requests with time-outs and retries.

use std::io::Read;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use ureq::{Agent, Proxy, RequestBuilder};

use crate::retry::{is_passing, may_pass, retry_after};
use crate::{RemoteError, Settings};

/// The most bytes of an answer that are read.
const LONGEST_ANSWER: u64 = 64 << 20;

/// The most characters of a server's complaint that an error shows.
const LONGEST_MESSAGE: usize = 500;

/// A server. Its connections are kept and shared by threads.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    settings: Settings,
}

/// What came of one attempt.
enum Attempt {
    Answer(Vec<u8>),
    /// It may work later, perhaps after the wait that the server asks for.
    Again(RemoteError, Option<Duration>),
    Failed(RemoteError),
}

impl Client {
    /// A client of the server at these settings' address. Nothing is sent yet.
    ///
    /// # Errors
    /// [`RemoteError::Settings`] for an address that is none of `http://` or `https://`, and for a proxy
    /// that is none.
    pub fn new(mut settings: Settings) -> Result<Self, RemoteError> {
        let fail = |problem: String| RemoteError::Settings { url: settings.base_url.clone(), problem };
        if !["http://", "https://"].iter().any(|scheme| settings.base_url.starts_with(scheme)) {
            return Err(fail("an address begins with http:// or https://".into()));
        }
        let proxy = settings.proxy.as_deref().map(Proxy::new).transpose();
        let proxy = proxy.map_err(|error| fail(format!("the proxy: {error}")))?;
        let config = Agent::config_builder()
            .timeout_connect(Some(settings.connect_timeout))
            .http_status_as_error(false)
            // A redirected POST would lose its body, or take the key elsewhere.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(settings.threads.max(10))
            .max_idle_connections_per_host(settings.threads)
            .proxy(proxy)
            .build();
        settings.base_url.truncate(settings.base_url.trim_end_matches('/').len());
        Ok(Self { agent: config.into(), settings })
    }

    /// The same client, its connections shared, with another time for an attempt.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The address of a path below the base; of the empty path, the base.
    pub(crate) fn url(&self, path: &str) -> String {
        match path {
            "" => self.settings.base_url.clone(),
            path => format!("{}/{path}", self.settings.base_url),
        }
    }

    /// Posts JSON to a path below the base and returns the JSON of the answer. It waits and repeats as
    /// [`crate::Retries`] says where the server is busy, away or broken.
    ///
    /// # Errors
    /// [`RemoteError`] when it is refused, or still gets no answer after the last attempt.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, RemoteError> {
        let answer = self.post_text(path, &body.to_string())?;
        let wrong = |error: serde_json::Error| self.form(path, error);
        serde_json::from_slice(&answer).map_err(wrong)
    }

    /// The error of an answer that is not what it should be.
    pub fn form(&self, path: &str, problem: impl ToString) -> RemoteError {
        RemoteError::Form { url: self.url(path), problem: problem.to_string() }
    }

    /// The same with JSON as text, for numbers and texts that a [`Value`] does not hold.
    ///
    /// # Errors
    /// As [`Client::post`], but that the answer may be anything.
    pub fn post_text(&self, path: &str, body: &str) -> Result<Vec<u8>, RemoteError> {
        self.asked(path, Some(body))
    }

    /// What a path below the base holds, as patiently as [`Client::post`].
    ///
    /// # Errors
    /// As [`Client::post_text`].
    pub fn get(&self, path: &str) -> Result<Vec<u8>, RemoteError> {
        self.asked(path, None)
    }

    /// The answer to a body that is posted, or to a request without one.
    fn asked(&self, path: &str, body: Option<&str>) -> Result<Vec<u8>, RemoteError> {
        let url = self.url(path);
        let retries = &self.settings.retries;
        let mut attempts = 1;
        loop {
            let (error, asked) = match self.attempt(&url, body, attempts) {
                Attempt::Answer(answer) => return Ok(answer),
                Attempt::Failed(error) => return Err(error),
                Attempt::Again(error, asked) => (error, asked),
            };
            if attempts >= retries.attempts {
                return Err(error);
            }
            if let Some(wait) = asked.filter(|wait| *wait > retries.longest_retry_after) {
                return Err(RemoteError::Busy { url, wait });
            }
            let wait = retries.wait(attempts - 1, fastrand::f64()).max(asked.unwrap_or_default());
            tracing::warn!("{error}; again in {:.1} s", wait.as_secs_f64());
            std::thread::sleep(wait);
            attempts += 1;
        }
    }

    /// A request with the time that it has, the key and the headers of the settings.
    fn dressed<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        let mut request = request.config().timeout_global(Some(self.settings.timeout)).build();
        if let Some(key) = &self.settings.key {
            let (header, value) = key.in_header(self.settings.key_header);
            request = request.header(header, value);
        }
        for (name, value) in &self.settings.headers {
            request = request.header(name, value.secret());
        }
        request
    }

    fn attempt(&self, url: &str, body: Option<&str>, attempts: u32) -> Attempt {
        let failed = |source: ureq::Error| {
            let passing = may_pass(&source);
            let error = RemoteError::Transport { url: url.into(), attempts, source: Box::new(source) };
            if passing { Attempt::Again(error, None) } else { Attempt::Failed(error) }
        };
        let sent = match body {
            Some(body) => self.dressed(self.agent.post(url)).content_type("application/json").send(body),
            None => self.dressed(self.agent.get(url)).call(),
        };
        let mut response = match sent {
            Ok(response) => response,
            Err(source) => return failed(source),
        };
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let asked = header.and_then(|header| retry_after(header, SystemTime::now()));
        let mut answer = Vec::new();
        // One byte more tells an answer that is too long from one that is just not.
        let reader = response.body_mut().with_config().limit(LONGEST_ANSWER + 2).reader();
        if let Err(source) = reader.take(LONGEST_ANSWER + 1).read_to_end(&mut answer) {
            return failed(ureq::Error::Io(source));
        }
        if answer.len() as u64 > LONGEST_ANSWER {
            let problem = format!("it is longer than {LONGEST_ANSWER} bytes");
            return Attempt::Failed(RemoteError::Form { url: url.into(), problem });
        }
        if (200..300).contains(&status) {
            return Attempt::Answer(answer);
        }
        let message = complaint(&answer);
        if !is_passing(status) && says_too_long(&message) {
            return Attempt::Failed(RemoteError::TooLong { url: url.into(), message });
        }
        let error = RemoteError::Status { url: url.into(), status, message, attempts };
        if is_passing(status) { Attempt::Again(error, asked) } else { Attempt::Failed(error) }
    }
}

/// What a server says is wrong: the `message` of its `error`, or the text of its answer, shortened.
fn complaint(answer: &[u8]) -> String {
    let value: Option<Value> = serde_json::from_slice(answer).ok();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let said = value.as_ref().and_then(|value| {
        let error = value.get("error").unwrap_or(value);
        [error.get("message"), Some(error), value.get("detail")].into_iter().flatten().find_map(text)
    });
    let said = said.unwrap_or_else(|| String::from_utf8_lossy(answer).into_owned());
    let line: Vec<&str> = said.split_whitespace().collect();
    line.join(" ").chars().take(LONGEST_MESSAGE).collect()
}

/// Whether a complaint is about the model's context: what vLLM, SGLang, llama.cpp, TGI and OpenAI say.
fn says_too_long(message: &str) -> bool {
    let message = message.to_lowercase();
    let parts = ["context length", "context_length", "context size", "context window", "maximum context"];
    parts
        .iter()
        .chain(&["too many tokens", "inputs tokens", "prompt is too long"])
        .any(|part| message.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_found_and_shortened() {
        let long = "x".repeat(2000);
        let cases = [
            (r#"{"error": {"message": "no\nsuch  model", "code": 404}}"#, "no such model"),
            (r#"{"error": "away"}"#, "away"),
            (r#"{"message": "hm"}"#, "hm"),
            (r#"{"detail": "Not Found"}"#, "Not Found"),
            ("<html>", "<html>"),
            ("", ""),
            (&long, &long[..LONGEST_MESSAGE]),
        ];
        for (answer, expected) in cases {
            assert_eq!(complaint(answer.as_bytes()), expected);
        }
    }

    #[test]
    fn addresses_are_checked_and_joined() {
        for address in ["localhost:8000", "ftp://a", ""] {
            assert!(Client::new(Settings::new(address)).is_err(), "{address}");
        }
        let client = Client::new(Settings::new("http://a/v1/")).unwrap();
        assert_eq!((client.url("x"), client.url("")), ("http://a/v1/x".into(), "http://a/v1".into()));
    }
}

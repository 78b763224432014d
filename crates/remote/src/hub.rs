//! Files of models on the Hugging Face Hub.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::retry::{is_passing, may_pass};
use crate::{RemoteError, Settings};

/// The most bytes of a listing that are read.
const LONGEST_LISTING: u64 = 64 << 20;

/// The most redirections that one request follows.
const REDIRECTIONS: usize = 10;

/// The Hub, or a server that answers as it does. The key is sent to that server alone, and not along where it redirects
/// to another one, as it does for large files.
#[derive(Clone, Debug)]
pub struct Hub {
    agent: Agent,
    settings: Settings,
}

/// The files of a model at a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The commit's hash: letters and digits.
    pub commit: String,
    /// The files' places in the repository. They are the server's words, and can lead anywhere.
    pub files: Vec<String>,
}

impl Hub {
    /// The Hub at these settings' address. Nothing is sent yet. Requests take the proxy that the process's environment
    /// names for all programs (`HTTPS_PROXY`, `NO_PROXY`); an attempt takes `timeout` at most, and a download that
    /// came forward in it goes on in the next.
    pub fn new(mut settings: Settings) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .timeout_connect(Some(settings.connect_timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build();
        settings.base_url.truncate(settings.base_url.trim_end_matches('/').len());
        Self { agent: config.into(), settings }
    }

    /// The files of a model at a branch, tag or commit.
    ///
    /// # Errors
    /// [`RemoteError::Hub`] where there is none or it may not be read, and those of a request.
    pub fn listing(&self, model: &str, revision: &str) -> Result<Listing, RemoteError> {
        let revision = revision.replace('/', "%2F");
        let url = format!("{}/api/models/{model}/revision/{revision}", self.settings.base_url);
        let failed = |source| transport(&url, source);
        let mut text = Vec::new();
        self.patiently(|| {
            text.clear();
            let mut response = self.answered(&url, 0)?;
            let reader = response.body_mut().with_config().limit(LONGEST_LISTING).reader();
            reader.take(LONGEST_LISTING).read_to_end(&mut text).map_err(|source| failed(source.into()))
        })?;
        let form = |problem: &str| RemoteError::Form { url: url.clone(), problem: problem.to_owned() };
        let found: Value = serde_json::from_slice(&text).map_err(|error| form(&error.to_string()))?;
        let commit = found.get("sha").and_then(Value::as_str).unwrap_or_default();
        if commit.is_empty() || !commit.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(form("it names no commit"));
        }
        let files = found.get("siblings").and_then(Value::as_array).into_iter().flatten();
        let files = files.filter_map(|file| file.get("rfilename")?.as_str().map(str::to_owned));
        Ok(Listing { commit: commit.to_owned(), files: files.collect() })
    }

    /// Downloads a file of a model at a commit, unless it is there; what an earlier try left is gone on with. Of
    /// several that download the same, one does and the others wait.
    ///
    /// # Arguments
    /// - `told`: the bytes that are there and those of the whole file, now and then.
    ///
    /// # Errors
    /// [`RemoteError::Hub`], [`RemoteError::File`], and those of a request.
    pub fn download(
        &self,
        (model, commit, file): (&str, &str, &str),
        to: &Path,
        told: &mut dyn FnMut(u64, u64),
    ) -> Result<(), RemoteError> {
        let url = format!("{}/{model}/resolve/{commit}/{file}", self.settings.base_url);
        let part = beside(to);
        let failed = |source| RemoteError::File { path: to.to_owned(), source };
        std::fs::create_dir_all(to.parent().unwrap_or(to)).map_err(failed)?;
        let mut sink = OpenOptions::new().append(true).create(true).open(&part).map_err(failed)?;
        sink.lock().map_err(failed)?;
        if to.exists() {
            return std::fs::remove_file(&part).or(Ok(()));
        }
        loop {
            let before = sink.metadata().map_err(failed)?.len();
            match self.patiently(|| self.rest(&url, (&mut sink, to), told)) {
                Ok(()) => break,
                // What came forward is tried again as long as it does.
                Err(error) if sink.metadata().map_err(failed)?.len() <= before => return Err(error),
                Err(error) => tracing::warn!("{error}; going on"),
            }
        }
        sink.sync_all().and_then(|()| std::fs::rename(&part, to)).map_err(failed)
    }

    /// Appends what a file lacks.
    fn rest(
        &self,
        url: &str,
        (sink, to): (&mut File, &Path),
        told: &mut dyn FnMut(u64, u64),
    ) -> Result<(), RemoteError> {
        let failed = |source| RemoteError::File { path: to.to_owned(), source };
        let mut have = sink.metadata().map_err(failed)?.len();
        let mut response = match self.answered(url, have) {
            // What is there is not the beginning of the file.
            Err(RemoteError::Hub { status: 416, .. }) if have > 0 => self.answered(url, 0)?,
            answered => answered?,
        };
        if response.status() != 206 {
            sink.set_len(0).map_err(failed)?;
            have = 0;
        }
        let length =
            response.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
        let whole = length.map_or(0, |length: u64| have + length);
        let mut reader = response.body_mut().as_reader();
        let mut buffer = vec![0; 1 << 20];
        told(have, whole);
        loop {
            let read = reader.read(&mut buffer).map_err(|source| transport(url, source.into()))?;
            if read == 0 {
                break;
            }
            io::Write::write_all(sink, &buffer[..read]).map_err(failed)?;
            have += read as u64;
            told(have, whole);
        }
        if length.is_some() && have != whole {
            let cut = io::Error::new(io::ErrorKind::UnexpectedEof, format!("{have} of {whole} bytes came"));
            return Err(transport(url, cut.into()));
        }
        Ok(())
    }

    /// The answer with a file or a listing, from its byte `from` on where the server can begin there.
    fn answered(&self, url: &str, from: u64) -> Result<Response<Body>, RemoteError> {
        let mut at = url.to_owned();
        for _ in 0..REDIRECTIONS {
            // Bytes are counted, so they should come as they are.
            let mut request = self.agent.get(&at).header("accept-encoding", "identity");
            if from > 0 {
                request = request.header("range", format!("bytes={from}-"));
            }
            if let Some(key) =
                self.settings.key.as_ref().filter(|_| origin(&at) == origin(&self.settings.base_url))
            {
                request = request.header("authorization", key.bearer());
            }
            let response = request.call().map_err(|source| transport(url, source))?;
            let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            match (response.status().as_u16(), header("location")) {
                (200..=299, _) => return Ok(response),
                (301 | 302 | 303 | 307 | 308, Some(location)) => at = joined(&at, location),
                (status, _) => {
                    let code = header("x-error-code").unwrap_or_default().to_owned();
                    return Err(RemoteError::Hub {
                        url: url.to_owned(),
                        status,
                        code,
                        key: self.settings.key.is_some(),
                    });
                }
            }
        }
        Err(RemoteError::Form { url: url.to_owned(), problem: "it redirects in a circle".to_owned() })
    }

    /// Repeats what may work later, as the settings say.
    fn patiently<T>(&self, mut attempt: impl FnMut() -> Result<T, RemoteError>) -> Result<T, RemoteError> {
        let retries = self.settings.retries;
        let mut made = 0;
        loop {
            let mut error = match attempt() {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            made += 1;
            let passing = match &mut error {
                RemoteError::Transport { source, attempts, .. } => {
                    *attempts = made;
                    may_pass(source)
                }
                RemoteError::Hub { status, .. } => is_passing(*status),
                _ => false,
            };
            if !passing || made >= retries.attempts {
                return Err(error);
            }
            let wait = retries.wait(made - 1, fastrand::f64());
            tracing::warn!("{error}; again in {:.1} s", wait.as_secs_f64());
            std::thread::sleep(wait);
        }
    }
}

fn transport(url: &str, source: ureq::Error) -> RemoteError {
    RemoteError::Transport { url: url.to_owned(), attempts: 1, source: Box::new(source) }
}

/// Where a file is while it is not whole.
fn beside(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!(".{name}.part"))
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> String {
    let after = url.find("://").map_or(0, |at| at + 3);
    let end = url[after..].find(['/', '?', '#']).map_or(url.len(), |at| after + at);
    url[..end].to_ascii_lowercase()
}

/// Where a redirection leads.
fn joined(url: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    match location.strip_prefix("//") {
        Some(rest) => format!("{}://{rest}", url.split("://").next().unwrap_or("https")),
        None => format!("{}/{}", origin(url), location.trim_start_matches('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_are_followed_where_they_lead() {
        let at = "https://hub.co/a/resolve/main/x?y";
        for (location, expected, same) in [
            ("/b/resolve/main/x", "https://hub.co/b/resolve/main/x", true),
            ("https://HUB.co/c", "https://HUB.co/c", true),
            ("https://hub.co:8443/c", "https://hub.co:8443/c", false),
            ("http://hub.co/c", "http://hub.co/c", false),
            ("https://hub.co.evil.com/c", "https://hub.co.evil.com/c", false),
            ("//cdn.co/c", "https://cdn.co/c", false),
        ] {
            let leads = joined(at, location);
            assert_eq!(leads, expected);
            assert_eq!(origin(&leads) == origin(at), same, "{location}");
        }
        assert_eq!(origin("https://hub.co@evil.com/x"), "https://hub.co@evil.com");
    }
}

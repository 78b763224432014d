//! All servers of a run.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use toolrl_chat::Chat;
use toolrl_remote::{Client, Key, RemoteError, Retries, Settings, on_threads};

use crate::pool::{LONGEST_REST, Pool};
use crate::wire::{Publication, Wire};
use crate::{Counts, Probe, PublishReport, ServedSampler, ServerReport, ServersConfig, ServersError, Sync};

/// The longest that a connection to a server may take.
const CONNECT: Duration = Duration::from_secs(10);

/// All servers of a run. They are asked when something is published.
#[derive(Debug)]
pub struct Servers {
    pool: Arc<Pool>,
}

impl Servers {
    /// The servers at these addresses. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ServersError::Setting`], [`ServersError::File`] where the key cannot be read, and [`ServersError::Remote`] for an
    /// address that is none.
    pub fn new(config: ServersConfig) -> Result<Self, ServersError> {
        config.check()?;
        let secret = |path: &PathBuf| {
            let text = std::fs::read_to_string(path);
            text.map_err(|source| ServersError::File { path: path.clone(), source })
        };
        let key = config.key_file.as_ref().map(secret).transpose()?.map(|text| Key::new(&text));
        let wire = |url: &String| {
            let base = url.trim_end_matches('/');
            let settings = Settings {
                key: key.clone(),
                timeout: Duration::from_secs_f64(config.timeout),
                connect_timeout: CONNECT,
                // Whoever fails is left out, and others are asked.
                retries: Retries { attempts: 1, ..Retries::default() },
                threads: config.concurrency,
                ..Settings::new(base.strip_suffix("/v1").unwrap_or(base))
            };
            let (kind, sync, model) = (config.kind, config.sync, config.model.clone());
            Ok(Wire { client: Client::new(settings)?, kind, sync, model })
        };
        let wires: Result<Vec<Wire>, ServersError> = config.urls.iter().map(wire).collect();
        Ok(Self { pool: Arc::new(Pool::new(config, wires?)) })
    }

    /// Tells every server to take `version` from `dir`, an adapter's folder or a whole model's, and holds the
    /// log-probabilities that it then gives against the trainer's. `dir` has to stay as it is until `version` is kept no
    /// longer ([`ServersConfig::keep`]): a server that comes back takes it again. One server that takes it is enough;
    /// where none can be reached, they are waited for ([`ServersConfig::patience`]).
    ///
    /// # Errors
    /// [`ServersError::OtherWeights`], [`ServersError::Behind`] or [`ServersError::Partly`] for a server that holds something
    /// else then, and any other [`ServersError`] when no server took it.
    pub fn publish(&self, version: u64, dir: &Path, probe: &Probe) -> Result<PublishReport, ServersError> {
        probe.check(version)?;
        // Servers have another working directory.
        let dir =
            std::path::absolute(dir).map_err(|source| ServersError::File { path: dir.to_owned(), source })?;
        let name = match self.config().sync {
            Sync::Lora => format!("toolrl-v{version}-{}", digest(&dir)?),
            Sync::Disk => format!("toolrl-v{version}"),
        };
        self.pool.announce(Publication { version, name, dir, probe: probe.clone() });
        let report = self.spread(version);
        if report.is_err() {
            self.pool.withdraw(version);
        }
        report
    }

    /// Has servers take what was announced, until one did.
    fn spread(&self, version: u64) -> Result<PublishReport, ServersError> {
        let (since, mut rest) = (Instant::now(), Duration::from_secs_f64(self.config().rest));
        let patience = Duration::from_secs_f64(self.config().patience);
        loop {
            let errors = match self.renew_all(since)? {
                (report, _) if !report.servers.is_empty() => return Ok(report),
                (_, errors) => errors,
            };
            let may_pass = errors.iter().any(is_away);
            if !may_pass || since.elapsed() + rest > patience {
                return Err(in_one(errors, version, since));
            }
            std::thread::sleep(rest);
            rest = (rest * 2).min(LONGEST_REST);
        }
    }

    /// What came of it on each server, and why those that are left out are.
    fn renew_all(&self, since: Instant) -> Result<(PublishReport, Vec<ServersError>), ServersError> {
        let wires = &self.pool.wires;
        let renewed = on_threads(wires.len(), 0..wires.len(), |server| {
            (self.pool.renew(server), since.elapsed().as_secs_f64())
        });
        let (mut report, mut errors) = (PublishReport::default(), Vec::new());
        for ((renewed, seconds), wire) in renewed.into_iter().zip(wires) {
            let url = wire.url().to_owned();
            match renewed {
                Ok(found) => {
                    let (gap, followed) = found.map_or((0.0, None), |found| (found.gap, found.followed));
                    report.servers.push(ServerReport { url, gap, followed, seconds });
                }
                Err(
                    error @ (ServersError::OtherWeights { .. }
                    | ServersError::Behind { .. }
                    | ServersError::Partly { .. }),
                ) => return Err(error),
                Err(error) => {
                    report.left_out.push(url);
                    errors.push(error);
                }
            }
        }
        report.seconds = since.elapsed().as_secs_f64();
        Ok((report, errors))
    }

    /// A sampler of a published version, whose stop strings are found in the text of this tokenizer.
    pub fn sampler<'a>(&'a self, chat: &'a Chat, version: u64) -> ServedSampler<'a> {
        ServedSampler::new(&self.pool, chat, version)
    }

    /// Tokens, prompt and turn together, that the context of every server holds which has told its own: none before
    /// anything was published. A longer prompt is refused ([`toolrl_rollout::RolloutError::PromptTooLong`]).
    pub fn context(&self) -> Option<usize> {
        self.pool.context()
    }

    /// What was done since this was last asked.
    pub fn counts(&self) -> Counts {
        self.pool.counts()
    }

    /// The settings.
    pub fn config(&self) -> &ServersConfig {
        &self.pool.config
    }
}

/// Whether a server may do later what it did not do now.
fn is_away(error: &ServersError) -> bool {
    match error {
        ServersError::Remote(RemoteError::Status { status, .. }) => *status >= 500 || *status == 429,
        ServersError::Remote(RemoteError::Transport { .. } | RemoteError::Busy { .. }) => true,
        _ => false,
    }
}

fn in_one(mut errors: Vec<ServersError>, version: u64, since: Instant) -> ServersError {
    match errors.pop() {
        Some(error) if errors.is_empty() => error,
        last => {
            let reasons = errors.iter().chain(&last).map(ToString::to_string).collect();
            ServersError::NoServer { version, seconds: since.elapsed().as_secs_f64(), reasons }
        }
    }
}

/// What tells an adapter's content from any other's: 32 bits of the SHA-256 of its files.
fn digest(dir: &Path) -> Result<String, ServersError> {
    let failed = |source| ServersError::File { path: dir.to_owned(), source };
    let files = std::fs::read_dir(dir).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let is_part = |path: &Path| {
        path.extension().is_some_and(|ending| ending == "safetensors" || ending == "bin")
            || path.ends_with("adapter_config.json")
    };
    let mut paths: Vec<_> = files.iter().map(std::fs::DirEntry::path).filter(|path| is_part(path)).collect();
    paths.sort();
    let mut hash = Sha256::new();
    for path in paths {
        hash.update(std::fs::read(&path).map_err(|source| ServersError::File { path, source })?);
    }
    let mut name = String::new();
    for byte in &hash.finalize()[..4] {
        // Writing to a text does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    Ok(name)
}

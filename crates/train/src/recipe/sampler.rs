//! Who samples.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toolrl_servers::{Kind, ServersConfig, Sync};

use crate::{Method, Registry, TrainError};

/// Who samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "toml::Table", into = "toml::Table")]
pub struct SamplerConfig {
    /// `local`, the engine of this process; `vllm` or `sglang`, servers that are kept in step with the weights
    /// (docs/servers.md); or one that a program registers ([`Registry::with_sampler`]).
    pub kind: String,
    /// So many steps are sampled ahead of the one that is trained, by the weights that there are then: 0 by default. With
    /// 1, servers sample the next step's replies while this one's are learned from.
    pub stale: u64,
    /// The servers, where it is they.
    pub servers: Option<ServedWeights>,
}

/// Servers, and the folder by which weights get to them.
#[derive(Clone, Debug, PartialEq)]
pub struct ServedWeights {
    /// The servers, and how they are asked.
    pub servers: ServersConfig,
    /// A folder of this run alone that the servers see under the same path; `weights` in the run's directory by default.
    pub weights_dir: Option<PathBuf>,
    /// Whether whole models are written with an output head of their own where theirs is the embedding table.
    pub untie_head: bool,
}

/// The keys of [`ServedWeights`] beside those of [`ServersConfig`].
const WEIGHTS_DIR: &str = "weights_dir";
const UNTIE: &str = "untie_head";

/// Versions that a server keeps beside those that are sampled ahead: the one that is trained, and the next.
const KEPT: u64 = 2;

impl Default for SamplerConfig {
    fn default() -> Self {
        Self { kind: Registry::LOCAL.to_owned(), stale: 0, servers: None }
    }
}

impl SamplerConfig {
    /// Whether replies come from elsewhere than this process, so that another run of the same step may get others.
    pub(crate) fn is_remote(&self) -> bool {
        self.kind != Registry::LOCAL
    }

    /// Whether what servers are sent are adapters.
    pub(crate) fn sends_adapters(&self) -> bool {
        self.servers.as_ref().is_some_and(|of| of.servers.sync == Sync::Lora)
    }

    /// The paths among the settings.
    pub(crate) fn paths(&mut self) -> Vec<&mut PathBuf> {
        let Some(ServedWeights { servers, weights_dir, .. }) = &mut self.servers else { return Vec::new() };
        servers.key_file.iter_mut().chain(weights_dir).collect()
    }

    /// Refuses what does not go together with the method.
    pub(crate) fn check(&self, method: &Method) -> Result<(), TrainError> {
        let wrong = |what: String| Err(TrainError::Recipe(format!("sampler.{what}")));
        let stale = self.stale;
        if let Some(of) = &self.servers {
            if of.servers.sync == Sync::Disk && stale > 1 {
                return wrong(format!(
                    "stale = {stale}: of sync = \"disk\" a server holds one version alone: 1 at most, or sync = \"lora\""
                ));
            }
            if (of.servers.keep as u64) < stale + 1 {
                return wrong(format!("keep = {} should be above stale = {stale}", of.servers.keep));
            }
        }
        if stale > 0 && self.kind == Registry::LOCAL {
            return wrong(format!(
                "stale = {stale} is of servers: the local sampler waits for the trainer anyway"
            ));
        }
        if stale > 0 && method.sampler_ratio_cap().is_none() {
            return wrong(format!(
                "stale = {stale} samples by earlier weights, for which the loss should make up: set \
                 train.loss.sampler_ratio_cap (2 is common)"
            ));
        }
        Ok(())
    }
}

impl TryFrom<toml::Table> for SamplerConfig {
    type Error = String;

    fn try_from(mut table: toml::Table) -> Result<Self, String> {
        let of_key = |key: &str, e: toml::de::Error| format!("{key}: {}", e.message());
        let kind = match table.remove("kind") {
            Some(kind) => kind.try_into().map_err(|e| of_key("kind", e))?,
            None => Registry::LOCAL.to_owned(),
        };
        let stale =
            table.remove("stale").map_or(Ok(0), |value| value.try_into().map_err(|e| of_key("stale", e)))?;
        if toml::Value::from(kind.as_str()).try_into::<Kind>().is_err() {
            return match table.keys().next() {
                None => Ok(Self { kind, stale, servers: None }),
                Some(key) if is_of_servers(key) => {
                    Err(format!("{key} is a setting of servers: kind = \"vllm\" or \"sglang\", not {kind:?}"))
                }
                Some(key) => {
                    Err(format!("unknown field `{key}`, expected kind, stale or settings of servers"))
                }
            };
        }
        let path = |value: toml::Value| value.try_into().map_err(|e| of_key(WEIGHTS_DIR, e));
        let weights_dir = table.remove(WEIGHTS_DIR).map(path).transpose()?;
        let untie_head =
            table.remove(UNTIE).map_or(Ok(false), |value| value.try_into().map_err(|e| of_key(UNTIE, e)))?;
        let keep = i64::try_from(stale.saturating_add(KEPT)).unwrap_or(i64::MAX);
        table.entry("keep").or_insert(keep.into());
        table.insert("kind".to_owned(), kind.clone().into());
        let servers: ServersConfig = table.try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
        let servers = Some(ServedWeights { servers, weights_dir, untie_head });
        Ok(Self { kind, stale, servers })
    }
}

impl From<SamplerConfig> for toml::Table {
    fn from(SamplerConfig { kind, stale, servers }: SamplerConfig) -> Self {
        let mut table = Self::new();
        if let Some(ServedWeights { servers, weights_dir, untie_head }) = servers {
            // Every value of it is one of TOML, but for a path that is not Unicode, which no recipe can say.
            table = Self::try_from(servers).unwrap_or_default();
            table.extend(weights_dir.map(|dir| (WEIGHTS_DIR.to_owned(), dir.display().to_string().into())));
            table.insert(UNTIE.to_owned(), untie_head.into());
        }
        table.insert("kind".to_owned(), kind.into());
        if stale > 0 {
            table.insert("stale".to_owned(), i64::try_from(stale).unwrap_or(i64::MAX).into());
        }
        table
    }
}

/// Whether a key is one of servers alone.
fn is_of_servers(key: &str) -> bool {
    let of_one = ServersConfig {
        key_file: Some(PathBuf::new()),
        ..ServersConfig::new(Kind::Vllm, vec![String::new()], "", Sync::Disk)
    };
    let known = toml::Table::try_from(of_one).unwrap_or_default();
    known.contains_key(key) || [WEIGHTS_DIR, UNTIE].contains(&key)
}

#[cfg(test)]
mod tests {
    use crate::Recipe;

    fn parse(set: &[&str]) -> Result<Recipe, String> {
        let set: Vec<String> = set.iter().map(|&set| set.to_owned()).collect();
        let text = "name = \"a\"\n[train]\nmethod = \"grpo\"\n";
        Recipe::parse(text, &set).map_err(|error| error.to_string())
    }

    const VLLM: [&str; 4] =
        ["sampler.kind=vllm", "sampler.urls=['http://a:1']", "sampler.model=m", "sampler.sync=lora"];

    #[test]
    fn settings_of_servers_come_back() {
        let cap = "train.loss.sampler_ratio_cap=2";
        let more = ["sampler.stale=3", "sampler.weights_dir=/w", "sampler.probe_limit=0.5", cap];
        for set in
            [&[][..], &["sampler.kind=other", "sampler.stale=1", cap], &VLLM, &[&VLLM[..], &more].concat()]
        {
            let recipe = parse(set).unwrap();
            assert_eq!(Recipe::parse(&recipe.to_toml().unwrap(), &[]).unwrap(), recipe, "{set:?}");
        }
        let sampler = parse(&[&VLLM[..], &more].concat()).unwrap().sampler;
        let served = sampler.servers.unwrap();
        assert_eq!((sampler.stale, served.servers.keep, served.servers.probe_limit), (3, 5, 0.5));
        assert_eq!(served.weights_dir, Some("/w".into()));
        assert_eq!(parse(&VLLM).unwrap().sampler.servers.unwrap().servers.keep, 2);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let cases: [(&[&str], &str); 10] = [
            (
                &["sampler.urls=['http://a']"],
                "urls is a setting of servers: kind = \"vllm\" or \"sglang\", not \"local\"",
            ),
            (&["sampler.kind=mine", "sampler.untie_head=true"], "untie_head is a setting of servers"),
            (&["sampler.slots=3"], "unknown field `slots`"),
            (&["sampler.stale=1"], "is of servers: the local sampler waits"),
            (&["sampler.kind=mine", "sampler.stale=1"], "set train.loss.sampler_ratio_cap"),
            (&["sampler.kind=vllm", "sampler.model=m", "sampler.sync=disk"], "missing field `urls`"),
            (&[&VLLM[..], &["sampler.sync=nccl"]].concat(), "unknown variant `nccl`"),
            (&[&VLLM[..], &["sampler.sink=disk"]].concat(), "unknown field `sink`"),
            (&[&VLLM[..], &["sampler.stale=-1"]].concat(), "stale: "),
            (
                &[&VLLM[..], &["sampler.sync=disk", "sampler.stale=2", "train.loss.sampler_ratio_cap=2"]]
                    .concat(),
                "stale = 2: of sync = \"disk\" a server holds one version alone",
            ),
        ];
        for (set, part) in cases {
            let told = parse(set).unwrap_err();
            assert!(told.contains(part), "{set:?}: {told}");
        }
    }
}

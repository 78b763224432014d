//! Models by their name on the Hugging Face Hub: `ORG/NAME` or `ORG/NAME@REVISION` where a directory can be given.

mod cache;
mod names;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use toolrl_policy::{NamedBase, PolicyPlace};
use toolrl_remote::{Hub, Listing, Retries, Settings};
use toolrl_train::{AdaptersOn, PolicySource};

use crate::progress::Download;
use cache::{Place, Snapshot};
use names::{Name, is_template, shards};

/// The branch that is meant where no revision is named.
const MAIN: &str = "main";
/// Files of a model beside its weights. Those that a model lacks are noted in the cache.
const FILES: [&str; 8] = [
    "config.json",
    "adapter_config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
];
/// One file with all weights, of a whole model and of adapters.
const WEIGHTS: &str = "model.safetensors";
const ADAPTERS: &str = "adapter_model.safetensors";
/// Which of several files has which weights.
const INDEX: &str = names::INDEX;

/// Where a policy is: the path itself where it is one, else the model of this name on the Hub, from the local cache
/// where it is whole there, and downloaded into it otherwise; and likewise the base model that adapters name.
pub(crate) fn find(policy: &Path) -> anyhow::Result<PolicyPlace> {
    let mut place = PolicyPlace::from(&directory(policy, None, Wanted::All)?);
    if let Some(NamedBase { name, revision }) = place.named_base()? {
        let base = directory(Path::new(&name), revision, Wanted::All)
            .with_context(|| format!("the base model of the adapters in {}", place.dir.display()))?;
        place.base = Some(base).filter(|base| *base != Path::new(&name));
    }
    Ok(place)
}

/// The name on the Hub, and the revision if it has one, of what is no path here.
pub(crate) fn named(policy: &Path) -> Option<(String, Option<String>)> {
    let name = policy.to_str().filter(|_| !policy.exists()).and_then(Name::of)?;
    Some((name.model, name.revision))
}

/// Finds the policy that a recipe names.
pub(crate) fn settle(source: &mut PolicySource) -> anyhow::Result<()> {
    if let PolicySource::Dir(dir) = source {
        *source = match find(dir)? {
            PolicyPlace { dir, base: None } => PolicySource::Dir(dir),
            PolicyPlace { dir, base: Some(base) } => PolicySource::Adapters(AdaptersOn { dir, base }),
        };
    }
    Ok(())
}

/// The directory of a policy whose weights are not needed.
pub(crate) fn words(policy: &Path) -> anyhow::Result<PathBuf> {
    directory(policy, None, Wanted::Words)
}

/// What of a model is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// All of it.
    All,
    /// What is beside its weights.
    Words,
}

fn directory(path: &Path, revision: Option<String>, wanted: Wanted) -> anyhow::Result<PathBuf> {
    match path.to_str().filter(|_| !path.exists()).and_then(Name::of) {
        Some(name) => {
            let name = Name { revision: revision.or(name.revision), ..name };
            snapshot(&name, &Place::of_environment(), wanted)
        }
        None => Ok(path.to_owned()),
    }
}

/// The directory of a model of the Hub.
fn snapshot(name: &Name, place: &Place, wanted: Wanted) -> anyhow::Result<PathBuf> {
    let asked = name.revision.as_deref().unwrap_or(MAIN);
    let is_enough = |snapshot: &Snapshot| wanted == Wanted::Words || has_weights(&snapshot.dir);
    let cached = place.cache.snapshot(&name.model, asked).filter(is_enough);
    // Other programs put into the cache what they need, such as no tokenizer.
    let lacks =
        |snapshot: &Snapshot| FILES.into_iter().any(|file| !snapshot.has(file) && !snapshot.is_without(file));
    let revision = match &cached {
        Some(snapshot) if place.offline.is_some() || !lacks(snapshot) => return Ok(snapshot.dir.clone()),
        Some(snapshot) => snapshot.commit.clone(),
        None => asked.to_owned(),
    };
    if let Some(variable) = place.offline {
        let cache = place.cache.path().display();
        bail!(
            "{} is no directory here, nor whole in the cache {cache}, and {variable} says not to ask the Hugging Face Hub",
            name.model
        );
    }
    match (download(&name.model, (&revision, asked), place, wanted), cached) {
        (Ok(dir), _) => Ok(dir),
        (Err(error), Some(snapshot)) => {
            let (name, error) = (&name.model, format!("{error:#}"));
            tracing::warn!(
                "what the cache lacks of {name} cannot be had, so that it is read as it is: {error}"
            );
            Ok(snapshot.dir)
        }
        (Err(error), None) => Err(error.context(format!(
            "{} is no directory here and cannot be had from the Hugging Face Hub",
            name.model
        ))),
    }
}

/// Whether a directory has a model's configuration and all its weights, or adapters.
fn has_weights(dir: &Path) -> bool {
    let has = |name: &str| dir.join(name).exists();
    let shards = std::fs::read(dir.join(INDEX)).ok().and_then(|index| shards(&index).ok());
    let whole = has(WEIGHTS) || shards.is_some_and(|shards| shards.iter().all(|shard| has(shard)));
    (has("config.json") && whole) || (has("adapter_config.json") && has(ADAPTERS))
}

/// Downloads what the cache lacks of a model at a revision, and notes that this is what was asked for.
fn download(
    model: &str,
    (revision, asked): (&str, &str),
    place: &Place,
    wanted: Wanted,
) -> anyhow::Result<PathBuf> {
    let retries = Retries { attempts: 3, ..Retries::default() };
    let hub = Hub::new(Settings { key: place.key.clone(), retries, ..Settings::new(&place.endpoint) });
    let Listing { commit, files } = hub.listing(model, revision)?;
    let snapshot = place.cache.at(model, &commit);
    let has = |name: &str| files.iter().any(|file| file == name);
    let fetch = |name: &str| -> anyhow::Result<PathBuf> {
        let path = snapshot.dir.join(name);
        if !path.exists() {
            let mut progress = Download::new(name);
            hub.download((model, &commit, name), &path, &mut |have, whole| progress.tell(have, whole))?;
        }
        Ok(path)
    };
    for file in FILES.into_iter().chain(files.iter().map(String::as_str).filter(|file| is_template(file))) {
        if has(file) {
            fetch(file)?;
        } else {
            snapshot.note_without(file)?;
        }
    }
    let weights = match (has(INDEX), has(WEIGHTS), has(ADAPTERS)) {
        _ if wanted == Wanted::Words => Vec::new(),
        (true, ..) => shards(&std::fs::read(fetch(INDEX)?)?)?,
        (_, true, _) => vec![WEIGHTS.to_owned()],
        (_, _, true) => vec![ADAPTERS.to_owned()],
        _ => bail!("it has neither {WEIGHTS} nor {INDEX}, nor {ADAPTERS}; other forms are not read"),
    };
    for file in weights {
        fetch(&file)?;
    }
    snapshot.note_revision(asked)?;
    Ok(snapshot.dir)
}

//! The names of a directory's tensors, brought to those of the model as transformers does it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use safetensors::tensor::TensorView;

use super::files::Shard;
use super::load::{FLOATS, floats};
use crate::{ModelConfig, PolicyError};

/// Tensors by name, each with the file that it is read from.
pub(super) type Tensors<'a> = BTreeMap<String, (&'a Shard, TensorView<'a>)>;

/// The module of the whole model that a headless one is.
const PREFIX: &str = "model.";
const TABLE: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";

/// The tensors of the files. One that two files have is read from the later one.
pub(super) fn all(shards: &[Shard]) -> Result<Tensors<'_>, PolicyError> {
    let mut tensors = Tensors::new();
    for shard in shards {
        for (name, tensor) in shard.tensors()? {
            if let Some((earlier, _)) = tensors.insert(name.clone(), (shard, tensor)) {
                let (counts, earlier) = (shard.path.display(), earlier.path.display());
                tracing::warn!("{name} in {counts} counts, and not the one in {earlier}");
            }
        }
    }
    Ok(tensors)
}

/// The tensors under the model's names: those of a headless model get its prefix, and one that is there too much is
/// taken off. The buffers of rotary angles in older files are passed over, as they follow from the configuration.
pub(super) fn renamed<'a>(
    tensors: Tensors<'a>,
    config: &ModelConfig,
    dir: &Path,
) -> Result<Tensors<'a>, PolicyError> {
    let mut known: BTreeSet<String> = config.parameter_shapes().into_iter().map(|(name, _)| name).collect();
    if !config.value_head {
        known.insert(HEAD.to_owned());
    }
    let (mut named, mut twice) = (Tensors::new(), Vec::new());
    for (name, tensor) in tensors {
        if name.contains("rotary_emb.inv_freq") {
            continue;
        }
        let without = name.strip_prefix(PREFIX).filter(|rest| known.contains(*rest));
        let with = Some(format!("{PREFIX}{name}")).filter(|longer| known.contains(longer));
        let right = without.map(str::to_owned).or(with).unwrap_or_else(|| name.clone());
        if named.insert(right.clone(), tensor).is_some() {
            twice.push(format!("{right} is there twice, with {PREFIX:?} before its name and without"));
        }
    }
    if twice.is_empty() {
        return Ok(named);
    }
    let (missing, unexpected) = (Vec::new(), Vec::new());
    Err(PolicyError::Weights { dir: dir.to_owned(), missing, unexpected, wrong: twice })
}

/// Settles what the head is where the configuration says that it is the embedding table: a head with other numbers
/// counts, one of the same numbers is the table again, and one without a table is the table.
pub(super) fn settle_head(tensors: &mut Tensors, config: &mut ModelConfig, dir: &Path) {
    if !config.tie_word_embeddings {
        return;
    }
    if config.value_head {
        tensors.remove(HEAD);
        return;
    }
    match (tensors.get(TABLE), tensors.get(HEAD)) {
        (Some((_, table)), Some((_, head))) if !equal(table, head) => {
            let dir = dir.display();
            tracing::warn!(
                "{dir}: {HEAD} of the weights counts, and not tie_word_embeddings = true of config.json: \
                 it differs from {TABLE}"
            );
            config.untie();
        }
        (Some(_), Some(_)) => {
            tensors.remove(HEAD);
        }
        (None, Some(_)) => {
            let head = tensors.remove(HEAD);
            tensors.extend(head.map(|head| (TABLE.to_owned(), head)));
        }
        (_, None) => {}
    }
}

fn equal(a: &TensorView, b: &TensorView) -> bool {
    if a.shape() != b.shape() || a.dtype() == b.dtype() {
        return a.shape() == b.shape() && a.data() == b.data();
    }
    [a, b].iter().all(|tensor| FLOATS.contains(&tensor.dtype())) && floats(a) == floats(b)
}

//! Adapters of the forms that training does not go on with, added to the weights that they change: DoRA, biases,
//! adapters of the embedding table and of the head, modules and tokens trained whole, PiSSA and OLoRA.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, FloatDType, Tensor};
use serde_json::Value;

use super::config::{AdapterConfig, Biases, Residual};
use super::residual::Matrix;
use super::tensors::AdapterTensors;
use super::{layer_name, param};
use crate::decoder::Embedding;
use crate::policy::{Adapters, Policy, floats};
use crate::{ModelConfig, PolicyError, Precision};

const TABLE: &str = "model.embed_tokens";
const HEAD: &str = "lm_head";

impl Policy {
    /// The policy with the adapters of a file in its weights. `path` is the settings' file.
    pub(super) fn with_adapters_within(
        mut self,
        config: &AdapterConfig,
        tensors: &mut AdapterTensors,
        path: &Path,
    ) -> Result<Self, PolicyError> {
        let within = Within { config, path, device: self.decoder.head().device() };
        within.refuse_together(self.config())?;
        self.decoder = self.decoder.no_grad();
        let residual_of_head = within.base_of_vocabulary(&mut self, tensors);
        if within.parts_head(&self) {
            self.decoder.lm_head = Some(self.decoder.model.embed_tokens.clone());
            Arc::make_mut(&mut self.config).untie();
        }
        within.adapt_layers(&mut self, tensors)?;
        within.adapt_vocabulary(&mut self, residual_of_head, tensors)?;
        let replaced = within.replaced(self.config(), tensors);
        self.decoder = self.decoder.map(&mut Replace { names: Vec::new(), values: replaced });
        within.replace_tokens(&mut self, tensors)?;
        self.adapters = Adapters::Within;
        Ok(self)
    }
}

struct Within<'a> {
    config: &'a AdapterConfig,
    path: &'a Path,
    device: Device,
}

impl Within<'_> {
    fn unsupported(&self, option: &str, supported: &'static str) -> PolicyError {
        let (path, option) = (self.path.to_owned(), option.to_owned());
        let value = self.config.raw.get(&option).unwrap_or(&Value::Null).to_string();
        PolicyError::Unsupported { path, option, value, supported }
    }

    /// Refuses forms that PEFT does not join, or joins in ways of their own.
    fn refuse_together(&self, base: &ModelConfig) -> Result<(), PolicyError> {
        let (config, form) = (self.config, &self.config.form);
        let changes_base = form.residual != Residual::None;
        if form.bias_of_b && (form.dora || changes_base) {
            return Err(self.unsupported("lora_bias", "false, beside use_dora, pissa and olora"));
        }
        if config.has(TABLE) && (form.dora || form.bias_of_b || changes_base) {
            return Err(self.unsupported(
                "target_modules",
                "no embed_tokens, beside use_dora, lora_bias, pissa and olora",
            ));
        }
        if base.tie_word_embeddings && self.changes_vocabulary() && (form.keep_tied || changes_base) {
            return Err(self.unsupported(
                "ensure_weight_tying",
                "false and neither pissa nor olora, where a tied embed_tokens or lm_head is trained",
            ));
        }
        if form.tokens.is_some() && self.changes_vocabulary() {
            return Err(
                self.unsupported("trainable_token_indices", "null, beside a trained embed_tokens or lm_head")
            );
        }
        Ok(())
    }

    /// Whether the table or the head are trained, but for single tokens.
    fn changes_vocabulary(&self) -> bool {
        [TABLE, HEAD].into_iter().any(|path| self.config.has(path) || self.is_saved(path))
    }

    /// Whether a tied head goes a way of its own from here on, as it does in PEFT where one of the two is trained.
    fn parts_head(&self, policy: &Policy) -> bool {
        policy.decoder.lm_head.is_none() && policy.decoder.score.is_none() && self.changes_vocabulary()
    }

    /// Whether a module, or one that it is within, is trained whole.
    fn is_saved(&self, path: &str) -> bool {
        let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
        let saved = &self.config.form.saved;
        ends.into_iter().any(|end| saved.iter().any(|name| path[..end].ends_with(name.as_str())))
    }

    /// Weights below the adapters of table and head, where the file has them: PEFT saves them too. A tied head's are
    /// the table's.
    /// Gives what is still to be taken off the head's weight: nothing where it is the file's.
    fn base_of_vocabulary(&self, policy: &mut Policy, tensors: &mut AdapterTensors) -> Residual {
        let mut of_head = self.config.form.residual;
        let decoder = &mut policy.decoder;
        for path in [TABLE, HEAD] {
            let name = format!("{path}.base_layer.weight");
            if !self.config.has(path) || !tensors.has(&name) {
                continue;
            }
            let part = match &mut decoder.lm_head {
                Some(head) if path == HEAD => head,
                _ => &mut decoder.model.embed_tokens,
            };
            of_head = Residual::None;
            if let Some(values) = tensors.take(&name, &part.weight.dims()) {
                let precision = Precision::of(&part.weight.val());
                part.weight = param(values, precision, part.weight.dims(), &self.device);
            }
        }
        of_head
    }

    fn adapt_layers(&self, policy: &mut Policy, tensors: &mut AdapterTensors) -> Result<(), PolicyError> {
        let mut without_place = Vec::new();
        for (i, module, linear) in policy.decoder.linears_mut() {
            let path = layer_name(i, module);
            if !self.config.has(&path) {
                continue;
            }
            linear.weight = self.adapted(&path, &linear.weight, self.config.form.residual, tensors)?;
            if !self.config.form.bias_of_b {
                continue;
            }
            let outputs = [linear.weight.dims()[0]];
            if let Some(more) = tensors.take(&format!("{path}.lora_B.bias"), &outputs) {
                let more = self.tensor(more, outputs) * self.config.rank_and_scale(&path).1;
                let precision = Precision::of(&linear.weight.val());
                let sum = match &linear.bias {
                    Some(bias) => bias.val().cast(FloatDType::F32) + more,
                    None => {
                        without_place.push(path);
                        more
                    }
                };
                linear.bias = Some(Param::from_tensor(precision.tensor(floats(sum), outputs, &self.device)));
            }
        }
        if let Some(first) = without_place.first() {
            tracing::warn!(
                "{}: lora_bias gives {first} and {} other layers a bias that they do not have in this family: as in \
                 PEFT the adapters cannot be merged",
                self.path.display(),
                without_place.len() - 1
            );
        }
        Ok(())
    }

    /// Adapters of the table, whose matrices are the other way round, and of the head.
    fn adapt_vocabulary(
        &self,
        policy: &mut Policy,
        of_head: Residual,
        tensors: &mut AdapterTensors,
    ) -> Result<(), PolicyError> {
        let table = &mut policy.decoder.model.embed_tokens;
        if self.config.has(TABLE) {
            let [vocabulary, hidden] = table.weight.dims();
            let (rank, scale) = self.config.rank_and_scale(TABLE);
            let a = tensors.take(&format!("{TABLE}.lora_embedding_A"), &[rank, vocabulary]);
            let b = tensors.take(&format!("{TABLE}.lora_embedding_B"), &[hidden, rank]);
            if let Some((a, b)) = a.zip(b) {
                let (a, b) = (self.tensor(a, [rank, vocabulary]), self.tensor(b, [hidden, rank]));
                let sum = table.weight.val().cast(FloatDType::F32) + b.matmul(a).transpose() * scale;
                table.weight = stored(sum, &table.weight, &self.device);
            }
        }
        match policy.decoder.lm_head.as_mut().filter(|_| self.config.has(HEAD)) {
            Some(_) if self.config.form.bias_of_b => {
                Err(self.unsupported("lora_bias", "false, beside an adapter of lm_head"))
            }
            Some(Embedding { weight }) => {
                *weight = self.adapted(HEAD, weight, of_head, tensors)?;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A weight with its adapter: less what PEFT takes off first, plus `scale * B A`; each row then of its own
    /// magnitude where the form is DoRA's.
    fn adapted(
        &self,
        path: &str,
        weight: &Param<Tensor<2>>,
        residual: Residual,
        tensors: &mut AdapterTensors,
    ) -> Result<Param<Tensor<2>>, PolicyError> {
        let [outputs, inputs] = weight.dims();
        let (rank, scale) = self.config.rank_and_scale(path);
        let pair = tensors.pair(path, [rank, inputs], [outputs, rank]);
        let magnitude = self.config.form.dora.then(|| {
            let name = format!("{path}.lora_magnitude_vector");
            let longer = format!("{name}.weight");
            tensors.take(if tensors.has(&longer) { &longer } else { &name }, &[outputs])
        });
        let (Some((a, b)), None | Some(Some(_))) = (pair, &magnitude) else {
            return Ok(weight.clone());
        };
        let (a, b) = (self.tensor(a, [rank, inputs]), self.tensor(b, [outputs, rank]));
        let mut sum = self.base(path, weight, residual, (rank, scale))? + b.matmul(a) * scale;
        if let Some(magnitude) = magnitude.flatten() {
            let norm = (sum.clone() * sum.clone()).sum_dim(1).sqrt();
            sum = sum * (self.tensor(magnitude, [outputs]).reshape([outputs, 1]) / norm);
        }
        Ok(stored(sum, weight, &self.device))
    }

    /// A weight, in f32, less what PEFT takes off it first.
    fn base(
        &self,
        path: &str,
        weight: &Param<Tensor<2>>,
        residual: Residual,
        (rank, scale): (usize, f32),
    ) -> Result<Tensor<2>, PolicyError> {
        let shape = weight.dims();
        let matrix = || Matrix::new(floats(weight.val()), shape);
        let less = match residual {
            Residual::None => return Ok(weight.val().cast(FloatDType::F32)),
            Residual::Pissa => matrix().less_best_approximation(rank),
            Residual::Olora => matrix().less_first_columns(rank, f64::from(scale)),
        };
        let unclear = || {
            PolicyError::Lora(format!(
                "what init_lora_weights = {} takes off {path} cannot be told from its weights: convert the adapter \
                 with PEFT's path_initial_model_for_weight_conversion",
                self.config.raw["init_lora_weights"]
            ))
        };
        // PEFT stores what is left as narrow as the weight.
        let left = Precision::of(&weight.val()).tensor(less.ok_or_else(unclear)?, shape, &self.device);
        Ok(left.cast(FloatDType::F32))
    }

    /// Whole parameters that the file has in the place of the base's: modules trained whole, and biases.
    fn replaced(&self, base: &ModelConfig, tensors: &mut AdapterTensors) -> BTreeMap<String, Vec<f32>> {
        let biases = self.config.form.biases;
        let mut replaced = BTreeMap::new();
        for (name, shape) in base.parameter_shapes() {
            let Some((path, kind)) = name.rsplit_once('.') else { continue };
            let below = format!("{path}.base_layer.{kind}");
            let adapted = self.config.has(path);
            let file_name = if self.is_saved(path) {
                name.clone()
            } else if kind == "bias" && biases != Biases::None && adapted && tensors.has(&below) {
                below
            } else if kind == "bias"
                && (biases == Biases::All || biases == Biases::Adapted && tensors.has(&name))
            {
                name.clone()
            } else {
                continue;
            };
            replaced.extend(tensors.take(&file_name, &shape).map(|values| (name, values)));
        }
        replaced
    }

    /// Rows of the table, and of the head where it is the table.
    fn replace_tokens(&self, policy: &mut Policy, tensors: &mut AdapterTensors) -> Result<(), PolicyError> {
        let Some(tokens) = &self.config.form.tokens else { return Ok(()) };
        let table = &mut policy.decoder.model.embed_tokens.weight;
        let [vocabulary, hidden] = table.dims();
        if let Some(id) = tokens.iter().find(|&&id| id >= vocabulary) {
            return Err(PolicyError::Lora(format!(
                "trainable_token_indices: {id} is outside the vocabulary of {vocabulary}"
            )));
        }
        let name = format!("{TABLE}.token_adapter.trainable_tokens_delta");
        if let Some(rows) = tensors.take(&name, &[tokens.len(), hidden]) {
            let mut values = floats(table.val());
            for (&id, row) in tokens.iter().zip(rows.chunks_exact(hidden)) {
                values[id * hidden..][..hidden].copy_from_slice(row);
            }
            *table = param(values, Precision::of(&table.val()), [vocabulary, hidden], &self.device);
        }
        Ok(())
    }

    fn tensor<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Precision::F32.tensor(values, shape, &self.device)
    }
}

/// A parameter in the place of another, stored like that.
fn stored<const D: usize>(value: Tensor<D>, like: &Param<Tensor<D>>, device: &Device) -> Param<Tensor<D>> {
    let shape = value.dims();
    Param::from_tensor(Precision::of(&like.val()).tensor(floats(value), shape, device))
}

/// Puts values in the place of parameters, by name.
struct Replace {
    names: Vec<String>,
    values: BTreeMap<String, Vec<f32>>,
}

impl ModuleMapper for Replace {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.names.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.names.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(values) = self.values.remove(&self.names.join(".")) else { return param };
        param.map(|tensor| {
            let (precision, shape) = (Precision::of(&tensor), tensor.dims());
            precision.tensor(values, shape, &tensor.device())
        })
    }
}

//! Whole parameters that a file has in the place of the base's: modules trained whole, and biases.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use super::{HEAD, TABLE, Within};
use crate::lora::config::Biases;
use crate::lora::tensors::AdapterTensors;
use crate::policy::{Policy, hollow};
use crate::{ModelConfig, Precision};

impl Within<'_> {
    /// Whether a module, or one that it is within, is trained whole.
    pub(super) fn is_saved(&self, path: &str) -> bool {
        if path == HEAD && self.follows && self.is_saved(TABLE) {
            return true;
        }
        let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
        let saved = &self.config.form.saved;
        ends.into_iter().any(|end| saved.iter().any(|name| path[..end].ends_with(name.as_str())))
    }

    pub(super) fn replace(&self, policy: &mut Policy, tensors: &mut AdapterTensors) {
        let values = self.replaced(policy.config(), tensors);
        let hollow = hollow(policy.config(), &self.device);
        let decoder = std::mem::replace(&mut policy.decoder, hollow);
        policy.decoder = decoder.map(&mut Replace { names: Vec::new(), values });
    }

    /// Their values, by name.
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

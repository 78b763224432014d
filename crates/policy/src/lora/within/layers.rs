//! Adapters of linear layers: DoRA, B with a bias, PiSSA and OLoRA.

use burn::module::Param;
use burn::tensor::{FloatDType, Tensor};

use super::{TABLE, Within, stored};
use crate::lora::config::Residual;
use crate::lora::layer_name;
use crate::lora::residual::Matrix;
use crate::lora::tensors::AdapterTensors;
use crate::policy::{Policy, floats};
use crate::{PolicyError, Precision};

impl Within<'_> {
    pub(super) fn adapt_layers(
        &self,
        policy: &mut Policy,
        tensors: &mut AdapterTensors,
    ) -> Result<(), PolicyError> {
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

    /// A weight with its adapter: less what PEFT takes off first, plus `scale * B A`; each row then of its own
    /// magnitude where the form is DoRA's.
    pub(super) fn adapted(
        &self,
        path: &str,
        weight: &Param<Tensor<2>>,
        residual: Residual,
        tensors: &mut AdapterTensors,
    ) -> Result<Param<Tensor<2>>, PolicyError> {
        let [outputs, inputs] = weight.dims();
        // A head that follows the table has the table's.
        let of = if self.config.has(path) { path } else { TABLE };
        let (rank, scale) = self.config.rank_and_scale(of);
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
}

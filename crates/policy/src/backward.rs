//! The backward pass through a decoder, with every layer's activations kept or computed again.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};
use toolrl_cpu::numbers::Numbers;
use toolrl_kernels::{all_together, is_cpu};

use crate::decoder::Decoder;
use crate::layer::times;
use crate::policy::{Policy, floats};
use crate::precision::{numbers, tensor};
use crate::trained::TrainedPath;
use crate::whole::WholeLayers;
use crate::window::Angles;
use crate::{Activations, ParameterGradients, Pass};

/// A backward pass that is to be run. `read_out` makes of the decoder and the final hidden states of the pass's
/// rows the numbers that a loss looks at.
pub(crate) struct Backward<'a, R> {
    policy: &'a Policy,
    decoder: Decoder,
    pass: &'a Pass,
    read_out: R,
}

impl<'a, R: Fn(&Decoder, Tensor<2>) -> Tensor<2>> Backward<'a, R> {
    pub(crate) fn new(policy: &'a Policy, pass: &'a Pass, read_out: R) -> Self {
        Self { policy, decoder: policy.decoder().clone(), pass, read_out }
    }

    /// Lets the adapters, where there are any, drop inputs as their settings say.
    pub(crate) fn drop_inputs(&mut self, seed: u64) {
        if let Some(lora) = self.policy.lora() {
            self.decoder.set_dropout(lora.dropout, seed);
        }
    }

    /// Adds gradients of the trained parameters, in the module's order, to those of other passes, or to none yet. `loss`
    /// is given what was read out, and gives its derivative by each number.
    pub(crate) fn run<E>(
        self,
        activations: Activations,
        sum: &mut ParameterGradients,
        loss: impl FnOnce(&[f32]) -> Result<Vec<f32>, E>,
    ) -> Result<(), E> {
        if !is_cpu(&self.policy.decoder().head().device()) {
            sum.add(self.compute(activations, loss)?);
            return Ok(());
        }
        all_together(|| {
            match WholeLayers::of(self.policy) {
                Some(layers) => self.compute_whole(&layers, activations, sum, loss)?,
                None => sum.add(self.compute(activations, loss)?),
            }
            Ok(())
        })
    }

    /// As [`Self::compute`] added to `sum`, each layer computed as a whole.
    fn compute_whole<E>(
        mut self,
        layers: &WholeLayers,
        activations: Activations,
        sum: &mut ParameterGradients,
        loss: impl FnOnce(&[f32]) -> Result<Vec<f32>, E>,
    ) -> Result<(), E> {
        let Pass { tokens, packing, rows, .. } = self.pass;
        let positions = packing.positions();
        let angles = self.decoder.angles(&positions);
        let batch = layers.batch(packing, &angles.full, rows);
        let known = match activations {
            Activations::Keep => self.policy.kept.take(tokens, packing),
            Activations::Recompute => Vec::new(),
        };
        let new = (0..tokens.len()).filter(|row| !known.iter().any(|(rows, _)| rows.contains(row)));
        let (new_tokens, new_positions): (Vec<u32>, Vec<usize>) =
            new.map(|row| (tokens[row], positions[row])).unzip();
        let new_angles = self.decoder.angles(&new_positions);
        let x = match new_tokens.is_empty() {
            true => Numbers::default(),
            false => numbers(self.decoder.embed(new_tokens.into())),
        };
        let (kept, last) = layers.forward(x, batch, (known, &new_angles.full), activations);
        let width = last.len() / self.pass.rows.len().max(1);
        let device = self.policy.decoder().head().device();
        let matrix = |values: Numbers| {
            let rows = values.len() / width.max(1);
            tensor(values, [rows, width], &device)
        };
        let x = leaf(matrix(last));
        self.decoder = self.decoder.train();
        let mut grads = self.surrogate(self.decoder.normed(x.clone()), loss)?.backward();
        let by_x = x.grad_remove(&mut grads).map(floats);
        let by_x = by_x.unwrap_or_else(|| vec![0.0; self.pass.rows.len() * width]);

        let mut embed = std::mem::take(sum).into_values();
        let mut after =
            ParameterGradients::of_values(embed.split_off(embed.len().min(1 + layers.parameters())));
        let of_layers = embed.split_off(embed.len().min(1));
        *sum = ParameterGradients::of_values(embed);
        sum.add(self.gradients_of(&self.decoder.model.embed_tokens, &mut grads));
        after.add(self.after_layers(&mut grads));
        let (of_layers, by_x) = layers.backward(kept, by_x, of_layers, batch);
        self.add_embeddings(sum, Some(matrix(by_x.into())));
        sum.extend(ParameterGradients::of_values(of_layers));
        sum.extend(after);
        Ok(())
    }

    /// Gradients of the trained parameters.
    fn compute<E>(
        mut self,
        activations: Activations,
        loss: impl FnOnce(&[f32]) -> Result<Vec<f32>, E>,
    ) -> Result<ParameterGradients, E> {
        match activations {
            Activations::Keep => {
                let x = leaf(self.decoder.embed(self.pass.tokens.clone()));
                self.decoder = self.decoder.train();
                let hidden = self.decoder.hidden_of(x.clone(), &self.pass.packing, Some(&self.pass.rows));
                let mut grads = self.surrogate(hidden, loss)?.backward();
                let mut all = self.gradients_of(&self.decoder, &mut grads);
                self.add_embeddings(&mut all, x.grad_remove(&mut grads));
                Ok(all)
            }
            Activations::Recompute => {
                let (inputs, last) = layer_inputs(&self.decoder, self.pass);
                self.decoder = self.decoder.train();
                let x = leaf(last);
                let mut grads = self.surrogate(self.decoder.normed(x.clone()), loss)?.backward();
                Ok(self.through_layers(inputs, &x, &mut grads))
            }
        }
    }

    /// Given the gradients of all that follows the last layer's output `x`: those of every parameter.
    fn through_layers(
        &self,
        inputs: Vec<Tensor<2>>,
        x: &Tensor<2>,
        grads: &mut Gradients,
    ) -> ParameterGradients {
        let (decoder, pass) = (&self.decoder, self.pass);
        let mut by_x = x.grad_remove(grads);
        let mut embed = self.gradients_of(&decoder.model.embed_tokens, grads);
        let after = self.after_layers(grads);

        let angles = decoder.angles(&pass.packing.positions());
        let mut layers = Vec::with_capacity(inputs.len());
        for (i, input) in inputs.into_iter().enumerate().rev() {
            let x = leaf(input);
            let mut grads = towards(layer(decoder, i, x.clone(), &angles, pass), by_x).backward();
            by_x = x.grad_remove(&mut grads);
            layers.push(self.gradients_of(&decoder.model.layers[i], &mut grads));
        }
        self.add_embeddings(&mut embed, by_x);
        for part in layers.into_iter().rev().chain([after]) {
            embed.extend(part);
        }
        embed
    }

    /// Gradients of what follows the layers.
    fn after_layers(&self, grads: &mut Gradients) -> ParameterGradients {
        let decoder = &self.decoder;
        let mut all = self.gradients_of(&decoder.model.norm, grads);
        if let Some(head) = &decoder.lm_head {
            all.extend(self.gradients_of(head, grads));
        }
        if let Some(score) = &decoder.score {
            all.extend(self.gradients_of(score, grads));
        }
        all
    }

    /// Adds the gradient by each token's embedding to its row of the table's, the first of `gradients`. (A graph
    /// that began with the table would make a second gradient of the table's size.)
    fn add_embeddings(&self, gradients: &mut ParameterGradients, by_x: Option<Tensor<2>>) {
        if let (None, Some(by_x)) = (self.policy.lora(), by_x) {
            let by_row = times(by_x, self.decoder.embedding_factor());
            gradients.add_rows(&self.pass.tokens, by_row);
        }
    }

    /// Takes the gradients of a module's trained parameters after a backward pass, in the module's order. (Those that
    /// were left where they are would be copied.)
    fn gradients_of(&self, module: &impl Module, grads: &mut Gradients) -> ParameterGradients {
        GradientsOf::read(self.policy, module, Some(grads))
    }

    /// A scalar with the loss's gradient, given the final hidden states.
    fn surrogate<E>(
        &self,
        hidden: Tensor<2>,
        loss: impl FnOnce(&[f32]) -> Result<Vec<f32>, E>,
    ) -> Result<Tensor<1>, E> {
        let out = (self.read_out)(&self.decoder, hidden);
        let direction = loss(&floats(out.clone().inner()))?;
        let device = self.policy.decoder().head().device();
        let direction = Tensor::from_data(TensorData::new(direction, out.dims()), &device);
        Ok(towards(out, Some(direction)))
    }
}

/// The input of every layer, and the output of the last at the pass's rows, without a graph.
fn layer_inputs(decoder: &Decoder, pass: &Pass) -> (Vec<Tensor<2>>, Tensor<2>) {
    let angles = decoder.angles(&pass.packing.positions());
    let mut x = decoder.embed(pass.tokens.clone());
    let mut inputs = Vec::with_capacity(decoder.model.layers.len());
    for i in 0..decoder.model.layers.len() {
        inputs.push(x.clone());
        x = layer(decoder, i, x, &angles, pass);
    }
    (inputs, x)
}

fn layer(decoder: &Decoder, i: usize, x: Tensor<2>, angles: &Angles, pass: &Pass) -> Tensor<2> {
    let c = &decoder.constants;
    let rows = Some(&pass.rows).filter(|_| decoder.is_last(i));
    let attend = |q, k, v| c.attention(i, q, k, v, &pass.packing);
    decoder.model.layers[i].forward(x, c.table(i, angles), c, rows, attend)
}

/// A tensor that a graph begins with.
fn leaf(x: Tensor<2>) -> Tensor<2> {
    Tensor::from_inner(x).require_grad()
}

/// A scalar whose gradient by `y` is `grad`.
fn towards(y: Tensor<2>, grad: Option<Tensor<2>>) -> Tensor<1> {
    match grad {
        Some(grad) => (y * Tensor::from_inner(grad)).sum(),
        // Nothing after `y` depends on it.
        None => (y * 0.0).sum(),
    }
}

/// Takes a module's gradients, or zeros where there are none.
pub(crate) struct GradientsOf<'a> {
    grads: Option<&'a mut Gradients>,
    trained: TrainedPath,
    out: ParameterGradients,
}

impl<'a> GradientsOf<'a> {
    /// Of the trained parameters of a policy's module, in its order.
    pub(crate) fn read(
        policy: &Policy,
        module: &impl Module,
        grads: Option<&'a mut Gradients>,
    ) -> ParameterGradients {
        let mut read = Self { grads, trained: TrainedPath::of(policy), out: ParameterGradients::default() };
        module.visit(&mut read);
        read.out
    }
}

impl ModuleVisitor for GradientsOf<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.trained.enter(name);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.trained.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !self.trained.here() {
            return;
        }
        let tensor = param.val();
        let grad = self.grads.as_deref_mut().and_then(|grads| tensor.grad_remove(grads));
        self.out.push(&tensor, grad);
    }
}

#[cfg(test)]
#[path = "backward_tests.rs"]
mod tests;

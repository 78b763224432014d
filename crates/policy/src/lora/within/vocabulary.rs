//! Adapters of the embedding table and of the head, and tokens trained by themselves.

use burn::tensor::FloatDType;

use super::{HEAD, TABLE, Within, stored};
use crate::decoder::Embedding;
use crate::lora::config::Residual;
use crate::lora::param;
use crate::lora::tensors::AdapterTensors;
use crate::policy::{Policy, floats};
use crate::{PolicyError, Precision};

impl Within<'_> {
    /// Weights below the adapters of table and head, where the file has them: PEFT saves them too. A tied head's are
    /// the table's. Gives what is still to be taken off the head's weight: nothing where it is the file's.
    pub(super) fn base_of_vocabulary(&self, policy: &mut Policy, tensors: &mut AdapterTensors) -> Residual {
        let mut of_head = self.config.form.residual;
        let decoder = &mut policy.decoder;
        for path in [TABLE, HEAD] {
            let name = format!("{path}.base_layer.weight");
            if !self.has(path) || !tensors.has(&name) {
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

    /// Adapters of the table, whose matrices are the other way round, and of the head.
    pub(super) fn adapt_vocabulary(
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
        match policy.decoder.lm_head.as_mut().filter(|_| self.has(HEAD)) {
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

    /// Rows of the table, and of the head where it is the table.
    pub(super) fn replace_tokens(
        &self,
        policy: &mut Policy,
        tensors: &mut AdapterTensors,
    ) -> Result<(), PolicyError> {
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
}

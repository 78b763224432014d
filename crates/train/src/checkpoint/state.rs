//! The state of a model in training: exact values, AdamW's moments, the number of updates.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors, View};

use crate::TrainError;
use crate::optimizer::Moments;

/// A model in training, apart from its directory.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    /// The trained parameters, exactly.
    pub values: Vec<Vec<f32>>,
    /// AdamW's two moments of each; empty before the first update.
    pub moments: Vec<Moments>,
    /// Updates so far.
    pub updates: u32,
    /// The norms of the last updates' gradients.
    pub norms: Vec<f64>,
    /// The checksum of the values after the last update, where it is kept.
    pub weights: Option<u32>,
}

impl State {
    /// Writes it as one safetensors file.
    pub(crate) fn write(&self, path: &Path) -> Result<(), TrainError> {
        let failed = |source| TrainError::Write { path: path.to_owned(), source };
        let named = |kind: &str, i: usize, values| (format!("{kind}.{i:05}"), Floats(values, [values.len()]));
        let values = self.values.iter().enumerate().map(|(i, v)| named("value", i, v));
        let means = self.moments.iter().enumerate().map(|(i, (m, _))| named("mean", i, m));
        let squares = self.moments.iter().enumerate().map(|(i, (_, s))| named("mean_square", i, s));
        let norms: Vec<String> = self.norms.iter().map(|norm| format!("{:016x}", norm.to_bits())).collect();
        let mut metadata = HashMap::from([
            ("updates".to_owned(), self.updates.to_string()),
            ("norms".to_owned(), norms.join(" ")),
        ]);
        metadata.extend(self.weights.map(|crc| ("weights".to_owned(), crc.to_string())));
        let tensors: Vec<(String, Floats<'_>)> = values.chain(means).chain(squares).collect();
        safetensors::serialize_to_file(tensors, Some(metadata), path)
            .map_err(|e| failed(std::io::Error::other(e)))
    }

    /// Reads it back.
    pub(crate) fn read(path: &Path) -> Result<Self, TrainError> {
        let broken = |what: String| TrainError::CheckpointFile { path: path.to_owned(), what };
        let bytes = std::fs::read(path).map_err(|e| broken(e.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| broken(e.to_string()))?;
        let text = |key: &str| header.metadata().as_ref().and_then(|m| m.get(key));
        let updates = text("updates").and_then(|n| n.parse().ok());
        let updates = updates.ok_or_else(|| broken("the number of updates is missing".to_owned()))?;
        let norm = |bits| u64::from_str_radix(bits, 16).ok().map(f64::from_bits);
        let norms = text("norms").and_then(|norms| norms.split_whitespace().map(norm).collect());
        let norms = norms.ok_or_else(|| broken("the gradients' norms are missing".to_owned()))?;
        // Checkpoints of earlier versions have none.
        let weights = text("weights").and_then(|crc| crc.parse().ok());
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| broken(e.to_string()))?;
        let all = |kind: &str| -> Vec<Vec<f32>> {
            let of = |i: usize| tensors.tensor(&format!("{kind}.{i:05}")).ok();
            (0..).map_while(of).map(|view| floats(view.data())).collect()
        };
        let (values, means, squares) = (all("value"), all("mean"), all("mean_square"));
        if values.is_empty()
            || means.len() != squares.len()
            || !(means.is_empty() || means.len() == values.len())
        {
            let counts = format!("{} values, {} and {} moments", values.len(), means.len(), squares.len());
            return Err(broken(counts));
        }
        Ok(Self { values, moments: means.into_iter().zip(squares).collect(), updates, norms, weights })
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// A flat tensor of numbers that lie elsewhere.
struct Floats<'a>(&'a Vec<f32>, [usize; 1]);

impl View for Floats<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.1
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.0.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        4 * self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_to_the_bit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.safetensors");
        let values = vec![vec![1.5, -0.0, f32::MIN_POSITIVE / 2.0], vec![], vec![3.0e38]];
        let moments = values.iter().map(|v| (v.iter().map(|x| x * 0.1).collect(), v.clone())).collect();
        for state in [
            State {
                values: values.clone(),
                moments,
                updates: 7,
                norms: vec![0.1, 1e-300],
                weights: Some(u32::MAX),
            },
            State { values, ..State::default() },
        ] {
            state.write(&path).unwrap();
            let read = State::read(&path).unwrap();
            assert_eq!(read, state);
            let bits = |s: &State| s.values.concat().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&read), bits(&state));
        }
        let whole = std::fs::read(&path).unwrap();
        for (bytes, part) in [(&whole[..20], "header"), (&b"12345678{}"[..], ""), (b"", "")] {
            std::fs::write(&path, bytes).unwrap();
            let message = State::read(&path).unwrap_err().to_string();
            assert!(message.contains("state.safetensors"), "{part}: {message}");
        }
    }
}

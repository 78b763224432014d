//! The state of a model in training: exact values, AdamW's moments, the number of updates.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, View};
use toolrl_grpo::Blockwise;

use crate::TrainError;
use crate::moments::Moments;

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
        let values = self.values.iter().enumerate().map(|(i, v)| ("value", i, Stored::Floats(v)));
        let moments = self.moments.iter().enumerate().flat_map(|(i, moments)| match moments {
            Moments::Full(mean, square) => {
                vec![("mean", i, Stored::Floats(mean)), (SQUARE, i, Stored::Floats(square))]
            }
            Moments::Blockwise(mean, square) => vec![
                ("mean", i, Stored::Codes(&mean.codes)),
                ("mean_scale", i, Stored::Floats(&mean.scales)),
                (SQUARE, i, Stored::Codes(&square.codes)),
                ("mean_square_scale", i, Stored::Floats(&square.scales)),
            ],
        });
        let tensors = values.chain(moments);
        let tensors: Vec<_> =
            tensors.map(|(kind, i, stored)| (format!("{kind}.{i:05}"), Flat::of(stored))).collect();
        let norms: Vec<String> = self.norms.iter().map(|norm| format!("{:016x}", norm.to_bits())).collect();
        let mut metadata = HashMap::from([
            ("updates".to_owned(), self.updates.to_string()),
            ("norms".to_owned(), norms.join(" ")),
        ]);
        metadata.extend(self.weights.map(|crc| ("weights".to_owned(), crc.to_string())));
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
        let all = |kind: &str| -> Vec<TensorView<'_>> {
            let of = |i: usize| tensors.tensor(&format!("{kind}.{i:05}")).ok();
            (0..).map_while(of).collect()
        };
        let (values, means, squares) = (all("value"), all("mean"), all(SQUARE));
        if values.is_empty()
            || means.len() != squares.len()
            || !(means.is_empty() || means.len() == values.len())
        {
            let counts = format!("{} values, {} and {} moments", values.len(), means.len(), squares.len());
            return Err(broken(counts));
        }
        let moment =
            |(i, (mean, square)): (usize, (TensorView<'_>, TensorView<'_>))| -> Result<Moments, TrainError> {
                if mean.dtype() == Dtype::F32 && square.dtype() == Dtype::F32 {
                    return Ok(Moments::Full(floats(mean.data()), floats(square.data())));
                }
                let blocks = |kind: &str, codes: &TensorView<'_>| {
                    let scales =
                        tensors.tensor(&format!("{kind}_scale.{i:05}")).map_err(|e| broken(e.to_string()))?;
                    Ok::<_, TrainError>(Blockwise {
                        codes: codes.data().to_vec(),
                        scales: floats(scales.data()),
                    })
                };
                Ok(Moments::Blockwise(blocks("mean", &mean)?, blocks(SQUARE, &square)?))
            };
        let moments =
            means.into_iter().zip(squares).enumerate().map(moment).collect::<Result<_, TrainError>>()?;
        let values = values.iter().map(|view| floats(view.data())).collect();
        Ok(Self { values, moments, updates, norms, weights })
    }
}

/// What the means of squares are called.
const SQUARE: &str = "mean_square";

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// Numbers that lie elsewhere.
enum Stored<'a> {
    Floats(&'a [f32]),
    Codes(&'a [u8]),
}

/// A flat tensor of them.
struct Flat<'a>(Stored<'a>, [usize; 1]);

impl<'a> Flat<'a> {
    fn of(stored: Stored<'a>) -> Self {
        let len = match &stored {
            Stored::Floats(values) => values.len(),
            Stored::Codes(codes) => codes.len(),
        };
        Self(stored, [len])
    }
}

impl View for Flat<'_> {
    fn dtype(&self) -> Dtype {
        match self.0 {
            Stored::Floats(_) => Dtype::F32,
            Stored::Codes(_) => Dtype::U8,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.1
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.0 {
            Stored::Floats(values) => Cow::Owned(values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Stored::Codes(codes) => Cow::Borrowed(codes),
        }
    }

    fn data_len(&self) -> usize {
        match self.0 {
            Stored::Floats(values) => 4 * values.len(),
            Stored::Codes(codes) => codes.len(),
        }
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
        let full = |v: &Vec<f32>| Moments::Full(v.iter().map(|x| x * 0.1).collect(), v.clone());
        let moments: Vec<_> = values.iter().map(full).collect();
        let blocks = Blockwise { codes: vec![7, 0, 255], scales: vec![0.1] };
        let mut in_8_bits = moments.clone();
        in_8_bits[0] = Moments::Blockwise(blocks, Blockwise { codes: vec![1, 2, 3], scales: vec![1e-30] });
        for state in [
            State {
                values: values.clone(),
                moments,
                updates: 7,
                norms: vec![0.1, 1e-300],
                weights: Some(u32::MAX),
            },
            State { values: values.clone(), moments: in_8_bits, updates: 8, ..State::default() },
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

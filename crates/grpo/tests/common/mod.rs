//! The reference values of losses, and their sequences.

#![allow(clippy::unwrap_used, reason = "a test helper: a broken golden file fails the test")]

use serde_json::Value;
use toolrl_grpo::Sequence;
use toolrl_testing::Reference;

/// What PyTorch computed.
pub fn references() -> Vec<Value> {
    toolrl_testing::references().iter().map(values).collect()
}

/// The values of a reference.
pub fn values(reference: &Reference) -> Value {
    serde_json::from_slice(&std::fs::read(reference.values.join("reference.json")).unwrap()).unwrap()
}

/// The sequences of the golden file.
#[derive(Clone)]
pub struct Case<F> {
    pub logp: Vec<Vec<F>>,
    pub old: Vec<Vec<F>>,
    pub reference: Vec<Vec<F>>,
    pub entropy: Vec<Vec<F>>,
    pub advantage: Vec<f64>,
}

impl Case<f64> {
    pub fn of(golden: &Value) -> Self {
        let rows = golden["sequences"].as_array().unwrap();
        let column = |key: &str| -> Vec<Vec<f64>> {
            rows.iter().map(|row| serde_json::from_value(row[key].clone()).unwrap()).collect()
        };
        Self {
            logp: column("logprobs_f64"),
            old: column("old_logprobs"),
            reference: column("ref_logprobs"),
            entropy: column("entropy_f64"),
            advantage: rows.iter().map(|row| row["advantage"].as_f64().unwrap()).collect(),
        }
    }

    pub fn in_f32(&self) -> Case<f32> {
        let narrow =
            |rows: &[Vec<f64>]| rows.iter().map(|row| row.iter().map(|&v| v as f32).collect()).collect();
        Case {
            logp: narrow(&self.logp),
            old: narrow(&self.old),
            reference: narrow(&self.reference),
            entropy: narrow(&self.entropy),
            advantage: self.advantage.clone(),
        }
    }
}

impl<F> Case<F> {
    pub fn sequences(&self) -> Vec<Sequence<'_, F>> {
        (0..self.logp.len())
            .map(|i| Sequence {
                logp: &self.logp[i],
                old_logp: &self.old[i],
                ref_logp: Some(&self.reference[i]),
                entropy: Some(&self.entropy[i]),
                sampler_logp: None,
                advantage: self.advantage[i].into(),
            })
            .collect()
    }

    /// Tokens altogether.
    pub fn tokens(&self) -> usize {
        self.logp.iter().map(Vec::len).sum()
    }

    /// (sequence, token) of every token, in the order of the derivatives.
    pub fn positions(&self) -> Vec<(usize, usize)> {
        let rows = self.logp.iter().enumerate();
        rows.flat_map(|(s, row)| (0..row.len()).map(move |t| (s, t))).collect()
    }
}

pub fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
}

//! The paper's results, to hold a run against.

use serde::{Deserialize, Serialize};

/// The paper's results on a benchmark.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PaperTable {
    /// Where they are from.
    pub source: String,
    /// The names of the columns, as the scores of a run.
    pub columns: Vec<String>,
    /// A model, how it was trained, and its score in each column: in percent, or a mean number.
    pub rows: Vec<(String, String, Vec<f64>)>,
}

const SOURCE: &str = "ToolRL: Reward is All Tool Learning Needs, arXiv 2504.13958";

const BFCL: (&[&str], &str) = (
    &["Overall", "Non-Live AST", "Non-Live Exec", "Live", "Multi-Turn", "Relevance", "Irrelevance"],
    "\
Qwen2.5-1.5B|Raw|19.41 16.00 13.18 35.58 0 44.44 82.49
Qwen2.5-1.5B|SFT400|40.21 65.12 61.11 56.69 1.00 94.44 60.14
Qwen2.5-1.5B|SFT4k|40.67 59.94 59.84 59.31 1.00 88.89 71.34
Qwen2.5-1.5B|SFT400+PPO|42.95 77.65 69.75 55.73 1.88 100 48.40
Qwen2.5-1.5B|SFT400+GRPO|40.93 70.54 60.79 56.33 1.00 94.44 58.63
Qwen2.5-1.5B|PPO cold start|38.32 79.40 70.11 45.24 0.87 100 18.09
Qwen2.5-1.5B|GRPO cold start|46.20 77.96 76.98 60.73 2.25 100 56.44
Qwen2.5-3B|Raw|33.04 42.52 40.80 53.96 1.00 64.71 56.01
Qwen2.5-3B|SFT400|34.08 69.29 61.50 41.40 0 94.44 8.11
Qwen2.5-3B|SFT4k|41.97 62.85 54.73 59.17 0.75 77.78 75.12
Qwen2.5-3B|SFT400+PPO|45.80 78.29 71.09 58.76 5.12 94.12 54.70
Qwen2.5-3B|SFT400+GRPO|46.42 76.21 68.93 64.15 1.75 88.89 71.76
Qwen2.5-3B|PPO cold start|51.15 82.42 78.52 67.78 4.88 94.12 73.87
Qwen2.5-3B|GRPO cold start|52.98 81.58 79.43 73.78 3.75 88.24 84.85
Qwen2.5-7B|Raw|41.97 66.02 70.11 53.51 4.25 76.47 62.66
Qwen2.5-7B|SFT400|34.08 69.29 66.68 41.4 0 94.44 8.11
Qwen2.5-7B|SFT4k|36.53 45.15 53.5 57.13 0.75 72.22 72.32
Qwen2.5-7B|PPO cold start|46.68 79.33 78.16 63.17 0.38 88.89 52.92
Qwen2.5-7B|GRPO cold start|58.38 86.17 78.25 74.9 18.12 83.33 76.68
Llama-3.2-3B|Raw|22.09 17.44 14.57 43.85 0 77.78 66.07
Llama-3.2-3B|SFT400|41.22 64.27 62.18 58.37 0.75 66.67 71.12
Llama-3.2-3B|SFT4k|44.16 65.42 67.02 63.04 1.38 77.78 78.25
Llama-3.2-3B|PPO cold start|42.98 84.00 72.00 52.80 2.88 100 31.94
Llama-3.2-3B|GRPO cold start|44.10 74.38 75.18 56.86 1.37 94.44 62.23",
);

const API_BANK: (&[&str], &str) = (
    &["Overall", "Level 1", "Level 2", "Level 3"],
    "\
Qwen2.5-1.5B|Raw|30.65 28.32 35.82 35.11
Qwen2.5-1.5B|GRPO cold start|63.15 70.68 61.19 41.22
Qwen2.5-3B|Raw|51.59 59.65 32.84 36.64
Qwen2.5-3B|GRPO cold start|67.00 73.43 67.16 47.33
Qwen2.5-7B|Raw|62.48 70.68 49.25 44.27
Qwen2.5-7B|GRPO cold start|64.66 73.93 61.19 38.17
Llama-3.2-3B|Raw|40.54 44.86 29.85 32.82
Llama-3.2-3B|GRPO cold start|59.13 65.66 52.24 42.75",
);

const BAMBOOGLE: (&[&str], &str) = (
    &["Accuracy", "Average calls"],
    "\
Qwen2.5-1.5B|Raw|20.8 0.61
Qwen2.5-1.5B|GRPO cold start|44.0 1.19
Qwen2.5-3B|Raw|52.0 1.77
Qwen2.5-3B|GRPO cold start|60.0 1.32
Qwen2.5-7B|Raw|69.6 1.42
Qwen2.5-7B|GRPO cold start|72.0 1.63
Llama-3.2-3B|Raw|34.4 1.25
Llama-3.2-3B|GRPO cold start|52.0 0.89",
);

impl PaperTable {
    /// The paper's results on a benchmark; without rows for one that it has not.
    pub fn of(benchmark: &str) -> Self {
        let (columns, rows) = match benchmark {
            "bfcl" => BFCL,
            "api-bank" => API_BANK,
            "bamboogle" => BAMBOOGLE,
            _ => return Self::default(),
        };
        let row = |line: &str| {
            let mut parts = line.split('|');
            let mut part = || parts.next().unwrap_or_default().to_owned();
            let (model, trained, scores) = (part(), part(), part());
            (model, trained, scores.split(' ').filter_map(|score| score.parse().ok()).collect())
        };
        Self {
            source: SOURCE.into(),
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            rows: rows.lines().map(row).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_every_column() {
        for (benchmark, rows) in [("bfcl", 24), ("api-bank", 8), ("bamboogle", 8)] {
            let table = PaperTable::of(benchmark);
            assert_eq!(table.rows.len(), rows);
            for (model, trained, scores) in &table.rows {
                assert_eq!(scores.len(), table.columns.len(), "{benchmark} {model} {trained}");
                assert!(!model.is_empty() && !trained.is_empty());
            }
        }
        assert_eq!(PaperTable::of("other"), PaperTable::default());
    }
}

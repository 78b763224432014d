//! Ids that are unique within a file.

use std::collections::{HashMap, HashSet};

use crate::Sample;

/// Adds a number to ids that an earlier sample has. How many there were.
pub(super) fn make_unique(samples: &mut [Sample]) -> usize {
    let mut used: HashSet<String> = samples.iter().map(|sample| sample.id.clone()).collect();
    let mut times: HashMap<String, usize> = HashMap::new();
    let mut repeated = 0;
    for sample in samples {
        let number = times.entry(sample.id.clone()).or_insert(0);
        *number += 1;
        if *number == 1 {
            continue;
        }
        repeated += 1;
        let numbered = |number: &usize| format!("{}#{number}", sample.id);
        while used.contains(&numbered(number)) {
            *number += 1;
        }
        sample.id = numbered(number);
        used.insert(sample.id.clone());
    }
    repeated
}

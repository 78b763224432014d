//! Samples of several sources.

use toolrl_data::world::WorldConfig;

use super::*;
use crate::MixPart;

fn part(name: &str, weight: f64, train: usize, held_out: usize) -> MixPart {
    let config = WorldConfig { train, held_out, ..WorldConfig::default() };
    MixPart { name: Some(name.to_owned()), weight, source: DataSource::World(config) }
}

#[test]
fn a_mix_has_the_samples_of_each_source_under_its_name() {
    let mix = DataSource::Mix(vec![part("a", 3.0, 5, 6), part("b", 1.0, 4, 2)]);
    let data = load_data(&mix, 1).unwrap();
    let source = |name: &str, weight, train| Source { name: name.to_owned(), weight, train };
    assert_eq!(data.sources, [source("a", 3.0, 5), source("b", 1.0, 4)]);
    assert_eq!(data.source_of_each().collect::<Vec<_>>(), [0, 0, 0, 0, 0, 1, 1, 1, 1]);
    let alone = |part: &MixPart| load_data(&part.source, 1).unwrap();
    let DataSource::Mix(parts) = &mix else { panic!() };
    let ids = |name: &str, samples: &[Sample]| -> Vec<String> {
        samples.iter().map(|sample| format!("{name}/{}", sample.id)).collect()
    };
    let found: Vec<_> = data.train.iter().map(|sample| sample.id.clone()).collect();
    assert_eq!(found, [ids("a", &alone(&parts[0]).train), ids("b", &alone(&parts[1]).train)].concat());
    let held_out = [ids("a", &alone(&parts[0]).held_out), ids("b", &alone(&parts[1]).held_out)];
    let found: Vec<_> = data.held_out.iter().map(|sample| sample.id.clone()).collect();
    assert_eq!(found, interleaved(held_out.into()));
    assert_eq!(load_data(&parts[0].source, 1).unwrap().sources, [source("", 1.0, 5)]);
}

#[test]
fn a_source_without_samples_is_named() {
    for (mix, what) in [
        ([part("a", 1.0, 5, 2), part("b", 1.0, 0, 2)], "training data"),
        ([part("a", 1.0, 5, 2), part("b", 1.0, 5, 0)], "held-out data"),
    ] {
        let message = load_data(&DataSource::Mix(mix.into()), 1).unwrap_err().to_string();
        assert!(message.contains(what) && message.contains("data.mix \"b\""), "{message}");
    }
}

#[test]
fn lists_are_spread_evenly_in_one() {
    assert_eq!(interleaved(vec![vec![1, 2, 3, 4], vec![10, 20]]), [1, 10, 2, 3, 20, 4]);
    assert_eq!(interleaved(vec![vec![3, 1, 2]]), [3, 1, 2]);
    assert_eq!(interleaved(vec![Vec::<u8>::new(), Vec::new()]), [0; 0]);
}

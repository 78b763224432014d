//! A distribution of lengths.

use serde::Serialize;

/// How long the items of a dataset are, in a unit that its user knows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lengths {
    /// The mean; 0 without items.
    pub mean: f64,
    /// The shortest.
    pub min: usize,
    /// The median: the least length that half of the items do not exceed.
    pub p50: usize,
    /// The least length that 90 % of the items do not exceed.
    pub p90: usize,
    /// The least length that 99 % of the items do not exceed.
    pub p99: usize,
    /// The longest.
    pub max: usize,
    /// How many items lie in each of at most ten ranges of equal width.
    pub histogram: Vec<Bin>,
}

/// A range of lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bin {
    /// The shortest length in it.
    pub from: usize,
    /// The longest length in it.
    pub to: usize,
    /// How many items.
    pub count: usize,
}

impl Lengths {
    /// Describes these lengths.
    pub fn of(lengths: impl Iterator<Item = usize>) -> Self {
        let mut sorted: Vec<_> = lengths.collect();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
            sorted.get(rank).copied().unwrap_or_default()
        };
        let total: usize = sorted.iter().sum();
        Self {
            mean: total as f64 / sorted.len().max(1) as f64,
            min: at(0),
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: at(100),
            histogram: histogram(&sorted),
        }
    }
}

/// Counts in ranges whose width is 1, 2 or 5 times a power of ten.
fn histogram(sorted: &[usize]) -> Vec<Bin> {
    const BINS: usize = 8;
    let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else {
        return Vec::new();
    };
    let widths =
        (0..).flat_map(|power| [1, 2, 5].map(|digit| 10_usize.saturating_pow(power).saturating_mul(digit)));
    let fits = |width: &usize| (max - min).div_ceil(*width) <= BINS;
    // The last of these widths is greater than any length.
    let width = widths.take(60).find(fits).unwrap_or(usize::MAX);
    let mut bins: Vec<Bin> = (min / width..=max / width)
        .map(|bin| Bin { from: bin * width, to: bin * width + (width - 1), count: 0 })
        .collect();
    sorted.iter().for_each(|length| bins[length / width - min / width].count += 1);
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_lengths_that_occur() {
        let found = Lengths::of((1..=200).rev());
        let expected = (100.5, 1, 100, 180, 198, 200);
        assert_eq!((found.mean, found.min, found.p50, found.p90, found.p99, found.max), expected);
        let one = Lengths::of([7].into_iter());
        assert_eq!((one.mean, one.min, one.p50, one.p90, one.p99, one.max), (7.0, 7, 7, 7, 7, 7));
        assert_eq!(Lengths::of(std::iter::empty()).histogram, []);
    }

    #[test]
    fn every_item_is_in_one_bin() {
        for (min, max, width) in [(3, 3, 1), (0, 8, 1), (0, 9, 2), (95, 130, 5), (1, 40_000, 5_000)] {
            let found = Lengths::of(min..=max).histogram;
            assert!(found.len() <= 10, "{min} to {max}: {}", found.len());
            assert_eq!(found[0].to + 1 - found[0].from, width, "{min} to {max}");
            assert_eq!(found.iter().map(|bin| bin.count).sum::<usize>(), max - min + 1);
            assert!(found.windows(2).all(|pair| pair[0].to + 1 == pair[1].from));
        }
    }
}

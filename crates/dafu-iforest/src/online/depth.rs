//! The depth that is expected below a leaf, c(h, eta).

use super::params::Rules;
use crate::power::log2;

/// Counts up to here have their value in a table.
const TABLE_LEN: usize = 4096;

/// c(h) = log(h / eta) / log(2 b) from eta points on, 0 below: the levels that h points would get in a tree whose
/// splits are all even.
///
/// Source: the reference implementation of the paper, `get_random_path_length`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ExpectedDepth {
    eta: f64,
    per_bit: f64,
    table: Vec<f64>,
}

impl ExpectedDepth {
    pub(super) fn new(rules: &Rules) -> Self {
        let mut depth = Self {
            eta: f64::from(rules.eta),
            per_bit: 1.0 / log2(f64::from(2 * rules.branching)),
            table: Vec::new(),
        };
        depth.table = (0..=rules.window)
            .take(TABLE_LEN)
            .map(|points| depth.compute(points))
            .collect();
        depth
    }

    #[inline]
    pub(super) fn get(&self, points: u32) -> f64 {
        match self.table.get(points as usize) {
            Some(&depth) => depth,
            None => self.compute(points),
        }
    }

    fn compute(&self, points: u32) -> f64 {
        let points = f64::from(points);
        if points > self.eta {
            log2(points / self.eta) * self.per_bit
        } else {
            0.0
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.table.capacity() * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::params::{LeafGrowth, Rules};
    use super::ExpectedDepth;

    #[test]
    fn depths_are_even_splits_and_do_not_depend_on_the_table() {
        for (branching, window) in [(2, 2048), (3, 100_000)] {
            let rules = Rules {
                window,
                eta: 32,
                growth: LeafGrowth::Adaptive,
                branching,
            };
            let depth = ExpectedDepth::new(&rules);
            let base = f64::from(2 * branching);
            for points in (0..=window).step_by(7).chain([window]) {
                let expected = (f64::from(points) / 32.0).max(1.0).ln() / base.ln();
                assert!((depth.get(points) - expected).abs() < 1e-14, "{points}");
                assert!(depth.get(points).to_bits() == depth.compute(points).to_bits());
            }
            assert!(rules.is_depth_open(2, 32 * (2 * branching).pow(2)));
            assert!(!rules.is_depth_open(2, 32 * (2 * branching).pow(2) - 1));
        }
    }
}

//! The depth that is expected below a leaf, c(h, eta).

use super::params::Rules;

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

/// The logarithm to base 2 of a normal number of at least 1, to within a few units in the last place.
///
/// With additions, multiplications and divisions alone, so that the bits do not depend on the mathematical library
/// of the platform: x = 2^e m with m in [2^-1/2, 2^1/2), ln m = 2 artanh((m - 1) / (m + 1)) by its series.
fn log2(x: f64) -> f64 {
    const EXPONENT_BITS: u64 = 0x7ff << 52;
    const ONE: u64 = 1023 << 52;
    let bits = x.to_bits();
    let mut exponent = ((bits & EXPONENT_BITS) >> 52) as f64 - 1023.0;
    let mut mantissa = f64::from_bits(bits & !EXPONENT_BITS | ONE);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1.0;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    // |s| < 0.172: the term left out is below 1e-18.
    let series = (0..12_u32)
        .rev()
        .fold(0.0, |sum, k| sum * square + 1.0 / f64::from(2 * k + 1));
    exponent + 2.0 * s * series / std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::super::params::{LeafGrowth, Rules};
    use super::{ExpectedDepth, log2};

    #[test]
    fn logarithms_agree_with_the_standard_library() {
        let mut x = 1.0_f64;
        while x < 1e12 {
            let expected = x.log2();
            assert!(
                (log2(x) - expected).abs() <= 4e-16 * expected.max(1.0),
                "log2({x}) = {} instead of {expected}",
                log2(x)
            );
            x *= 1.000_37;
        }
        for power in 0..40 {
            let exact = f64::from(power);
            assert!((log2(exact.exp2()) - exact).abs() < f64::EPSILON);
        }
    }

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

//! The best split of a node.

use crate::bin::ColumnBins;
use crate::gradient::{Scale, Sums};
use crate::params::BoostedTreesParams;

/// What a split has to keep to, and how its gain is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SplitRules {
    pub(crate) l1: f64,
    pub(crate) l2: f64,
    pub(crate) min_rows: u32,
    pub(crate) min_hessian: f64,
    pub(crate) min_gain: f64,
}

impl SplitRules {
    pub(crate) fn new(params: &BoostedTreesParams) -> Self {
        Self {
            l1: params.l1,
            l2: params.l2,
            min_rows: u32::try_from(params.min_leaf_rows).unwrap_or(u32::MAX),
            min_hessian: params.min_leaf_hessian,
            min_gain: params.min_gain,
        }
    }

    /// The gradient that is left of a sum.
    #[inline]
    fn shrink(&self, gradient: f64) -> f64 {
        (gradient.abs() - self.l1).max(0.0).copysign(gradient)
    }

    /// How much better a node fits with its best answer than with 0, twice.
    fn fit(&self, (gradient, hessian): (f64, f64)) -> f64 {
        let gradient = self.shrink(gradient);
        let below = hessian + self.l2;
        if below > 0.0 {
            gradient * gradient / below
        } else {
            0.0
        }
    }

    /// The best answer of a node.
    ///
    /// Source: Chen and Guestrin, "`XGBoost`: A Scalable Tree Boosting System" (2016), equation 5, with the threshold of
    /// L1.
    pub(crate) fn answer(&self, (gradient, hessian): (f64, f64)) -> f64 {
        let below = hessian + self.l2;
        if below > 0.0 {
            -self.shrink(gradient) / below
        } else {
            0.0
        }
    }
}

/// A split of a node in two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Split {
    /// How well the two parts fit.
    pub(crate) fit: f64,
    /// How much better that is than the whole.
    pub(crate) gain: f64,
    pub(crate) column: usize,
    /// Last bin that goes left.
    pub(crate) bin: u8,
    pub(crate) missing_left: bool,
    /// Sums of what goes left.
    pub(crate) left: Sums,
}

/// The sums of a node, as numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodeSums {
    pub(crate) sums: Sums,
    pub(crate) values: (f64, f64),
    pub(crate) rows: u32,
}

impl NodeSums {
    pub(crate) fn new(sums: Sums, scale: &Scale) -> Self {
        Self {
            sums,
            values: scale.values(sums),
            rows: scale.rows(sums),
        }
    }
}

/// A gain of this share of what a node fits may be nothing but rounding: rows that all ask for the same answer would be
/// split on and on.
const ROUNDING: f64 = 1e-9;

/// Looks for the best split of one node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search<'a> {
    pub(crate) rules: &'a SplitRules,
    pub(crate) scale: &'a Scale,
    pub(crate) node: NodeSums,
}

/// The best place so far within a column.
#[derive(Debug, Clone, Copy)]
struct Best {
    fit: f64,
    bin: usize,
    left: Sums,
    missing_left: bool,
}

impl Search<'_> {
    /// The best split on a column, if one gains anything.
    ///
    /// Source: Chen and Guestrin (2016), algorithms 1 and 3, and equation 7 for the gain.
    pub(crate) fn column(
        &self,
        (column, bins): (usize, &ColumnBins),
        sums: &[Sums],
    ) -> Option<Split> {
        let whole = self.rules.fit(self.node.values);
        let missing = sums.first().copied().unwrap_or_default();
        let numbers = sums.get(1..bins.len()).unwrap_or_default();
        let mut best = Best {
            fit: whole + self.rules.min_gain.max(whole * ROUNDING),
            bin: 0,
            left: Sums::default(),
            missing_left: false,
        };
        // The last bin leaves nothing but what is missing to the right.
        let last = numbers.len() - usize::from(missing.is_empty());
        self.scan(&numbers[..last], None, &mut best);
        if !missing.is_empty() {
            self.scan(&numbers[..numbers.len() - 1], Some(missing), &mut best);
        } else if best.bin > 0 {
            // Nothing is known about what is missing: it goes where most rows go.
            best.missing_left = self.scale.rows(best.left) * 2 >= self.node.rows;
        }
        (best.bin > 0).then(|| Split {
            fit: best.fit,
            gain: best.fit - whole,
            column,
            bin: u8::try_from(best.bin).unwrap_or(u8::MAX),
            missing_left: best.missing_left,
            left: best.left,
        })
    }

    /// Looks at every place between bins, with what is missing on the left or on the right.
    fn scan(&self, numbers: &[Sums], missing: Option<Sums>, best: &mut Best) {
        let Self { rules, scale, node } = self;
        let (all_gradient, all_hessian) = node.values;
        let mut left = missing.unwrap_or_default();
        for (at, sums) in numbers.iter().enumerate() {
            if sums.is_empty() {
                continue;
            }
            left.add(*sums);
            let rows = scale.rows(left);
            if rows < rules.min_rows {
                continue;
            }
            if node.rows - rows < rules.min_rows {
                break;
            }
            let (gradient, hessian) = scale.values(left);
            let other = all_hessian - hessian;
            if hessian < rules.min_hessian {
                continue;
            }
            if other < rules.min_hessian {
                break;
            }
            let one = rules.shrink(gradient);
            let two = rules.shrink(all_gradient - gradient);
            let (below_one, below_two) = (hessian + rules.l2, other + rules.l2);
            // Compared without a division: most places are not the best.
            let above = one * one * below_two + two * two * below_one;
            let below = below_one * below_two;
            if above > best.fit * below && below > 0.0 {
                *best = Best {
                    fit: above / below,
                    bin: at + 1,
                    left,
                    missing_left: missing.is_some(),
                };
            }
        }
    }
}

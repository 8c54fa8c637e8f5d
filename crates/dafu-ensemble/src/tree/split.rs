//! The best split of a node.

use crate::params::BoostedTreesParams;
use crate::tree::bin::{ColumnBins, MOST_BINS};
use crate::tree::constraint::{Bounds, Monotone};
use crate::tree::gradient::{Scale, Sums};

/// What a split has to keep to, and how its gain is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SplitRules {
    pub(crate) l1: f64,
    pub(crate) l2: f64,
    pub(crate) min_rows: u32,
    pub(crate) min_hessian: f64,
    pub(crate) min_gain: f64,
    pub(crate) categories: CategoryRules,
    /// Whether answers have bounds.
    pub(crate) bound: bool,
    /// Whether a part also needs the share of a node's hessian that `min_rows` are of its rows.
    pub(crate) rows_by_hessian: bool,
}

/// How categories are split.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CategoryRules {
    pub(crate) smooth: f64,
    pub(crate) l2: f64,
    pub(crate) most: usize,
}

impl SplitRules {
    pub(crate) fn new(params: &BoostedTreesParams) -> Self {
        Self {
            l1: params.l1,
            l2: params.l2,
            min_rows: u32::try_from(params.min_leaf_rows).unwrap_or(u32::MAX),
            min_hessian: params.min_leaf_hessian,
            min_gain: params.min_gain,
            categories: CategoryRules {
                smooth: params.category_smooth,
                l2: params.category_l2,
                most: params.max_category_split,
            },
            bound: !params.monotone.is_empty(),
            rows_by_hessian: true,
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

    /// As [`SplitRules::fit`], with an answer that bounds may have moved.
    fn fit_with(&self, (gradient, hessian): (f64, f64), answer: f64) -> f64 {
        let below = hessian + self.l2;
        -2.0 * (gradient * answer + self.l1 * answer.abs()) - below * answer * answer
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

/// Bins, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BinSet([u64; MOST_BINS / 64]);

impl BinSet {
    pub(crate) fn insert(&mut self, bin: usize) {
        self.0[bin / 64 % 4] |= 1 << (bin % 64);
    }

    pub(crate) const fn contains(&self, bin: usize) -> bool {
        (self.0[bin / 64 % 4] >> (bin % 64)) & 1 == 1
    }
}

/// Which bins go left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Way {
    /// Those up to one.
    Numbers {
        /// The last one.
        bin: u8,
        missing_left: bool,
    },
    /// Those in a set, which never holds what is missing.
    Categories(BinSet),
}

impl Way {
    pub(crate) fn goes_left(&self) -> [bool; MOST_BINS] {
        let mut left = [false; MOST_BINS];
        match self {
            Self::Numbers { bin, missing_left } => {
                left[0] = *missing_left;
                left[1..=usize::from(*bin)].fill(true);
            }
            Self::Categories(set) => {
                for (bin, left) in left.iter_mut().enumerate() {
                    *left = set.contains(bin);
                }
            }
        }
        left
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
    pub(crate) way: Way,
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
    rules: &'a SplitRules,
    scale: &'a Scale,
    node: NodeSums,
    bounds: Bounds,
    /// How well the node fits as it is.
    whole: f64,
    /// Sum of hessians of a part at least.
    min_hessian: f64,
}

/// A column to be split.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) column: usize,
    pub(crate) bins: &'a ColumnBins,
    pub(crate) monotone: Option<Monotone>,
}

/// The best place so far within a column.
#[derive(Debug, Clone, Copy)]
struct Best {
    fit: f64,
    /// Bins that were gone through, 0 for none.
    passed: usize,
    left: Sums,
    missing_left: bool,
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        rules: &'a SplitRules,
        scale: &'a Scale,
        node: NodeSums,
        bounds: Bounds,
    ) -> Self {
        let whole = if rules.bound {
            rules.fit_with(node.values, bounds.clamp(rules.answer(node.values)))
        } else {
            rules.fit(node.values)
        };
        Self {
            rules,
            scale,
            node,
            bounds,
            whole,
            min_hessian: if rules.rows_by_hessian {
                // A single row may stand alone whatever its hessian.
                let share = f64::from(rules.min_rows - 1) / f64::from(node.rows.max(1));
                rules.min_hessian.max(node.values.1 * share)
            } else {
                rules.min_hessian
            },
        }
    }

    /// The best split on a column, if one gains anything.
    ///
    /// Source: Chen and Guestrin (2016), algorithms 1 and 3, and equation 7 for the gain.
    pub(crate) fn column(&self, candidate: Candidate<'_>, sums: &[Sums]) -> Option<Split> {
        let used = sums.get(..candidate.bins.len()).unwrap_or_default();
        let (missing, values) = used.split_first()?;
        match candidate.bins {
            ColumnBins::Numbers(_) => self.numbers(candidate, *missing, values),
            ColumnBins::Categories(_) => self.categories(candidate.column, *missing, values),
        }
    }

    /// As [`Search::column`], but numbers may be cut in one place only: above so many bins.
    pub(crate) fn column_cut(
        &self,
        candidate: Candidate<'_>,
        sums: &[Sums],
        above: usize,
    ) -> Option<Split> {
        if matches!(candidate.bins, ColumnBins::Categories(_)) {
            return self.column(candidate, sums);
        }
        let used = sums.get(..candidate.bins.len()).unwrap_or_default();
        let (missing, values) = used.split_first()?;
        let (low, high) = values.split_at_checked(above)?;
        let halves = [low, high].map(|half| {
            half.iter().fold(Sums::default(), |mut all, sums| {
                all.add(*sums);
                all
            })
        });
        let mut split = self.numbers(candidate, *missing, &halves)?;
        if let Way::Numbers { bin, missing_left } = split.way {
            // Past the second half only what is missing is left.
            let passed = if bin == 1 { above } else { values.len() };
            split.way = Way::Numbers {
                bin: u8::try_from(passed).unwrap_or(u8::MAX),
                missing_left,
            };
        }
        Some(split)
    }

    fn worst(&self, least: f64) -> Best {
        Best {
            fit: self.whole + least.max(self.whole.abs() * ROUNDING),
            passed: 0,
            left: Sums::default(),
            missing_left: false,
        }
    }

    fn numbers(&self, candidate: Candidate<'_>, missing: Sums, values: &[Sums]) -> Option<Split> {
        let mut best = self.worst(self.rules.min_gain);
        // The last bin leaves nothing but what is missing to the right.
        let last = values.len() - usize::from(missing.is_empty());
        self.scan_numbers(candidate.monotone, &values[..last], None, &mut best);
        if !missing.is_empty() {
            let values = &values[..values.len() - 1];
            self.scan_numbers(candidate.monotone, values, Some(missing), &mut best);
        } else if best.passed > 0 {
            // Nothing is known about what is missing: it goes where most rows go.
            best.missing_left = self.scale.rows(best.left) * 2 >= self.node.rows;
        }
        // In the middle of a gap: rows to come may lie there.
        let empty = values.iter().skip(best.passed);
        let gap = empty.take_while(|sums| sums.is_empty()).count();
        let inside = best.passed + gap < values.len();
        let bin = best.passed + if inside { gap / 2 } else { 0 };
        (best.passed > 0).then(|| Split {
            fit: best.fit,
            gain: best.fit - self.whole,
            column: candidate.column,
            way: Way::Numbers {
                bin: u8::try_from(bin).unwrap_or(u8::MAX),
                missing_left: best.missing_left,
            },
            left: best.left,
        })
    }

    fn scan_numbers(
        &self,
        monotone: Option<Monotone>,
        values: &[Sums],
        missing: Option<Sums>,
        best: &mut Best,
    ) {
        let values = values.iter().copied();
        if self.rules.bound {
            let fit = |left, right| self.fit_bound((monotone, 0.0), left, right);
            self.scan(values, missing, fit, best);
        } else {
            self.scan(
                values,
                missing,
                |left, right| self.fit_free(0.0, left, right),
                best,
            );
        }
    }

    /// Splits by a set of categories: in the order of what they ask for, the best set is one end of all.
    ///
    /// Source: Fisher, "On Grouping for Maximum Homogeneity" (1958).
    fn categories(&self, column: usize, missing: Sums, values: &[Sums]) -> Option<Split> {
        let rules = &self.rules.categories;
        let mut order: Vec<(f64, usize)> = values
            .iter()
            .enumerate()
            .filter(|(_, sums)| !sums.is_empty())
            .map(|(at, sums)| {
                let (gradient, hessian) = self.scale.values(*sums);
                let below = hessian + rules.smooth;
                (if below > 0.0 { gradient / below } else { 0.0 }, at)
            })
            .collect();
        order.sort_by(|one, two| one.0.total_cmp(&two.0).then(one.1.cmp(&two.1)));
        // All categories may go left only where something that is missing stays.
        let most =
            (order.len() - usize::from(missing.is_empty() && !order.is_empty())).min(rules.most);
        let fit = |left, right| {
            if self.rules.bound {
                self.fit_bound((None, rules.l2), left, right)
            } else {
                self.fit_free(rules.l2, left, right)
            }
        };
        let [mut low, mut high] = [self.worst(self.rules.min_gain); 2];
        let lowest = order.iter().take(most).map(|(_, at)| values[*at]);
        self.scan(lowest, None, fit, &mut low);
        let highest = order.iter().rev().take(most).map(|(_, at)| values[*at]);
        self.scan(highest, None, fit, &mut high);
        let mut set = BinSet::default();
        let best = if high.fit > low.fit {
            let taken = order.iter().rev().take(high.passed);
            taken.for_each(|(_, at)| set.insert(at + 1));
            high
        } else {
            let taken = order.iter().take(low.passed);
            taken.for_each(|(_, at)| set.insert(at + 1));
            low
        };
        if best.passed == 0 {
            return None;
        }
        Some(Split {
            fit: best.fit,
            gain: best.fit - self.whole,
            column,
            way: Way::Categories(set),
            left: best.left,
        })
    }

    /// How well two parts fit, as a numerator and a denominator: most places are not the best, and need no division.
    #[inline]
    fn fit_free(&self, more_l2: f64, left: (f64, f64), right: (f64, f64)) -> (f64, f64) {
        let l2 = self.rules.l2 + more_l2;
        let (one, two) = (self.rules.shrink(left.0), self.rules.shrink(right.0));
        let (below_one, below_two) = (left.1 + l2, right.1 + l2);
        (
            one * one * below_two + two * two * below_one,
            below_one * below_two,
        )
    }

    /// As [`Search::fit_free`], with answers within the bounds; parts whose answers would turn the order round do not fit.
    fn fit_bound(
        &self,
        (monotone, more_l2): (Option<Monotone>, f64),
        left: (f64, f64),
        right: (f64, f64),
    ) -> (f64, f64) {
        let [left, right] = [left, right].map(|sums| (sums.0, sums.1 + more_l2));
        let [one, two] = [left, right].map(|sums| self.bounds.clamp(self.rules.answer(sums)));
        let wrong = match monotone {
            None => false,
            Some(Monotone::Rising) => one > two,
            Some(Monotone::Falling) => one < two,
        };
        if wrong {
            return (f64::NEG_INFINITY, 1.0);
        }
        let fit = self.rules.fit_with(left, one) + self.rules.fit_with(right, two);
        (fit, 1.0)
    }

    /// Looks at every place between values, with what is missing on the left or on the right.
    #[inline]
    fn scan(
        &self,
        values: impl Iterator<Item = Sums>,
        missing: Option<Sums>,
        fit: impl Fn((f64, f64), (f64, f64)) -> (f64, f64),
        best: &mut Best,
    ) {
        let Self {
            rules, scale, node, ..
        } = self;
        let (all_gradient, all_hessian) = node.values;
        let least = self.min_hessian;
        let mut left = missing.unwrap_or_default();
        for (at, sums) in values.enumerate() {
            if sums.is_empty() {
                continue;
            }
            left.add(sums);
            let rows = scale.rows(left);
            if rows < rules.min_rows {
                continue;
            }
            if node.rows - rows < rules.min_rows {
                break;
            }
            let (gradient, hessian) = scale.values(left);
            let other = all_hessian - hessian;
            if hessian < least {
                continue;
            }
            if other < least {
                break;
            }
            let (above, below) = fit((gradient, hessian), (all_gradient - gradient, other));
            if above > best.fit * below && below > 0.0 {
                *best = Best {
                    fit: above / below,
                    passed: at + 1,
                    left,
                    missing_left: missing.is_some(),
                };
            }
        }
    }
}

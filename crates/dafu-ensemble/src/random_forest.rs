//! A random forest: fit and answers.

use crate::explain::Explainer;
use crate::forest_params::{Bagging, CheckedRandomForestParams, RandomForestParams};
use crate::learner::{Classifier, check_column, check_shapes, check_width, learner};
use crate::params::{BoostedTreesParams, number};
use crate::tree::Tree;
use crate::tree::bin::Bins;
use crate::tree::forest_grow::Wood;
use crate::tree::gradient::{Scale, Sums};
use crate::tree::split::SplitRules;
use crate::tree::walk::Walk;
use crate::{ClassWeight, EnsembleError, Samples, threads};
use dafu_core::metrics::average_precision;
use dafu_core::random::Stream;
use ndarray::ArrayView2;

/// What random streams are for.
const ROWS: u64 = 3;
const NODES: u64 = 4;
/// Priors are at least this far from 0 and 1, so that log odds are finite.
pub(crate) const PRIOR_EDGE: f64 = 1e-12;
/// Rows that a thread judges at a time by the trees that have not seen them.
const CHUNK: usize = 1024;

/// Trees over drawn rows and columns, whose shares of frauds are averaged.
///
/// Source: Breiman, "Random Forests" (2001). Shares of leaves are averaged, where Breiman counts votes.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomForest {
    pub(crate) width: usize,
    /// Share of frauds among the rows that the trees learned from.
    pub(crate) prior: f64,
    pub(crate) trees: Vec<Tree>,
    pub(crate) walk: Walk,
    pub(crate) out_of_bag: Option<OutOfBag>,
}

/// How well rows are judged by the trees that have not seen them: what to expect on rows like those of training.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfBag {
    /// Mean share of frauds by row; NaN for rows of weight 0 and for those that every tree has seen.
    pub probabilities: Vec<f64>,
    /// Share of the rows that are on the wrong side of one half, by weight; NaN where every tree has seen every row.
    pub error: f64,
    /// Mean squared distance of probability and label, by weight; NaN where every tree has seen every row.
    pub brier: f64,
    /// Average precision; `None` when the rows judged are of one class.
    pub average_precision: Option<f64>,
}

impl RandomForestParams {
    /// Learns from rows.
    ///
    /// # Errors
    ///
    /// When a parameter or the sum of weights is out of range, or there are no rows, no columns, or rows of one class only.
    ///
    /// # Complexity
    ///
    /// O(t m n log n) for t trees, m columns a split and n rows; memory O(n d) bytes for d columns, and O(n) for each
    /// thread.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<RandomForest, EnsembleError> {
        self.check()?.fit(samples)
    }
}

impl CheckedRandomForestParams {
    /// As [`RandomForestParams::fit`].
    ///
    /// # Errors
    ///
    /// When the sum of weights is out of range, or there are no rows, no columns, or rows of one class only.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<RandomForest, EnsembleError> {
        let params = &self.0;
        let rows = samples.rows();
        for column in &params.categorical {
            check_column("categorical", *column, rows.ncols())?;
        }
        let bags = Bags::new(params, samples)?;
        let bins = Bins::cut(samples, params.max_bins, &params.categorical)?;
        let binned = bins.of(rows);
        let rules = BoostedTreesParams::default()
            .min_leaf_rows(params.min_leaf_rows)
            .min_leaf_hessian(0.0)
            .l2(0.0)
            .category_smooth(0.0)
            .category_l2(0.0);
        let wood = Wood {
            bins: &bins,
            binned: &binned,
            params,
            rules: SplitRules {
                rows_by_hessian: false,
                ..SplitRules::new(&rules)
            },
            scale: bags.scale,
        };
        let trees = threads::map(params.n_estimators, |number| {
            let (rows, gradients) = bags.draw(number);
            wood.grow(
                rows,
                &gradients,
                Stream::new(params.seed, NODES, number as u64),
            )
        });
        drop(binned);
        let all_seen = params.bagging == Bagging::None && params.row_sample >= 1.0;
        let out_of_bag = (!all_seen).then(|| bags.judge(&trees, samples));
        Ok(RandomForest {
            width: rows.ncols(),
            prior: bags.prior,
            walk: Walk::new(&trees),
            trees,
            out_of_bag,
        })
    }
}

/// Draws the rows of each tree.
struct Bags<'p> {
    params: &'p RandomForestParams,
    /// Rows of a weight above 0, of which frauds.
    active: Vec<u32>,
    frauds: Vec<u32>,
    honest: Vec<u32>,
    /// Of each row, drawn once.
    gradients: Vec<Sums>,
    scale: Scale,
    /// Rows to be drawn of all, or of each class.
    draws: usize,
    prior: f64,
}

impl<'p> Bags<'p> {
    fn new(params: &'p RandomForestParams, samples: &Samples<'_>) -> Result<Self, EnsembleError> {
        let [honest_sum, fraud_sum] = samples.class_weights(1.0)?;
        let factor = match params.class_weight {
            ClassWeight::None => 1.0,
            ClassWeight::Balanced => honest_sum / fraud_sum,
            ClassWeight::Ratio(factor) => factor,
        };
        let weight_of = |row: usize| {
            let factor = if samples.frauds()[row] { factor } else { 1.0 };
            samples.weight(row) * factor
        };
        let count = samples.frauds().len();
        let most = (0..count).map(weight_of).fold(0.0, f64::max);
        let active = (0_u32..).zip(0..count);
        let active = active.filter(|(_, row)| samples.weight(*row) > 0.0);
        let active: Vec<u32> = active.map(|(row, _)| row).collect();
        let (frauds, honest): (Vec<u32>, Vec<u32>) = active
            .iter()
            .partition(|row| samples.frauds()[**row as usize]);
        let of = match params.bagging {
            Bagging::Balanced => frauds.len().min(honest.len()),
            Bagging::Bootstrap | Bagging::None => active.len(),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a number of rows"
        )]
        let draws = ((of as f64 * params.row_sample).ceil() as usize).max(1);
        // No bag weighs more than this, however often the heaviest row is drawn.
        let limit = most * (2 * draws) as f64;
        number("sum of weights", limit, "finite", limit.is_finite())?;
        let scale = Scale::new(limit, limit, active.len());
        let gradients = (0..count).map(|row| {
            let weight = weight_of(row);
            let fraud = f64::from(u8::from(samples.frauds()[row]));
            scale.fix(-weight * fraud, weight)
        });
        let both = honest_sum + fraud_sum * factor;
        Ok(Self {
            params,
            prior: match params.bagging {
                Bagging::Balanced => factor / (1.0 + factor),
                Bagging::Bootstrap | Bagging::None => fraud_sum * factor / both,
            }
            .clamp(PRIOR_EDGE, 1.0 - PRIOR_EDGE),
            gradients: gradients.collect(),
            active,
            frauds,
            honest,
            scale,
            draws,
        })
    }

    /// How often each row is in a bag.
    fn counts(&self, number: usize) -> Vec<u32> {
        let mut stream = Stream::new(self.params.seed, ROWS, number as u64);
        let mut counts = vec![0; self.gradients.len()];
        let mut draw_from = |rows: &[u32]| {
            for _ in 0..self.draws {
                counts[rows[stream.index_below(rows.len())] as usize] += 1;
            }
        };
        match self.params.bagging {
            Bagging::Bootstrap => draw_from(&self.active),
            Bagging::Balanced => {
                draw_from(&self.frauds);
                draw_from(&self.honest);
            }
            Bagging::None => {
                let mut left = self.draws;
                for (at, row) in self.active.iter().enumerate() {
                    // Each of the rows to come is as likely as any other.
                    let taken = stream.index_below(self.active.len() - at) < left;
                    counts[*row as usize] = u32::from(taken);
                    left -= usize::from(taken);
                }
            }
        }
        counts
    }

    /// The rows of a tree, and the gradients of all rows.
    fn draw(&self, number: usize) -> (Vec<u32>, Vec<Sums>) {
        let counts = self.counts(number);
        let drawn = self.active.iter().copied();
        let rows = drawn.filter(|row| counts[*row as usize] > 0).collect();
        let gradients = self.gradients.iter().zip(counts);
        let gradients = gradients.map(|(sums, count)| sums.times(count)).collect();
        (rows, gradients)
    }

    /// Judges each row by the trees that have not seen it.
    fn judge(&self, trees: &[Tree], samples: &Samples<'_>) -> OutOfBag {
        let rows = samples.rows();
        let count = rows.nrows();
        let seen = threads::map(trees.len(), |number| {
            let mut seen = vec![0_u64; count.div_ceil(64)];
            for (row, times) in self.counts(number).into_iter().enumerate() {
                seen[row / 64] |= u64::from(times > 0) << (row % 64);
            }
            seen
        });
        let mut probabilities = vec![f64::NAN; count];
        threads::each_chunk(&mut probabilities, CHUNK, |number, out| {
            let start = number * CHUNK;
            let mut sums = vec![(0.0, 0.0); out.len()];
            for (tree, seen) in trees.iter().zip(&seen) {
                for (row, (sum, answers)) in (start..).zip(&mut sums) {
                    if (seen[row / 64] >> (row % 64)) & 1 == 0 {
                        *sum += tree.answer(|column| rows[[row, column]]);
                        *answers += 1.0;
                    }
                }
            }
            for ((row, out), (sum, answers)) in (start..).zip(out).zip(sums) {
                if answers > 0.0 && samples.weight(row) > 0.0 {
                    *out = sum / answers;
                }
            }
        });
        OutOfBag::new(probabilities, samples)
    }
}

impl OutOfBag {
    fn new(probabilities: Vec<f64>, samples: &Samples<'_>) -> Self {
        let judged: Vec<usize> = (0..probabilities.len())
            .filter(|row| !probabilities[*row].is_nan())
            .collect();
        let scores: Vec<f64> = judged.iter().map(|row| probabilities[*row]).collect();
        let frauds: Vec<bool> = judged.iter().map(|row| samples.frauds()[*row]).collect();
        let weights: Vec<f64> = judged.iter().map(|row| samples.weight(*row)).collect();
        let all: f64 = weights.iter().sum();
        let mean = |of: &dyn Fn(f64, bool) -> f64| -> f64 {
            let rows = scores.iter().zip(&frauds).zip(&weights);
            let sum: f64 = rows
                .map(|((score, fraud), weight)| of(*score, *fraud) * weight)
                .sum();
            sum / all
        };
        Self {
            error: mean(&|score, fraud| f64::from(u8::from((score > 0.5) != fraud))),
            brier: mean(&|score, fraud| (score - f64::from(u8::from(fraud))).powi(2)),
            average_precision: average_precision(&frauds, &scores, Some(&weights)).ok(),
            probabilities,
        }
    }
}

impl RandomForest {
    /// Columns of the training rows.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Trees.
    pub fn len(&self) -> usize {
        self.trees.len()
    }

    /// Whether there is no tree; never so for a forest that was fitted.
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// How rows are judged by the trees that have not seen them; `None` where each tree saw all rows, and for a forest
    /// that was loaded.
    pub const fn out_of_bag(&self) -> Option<&OutOfBag> {
        self.out_of_bag.as_ref()
    }

    /// How much the splits on each column lowered the impurity, as a share of all that was lowered; each tree weighs the
    /// same.
    pub fn importances(&self) -> Vec<f64> {
        crate::tree::importances(&self.trees, self.width)
    }

    /// Mean share of frauds in the leaves of a row: a probability only as far as the forest is calibrated.
    ///
    /// # Errors
    ///
    /// When the row has another width than the training rows.
    pub fn share_row(&self, row: &[f64]) -> Result<f64, EnsembleError> {
        check_width(self.width, row.len())?;
        let mut sum = 0.0;
        self.walk.add_row(row, &mut sum);
        Ok(sum / self.trees.len() as f64)
    }

    /// Writes the mean share of frauds in the leaves of each row.
    ///
    /// # Errors
    ///
    /// When rows have another width than the training rows, or `out` another length than there are rows.
    pub fn share_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        check_shapes(self.width, rows, out)?;
        out.fill(0.0);
        self.walk.add_view(rows, out);
        let trees = self.trees.len() as f64;
        for out in out {
            *out /= trees;
        }
        Ok(())
    }
}

learner!(RandomForestParams);

/// Log odds of the mean share, with one tree more that answers the share of frauds in training: so they are finite, and in
/// the same order.
impl Classifier for RandomForest {
    fn width(&self) -> usize {
        self.width
    }

    fn log_odds_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        self.share_rows(rows, out)?;
        let trees = self.trees.len() as f64;
        for out in out {
            let share = (*out * trees + self.prior) / (trees + 1.0);
            *out = (share / (1.0 - share)).ln();
        }
        Ok(())
    }

    fn explainer(&self) -> Option<Explainer> {
        Some(Explainer::Shares(Self::explainer(self)))
    }

    #[cfg(feature = "serde")]
    fn to_bytes(&self) -> Result<Vec<u8>, EnsembleError> {
        Self::to_bytes(self)
    }
}

//! Boosted trees: fit and answers.

use crate::bin::{BinnedRows, Bins};
use crate::gradient::{Scale, Sums};
use crate::grow::{Field, Workshop};
use crate::learner::{Classifier, Learner, check_shapes};
use crate::logistic::{LANES, derivatives, each};
use crate::params::{BoostedTreesParams, CheckedBoostedTreesParams, MAX_COLUMNS, MAX_ROWS};
use crate::tree::Tree;
use crate::walk::Walk;
use crate::{EnsembleError, Samples};
use dafu_core::metrics::Ranking;
use dafu_core::random::Stream;
use ndarray::{ArrayView2, Axis};

/// What random streams are for.
const ROWS: u64 = 1;
const COLUMNS: u64 = 2;
/// Rows that are brought together at a time, where they do not lie row after row.
const BLOCK: usize = 256;

/// Trees whose answers add up to the log odds of fraud.
///
/// Source: Friedman, "Greedy Function Approximation: A Gradient Boosting Machine" (2001), algorithm 5, with the second
/// order steps of Chen and Guestrin (2016), equations 5 to 7.
#[derive(Debug, Clone, PartialEq)]
pub struct BoostedTrees {
    width: usize,
    /// Log odds of the training rows.
    base: f64,
    trees: Vec<Tree>,
    /// The same trees, laid out for answers.
    walk: Walk,
}

impl BoostedTreesParams {
    /// Learns from rows.
    ///
    /// # Errors
    ///
    /// When a parameter or the sum of weights is out of range, or there are no rows, no columns, or rows of one class only.
    ///
    /// # Complexity
    ///
    /// O(n d) for the bins, and O(n d log l) a tree, for n rows, d columns and trees of l leaves in balance.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<BoostedTrees, EnsembleError> {
        self.check()?.fit(samples)
    }

    /// Learns from rows until others are not judged better any more, see
    /// [`BoostedTreesParams::patience`].
    ///
    /// # Errors
    ///
    /// As [`BoostedTreesParams::fit`], and when the validation rows have another width or are of one class.
    pub fn fit_validated(
        &self,
        samples: &Samples<'_>,
        validation: &Samples<'_>,
    ) -> Result<BoostedTrees, EnsembleError> {
        self.check()?.fit_validated(samples, validation)
    }
}

impl CheckedBoostedTreesParams {
    /// As [`BoostedTreesParams::fit`].
    ///
    /// # Errors
    ///
    /// When the sum of weights is out of range, or there are no rows, no columns, or rows of one class only.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<BoostedTrees, EnsembleError> {
        let mut boosting = Boosting::new(&self.0, samples)?;
        for number in 0..self.0.n_estimators {
            let tree = boosting.tree(number);
            boosting.model.trees.push(tree);
        }
        Ok(boosting.model.finish())
    }

    /// As [`BoostedTreesParams::fit_validated`].
    ///
    /// # Errors
    ///
    /// As [`CheckedBoostedTreesParams::fit`], and when the validation rows have another width or are of one class.
    pub fn fit_validated(
        &self,
        samples: &Samples<'_>,
        validation: &Samples<'_>,
    ) -> Result<BoostedTrees, EnsembleError> {
        let mut boosting = Boosting::new(&self.0, samples)?;
        let rows = validation.rows();
        boosting.model.check_width(rows.ncols())?;
        let mut scores = vec![boosting.model.base; rows.nrows()];
        let (mut best, mut best_trees) = (f64::NEG_INFINITY, 0);
        for number in 0..self.0.n_estimators {
            let tree = boosting.tree(number);
            for (score, row) in scores.iter_mut().zip(rows.rows()) {
                *score += tree.answer(|column| row[column]);
            }
            boosting.model.trees.push(tree);
            let precision = average_precision(&scores, validation)?;
            if precision > best {
                (best, best_trees) = (precision, number + 1);
            } else if number + 1 - best_trees >= self.0.patience {
                break;
            }
        }
        boosting.model.trees.truncate(best_trees);
        Ok(boosting.model.finish())
    }
}

fn average_precision(scores: &[f64], validation: &Samples<'_>) -> Result<f64, EnsembleError> {
    let ranking = Ranking::new(validation.frauds(), scores, validation.weights());
    ranking
        .and_then(|ranking| ranking.average_precision())
        .map_err(EnsembleError::Validation)
}

/// A model while it learns.
struct Boosting<'p> {
    params: &'p BoostedTreesParams,
    /// Rows to learn from, those of weight 0 left out.
    active: Vec<u32>,
    /// 1 for frauds, else 0. Here and below: filled up to full lanes with rows of weight 0.
    targets: Vec<f64>,
    /// Weights of the loss.
    weights: Vec<f64>,
    bins: Bins,
    binned: BinnedRows,
    /// Log odds so far.
    scores: Vec<f64>,
    gradients: Vec<Sums>,
    /// First and second derivatives of the loss.
    first: Vec<f64>,
    second: Vec<f64>,
    shop: Workshop,
    model: BoostedTrees,
}

impl<'p> Boosting<'p> {
    fn new(params: &'p BoostedTreesParams, samples: &Samples<'_>) -> Result<Self, EnsembleError> {
        let rows = samples.rows();
        for (what, max, got) in [
            ("rows", MAX_ROWS, rows.nrows()),
            ("columns", MAX_COLUMNS, rows.ncols()),
        ] {
            if got > max {
                return Err(EnsembleError::TooMany { what, max, got });
            }
        }
        if rows.ncols() == 0 {
            return Err(EnsembleError::NoColumns);
        }
        let frauds = samples.frauds();
        let mut weights: Vec<f64> = (0..rows.nrows())
            .map(|row| {
                let factor = if frauds[row] {
                    params.scale_pos_weight
                } else {
                    1.0
                };
                samples.weight(row) * factor
            })
            .collect();
        let sum_of = |class: bool| -> f64 {
            let both = frauds.iter().zip(&weights);
            both.filter(|(fraud, _)| **fraud == class)
                .map(|(_, weight)| weight)
                .sum()
        };
        let base = match (sum_of(true), sum_of(false)) {
            (fraud, honest) if !(fraud + honest).is_finite() => {
                return Err(EnsembleError::NumberOutOfRange {
                    name: "sum of weights",
                    expected: "finite",
                    got: fraud + honest,
                });
            }
            (fraud, honest) if fraud > 0.0 && honest > 0.0 => (fraud / honest).ln(),
            (fraud, _) if fraud > 0.0 => return Err(EnsembleError::SingleClass { class: "fraud" }),
            (_, honest) if honest > 0.0 => {
                return Err(EnsembleError::SingleClass { class: "honest" });
            }
            _ => return Err(EnsembleError::NoRows),
        };
        let bins = Bins::cut(rows, params.max_bins);
        let binned = bins.of(rows);
        let active = weights.iter().zip(0..);
        let active = active.filter(|(weight, _)| **weight > 0.0);
        let active: Vec<u32> = active.map(|(_, row)| row).collect();
        let targets = frauds.iter().map(|fraud| f64::from(u8::from(*fraud)));
        let mut targets: Vec<f64> = targets.collect();
        let full = rows.nrows().next_multiple_of(LANES);
        weights.resize(full, 0.0);
        targets.resize(full, 0.0);
        Ok(Self {
            params,
            active,
            targets,
            weights,
            binned,
            bins,
            scores: vec![base; full],
            gradients: vec![Sums::default(); full],
            first: vec![0.0; full],
            second: vec![0.0; full],
            shop: Workshop::default(),
            model: BoostedTrees {
                width: rows.ncols(),
                base,
                trees: Vec::new(),
                walk: Walk::default(),
            },
        })
    }

    /// Grows the next tree, and adds its answers to the scores.
    fn tree(&mut self, number: usize) -> Tree {
        let scale = self.find_gradients();
        self.draw_rows(number);
        let columns = self.draw_columns(number);
        let field = Field {
            bins: &self.bins,
            binned: &self.binned,
            params: self.params,
        };
        let grown = field.grow((&self.gradients, &scale), &columns, &mut self.shop);
        for (rows, answer) in grown.leaves {
            for row in &self.shop.rows[rows] {
                self.scores[*row as usize] += answer;
            }
        }
        grown.tree
    }

    /// The gradients of the loss at the scores so far.
    fn find_gradients(&mut self) -> Scale {
        let (mut gradients, mut hessians) = ([0.0; LANES], [0.0; LANES]);
        // In lanes, so that several rows are computed at once; the sums have a fixed order all the same.
        let rows = self.scores.as_chunks::<LANES>().0.iter();
        let rows = rows.zip(self.targets.as_chunks::<LANES>().0);
        let rows = rows.zip(self.weights.as_chunks::<LANES>().0);
        let out = self.first.as_chunks_mut::<LANES>().0.iter_mut();
        let out = out.zip(self.second.as_chunks_mut::<LANES>().0);
        for (((scores, targets), weights), (first, second)) in rows.zip(out) {
            let (gradient, hessian) = derivatives(*scores, *targets);
            *first = each(gradient, *weights, |gradient, weight| gradient * weight);
            *second = each(hessian, *weights, |hessian, weight| hessian * weight);
            gradients = each(gradients, *first, |sum, gradient| sum + gradient.abs());
            hessians = each(hessians, *second, |sum, hessian| sum + hessian);
        }
        let (gradients, hessians) = (gradients.iter().sum(), hessians.iter().sum());
        let scale = Scale::new(gradients, hessians, self.active.len());
        let both = self.first.iter().zip(&self.second);
        for (sums, (gradient, hessian)) in self.gradients.iter_mut().zip(both) {
            *sums = scale.fix(*gradient, *hessian);
        }
        scale
    }

    fn draw_rows(&mut self, number: usize) {
        let rate = self.params.row_sample;
        self.shop.rows.clear();
        if rate >= 1.0 {
            self.shop.rows.extend_from_slice(&self.active);
            return;
        }
        let mut stream = Stream::new(self.params.seed, ROWS, number as u64);
        let drawn = self.active.iter().filter(|_| stream.unit() < rate);
        self.shop.rows.extend(drawn);
    }

    fn draw_columns(&self, number: usize) -> Vec<usize> {
        let (width, share) = (self.model.width, self.params.column_sample);
        if share >= 1.0 {
            return (0..width).collect();
        }
        let mut stream = Stream::new(self.params.seed, COLUMNS, number as u64);
        let wanted = width as f64 * share;
        let mut columns: Vec<usize> = (0..width).collect();
        // The first steps of a shuffle.
        let count = (1..=width)
            .take_while(|count| *count as f64 <= wanted)
            .count()
            .max(1);
        for place in 0..count {
            let other = place + stream.index_below(width - place);
            columns.swap(place, other);
        }
        columns.truncate(count);
        columns.sort_unstable();
        columns
    }
}

impl BoostedTrees {
    /// Columns of the training rows.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Trees.
    pub fn len(&self) -> usize {
        self.trees.len()
    }

    /// Whether there is no tree: all rows then have the log odds of the training rows.
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// How much the splits on each column gained, as a share of all gains; zeros where nothing was split.
    pub fn importances(&self) -> Vec<f64> {
        let mut gains = vec![0.0; self.width];
        for node in self.trees.iter().flat_map(|tree| &tree.nodes) {
            gains[node.column as usize] += node.gain;
        }
        let all: f64 = gains.iter().sum();
        if all > 0.0 {
            for gain in &mut gains {
                *gain /= all;
            }
        }
        gains
    }

    /// Log odds of fraud of a row.
    ///
    /// # Errors
    ///
    /// When the row has another width than the training rows.
    pub fn log_odds_row(&self, row: &[f64]) -> Result<f64, EnsembleError> {
        self.check_width(row.len())?;
        let mut odds = self.base;
        self.walk.add_row(row, &mut odds);
        Ok(odds)
    }

    /// Writes the log odds of fraud of each row.
    ///
    /// # Errors
    ///
    /// When rows have another width than the training rows, or `out` another length than there are rows.
    pub fn log_odds_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        check_shapes(self.width, rows, out)?;
        out.fill(self.base);
        if let Some(rows) = rows.as_slice() {
            self.walk.add_rows(rows, self.width, out);
            return Ok(());
        }
        let mut block = Vec::with_capacity(BLOCK * self.width);
        for (rows, out) in rows
            .axis_chunks_iter(Axis(0), BLOCK)
            .zip(out.chunks_mut(BLOCK))
        {
            block.clear();
            block.extend(rows.iter());
            self.walk.add_rows(&block, self.width, out);
        }
        Ok(())
    }

    /// Lays the trees out for answers.
    fn finish(mut self) -> Self {
        self.walk = Walk::new(&self.trees);
        self
    }

    const fn check_width(&self, got: usize) -> Result<(), EnsembleError> {
        if got == self.width {
            Ok(())
        } else {
            Err(EnsembleError::WrongWidth {
                expected: self.width,
                got,
            })
        }
    }
}

impl Learner for BoostedTreesParams {
    fn learn(&self, samples: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
        Ok(Box::new(self.fit(samples)?))
    }
}

impl Classifier for BoostedTrees {
    fn width(&self) -> usize {
        self.width
    }

    fn log_odds_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        Self::log_odds_rows(self, rows, out)
    }
}

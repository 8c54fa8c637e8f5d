//! Boosted trees: fit and answers.

use crate::explain::Explainer;
use crate::learner::{check_column, check_shapes, check_width, classifier, learner};
use crate::logistic::{LANES, derivatives, each, focal_derivatives};
use crate::params::{BoostedTreesParams, CheckedBoostedTreesParams, MAX_TREES, count};
use crate::tree::bin::Bins;
use crate::tree::binned::{BinnedRows, Tiles};
use crate::tree::constraint::Constraints;
use crate::tree::gradient::{Scale, Sums};
use crate::tree::grow::{Field, Workshop};
use crate::tree::histogram::Layout;
use crate::tree::walk::Walk;
use crate::tree::{Tree, importances};
use crate::{EnsembleError, Samples, threads};
use dafu_core::metrics;
use dafu_core::random::Stream;
use ndarray::ArrayView2;

/// What random streams are for.
const ROWS: u64 = 1;
const COLUMNS: u64 = 2;
/// Rows that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// Trees whose answers add up to the log odds of fraud.
///
/// Source: Friedman, "Greedy Function Approximation: A Gradient Boosting Machine" (2001), algorithm 5, with the second
/// order steps of Chen and Guestrin (2016), equations 5 to 7.
#[derive(Debug, Clone, PartialEq)]
pub struct BoostedTrees {
    pub(crate) width: usize,
    /// Log odds of the training rows.
    pub(crate) base: f64,
    pub(crate) trees: Vec<Tree>,
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
    /// O(n d) for the bins, and O(n d log l) a tree, for n rows, d columns and trees of l leaves in balance. Memory: two bytes a
    /// value, about 80 a row, and up to a gigabyte of histograms of open leaves.
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

    /// Goes on from a model: adds `n_estimators` trees to it, or as many as validation rows ask for. On the rows it was
    /// learned from, with the same parameters, this is the model that as many trees at once would have been.
    ///
    /// # Errors
    ///
    /// As [`BoostedTreesParams::fit_validated`], and when the rows have another width than the model.
    pub fn fit_more(
        &self,
        start: &BoostedTrees,
        samples: &Samples<'_>,
        validation: Option<&Samples<'_>>,
    ) -> Result<BoostedTrees, EnsembleError> {
        self.check()?.fit_more(start, samples, validation)
    }
}

impl CheckedBoostedTreesParams {
    /// As [`BoostedTreesParams::fit`].
    ///
    /// # Errors
    ///
    /// When the sum of weights is out of range, or there are no rows, no columns, or rows of one class only.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<BoostedTrees, EnsembleError> {
        self.boost(Boosting::new(&self.0, samples)?, None)
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
        self.boost(Boosting::new(&self.0, samples)?, Some(validation))
    }

    /// As [`BoostedTreesParams::fit_more`].
    ///
    /// # Errors
    ///
    /// As [`CheckedBoostedTreesParams::fit_validated`], and when the rows have another width than the model.
    pub fn fit_more(
        &self,
        start: &BoostedTrees,
        samples: &Samples<'_>,
        validation: Option<&Samples<'_>>,
    ) -> Result<BoostedTrees, EnsembleError> {
        let trees = start.trees.len() + self.0.n_estimators;
        count("trees of both models", trees, 1, MAX_TREES)?;
        check_width(start.width, samples.rows().ncols())?;
        let mut boosting = Boosting::new(&self.0, samples)?;
        let rows = samples.rows().nrows();
        start.log_odds_rows(samples.rows(), &mut boosting.scores[..rows])?;
        boosting.model = start.clone();
        self.boost(boosting, validation)
    }

    fn boost(
        &self,
        mut boosting: Boosting<'_, '_>,
        validation: Option<&Samples<'_>>,
    ) -> Result<BoostedTrees, EnsembleError> {
        let first = boosting.model.trees.len();
        let last = first + self.0.n_estimators;
        let Some(validation) = validation else {
            for number in first..last {
                let tree = boosting.tree(number);
                boosting.model.trees.push(tree);
            }
            return Ok(boosting.model.finish());
        };
        let rows = validation.rows();
        check_width(boosting.model.width, rows.ncols())?;
        let mut scores = vec![0.0; rows.nrows()];
        boosting.model.log_odds_rows(rows, &mut scores)?;
        let (mut best, mut best_trees) = (f64::NEG_INFINITY, first);
        if first > 0 {
            best = average_precision(&scores, validation)?;
        }
        for number in first..last {
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
    metrics::average_precision(validation.frauds(), scores, validation.weights())
        .map_err(EnsembleError::Validation)
}

/// A model while it learns.
struct Boosting<'p, 'r> {
    params: &'p BoostedTreesParams,
    rows: ArrayView2<'r, f64>,
    /// Rows to learn from, those of weight 0 left out.
    active: Vec<u32>,
    /// Those of them that the last tree was not grown on.
    left_out: Vec<u32>,
    /// 1 for frauds, else 0. Here and below: filled up to full lanes with rows of weight 0.
    targets: Vec<f64>,
    /// Weights of the loss.
    weights: Vec<f64>,
    constraints: Constraints,
    bins: Bins,
    layout: Layout,
    binned: BinnedRows,
    tiles: Tiles,
    /// Log odds so far.
    scores: Vec<f64>,
    gradients: Vec<Sums>,
    /// First and second derivatives of the loss.
    derivatives: Vec<[[f64; LANES]; 2]>,
    shop: Workshop,
    model: BoostedTrees,
}

impl<'p, 'r> Boosting<'p, 'r> {
    fn new(params: &'p BoostedTreesParams, samples: &Samples<'r>) -> Result<Self, EnsembleError> {
        let rows = samples.rows();
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
        let [honest, fraud] = samples.class_weights(params.scale_pos_weight)?;
        let base = fraud.ln() - honest.ln();
        for column in &params.categorical {
            check_column("categorical", *column, rows.ncols())?;
        }
        let constraints = Constraints::new(params, rows.ncols())?;
        let bins = Bins::cut(samples, params.max_bins, &params.categorical)?;
        let binned = bins.of(rows);
        let active = weights.iter().zip(0..);
        let active = active.filter(|(weight, _)| **weight > 0.0);
        let active: Vec<u32> = active.map(|(_, row)| row).collect();
        let mut shop = Workshop::default();
        if params.row_sample >= 1.0 {
            shop.rows.draw(active.iter().copied(), rows.nrows());
        }
        let targets = frauds.iter().map(|fraud| f64::from(u8::from(*fraud)));
        let mut targets: Vec<f64> = targets.collect();
        let full = rows.nrows().next_multiple_of(LANES);
        weights.resize(full, 0.0);
        targets.resize(full, 0.0);
        Ok(Self {
            params,
            rows,
            active,
            left_out: Vec::new(),
            targets,
            weights,
            constraints,
            tiles: Tiles::new(&binned),
            binned,
            layout: Layout::new(&bins),
            bins,
            scores: vec![base; full],
            gradients: vec![Sums::default(); full],
            derivatives: vec![[[0.0; LANES]; 2]; full / LANES],
            shop,
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
            layout: &self.layout,
            binned: &self.binned,
            tiles: &self.tiles,
            params: self.params,
            constraints: &self.constraints,
        };
        let grown = field.grow((&self.gradients, &scale), &columns, &mut self.shop);
        self.shop.rows.add(&grown.leaves, &mut self.scores);
        for row in &self.left_out {
            let row = *row as usize;
            self.scores[row] += grown.tree.answer(|column| self.rows[[row, column]]);
        }
        grown.tree
    }

    /// The gradients of the loss at the scores so far.
    fn find_gradients(&mut self) -> Scale {
        let gamma = self.params.focal_gamma;
        // In lanes, so that several rows are computed at once, and in chunks; the sums have a fixed order all the same.
        let scores = self.scores.as_chunks::<LANES>().0;
        let targets = self.targets.as_chunks::<LANES>().0;
        let weights = self.weights.as_chunks::<LANES>().0;
        let sums = threads::each_chunk(&mut self.derivatives, CHUNK / LANES, |number, out| {
            let (mut gradients, mut hessians) = ([0.0; LANES], [0.0; LANES]);
            for (at, out) in (number * CHUNK / LANES..).zip(out) {
                let (gradient, hessian) = if gamma > 0.0 {
                    focal_derivatives(scores[at], targets[at], gamma)
                } else {
                    derivatives(scores[at], targets[at])
                };
                let [first, second] = out;
                *first = each(gradient, weights[at], |gradient, weight| gradient * weight);
                *second = each(hessian, weights[at], |hessian, weight| hessian * weight);
                gradients = each(gradients, *first, |sum, gradient| sum + gradient.abs());
                hessians = each(hessians, *second, |sum, hessian| sum + hessian);
            }
            (gradients.iter().sum::<f64>(), hessians.iter().sum::<f64>())
        });
        let gradients = sums.iter().map(|sums| sums.0).sum();
        let hessians = sums.iter().map(|sums| sums.1).sum();
        let scale = Scale::new(gradients, hessians, self.active.len());
        let derivatives = &self.derivatives;
        threads::each_chunk(&mut self.gradients, CHUNK, |number, out| {
            let lanes = derivatives.iter().skip(number * CHUNK / LANES);
            for (out, [first, second]) in out.as_chunks_mut::<LANES>().0.iter_mut().zip(lanes) {
                for lane in 0..LANES {
                    out[lane] = scale.fix(first[lane], second[lane]);
                }
            }
        });
        scale
    }

    fn draw_rows(&mut self, number: usize) {
        let rate = self.params.row_sample;
        if rate < 1.0 {
            let mut stream = Stream::new(self.params.seed, ROWS, number as u64);
            let active = self.active.iter();
            let (drawn, left_out): (Vec<u32>, _) = active.partition(|_| stream.unit() < rate);
            self.left_out = left_out;
            self.shop.rows.draw(drawn, self.rows.nrows());
        }
    }

    fn draw_columns(&self, number: usize) -> Vec<usize> {
        let (width, share) = (self.model.width, self.params.column_sample);
        Stream::new(self.params.seed, COLUMNS, number as u64).share_of(width, share)
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
        importances(&self.trees, self.width)
    }

    /// Log odds of fraud of a row.
    ///
    /// # Errors
    ///
    /// When the row has another width than the training rows.
    pub fn log_odds_row(&self, row: &[f64]) -> Result<f64, EnsembleError> {
        check_width(self.width, row.len())?;
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
        self.walk.add_view(rows, out);
        Ok(())
    }

    /// A model of trees, laid out for answers.
    #[cfg(any(feature = "serde", feature = "import"))]
    pub(crate) fn new(width: usize, base: f64, trees: Vec<Tree>) -> Self {
        Self {
            width,
            base,
            walk: Walk::new(&trees),
            trees,
        }
    }

    /// Lays the trees out for answers.
    fn finish(mut self) -> Self {
        self.walk = Walk::new(&self.trees);
        self
    }
}

learner!(BoostedTreesParams);

classifier!(BoostedTrees {
    fn explainer(&self) -> Option<Explainer> {
        Some(Explainer::Trees(Self::explainer(self)))
    }
});

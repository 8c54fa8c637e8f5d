//! Forests that change after the fit: more trees, other forests' trees, fewer trees.

use crate::fit::Growing;
use crate::grow::RowWeights;
use crate::input::Value;
use crate::node::{Bounds, Trees};
use crate::params::MAX_KINDS;
use crate::threshold::SortedSums;
use crate::value::TreeKind;
use crate::{
    CheckedIsolationForestParams, ContaminationThreshold, IsolationForest, IsolationForestError,
    IsolationForestParams, MAX_TREES,
};
use ndarray::ArrayView2;
use std::collections::BTreeMap;

impl IsolationForest {
    /// Grows further trees from rows, which may be new ones (a warm start), with the forest's seed.
    ///
    /// `params` say how: they must agree with the forest in the number of split rules, penalties, scoring, missing values,
    /// categories, and how c(n) is computed; their numbers of trees and seed are not looked at. Rows and parameters of the fit
    /// give the same forest as a fit with all trees would have, for one split rule. With several rules an edge of a path
    /// keeps the worth that it has. The thresholds are dropped, since scores change: see
    /// [`fit_thresholds`](Self::fit_thresholds).
    ///
    /// # Errors
    ///
    /// [`Unlike`](IsolationForestError::Unlike), [`CountOutOfRange`](IsolationForestError::CountOutOfRange) when there
    /// would be more than [`MAX_TREES`] trees, and as [`IsolationForestParams::fit`]; the forest is then as before.
    ///
    /// # Complexity
    ///
    /// As a fit of so many trees, and O(nodes of the whole forest).
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::Array2;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let rows = Array2::from_shape_fn((500, 2), |(i, j)| ((i * (7 + j)) % 31) as f64);
    /// let params = IsolationForestParams::default().trees(60).seed(3);
    /// let mut forest = params.fit(rows.view())?;
    /// forest.add_trees(&params, rows.view(), 40)?;
    /// assert!(forest == params.trees(100).fit(rows.view())?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn add_trees<T: Value>(
        &mut self,
        params: &IsolationForestParams,
        rows: ArrayView2<'_, T>,
        trees: usize,
    ) -> Result<(), IsolationForestError> {
        self.add_checked(&params.check()?, (rows, None), trees)
    }

    /// As [`add_trees`](Self::add_trees) with a weight for each row, see
    /// [`fit_weighted`](crate::CheckedIsolationForestParams::fit_weighted).
    ///
    /// # Errors
    ///
    /// As [`add_trees`](Self::add_trees), and for weights as
    /// [`fit_weighted`](crate::CheckedIsolationForestParams::fit_weighted).
    ///
    /// # Complexity
    ///
    /// As [`add_trees`](Self::add_trees), and O(n + t psi log n).
    pub fn add_trees_weighted<T: Value>(
        &mut self,
        params: &IsolationForestParams,
        rows: ArrayView2<'_, T>,
        weights: &[f64],
        trees: usize,
    ) -> Result<(), IsolationForestError> {
        let weights = RowWeights::new(weights, rows.nrows())?;
        self.add_checked(&params.check()?, (rows, Some(&weights)), trees)
    }

    fn add_checked<T: Value>(
        &mut self,
        params: &CheckedIsolationForestParams,
        (rows, weights): (ArrayView2<'_, T>, Option<&RowWeights>),
        trees: usize,
    ) -> Result<(), IsolationForestError> {
        self.check_tree_count(self.trees.len().saturating_add(trees))?;
        self.check_width(rows.ncols())?;
        let params = IsolationForestParams {
            seed: self.seed,
            ..params.params().clone()
        };
        let growing = Growing::new(&params, rows.view(), weights)?;
        let alike = [
            ("scoring", params.scoring == self.scoring),
            ("missing", params.missing == self.missing),
            ("unseen", params.unseen == self.unseen),
            ("average_path", params.average_path == self.average_path),
            ("categorical", growing.categorical() == self.categorical),
            ("rules", params.rules.len() == self.rules as usize),
            (
                "penalize_range",
                params.rules.iter().any(|rule| rule.penalize_range) == self.trees.penalizes(),
            ),
        ];
        if let Some((what, _)) = alike.into_iter().find(|(_, alike)| !alike) {
            return Err(IsolationForestError::Unlike { what });
        }
        let first = usize::try_from(self.trees_grown).unwrap_or(usize::MAX);
        let grown = growing.grow(&params, first..first.saturating_add(trees))?;
        let sample_size = growing.sample_size();
        let height_limit = self.height_limit.max(growing.height_limit());
        let mut changed = self.clone();
        let kinds: Vec<u32> = (0..self.rules as usize)
            .map(|rule| changed.kind_like(rule, sample_size))
            .collect();
        let bounds = Bounds {
            width: self.width,
            sample_size,
            height_limit,
            categorical: &self.categorical,
        };
        for (number, tree) in (first..).zip(&grown) {
            changed
                .trees
                .push(tree, kinds[number % kinds.len()], &bounds)
                .map_err(IsolationForestError::DamagedModel)?;
        }
        changed.height_limit = height_limit;
        changed.trees_grown += trees as u64;
        changed.rows_fitted = changed.rows_fitted.max(rows.nrows() as u64);
        changed.thresholds.clear();
        changed.set_values();
        *self = changed;
        Ok(())
    }

    /// The kind of a rule's trees when they are grown from so many rows; a new one unless there is one.
    fn kind_like(&mut self, rule: usize, sample_size: u32) -> u32 {
        let first = self.kinds[rule];
        let unit = if self.rules == 1 {
            TreeKind::new(sample_size, self.average_path).unit
        } else if first.sample_size == sample_size {
            first.unit
        } else {
            // An edge is worth as much of an average path as it is in the rule's first trees.
            let c = |rows| TreeKind::new(rows, self.average_path).unit;
            let of_first = c(first.sample_size);
            if of_first > 0.0 {
                first.unit * (c(sample_size) / of_first)
            } else {
                c(sample_size)
            }
        };
        self.kind_of(TreeKind { sample_size, unit }, rule)
    }

    /// The number of an equal kind, looked for from a place on, or of a new one.
    fn kind_of(&mut self, kind: TreeKind, from: usize) -> u32 {
        let rest = self.kinds.iter().skip(from);
        let found = rest.clone().position(|other| *other == kind);
        let at = found.map_or(self.kinds.len(), |at| from + at);
        if at == self.kinds.len() {
            self.kinds.push(kind);
        }
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// Takes the trees of another forest in, after its own: for forests grown on several machines, or for parts of the
    /// data.
    ///
    /// Every tree counts alike in the mean of path lengths, which stand in relation to c(rows of the tree), or to the means
    /// that a blend of rules has fitted. The forests must agree in width, scoring, missing values, categories, penalties and
    /// how c(n) is computed. Give them different seeds: trees of one seed are the same on the same data, and draw the same
    /// rows on other data. The thresholds are dropped, since
    /// scores change: see [`fit_thresholds`](Self::fit_thresholds).
    ///
    /// # Errors
    ///
    /// [`WrongWidth`](IsolationForestError::WrongWidth), [`Unlike`](IsolationForestError::Unlike), and
    /// [`CountOutOfRange`](IsolationForestError::CountOutOfRange) when there would be more than [`MAX_TREES`] trees; the
    /// forest is then as before.
    ///
    /// # Complexity
    ///
    /// O(nodes of both forests).
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::Array2;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let rows = Array2::from_shape_fn((500, 2), |(i, j)| ((i * (7 + j)) % 31) as f64);
    /// let mut forest = IsolationForestParams::default().seed(1).fit(rows.view())?;
    /// forest.merge(&IsolationForestParams::default().seed(2).fit(rows.view())?)?;
    /// assert_eq!(forest.tree_count(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub fn merge(&mut self, other: &Self) -> Result<(), IsolationForestError> {
        self.check_tree_count(self.trees.len().saturating_add(other.trees.len()))?;
        self.check_width(other.width())?;
        let alike = [
            ("scoring", other.scoring == self.scoring),
            ("missing", other.missing == self.missing),
            ("unseen", other.unseen == self.unseen),
            ("average_path", other.average_path == self.average_path),
            ("categorical", other.categorical == self.categorical),
            (
                "penalize_range or shares",
                self.trees.has_same_extras(&other.trees),
            ),
        ];
        if let Some((what, _)) = alike.into_iter().find(|(_, alike)| !alike) {
            return Err(IsolationForestError::Unlike { what });
        }
        let mut changed = self.clone();
        let height_limit = self.height_limit.max(other.height_limit);
        let kinds: Vec<u32> = other
            .kinds
            .iter()
            .map(|kind| changed.kind_of(*kind, 0))
            .collect();
        crate::params::count("kinds of trees", changed.kinds.len(), 1, MAX_KINDS)?;
        for tree in other.trees.iter() {
            let bounds = Bounds {
                width: self.width,
                sample_size: other.kinds[tree.kind as usize].sample_size,
                height_limit,
                categorical: &self.categorical,
            };
            changed
                .trees
                .push(&tree.to_flat(), kinds[tree.kind as usize], &bounds)
                .map_err(IsolationForestError::DamagedModel)?;
        }
        changed.height_limit = height_limit;
        changed.trees_grown = changed.trees_grown.saturating_add(other.trees_grown);
        changed.rows_fitted = changed.rows_fitted.saturating_add(other.rows_fitted);
        changed.scale.max_bits = changed.scale.max_bits.max(other.scale.max_bits);
        changed.thresholds.clear();
        changed.set_values();
        *self = changed;
        Ok(())
    }

    /// Drops the oldest trees, for a window that slides over the data: add trees of the newest rows, drop as many.
    ///
    /// With several split rules, multiples of their number keep their shares. The thresholds are dropped, since scores
    /// change: see [`fit_thresholds`](Self::fit_thresholds).
    ///
    /// # Errors
    ///
    /// [`CountOutOfRange`](IsolationForestError::CountOutOfRange) when no tree would be left.
    ///
    /// # Complexity
    ///
    /// O(nodes of the forest).
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::Array2;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let week = |number: usize| Array2::from_shape_fn((400, 2), |(i, j)| ((i * (7 + j) + number) % 31) as f64);
    /// let params = IsolationForestParams::default().seed(3);
    /// let mut forest = params.fit(week(0).view())?;
    /// for number in 1..5 {
    ///     forest.add_trees(&params, week(number).view(), 25)?;
    ///     forest.drop_oldest(25)?;
    ///     forest.fit_thresholds(&[0.01], week(number).view())?;
    /// }
    /// assert_eq!(forest.tree_count(), 100);
    /// # Ok(())
    /// # }
    /// ```
    pub fn drop_oldest(&mut self, trees: usize) -> Result<(), IsolationForestError> {
        let most = self.trees.len() - 1;
        crate::params::count("trees to drop", trees, 0, most)?;
        let mut kept = Trees::with_capacity(self.trees.len() - trees, 0);
        // Kinds that no tree is of any more are dropped, beside those of the rules.
        let mut kinds = self.kinds[..self.rules as usize].to_vec();
        let mut places = BTreeMap::new();
        for tree in self.trees.iter().skip(trees) {
            let place = *places.entry(tree.kind).or_insert_with(|| {
                if tree.kind < self.rules {
                    return tree.kind;
                }
                kinds.push(self.kinds[tree.kind as usize]);
                u32::try_from(kinds.len() - 1).unwrap_or(u32::MAX)
            });
            let bounds = Bounds {
                width: self.width,
                sample_size: self.kinds[tree.kind as usize].sample_size,
                height_limit: self.height_limit,
                categorical: &self.categorical,
            };
            kept.push(&tree.to_flat(), place, &bounds)
                .map_err(IsolationForestError::DamagedModel)?;
        }
        self.trees = kept;
        self.kinds = kinds;
        self.thresholds.clear();
        self.set_values();
        Ok(())
    }

    /// Takes the thresholds of contamination levels from the scores of rows, each of which counts 1, in place of those that
    /// the forest has.
    ///
    /// # Errors
    ///
    /// As [`IsolationForestParams::check`] for the levels, [`NoRows`](IsolationForestError::NoRows), and as
    /// [`score_rows`](Self::score_rows); the thresholds are then as before.
    ///
    /// # Complexity
    ///
    /// That of scoring the rows, and O(n log n).
    pub fn fit_thresholds<T: Value>(
        &mut self,
        levels: &[f64],
        rows: ArrayView2<'_, T>,
    ) -> Result<(), IsolationForestError> {
        self.take_thresholds(levels, rows, SortedSums::new)
    }

    /// As [`fit_thresholds`](Self::fit_thresholds) with a weight for each row; a level is then a share of the weight.
    ///
    /// # Errors
    ///
    /// As [`fit_thresholds`](Self::fit_thresholds), and for weights as
    /// [`fit_weighted`](crate::CheckedIsolationForestParams::fit_weighted).
    ///
    /// # Complexity
    ///
    /// As [`fit_thresholds`](Self::fit_thresholds).
    pub fn fit_thresholds_weighted<T: Value>(
        &mut self,
        levels: &[f64],
        rows: ArrayView2<'_, T>,
        weights: &[f64],
    ) -> Result<(), IsolationForestError> {
        let weights = RowWeights::new(weights, rows.nrows())?;
        self.take_thresholds(levels, rows, |sums| {
            let weights = weights.weights().iter().copied();
            SortedSums::weighted(sums.into_iter().zip(weights).collect())
        })
    }

    fn take_thresholds<T: Value>(
        &mut self,
        levels: &[f64],
        rows: ArrayView2<'_, T>,
        sorted: impl FnOnce(Vec<u64>) -> SortedSums,
    ) -> Result<(), IsolationForestError> {
        crate::params::check_levels(levels)?;
        if rows.nrows() == 0 {
            return Err(IsolationForestError::NoRows);
        }
        let mut sums = vec![0; rows.nrows()];
        self.map_sums(rows, &mut sums, |sum| sum)?;
        let training = sorted(sums);
        self.thresholds =
            ContaminationThreshold::of_levels(levels, &training, |sum| self.score_of_sum(sum));
        Ok(())
    }

    fn check_tree_count(&self, trees: usize) -> Result<(), IsolationForestError> {
        crate::params::count("trees", trees, self.trees.len(), MAX_TREES)
    }
}

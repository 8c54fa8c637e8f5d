//! Parameters of boosted trees and their check.

use crate::{EnsembleError, Monotone};

/// Most trees of a model.
pub const MAX_TREES: usize = 100_000;
/// Most leaves of a tree.
pub const MAX_LEAVES: usize = 1 << 16;
/// Most leaves of a model: `n_estimators` times `max_leaves`.
pub const MAX_LEAVES_OF_MODEL: usize = 1 << 30;
/// Most levels of a tree.
pub const MAX_DEPTH: usize = 64;
/// Most rows to learn from. Sums have 61 bits: beyond about 2^26 rows the smallest hessians are rounded away.
pub const MAX_ROWS: usize = 1 << 31;
/// Most columns.
pub const MAX_COLUMNS: usize = 1 << 24;

/// Categories of a column at most: they are coded 0, 1, 2 and so on.
pub const MAX_CATEGORIES: u32 = 1 << 16;

/// Which leaf is split next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Growth {
    /// The one that gains most, wherever it is (Ke et al. 2017).
    #[default]
    LeafWise,
    /// Level by level (Chen and Guestrin 2016).
    DepthWise,
}

/// Parameters of [`BoostedTrees`](crate::BoostedTrees).
///
/// # Examples
///
/// ```
/// use dafu_ensemble::BoostedTreesParams;
///
/// let params = BoostedTreesParams::default().n_estimators(200).learning_rate(0.05);
/// assert!(params.check().is_ok());
/// assert!(params.learning_rate(0.0).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct BoostedTreesParams {
    /// Trees.
    pub n_estimators: usize,
    /// Factor of each tree's answer, in (0, 1].
    pub learning_rate: f64,
    /// Which leaf is split next.
    pub growth: Growth,
    /// Leaves of a tree at most.
    pub max_leaves: usize,
    /// Levels of a tree at most.
    pub max_depth: usize,
    /// Rows of a leaf at least. A leaf also needs the share of the hessian of the node above that these, less one, are of its
    /// rows: else rows that are judged well already would let others stand almost alone. `LightGBM` counts by hessians alone.
    pub min_leaf_rows: usize,
    /// Sum of hessians of a leaf at least.
    pub min_leaf_hessian: f64,
    /// What a split has to gain at least: the sum of `G^2 / (H + l2)` of both parts less that of the node, for gradients G and
    /// hessians H (Chen and Guestrin 2016, equation 7, without the half).
    pub min_gain: f64,
    /// Subtracted from the absolute sum of gradients of a leaf.
    pub l1: f64,
    /// Added to the sum of hessians of a leaf.
    pub l2: f64,
    /// Share of the rows that a tree sees, in (0, 1].
    pub row_sample: f64,
    /// Share of the columns that a tree sees, in (0, 1]; at least one.
    pub column_sample: f64,
    /// Factor of the weights of frauds.
    pub scale_pos_weight: f64,
    /// How much less rows count that are already judged well (Lin et al. 2017); 0 for the logistic loss.
    pub focal_gamma: f64,
    /// Columns that hold categories, coded as whole numbers from 0, see [`BoostedTreesParams::categorical`].
    pub categorical: Vec<usize>,
    /// Added to the sum of hessians of a category where categories are put in order.
    pub category_smooth: f64,
    /// Added to `l2` where a split by categories is judged.
    pub category_l2: f64,
    /// Categories on one side of a split at most.
    pub max_category_split: usize,
    /// Columns in which the log odds may go only one way.
    pub monotone: Vec<(usize, Monotone)>,
    /// Sets of columns that may stand together in one way from a root to a leaf; columns in none of them are one more set.
    /// Empty: all may.
    pub interactions: Vec<Vec<usize>>,
    /// Bins of the numbers of a column at most, 2 to 255. Their edges are taken so that frauds and honest rows have half of
    /// the mass each.
    pub max_bins: usize,
    /// Trees without a better average precision on the validation rows after which no more are grown. Without validation
    /// rows, as for [`Learner::learn`](crate::Learner::learn), all are.
    pub patience: usize,
    /// Seed of the samples.
    pub seed: u64,
}

/// Many small steps and small trees: frauds are few, and large steps fit each of them by itself.
impl Default for BoostedTreesParams {
    fn default() -> Self {
        Self {
            n_estimators: 300,
            learning_rate: 0.03,
            growth: Growth::LeafWise,
            max_leaves: 16,
            max_depth: MAX_DEPTH,
            min_leaf_rows: 20,
            min_leaf_hessian: 1e-3,
            min_gain: 0.0,
            l1: 0.0,
            l2: 1.0,
            row_sample: 1.0,
            column_sample: 1.0,
            scale_pos_weight: 1.0,
            focal_gamma: 0.0,
            categorical: Vec::new(),
            category_smooth: 10.0,
            category_l2: 10.0,
            max_category_split: 32,
            monotone: Vec::new(),
            interactions: Vec::new(),
            max_bins: 255,
            patience: 20,
            seed: 0,
        }
    }
}

impl BoostedTreesParams {
    dafu_core::setters! {
        n_estimators: usize,
        learning_rate: f64,
        growth: Growth,
        max_leaves: usize,
        max_depth: usize,
        min_leaf_rows: usize,
        min_leaf_hessian: f64,
        min_gain: f64,
        l1: f64,
        l2: f64,
        row_sample: f64,
        column_sample: f64,
        scale_pos_weight: f64,
        focal_gamma: f64,
        category_smooth: f64,
        category_l2: f64,
        max_category_split: usize,
        max_bins: usize,
        patience: usize,
        seed: u64,
    }

    /// Sets which columns hold categories.
    ///
    /// Their values are whole numbers from 0 to [`MAX_CATEGORIES`] - 1, or missing. The `max_bins` most common ones can be
    /// told apart; others, and those first seen when scoring, are taken as missing. A split puts a set of categories
    /// on one side: the categories in order of their gradients over hessians, from either end.
    ///
    /// Source: Fisher, "On Grouping for Maximum Homogeneity" (1958), as in Ke et al. (2017).
    #[must_use]
    pub fn categorical(mut self, columns: impl Into<Vec<usize>>) -> Self {
        self.categorical = columns.into();
        self
    }

    /// Sets in which columns the log odds may go only one way: whatever the other columns hold, they never fall (or never
    /// rise) when this one rises. What is missing is free.
    #[must_use]
    pub fn monotone(mut self, columns: impl Into<Vec<(usize, Monotone)>>) -> Self {
        self.monotone = columns.into();
        self
    }

    /// Sets which columns may act together.
    #[must_use]
    pub fn interactions(mut self, sets: impl Into<Vec<Vec<usize>>>) -> Self {
        self.interactions = sets.into();
        self
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::CountOutOfRange`] or [`EnsembleError::NumberOutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<CheckedBoostedTreesParams, EnsembleError> {
        count("n_estimators", self.n_estimators, 1, MAX_TREES)?;
        count("max_leaves", self.max_leaves, 2, MAX_LEAVES)?;
        let leaves = self.n_estimators.saturating_mul(self.max_leaves);
        count("n_estimators * max_leaves", leaves, 2, MAX_LEAVES_OF_MODEL)?;
        count("max_depth", self.max_depth, 1, MAX_DEPTH)?;
        count("min_leaf_rows", self.min_leaf_rows, 1, MAX_ROWS)?;
        count("max_bins", self.max_bins, 2, 255)?;
        count("max_category_split", self.max_category_split, 1, 255)?;
        count("patience", self.patience, 1, MAX_TREES)?;
        for (name, got) in [
            ("learning_rate", self.learning_rate),
            ("row_sample", self.row_sample),
            ("column_sample", self.column_sample),
        ] {
            number(name, got, "above 0 and at most 1", got > 0.0 && got <= 1.0)?;
        }
        for (name, got) in [
            ("min_leaf_hessian", self.min_leaf_hessian),
            ("min_gain", self.min_gain),
            ("focal_gamma", self.focal_gamma),
            ("category_smooth", self.category_smooth),
            ("category_l2", self.category_l2),
            ("l1", self.l1),
            ("l2", self.l2),
        ] {
            let good = got >= 0.0 && got.is_finite();
            number(name, got, "finite and at least 0", good)?;
        }
        let got = self.scale_pos_weight;
        let good = got > 0.0 && got.is_finite();
        number("scale_pos_weight", got, "finite and above 0", good)?;
        Ok(CheckedBoostedTreesParams(self.clone()))
    }
}

/// Parameters that passed [`BoostedTreesParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedBoostedTreesParams(pub(crate) BoostedTreesParams);

pub(crate) fn count(
    name: &'static str,
    got: usize,
    min: usize,
    max: usize,
) -> Result<(), EnsembleError> {
    if (min..=max).contains(&got) {
        return Ok(());
    }
    Err(EnsembleError::CountOutOfRange {
        name,
        min: min as u64,
        max: max as u64,
        got: got as u64,
    })
}

/// Checks a size that has only an upper end.
pub(crate) const fn at_most(
    what: &'static str,
    got: usize,
    max: usize,
) -> Result<(), EnsembleError> {
    if got <= max {
        Ok(())
    } else {
        Err(EnsembleError::TooMany { what, max, got })
    }
}

pub(crate) fn number(
    name: &'static str,
    got: f64,
    expected: &'static str,
    good: bool,
) -> Result<(), EnsembleError> {
    if good {
        return Ok(());
    }
    Err(EnsembleError::NumberOutOfRange {
        name,
        expected,
        got,
    })
}

//! Parameters of boosted trees and their check.

use crate::EnsembleError;

/// Most trees of a model.
pub const MAX_TREES: usize = 100_000;
/// Most leaves of a tree.
pub const MAX_LEAVES: usize = 1 << 16;
/// Most leaves of a model: `n_estimators` times `max_leaves`.
pub const MAX_LEAVES_OF_MODEL: usize = 1 << 30;
/// Most levels of a tree.
pub const MAX_DEPTH: usize = 64;
/// Most rows to learn from.
pub const MAX_ROWS: usize = 1 << 31;
/// Most columns.
pub const MAX_COLUMNS: usize = 1 << 24;

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
    /// Rows of a leaf at least.
    pub min_leaf_rows: usize,
    /// Sum of hessians of a leaf at least.
    pub min_leaf_hessian: f64,
    /// What a split has to gain at least.
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
    /// Bins of the numbers of a column at most, 2 to 255.
    pub max_bins: usize,
    /// Trees without a better average precision on the validation rows after which no more are grown.
    pub patience: usize,
    /// Seed of the samples.
    pub seed: u64,
}

impl Default for BoostedTreesParams {
    fn default() -> Self {
        Self {
            n_estimators: 100,
            learning_rate: 0.1,
            growth: Growth::LeafWise,
            max_leaves: 31,
            max_depth: MAX_DEPTH,
            min_leaf_rows: 20,
            min_leaf_hessian: 1e-3,
            min_gain: 0.0,
            l1: 0.0,
            l2: 0.0,
            row_sample: 1.0,
            column_sample: 1.0,
            scale_pos_weight: 1.0,
            max_bins: 255,
            patience: 20,
            seed: 0,
        }
    }
}

macro_rules! setters {
    ($($name:ident: $kind:ty),* $(,)?) => {
        $(
            #[doc = concat!("Sets `", stringify!($name), "`.")]
            #[must_use]
            pub const fn $name(mut self, $name: $kind) -> Self {
                self.$name = $name;
                self
            }
        )*
    };
}
pub(crate) use setters;

impl BoostedTreesParams {
    setters! {
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
        max_bins: usize,
        patience: usize,
        seed: u64,
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

//! Parameters of a random forest and their check.

use crate::params::{MAX_DEPTH, MAX_ROWS, MAX_TREES, count, number};
use crate::{ClassWeight, EnsembleError, MAX_COLUMNS};

/// How many columns each split may choose from; at least one, and not counting those that are constant there.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum MaxFeatures {
    /// The square root of all (Breiman 2001).
    #[default]
    Sqrt,
    /// The binary logarithm of all.
    Log2,
    /// A share, in (0, 1].
    Share(f64),
    /// So many.
    Count(usize),
    /// All of them.
    All,
}

impl MaxFeatures {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most a number of columns"
    )]
    pub(crate) fn of(self, width: usize) -> usize {
        let wanted = match self {
            Self::Sqrt => (width as f64).sqrt() as usize,
            Self::Log2 => (width as f64).log2() as usize,
            Self::Share(share) => (width as f64 * share) as usize,
            Self::Count(count) => count,
            Self::All => width,
        };
        wanted.clamp(1, width.max(1))
    }
}

/// Which rows a tree learns from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Bagging {
    /// As many as there are, drawn with replacement.
    #[default]
    Bootstrap,
    /// Of each class as many as the rarer one has, drawn with replacement (Chen, Liaw and Breiman 2004). Probabilities
    /// are then those of a world with as many frauds as honest rows.
    Balanced,
    /// All once, or a share of them drawn without replacement where `row_sample` is below 1.
    None,
}

/// At which places a column may be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum SplitPlaces {
    /// At the best of all.
    #[default]
    Best,
    /// At one drawn at random among the bins that hold rows (extra-trees: Geurts, Ernst and Wehenkel 2006). Categories are
    /// split at their best.
    Random,
}

/// Parameters of [`RandomForest`](crate::RandomForest).
///
/// # Examples
///
/// ```
/// use dafu_ensemble::{Bagging, RandomForestParams};
///
/// let params = RandomForestParams::default().n_estimators(200).bagging(Bagging::Balanced);
/// assert!(params.check().is_ok());
/// assert!(params.n_estimators(0).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RandomForestParams {
    /// Trees.
    pub n_estimators: usize,
    /// Columns that each split may choose from.
    pub max_features: MaxFeatures,
    /// Levels of a tree at most.
    pub max_depth: usize,
    /// Rows of a leaf at least, those drawn several times once.
    pub min_leaf_rows: usize,
    /// Which rows a tree learns from.
    pub bagging: Bagging,
    /// Rows drawn for a tree, as a share of those that `bagging` names, in (0, 1].
    pub row_sample: f64,
    /// How much more a fraud counts than an honest row.
    pub class_weight: ClassWeight,
    /// At which places a column may be split.
    pub split_places: SplitPlaces,
    /// Columns that hold categories, coded as whole numbers from 0, as for
    /// [`BoostedTreesParams::categorical`](crate::BoostedTreesParams::categorical).
    pub categorical: Vec<usize>,
    /// Bins of the numbers of a column at most, 2 to 255.
    pub max_bins: usize,
    /// Seed of rows, columns and places.
    pub seed: u64,
}

impl Default for RandomForestParams {
    fn default() -> Self {
        Self {
            n_estimators: 100,
            max_features: MaxFeatures::Sqrt,
            max_depth: MAX_DEPTH,
            min_leaf_rows: 1,
            bagging: Bagging::Bootstrap,
            row_sample: 1.0,
            class_weight: ClassWeight::None,
            split_places: SplitPlaces::Best,
            categorical: Vec::new(),
            max_bins: 255,
            seed: 0,
        }
    }
}

impl RandomForestParams {
    dafu_core::setters! {
        n_estimators: usize,
        max_features: MaxFeatures,
        max_depth: usize,
        min_leaf_rows: usize,
        bagging: Bagging,
        row_sample: f64,
        class_weight: ClassWeight,
        split_places: SplitPlaces,
        max_bins: usize,
        seed: u64,
    }

    /// Sets which columns hold categories.
    #[must_use]
    pub fn categorical(mut self, columns: impl Into<Vec<usize>>) -> Self {
        self.categorical = columns.into();
        self
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::CountOutOfRange`] or [`EnsembleError::NumberOutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<CheckedRandomForestParams, EnsembleError> {
        count("n_estimators", self.n_estimators, 1, MAX_TREES)?;
        count("max_depth", self.max_depth, 1, MAX_DEPTH)?;
        count("min_leaf_rows", self.min_leaf_rows, 1, MAX_ROWS)?;
        count("max_bins", self.max_bins, 2, 255)?;
        let in_share = |name, got| {
            let good = got > 0.0 && got <= 1.0;
            number(name, got, "above 0 and at most 1", good)
        };
        in_share("row_sample", self.row_sample)?;
        match self.max_features {
            MaxFeatures::Share(share) => in_share("max_features", share)?,
            MaxFeatures::Count(got) => count("max_features", got, 1, MAX_COLUMNS)?,
            MaxFeatures::Sqrt | MaxFeatures::Log2 | MaxFeatures::All => {}
        }
        if let ClassWeight::Ratio(got) = self.class_weight {
            let good = got > 0.0 && got.is_finite();
            number("class_weight", got, "finite and above 0", good)?;
        }
        Ok(CheckedRandomForestParams(self.clone()))
    }
}

/// Parameters that passed [`RandomForestParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedRandomForestParams(pub(crate) RandomForestParams);

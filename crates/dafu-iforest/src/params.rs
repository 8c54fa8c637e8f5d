//! Parameters and their check.

use crate::{AveragePath, IsolationForestError};

/// Most trees of a forest.
pub const MAX_TREES: usize = 100_000;
/// Most rows a tree.
pub const MAX_SAMPLE_SIZE: usize = 1 << 24;
/// Most levels of a tree, also of one without a height limit.
pub const MAX_HEIGHT: u32 = 65_535;
/// Most contamination levels.
pub const MAX_LEVELS: usize = 10_000;
/// Most columns of the data.
pub const MAX_WIDTH: usize = u32::MAX as usize - 1;

/// How many features a tree may split on; they are drawn for each tree without replacement.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum MaxFeatures {
    /// All of them.
    #[default]
    All,
    /// This share of the columns, in (0, 1]; rounded down, at least one.
    Fraction(f64),
    /// This number of columns, at least 1 and at most the width of the data.
    Count(usize),
}

/// How deep a tree may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum HeightLimit {
    /// ceil(log2(rows a tree)), the paper's choice: anomalies are shallow, so the rest need not be grown.
    #[default]
    Auto,
    /// This number of levels, 0 to [`MAX_HEIGHT`].
    Levels(u32),
    /// Until every leaf holds rows that are equal in all features of the tree (and at most [`MAX_HEIGHT`]).
    Unlimited,
}

/// From which training rows the thresholds of the contamination levels are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ThresholdRows {
    /// All rows given to the fit.
    #[default]
    All,
    /// So many rows, drawn without replacement (all of them when there are fewer); at least 1.
    Sample(usize),
}

/// Which training rows the fit checks for NaN and infinite values.
///
/// Rows that are scored for thresholds are always checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum FiniteCheck {
    /// All rows: one pass over the data, and whether the fit succeeds does not depend on the seed.
    #[default]
    AllRows,
    /// Only those that some tree draws: the cost of a fit without contamination levels does not grow with the data.
    SampledRows,
}

/// Whether work is shared out over threads. Without the feature `parallel` everything is serial.
///
/// The results have the same bits either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Parallelism {
    /// On the calling thread.
    Serial,
    /// On the current rayon pool; `ThreadPool::install` chooses another.
    #[default]
    Pool,
}

/// Parameters of an isolation forest.
///
/// ```
/// use dafu_iforest::IsolationForestParams;
/// let params = IsolationForestParams::default().trees(200).seed(7).contamination([0.01, 0.05]);
/// assert!(params.check().is_ok());
/// let wrong = IsolationForestParams { trees: 0, ..Default::default() };
/// assert_eq!(
///     wrong.check().unwrap_err().to_string(),
///     "`trees` must be between 1 and 100000, got 0"
/// );
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct IsolationForestParams {
    /// Number of trees, 1 to [`MAX_TREES`]. Default 100.
    pub trees: usize,
    /// Rows drawn for each tree, 1 to [`MAX_SAMPLE_SIZE`]; all rows where the data have fewer. Default 256.
    pub sample_size: usize,
    /// Features a tree may split on. Default all.
    pub max_features: MaxFeatures,
    /// Whether the rows of a tree are drawn with replacement. Default false, as in the paper.
    pub bootstrap: bool,
    /// How deep a tree may grow. Default ceil(log2(rows a tree)).
    pub height_limit: HeightLimit,
    /// How c(n) is computed. Default exact.
    pub average_path: AveragePath,
    /// Expected shares of anomalies, each in (0, 0.5]; one threshold is fitted for each. Default none.
    ///
    /// With levels, the fit scores the training rows and so costs as much as scoring them.
    pub contamination: Vec<f64>,
    /// From which training rows the thresholds are taken. Default all.
    pub threshold_rows: ThresholdRows,
    /// Which training rows are checked for NaN and infinite values. Default all.
    pub finite_check: FiniteCheck,
    /// Whether work is shared out over threads. Default yes, where the feature `parallel` is on.
    pub parallelism: Parallelism,
    /// Seed of all randomness. Default 0.
    pub seed: u64,
}

impl Default for IsolationForestParams {
    fn default() -> Self {
        Self {
            trees: 100,
            sample_size: 256,
            max_features: MaxFeatures::All,
            bootstrap: false,
            height_limit: HeightLimit::Auto,
            average_path: AveragePath::Exact,
            contamination: Vec::new(),
            threshold_rows: ThresholdRows::All,
            finite_check: FiniteCheck::AllRows,
            parallelism: Parallelism::Pool,
            seed: 0,
        }
    }
}

/// Parameters that passed [`IsolationForestParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedIsolationForestParams(IsolationForestParams);

impl CheckedIsolationForestParams {
    /// The parameters.
    pub const fn params(&self) -> &IsolationForestParams {
        &self.0
    }
}

impl IsolationForestParams {
    /// Sets the number of trees.
    #[must_use]
    pub fn trees(mut self, trees: usize) -> Self {
        self.trees = trees;
        self
    }

    /// Sets the rows drawn for each tree.
    #[must_use]
    pub fn sample_size(mut self, sample_size: usize) -> Self {
        self.sample_size = sample_size;
        self
    }

    /// Sets the features a tree may split on.
    #[must_use]
    pub fn max_features(mut self, max_features: MaxFeatures) -> Self {
        self.max_features = max_features;
        self
    }

    /// Sets whether the rows of a tree are drawn with replacement.
    #[must_use]
    pub fn bootstrap(mut self, bootstrap: bool) -> Self {
        self.bootstrap = bootstrap;
        self
    }

    /// Sets how deep a tree may grow.
    #[must_use]
    pub fn height_limit(mut self, height_limit: HeightLimit) -> Self {
        self.height_limit = height_limit;
        self
    }

    /// Sets how c(n) is computed.
    #[must_use]
    pub fn average_path(mut self, average_path: AveragePath) -> Self {
        self.average_path = average_path;
        self
    }

    /// Sets the contamination levels.
    #[must_use]
    pub fn contamination(mut self, levels: impl IntoIterator<Item = f64>) -> Self {
        self.contamination = levels.into_iter().collect();
        self
    }

    /// Sets from which training rows the thresholds are taken.
    #[must_use]
    pub fn threshold_rows(mut self, threshold_rows: ThresholdRows) -> Self {
        self.threshold_rows = threshold_rows;
        self
    }

    /// Sets which training rows are checked for NaN and infinite values.
    #[must_use]
    pub fn finite_check(mut self, finite_check: FiniteCheck) -> Self {
        self.finite_check = finite_check;
        self
    }

    /// Sets whether work is shared out over threads.
    #[must_use]
    pub fn parallelism(mut self, parallelism: Parallelism) -> Self {
        self.parallelism = parallelism;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Checks every parameter that can be checked without data.
    ///
    /// # Errors
    ///
    /// [`IsolationForestError::CountOutOfRange`] or [`IsolationForestError::FractionOutOfRange`].
    pub fn check(&self) -> Result<CheckedIsolationForestParams, IsolationForestError> {
        count("trees", self.trees, 1, MAX_TREES)?;
        count("sample_size", self.sample_size, 1, MAX_SAMPLE_SIZE)?;
        match self.max_features {
            MaxFeatures::All => {}
            MaxFeatures::Fraction(share) => fraction("max_features", share, 1.0)?,
            MaxFeatures::Count(number) => count("max_features", number, 1, MAX_WIDTH)?,
        }
        if let HeightLimit::Levels(levels) = self.height_limit {
            count("height_limit", levels as usize, 0, MAX_HEIGHT as usize)?;
        }
        count(
            "number of contamination levels",
            self.contamination.len(),
            0,
            MAX_LEVELS,
        )?;
        for &level in &self.contamination {
            fraction("contamination", level, 0.5)?;
        }
        if let ThresholdRows::Sample(rows) = self.threshold_rows {
            count("threshold_rows", rows, 1, usize::MAX)?;
        }
        Ok(CheckedIsolationForestParams(self.clone()))
    }
}

fn count(
    name: &'static str,
    got: usize,
    min: usize,
    max: usize,
) -> Result<(), IsolationForestError> {
    if (min..=max).contains(&got) {
        Ok(())
    } else {
        Err(IsolationForestError::CountOutOfRange {
            name,
            min: min as u64,
            max: max as u64,
            got: got as u64,
        })
    }
}

fn fraction(name: &'static str, got: f64, max: f64) -> Result<(), IsolationForestError> {
    // Written so that NaN fails.
    if got > 0.0 && got <= max {
        Ok(())
    } else {
        Err(IsolationForestError::FractionOutOfRange { name, max, got })
    }
}

//! Parameters and their check.

mod split_rule;

pub use split_rule::{CategorySplit, Coefficients, ColumnWeights, Cut, Gain, SplitRule};

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
pub const MAX_WIDTH: usize = 1 << 30;
/// Most split rules.
pub const MAX_RULES: usize = 1_000;
/// Most kinds of trees: those of several forests that were merged.
pub(crate) const MAX_KINDS: usize = 100 * MAX_RULES;

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
/// Rows that are scored for thresholds, or to weigh several split rules, are always checked.
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

/// What a forest makes of missing values, which are NaN. Infinite values are always an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum MissingValues {
    /// They are an error, in training and in scoring.
    #[default]
    Refuse,
    /// A row without the value goes where more of the node's rows go; in sums over columns the mean of the node's rows
    /// stands in. Costs nothing where no value is missing. So a row that misses much looks ordinary: where that is itself
    /// suspicious, add a column that says what is missing.
    Impute,
    /// A row without the value goes both ways in scoring, and its path length is the mean of both by their training
    /// rows; in training it goes one way, drawn with these chances. For splits by one column; in sums over columns
    /// the mean of the node's rows stands in.
    Divide,
}

/// Where a row goes whose category the node has not seen in training; for splits by one column. Sums over columns count
/// nothing for such a category, and a number that is no category is one of those in scoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum UnseenCategories {
    /// To the side with fewer training rows: what is new is unusual.
    #[default]
    Smaller,
    /// To the side with more training rows.
    Larger,
    /// Both ways, as [`MissingValues::Divide`].
    Divide,
}

/// What the leaves of the trees tell of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Scoring {
    /// The path length h: the score is 2^(-E\[h\] / c(psi)).
    #[default]
    Depth,
    /// As the path length, but an edge counts 2 / (1 + 1 / (2 p)), where p is the density of the side in relation to that
    /// of its parent: the share of rows over the share of the range. An edge into a crowded side counts up to 2, one
    /// into an empty side little. Source: the scoring metric `adj_depth` of isotree (Cortes, 2021).
    AdjustedDepth,
    /// The density of the leaf in relation to that of all rows of the tree, by the ranges of the splits: the score is
    /// 1 / (1 + g) with the geometric mean g over the trees, so that 0.5 is as dense as all rows in their box.
    /// Source: the scoring metric `density` of isotree (Cortes, 2021).
    Density,
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
    /// How nodes are split: trees take turns through the rules. Default the standard rule alone.
    ///
    /// With several rules the path lengths of each rule's trees are weighed such that its spread over the training rows
    /// counts as much as that of every other rule, and the score of an average training row is 0.5. Density scores are
    /// taken as they are.
    pub rules: Vec<SplitRule>,
    /// What the leaves tell of a row. Default the path length.
    pub scoring: Scoring,
    /// What becomes of missing values. Default an error.
    pub missing: MissingValues,
    /// Columns that hold categories: whole numbers from 0 to 2^32 - 1 without an order. Default none.
    pub categorical: Vec<usize>,
    /// Where rows with a category go that a node has not seen. Default to the smaller side.
    pub unseen: UnseenCategories,
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
            rules: vec![SplitRule::standard()],
            scoring: Scoring::Depth,
            missing: MissingValues::Refuse,
            categorical: Vec::new(),
            unseen: UnseenCategories::Smaller,
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
    /// The algorithm of 2008: 100 trees of 256 rows, one column and one value at random, depth limited; the same as
    /// [`default`](Self::default).
    ///
    /// Source: Liu, Ting, Zhou, "Isolation Forest", ICDM 2008.
    #[must_use]
    pub fn classic() -> Self {
        Self::default()
    }

    /// The setting that finds more on average: 200 trees of 256 rows without height limit, split by hyperplanes over six
    /// columns (all where there are fewer), scored by density; missing values imputed.
    ///
    /// It was chosen on ten public data sets as the setting of highest mean ROC AUC among those that lose no more than
    /// 0.005 to scikit-learn on any of the ten, and measured on ten others; the [crate page](crate#which-variant) has the
    /// figures, and those of its cost. Its scores have another meaning than those of [`classic`](Self::classic): see
    /// [`Scoring::Density`].
    #[must_use]
    pub fn recommended() -> Self {
        Self::default()
            .trees(200)
            .height_limit(HeightLimit::Unlimited)
            .missing(MissingValues::Impute)
            .scoring(Scoring::Density)
            .rules([SplitRule::extended(5)])
    }

    /// Hyperplanes over two columns at random: 100 trees of 256 rows without height limit; missing values imputed.
    ///
    /// Source: Hariri, Carrasco Kind, Brunner, "Extended Isolation Forest", arXiv 1811.02141, 2018, with columns
    /// standardised.
    #[must_use]
    pub fn extended() -> Self {
        Self::default()
            .height_limit(HeightLimit::Unlimited)
            .missing(MissingValues::Impute)
            .rules([SplitRule::extended(1)])
    }

    /// Guided splits: 200 trees of 256 rows without height limit, half of them fair-cut, half as `SCiForest`; missing
    /// values imputed. Finds anomalies that lie together, which the others take for a cluster; it is the worse choice
    /// where anomalies are the far ends of one large cloud.
    ///
    /// Source: see [`SplitRule::fair_cut`] and [`SplitRule::sciforest`].
    #[must_use]
    pub fn guided() -> Self {
        Self::default()
            .trees(200)
            .height_limit(HeightLimit::Unlimited)
            .missing(MissingValues::Impute)
            .rules([SplitRule::fair_cut(2), SplitRule::sciforest(10)])
    }

    /// The setting of a name, for configuration: `classic`, `extended`, `guided` or `recommended`.
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// let params = IsolationForestParams::named("guided");
    /// assert_eq!(params, Some(IsolationForestParams::guided()));
    /// ```
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "classic" => Some(Self::classic()),
            "extended" => Some(Self::extended()),
            "guided" => Some(Self::guided()),
            "recommended" => Some(Self::recommended()),
            _ => None,
        }
    }

    /// Sets the number of trees.
    #[must_use]
    pub fn trees(mut self, trees: usize) -> Self {
        self.trees = trees;
        self
    }

    /// Sets how nodes are split: trees take turns through the rules.
    #[must_use]
    pub fn rules(mut self, rules: impl IntoIterator<Item = SplitRule>) -> Self {
        self.rules = rules.into_iter().collect();
        self
    }

    /// Sets what the leaves tell of a row.
    #[must_use]
    pub fn scoring(mut self, scoring: Scoring) -> Self {
        self.scoring = scoring;
        self
    }

    /// Sets what becomes of missing values.
    #[must_use]
    pub fn missing(mut self, missing: MissingValues) -> Self {
        self.missing = missing;
        self
    }

    /// Sets the columns that hold categories.
    #[must_use]
    pub fn categorical(mut self, columns: impl IntoIterator<Item = usize>) -> Self {
        self.categorical = columns.into_iter().collect();
        self
    }

    /// Sets where rows with a category go that a node has not seen.
    #[must_use]
    pub fn unseen(mut self, unseen: UnseenCategories) -> Self {
        self.unseen = unseen;
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
    /// [`CountOutOfRange`](IsolationForestError::CountOutOfRange),
    /// [`FractionOutOfRange`](IsolationForestError::FractionOutOfRange),
    /// [`Weight`](IsolationForestError::Weight), [`NoWeight`](IsolationForestError::NoWeight) and
    /// [`PenalizedDensity`](IsolationForestError::PenalizedDensity).
    pub fn check(&self) -> Result<CheckedIsolationForestParams, IsolationForestError> {
        count("trees", self.trees, 1, MAX_TREES)?;
        count("sample_size", self.sample_size, 1, MAX_SAMPLE_SIZE)?;
        match self.max_features {
            MaxFeatures::All => {}
            MaxFeatures::Fraction(share) => fraction("max_features", share, false, 1.0)?,
            MaxFeatures::Count(number) => count("max_features", number, 1, MAX_WIDTH)?,
        }
        count("number of split rules", self.rules.len(), 1, MAX_RULES)?;
        count("trees", self.trees, self.rules.len(), MAX_TREES)?;
        for rule in &self.rules {
            rule.check()?;
        }
        let penalizes = self.rules.iter().any(|rule| rule.penalize_range);
        if self.scoring == Scoring::Density && penalizes {
            return Err(IsolationForestError::PenalizedDensity);
        }
        if let HeightLimit::Levels(levels) = self.height_limit {
            count("height_limit", levels as usize, 0, MAX_HEIGHT as usize)?;
        }
        check_levels(&self.contamination)?;
        if let ThresholdRows::Sample(rows) = self.threshold_rows {
            count("threshold_rows", rows, 1, usize::MAX)?;
        }
        Ok(CheckedIsolationForestParams(self.clone()))
    }
}

/// Checks contamination levels.
pub(crate) fn check_levels(levels: &[f64]) -> Result<(), IsolationForestError> {
    count(
        "number of contamination levels",
        levels.len(),
        0,
        MAX_LEVELS,
    )?;
    for &level in levels {
        fraction("contamination", level, false, 0.5)?;
    }
    Ok(())
}

pub(crate) fn count(
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

/// Written so that NaN fails.
pub(crate) fn fraction(
    name: &'static str,
    got: f64,
    zero_allowed: bool,
    max: f64,
) -> Result<(), IsolationForestError> {
    let enough = got > 0.0 || zero_allowed && got >= 0.0;
    if enough && got <= max {
        Ok(())
    } else {
        Err(IsolationForestError::FractionOutOfRange {
            name,
            at_least: if zero_allowed { "at least" } else { "above" },
            max,
            got,
        })
    }
}

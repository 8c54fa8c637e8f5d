//! How nodes are split.

use super::{count, fraction};
use crate::IsolationForestError;

/// By what a guided split judges where to cut.
///
/// The values of a node are sorted and cut in two at every gap; `sd` is the standard deviation of all, `sd_l` and
/// `sd_r` those of the two sides with `n_l` and `n_r` values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Gain {
    /// `(sd - (n_l sd_l + n_r sd_r) / n) / sd`: finds clusters. Source: Cortes, "Revisiting randomized choices in
    /// isolation forests", arXiv 2110.13402, 2021, section 3.
    #[default]
    Pooled,
    /// `(sd - (sd_l + sd_r) / 2) / sd`: cuts off few values that lie apart. Source: Liu, Ting, Zhou, "On Detecting
    /// Clustered Anomalies Using `SCiForest`", ECML PKDD 2010, definition 1.
    Averaged,
}

/// How the coefficients of a hyperplane are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Coefficients {
    /// Standard normal, over the standard deviation of the column among the rows of the node: units of the columns
    /// play no part.
    #[default]
    Standardized,
    /// Standard normal, as Hariri et al. have it: columns with large numbers decide.
    Raw,
}

/// Where a split at random over several columns cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Cut {
    /// Uniform over the range of the sums.
    #[default]
    Range,
    /// Through a point that is uniform in the box of the node's rows, as Hariri et al. have it: more often near their
    /// middle. What leaves a side without rows is drawn anew (there, such a node uses up a level).
    Box,
}

/// With which chance a column is drawn for a split.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ColumnWeights {
    /// The same for all.
    #[default]
    Uniform,
    /// In proportion to the kurtosis of the column among the rows of the tree: columns with few far values more often.
    /// Columns of categories count as one of normal numbers, 3.
    Kurtosis,
    /// In proportion to these weights, one for each column, finite and at least 0, not all 0.
    Given(Vec<f64>),
}

/// How a column of categories is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum CategorySplit {
    /// Each category of the node goes to a side drawn for it, both sides at least one.
    #[default]
    Subset,
    /// One category of the node against all others.
    Single,
}

/// How the nodes of a tree are split.
///
/// ```
/// use dafu_iforest::{IsolationForestParams, SplitRule};
/// // Hyperplanes of two columns, cut where the pooled gain is highest, together with plain trees.
/// let params = IsolationForestParams::default()
///     .rules([SplitRule::fair_cut(2), SplitRule::standard()]);
/// assert!(params.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct SplitRule {
    /// Columns of a split: 1 compares one column, more a sum over so many columns (extension level + 1), all that vary
    /// in the node where there are fewer. Default 1.
    pub columns: usize,
    /// How the coefficients of sums are drawn. Default standardised.
    pub coefficients: Coefficients,
    /// Where sums at random are cut. Default uniform over their range.
    pub cut: Cut,
    /// Share of the nodes that are split where the gain is highest, in \[0, 1\]; the others are split at random.
    /// Default 0.
    pub guided: f64,
    /// By what guided splits judge. Default pooled.
    pub gain: Gain,
    /// Columns, or sums, that a guided split tries to find the one of highest gain, 1 to 10,000. Default 1.
    pub tries: usize,
    /// A node whose highest gain is not above this becomes a leaf, in \[0, 1\]. Splits by categories have no gain and are
    /// made when their column is drawn first. Default 0.
    pub min_gain: f64,
    /// With which chance a column is drawn. Default the same for all.
    pub column_weights: ColumnWeights,
    /// How a column of categories is split. Default by subsets.
    pub categories: CategorySplit,
    /// Whether a row whose value at a split lies more than the range of the node's rows away from the threshold is
    /// taken as one level less deep, as `SCiForest` does. Default false.
    pub penalize_range: bool,
}

impl Default for SplitRule {
    fn default() -> Self {
        Self::standard()
    }
}

/// Most sums or columns tried for a guided split.
const MAX_TRIES: usize = 10_000;

impl SplitRule {
    /// One column and one value at random: Liu, Ting, Zhou, "Isolation Forest", ICDM 2008.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            columns: 1,
            coefficients: Coefficients::Standardized,
            cut: Cut::Range,
            guided: 0.0,
            gain: Gain::Pooled,
            tries: 1,
            min_gain: 0.0,
            column_weights: ColumnWeights::Uniform,
            categories: CategorySplit::Subset,
            penalize_range: false,
        }
    }

    /// Hyperplanes over `level` + 1 columns at random: Hariri, Carrasco Kind, Brunner, "Extended Isolation Forest",
    /// arXiv 1811.02141, 2018, with columns standardised (see [`Coefficients::Raw`]). Level 0 is the standard rule.
    ///
    /// Difference: every cut between the lowest and the highest sum of the node's rows is as likely. The paper's forests are
    /// those with [`Coefficients::Raw`] and [`Cut::Box`]; the [crate page](crate#published-figures) has their figures.
    #[must_use]
    pub fn extended(level: usize) -> Self {
        Self {
            columns: level.saturating_add(1),
            ..Self::standard()
        }
    }

    /// Hyperplanes over so many columns, cut where the pooled gain is highest: the fair-cut forest of Cortes, "Revisiting
    /// randomized choices in isolation forests", arXiv 2110.13402, 2021. Meant for trees without height limit.
    #[must_use]
    pub fn fair_cut(columns: usize) -> Self {
        Self {
            columns,
            guided: 1.0,
            ..Self::standard()
        }
    }

    /// The best by averaged gain of `tries` hyperplanes over two columns: Liu, Ting, Zhou, "On Detecting Clustered
    /// Anomalies Using `SCiForest`", ECML PKDD 2010 (10 tries there), without the penalty for values out of range.
    #[must_use]
    pub fn sciforest(tries: usize) -> Self {
        Self {
            columns: 2,
            guided: 1.0,
            gain: Gain::Averaged,
            tries,
            ..Self::standard()
        }
    }

    /// Sets the columns of a split.
    #[must_use]
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = columns;
        self
    }

    /// Sets how the coefficients of sums are drawn.
    #[must_use]
    pub fn coefficients(mut self, coefficients: Coefficients) -> Self {
        self.coefficients = coefficients;
        self
    }

    /// Sets where sums at random are cut.
    #[must_use]
    pub fn cut(mut self, cut: Cut) -> Self {
        self.cut = cut;
        self
    }

    /// Sets the share of nodes that are split where the gain is highest.
    #[must_use]
    pub fn guided(mut self, share: f64) -> Self {
        self.guided = share;
        self
    }

    /// Sets by what guided splits judge.
    #[must_use]
    pub fn gain(mut self, gain: Gain) -> Self {
        self.gain = gain;
        self
    }

    /// Sets the columns, or sums, that a guided split tries.
    #[must_use]
    pub fn tries(mut self, tries: usize) -> Self {
        self.tries = tries;
        self
    }

    /// Sets the gain that a guided split must exceed.
    #[must_use]
    pub fn min_gain(mut self, gain: f64) -> Self {
        self.min_gain = gain;
        self
    }

    /// Sets with which chance a column is drawn.
    #[must_use]
    pub fn column_weights(mut self, weights: ColumnWeights) -> Self {
        self.column_weights = weights;
        self
    }

    /// Sets how a column of categories is split.
    #[must_use]
    pub fn categories(mut self, split: CategorySplit) -> Self {
        self.categories = split;
        self
    }

    /// Sets whether values out of range make a row less deep.
    #[must_use]
    pub fn penalize_range(mut self, penalize: bool) -> Self {
        self.penalize_range = penalize;
        self
    }

    /// Whether all that a node ever does is to draw one column and one value at random.
    pub(crate) fn is_standard(&self) -> bool {
        self.columns == 1
            && self.guided <= 0.0
            && self.column_weights == ColumnWeights::Uniform
            && !self.penalize_range
    }

    pub(super) fn check(&self) -> Result<(), IsolationForestError> {
        count("columns of a split", self.columns, 1, usize::MAX)?;
        count("tries", self.tries, 1, MAX_TRIES)?;
        fraction("guided", self.guided, true, 1.0)?;
        fraction("min_gain", self.min_gain, true, 1.0)?;
        if let ColumnWeights::Given(weights) = &self.column_weights {
            for (index, &got) in weights.iter().enumerate() {
                if !(got >= 0.0 && got.is_finite()) {
                    return Err(IsolationForestError::Weight {
                        what: "column",
                        index,
                        got,
                    });
                }
            }
            if weights.iter().all(|&weight| weight <= 0.0) {
                return Err(IsolationForestError::NoWeight { what: "column" });
            }
        }
        Ok(())
    }
}

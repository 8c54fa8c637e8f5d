//! The fitted forest.

use crate::average_path::AveragePathTable;
use crate::node::Trees;
use crate::prepared::Prepared;
use crate::value::{TreeKind, ValueScale};
use crate::{
    AveragePath, ContaminationThreshold, IsolationForestError, MissingValues, Parallelism, Scoring,
    UnseenCategories,
};
use std::fmt;

/// A fitted isolation forest.
///
/// The score of a row x is 2^(-E\[h(x)\] / c(psi)): h(x) is the number of edges from the root of a tree to the
/// leaf of x, plus c(rows of the leaf); E is the mean over the trees; psi is the number of rows a tree was grown
/// from; c is [`average_path_length`](crate::average_path_length). 0.5 is the score of a row as deep as the
/// average, scores towards 1 are isolated early. Scores are above 0 and at most 1; 1 itself is reached only where
/// [`SplitRule::penalize_range`](crate::SplitRule::penalize_range) takes all levels away, or by rounding in scores of
/// density. Of several split rules, each rule's trees have a worth of an edge of their own in place of 1 / c(psi)
/// ([`IsolationForestParams::rules`](crate::IsolationForestParams::rules)); [`Scoring`] says what else may be scored.
///
/// Path lengths are kept as whole multiples of c(psi) / 2^28, so that a score is within 1e-8 of the formula, and has
/// the same bits for every number of threads, batch size and platform. Forests with a path of more than 16 c(psi), and
/// those loaded from files of format version 1, have fewer bits: 15 in the latter, and a score within 1.1e-5.
///
/// Source: Liu, Ting, Zhou, "Isolation Forest", ICDM 2008, equations 1 and 2, algorithms 1 to 3. Differences: a
/// split feature is drawn among those that are not constant in the node (the paper draws among all and does not
/// say what happens to a constant one; scikit-learn does as this crate); c(n) is exact unless
/// [`AveragePath::Approximate`] is chosen; splits compare with `<=` instead of `<`, with a split value that is at
/// least the smallest and less than the largest value of the node, so that both sides have a row.
#[derive(Clone, PartialEq)]
pub struct IsolationForest {
    pub(crate) trees: Trees,
    pub(crate) kinds: Vec<TreeKind>,
    pub(crate) scale: ValueScale,
    pub(crate) scoring: Scoring,
    pub(crate) missing: MissingValues,
    pub(crate) unseen: UnseenCategories,
    /// Whether each column holds categories; empty where none does.
    pub(crate) categorical: Vec<bool>,
    pub(crate) width: u32,
    pub(crate) height_limit: u32,
    pub(crate) average_path: AveragePath,
    pub(crate) seed: u64,
    /// Split rules, of which the first kinds are.
    pub(crate) rules: u32,
    /// Trees that were ever grown with the seed.
    pub(crate) trees_grown: u64,
    pub(crate) rows_fitted: u64,
    pub(crate) thresholds: Vec<ContaminationThreshold>,
    pub(crate) parallelism: Parallelism,
    pub(crate) prepared: Prepared,
}

impl fmt::Debug for IsolationForest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IsolationForest")
            .field("trees", &self.trees.len())
            .field("nodes", &self.trees.node_count())
            .field("width", &self.width)
            .field("sample_size", &self.sample_size())
            .field("height_limit", &self.height_limit)
            .field("scoring", &self.scoring)
            .field("missing", &self.missing)
            .field("average_path", &self.average_path)
            .field("seed", &self.seed)
            .field("rows_fitted", &self.rows_fitted)
            .field("thresholds", &self.thresholds)
            .finish_non_exhaustive()
    }
}

impl IsolationForest {
    /// The thresholds, one for each contamination level, in the order given before the fit.
    pub fn thresholds(&self) -> &[ContaminationThreshold] {
        &self.thresholds
    }

    /// The threshold of a contamination level, which must be one of those given before the fit.
    ///
    /// # Errors
    ///
    /// [`UnknownContamination`](IsolationForestError::UnknownContamination).
    pub fn threshold(
        &self,
        contamination: f64,
    ) -> Result<&ContaminationThreshold, IsolationForestError> {
        self.thresholds
            .iter()
            .find(|threshold| threshold.contamination.total_cmp(&contamination).is_eq())
            .ok_or(IsolationForestError::UnknownContamination { got: contamination })
    }

    /// Number of trees.
    pub fn tree_count(&self) -> usize {
        self.trees.len()
    }

    /// Nodes of all trees together, leaves included.
    pub fn node_count(&self) -> usize {
        self.trees.node_count()
    }

    /// Leaves of all trees together.
    pub fn leaf_count(&self) -> usize {
        self.trees.leaf_count()
    }

    /// Columns that a row must have.
    pub fn width(&self) -> usize {
        self.width as usize
    }

    /// Rows from which each tree was grown (psi); the most of any tree where they differ.
    pub fn sample_size(&self) -> usize {
        let kinds = self.trees.kinds().iter();
        let largest = kinds
            .map(|kind| self.kinds[*kind as usize].sample_size)
            .max();
        largest.unwrap_or(0) as usize
    }

    /// Rows of the training data; the most of any where trees were added from others or forests merged.
    pub fn rows_fitted(&self) -> u64 {
        self.rows_fitted
    }

    /// How c(n) was computed.
    pub fn average_path(&self) -> AveragePath {
        self.average_path
    }

    /// The seed of the fit.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Chooses whether scoring shares its work out over threads. Not saved; a loaded forest does.
    #[must_use]
    pub fn with_parallelism(mut self, parallelism: Parallelism) -> Self {
        self.parallelism = parallelism;
        self
    }

    /// The columns that hold categories, ascending.
    pub fn categorical_columns(&self) -> impl Iterator<Item = usize> + '_ {
        let columns = self.categorical.iter().enumerate();
        columns.filter(|(_, is)| **is).map(|(column, _)| column)
    }

    /// How missing values are taken.
    pub fn missing(&self) -> MissingValues {
        self.missing
    }

    /// What the leaves tell of a row.
    pub fn scoring(&self) -> Scoring {
        self.scoring
    }

    pub(crate) fn path_table(&self) -> AveragePathTable {
        let largest = u32::try_from(self.sample_size()).unwrap_or(u32::MAX);
        AveragePathTable::new(self.average_path, largest)
    }
}

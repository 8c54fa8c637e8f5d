//! One tree that people can read.

mod grow;
#[cfg(feature = "serde")]
mod saved;
mod text;

use crate::explain::Explainer;
use crate::imbalance::ClassWeight;
use crate::inputs::{Imputation, Inputs};
use crate::learner::{check_shapes, check_width, classifier, learner};
use crate::params::{MAX_DEPTH, count, number};
use crate::tree::{self, Tree};
use crate::{EnsembleError, Samples, TreeExplainer};
pub use grow::MAX_DECISION_TREE_ROWS;
use ndarray::ArrayView2;

/// What a split makes small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum SplitQuality {
    /// Gini's impurity.
    #[default]
    Gini,
    /// Entropy.
    Entropy,
}

/// Parameters of [`DecisionTree`].
///
/// # Examples
///
/// ```
/// use dafu_ensemble::{DecisionTreeParams, Samples};
/// use ndarray::Array2;
///
/// let rows = Array2::from_shape_fn((1000, 2), |(row, column)| [row * 37 % 24, row * 7 % 500][column] as f64);
/// let frauds: Vec<bool> = rows.rows().into_iter().map(|row| row[1] > 450.0).collect();
/// let tree = DecisionTreeParams::default().fit(&Samples::new(rows.view(), &frauds)?)?;
/// assert_eq!(tree.to_text(&["hour", "amount"])?, "\
/// amount <= 450.5: 0.1 % fraud (0 of 902)
/// amount > 450.5: 99.0 % fraud (98 of 98)
/// ");
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct DecisionTreeParams {
    /// What a split makes small.
    pub split_quality: SplitQuality,
    /// Levels at most.
    pub max_depth: usize,
    /// Weight of a node that is split, at least; here and in leaves with the factors of `class_weight`.
    pub min_split_weight: f64,
    /// Weight of a leaf, at least.
    pub min_leaf_weight: f64,
    /// What a split has to take from the impurity of its node at least.
    pub min_impurity_decrease: f64,
    /// How much more frauds count where splits are chosen; shares in leaves are those of the samples.
    pub class_weight: ClassWeight,
    /// Rows of each class that are added to each leaf before its share of frauds is taken (Laplace's rule: 1).
    pub smoothing: f64,
    /// What stands in for missing values.
    pub imputation: Imputation,
    /// Whether splits may ask if a value is missing, in columns where training rows missed some.
    pub missing_indicators: bool,
}

impl Default for DecisionTreeParams {
    fn default() -> Self {
        Self {
            split_quality: SplitQuality::Gini,
            max_depth: 4,
            min_split_weight: 2.0,
            min_leaf_weight: 1.0,
            min_impurity_decrease: 1e-6,
            class_weight: ClassWeight::None,
            smoothing: 1.0,
            imputation: Imputation::Median,
            missing_indicators: true,
        }
    }
}

impl DecisionTreeParams {
    dafu_core::setters! {
        split_quality: SplitQuality,
        max_depth: usize,
        min_split_weight: f64,
        min_leaf_weight: f64,
        min_impurity_decrease: f64,
        class_weight: ClassWeight,
        smoothing: f64,
        imputation: Imputation,
        missing_indicators: bool,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::CountOutOfRange`] or [`EnsembleError::NumberOutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<CheckedDecisionTreeParams, EnsembleError> {
        count("max_depth", self.max_depth, 1, MAX_DEPTH)?;
        for (name, got) in [
            ("min_split_weight", self.min_split_weight),
            ("min_leaf_weight", self.min_leaf_weight),
        ] {
            let good = got >= 0.0 && got.is_finite();
            number(name, got, "finite and at least 0", good)?;
        }
        let got = self.min_impurity_decrease;
        let good = (1e-12..=1.0).contains(&got);
        number(
            "min_impurity_decrease",
            got,
            "at least 1e-12 and at most 1",
            good,
        )?;
        let got = self.smoothing;
        let good = (1e-9..=1e9).contains(&got);
        number("smoothing", got, "at least 1e-9 and at most 1e9", good)?;
        Ok(CheckedDecisionTreeParams(self.clone()))
    }

    /// Learns from rows.
    ///
    /// # Errors
    ///
    /// When a parameter or the sum of weights is out of range, there are no rows, no columns, or rows of one class only, or
    /// more than [`MAX_DECISION_TREE_ROWS`] rows.
    ///
    /// # Complexity
    ///
    /// O(n d log n) a level for n rows and d columns.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<DecisionTree, EnsembleError> {
        self.check()?.fit(samples)
    }
}

/// Parameters that passed [`DecisionTreeParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedDecisionTreeParams(DecisionTreeParams);

impl CheckedDecisionTreeParams {
    /// As [`DecisionTreeParams::fit`].
    ///
    /// # Errors
    ///
    /// As [`DecisionTreeParams::fit`], parameters aside.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<DecisionTree, EnsembleError> {
        grow::grow(&self.0, samples)
    }
}

/// What a node asks; yes goes left.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Question {
    /// Nothing: a leaf.
    None,
    AtMost {
        column: u32,
        threshold: f64,
    },
    Known {
        column: u32,
    },
}

/// Nodes lie depth first: the left child of a node is the next one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    question: Question,
    /// Place of the right child; of a leaf 0.
    right: usize,
    /// Weights of the training rows.
    fraud: f64,
    honest: f64,
}

/// A leaf of a [`DecisionTree`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leaf {
    /// Weight of the frauds among its training rows.
    pub fraud: f64,
    /// Weight of its honest training rows.
    pub honest: f64,
    /// Share of frauds, smoothed.
    pub share: f64,
}

/// A classification tree; the splits are found by linfa-trees.
///
/// linfa-trees knows labels only, so the share of frauds in each leaf is counted here. It also merges leaves of the same
/// label, which with rare frauds are nearly all, so it is asked for one split at a time.
///
/// Source: Breiman, Friedman, Olshen and Stone, *Classification and Regression Trees* (1984), section 2.4; smoothed shares
/// as in Provost and Domingos, "Tree Induction for Probability-Based Ranking" (2003), section 3.1.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionTree {
    inputs: Inputs,
    smoothing: f64,
    nodes: Vec<Node>,
}

impl DecisionTree {
    /// Columns of the training rows.
    pub fn width(&self) -> usize {
        self.inputs.width()
    }

    /// Leaves from left to right.
    pub fn leaves(&self) -> impl Iterator<Item = Leaf> + '_ {
        let leaves = self.nodes.iter();
        let leaves = leaves.filter(|node| matches!(node.question, Question::None));
        leaves.map(|node| self.leaf(node))
    }

    fn leaf(&self, node: &Node) -> Leaf {
        let fraud = node.fraud + self.smoothing;
        let honest = node.honest + self.smoothing;
        Leaf {
            fraud: node.fraud,
            honest: node.honest,
            share: fraud / (fraud + honest),
        }
    }

    /// Log odds of fraud of a row: those of the smoothed share in its leaf.
    ///
    /// # Errors
    ///
    /// When the row has another width than the training rows.
    ///
    /// # Complexity
    ///
    /// O(depth), no allocation.
    pub fn log_odds_row(&self, row: &[f64]) -> Result<f64, EnsembleError> {
        check_width(self.width(), row.len())?;
        Ok(self.walk(|column| row[column]))
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
        check_shapes(self.width(), rows, out)?;
        for (row, out) in rows.rows().into_iter().zip(out) {
            *out = self.walk(|column| row[column]);
        }
        Ok(())
    }

    fn log_odds(&self, node: &Node) -> f64 {
        let (fraud, honest) = (node.fraud + self.smoothing, node.honest + self.smoothing);
        let odds = (fraud / honest).ln();
        // The quotient of a very large and a very small weight has no room in a double.
        if odds.is_finite() {
            odds
        } else {
            fraud.ln() - honest.ln()
        }
    }

    fn walk(&self, value_of: impl Fn(usize) -> f64) -> f64 {
        let mut at = 0;
        loop {
            let node = &self.nodes[at];
            let yes = match node.question {
                Question::None => return self.log_odds(node),
                Question::AtMost { column, threshold } => {
                    let column = column as usize;
                    self.inputs.complete(column, value_of(column)) <= threshold
                }
                Question::Known { column } => !value_of(column as usize).is_nan(),
            };
            at = if yes { at + 1 } else { node.right };
        }
    }
}

impl DecisionTree {
    /// An explainer of the log odds of this tree.
    ///
    /// # Complexity
    ///
    /// O(l h) time and memory for l leaves and h levels: make it once, not for every row.
    pub fn explainer(&self) -> TreeExplainer {
        let mut tree = Tree {
            nodes: vec![tree::Node::LEAF],
            sets: Vec::new(),
        };
        let mut open = vec![(0, 0)];
        while let Some((from, to)) = open.pop() {
            let node = &self.nodes[from];
            let (column, threshold, missing_left) = match node.question {
                Question::None => {
                    tree.nodes[to].value = self.log_odds(node);
                    tree.nodes[to].cover = node.fraud + node.honest;
                    continue;
                }
                Question::AtMost { column, threshold } => {
                    let filled_in = self.inputs.complete(column as usize, f64::NAN);
                    (column, threshold, filled_in <= threshold)
                }
                // All numbers go left.
                Question::Known { column } => (column, f64::INFINITY, false),
            };
            let left = tree.nodes.len();
            tree.nodes.extend([tree::Node::LEAF; 2]);
            tree.nodes[to] = tree::Node {
                left: u32::try_from(left).unwrap_or_default(),
                column,
                threshold,
                missing_left,
                ..tree::Node::LEAF
            };
            open.extend([(from + 1, left), (node.right, left + 1)]);
        }
        TreeExplainer::new((self.width(), 0.0), &[tree.level_by_level()], 1.0)
    }
}

learner!(DecisionTreeParams);

classifier!(DecisionTree {
    fn explainer(&self) -> Option<Explainer> {
        Some(Explainer::Trees(Self::explainer(self)))
    }
});

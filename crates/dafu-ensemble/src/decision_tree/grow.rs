//! Growing, one split of linfa-trees at a time.

use super::{DecisionTree, DecisionTreeParams, Node, Question, SplitQuality};
use crate::inputs::Inputs;
use crate::params::{at_most, number};
use crate::{EnsembleError, Samples, threads};
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array1, Array2};

/// Most rows of a [`DecisionTree`]: linfa-trees sums weights in 32 bits.
pub const MAX_DECISION_TREE_ROWS: usize = 1 << 22;
/// What the weights of all rows are together for linfa-trees, up to rounding: whole numbers whose sums are exact in 32 bits,
/// so that the order of sums and the emptiness of a side are never a matter of rounding.
const UNITS: f64 = 8_388_608.0;

pub(super) fn grow(
    params: &DecisionTreeParams,
    samples: &Samples<'_>,
) -> Result<DecisionTree, EnsembleError> {
    let count = samples.rows().nrows();
    at_most("rows of a decision tree", count, MAX_DECISION_TREE_ROWS)?;
    let weights = params.class_weight.weights(samples)?;
    let total: f64 = weights.iter().sum();
    number("sum of weights", total, "finite", total.is_finite())?;
    let inputs = Inputs::fit(samples, params.imputation, params.missing_indicators);
    let rows = samples.rows();
    // Column after column.
    let mut values = vec![Vec::with_capacity(count); inputs.len()];
    for row in rows.rows() {
        let completed = inputs.completed(|column| row[column]);
        for (values, value) in values.iter_mut().zip(completed) {
            values.push(value);
        }
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole numbers below 2^24 are exact"
    )]
    let units = weights
        .iter()
        .map(|weight| (weight / total * UNITS).round().max(1.0) as f32);
    let mut growth = Growth {
        params,
        samples,
        total,
        values,
        units: units.collect(),
        flags: inputs.flags().collect(),
        width: inputs.width(),
        weights: &weights,
        nodes: Vec::new(),
    };
    let active = (0..count).filter(|row| samples.weight(*row) > 0.0);
    growth.node(active.collect(), 0)?;
    Ok(DecisionTree {
        nodes: growth.nodes,
        smoothing: params.smoothing,
        inputs,
    })
}

struct Growth<'a, 's> {
    params: &'a DecisionTreeParams,
    samples: &'a Samples<'s>,
    /// Sum of `weights`.
    total: f64,
    /// Inputs, column after column.
    values: Vec<Vec<f64>>,
    /// Weights for linfa-trees.
    units: Vec<f32>,
    /// Columns of the inputs behind `width`.
    flags: Vec<usize>,
    width: usize,
    /// Weights with those of the classes.
    weights: &'a [f64],
    nodes: Vec<Node>,
}

impl Growth<'_, '_> {
    /// Adds a node and all below it.
    fn node(&mut self, rows: Vec<usize>, depth: usize) -> Result<(), EnsembleError> {
        let (mut fraud, mut honest, mut weight) = (0.0, 0.0, 0.0);
        for row in &rows {
            let is_fraud = self.samples.frauds()[*row];
            *if is_fraud { &mut fraud } else { &mut honest } += self.samples.weight(*row);
            weight += self.weights[*row];
        }
        let place = self.nodes.len();
        self.nodes.push(Node {
            question: Question::None,
            right: 0,
            fraud,
            honest,
        });
        let splits = depth < self.params.max_depth
            && fraud > 0.0
            && honest > 0.0
            && weight >= self.params.min_split_weight;
        if !splits {
            return Ok(());
        }
        let Some((input, threshold)) = self.split(&rows)? else {
            return Ok(());
        };
        let values = &self.values[input];
        let (left, right): (Vec<usize>, Vec<usize>) =
            rows.into_iter().partition(|row| values[*row] <= threshold);
        let number = |column: usize| u32::try_from(column).unwrap_or(u32::MAX);
        self.nodes[place].question = match input.checked_sub(self.width) {
            None => Question::AtMost {
                column: number(input),
                threshold,
            },
            Some(flag) => Question::Known {
                column: number(self.flags[flag]),
            },
        };
        self.node(left, depth + 1)?;
        self.nodes[place].right = self.nodes.len();
        self.node(right, depth + 1)
    }

    /// The best split of rows: an input, and the largest value of the left side or one between both.
    fn split(&self, rows: &[usize]) -> Result<Option<(usize, f64)>, EnsembleError> {
        // linfa-trees takes values closer than 1e-5 for equal, so it gets the ranks of the values.
        let distinct = threads::map(self.values.len(), |input| {
            let mut values: Vec<f64> = rows.iter().map(|row| self.values[input][*row]).collect();
            values.sort_unstable_by(f64::total_cmp);
            // Both zeros are one value.
            values.dedup_by(|one, two| *one <= *two);
            values
        });
        let ranks = Array2::from_shape_fn((rows.len(), distinct.len()), |(row, input)| {
            let value = self.values[input][rows[row]];
            distinct[input].partition_point(|other| *other < value) as f64
        });
        let frauds = rows.iter().map(|row| self.samples.frauds()[*row]);
        let targets: Array1<bool> = frauds.collect();
        let units = rows.iter().map(|row| self.units[*row]);
        let data = DatasetBase::new(ranks, targets).with_weights(units.collect());
        #[expect(clippy::cast_possible_truncation, reason = "linfa-trees has 32 bits")]
        let min_leaf = (self.params.min_leaf_weight / self.total * UNITS * (1.0 - 1e-6)) as f32;
        let stump = linfa_trees::DecisionTree::params()
            .max_depth(Some(1))
            .split_quality(match self.params.split_quality {
                SplitQuality::Gini => linfa_trees::SplitQuality::Gini,
                SplitQuality::Entropy => linfa_trees::SplitQuality::Entropy,
            })
            // Above 0: it panics on an empty side.
            .min_weight_leaf(min_leaf.max(0.5))
            .min_impurity_decrease(self.params.min_impurity_decrease)
            .fit(&data)
            .map_err(|error| EnsembleError::Library {
                library: "linfa-trees",
                what: "split a node",
                message: error.to_string(),
            })?;
        // The question of the root is kept where both sides have the same label and were merged.
        let (input, rank, decrease) = stump.root_node().split();
        if decrease < self.params.min_impurity_decrease {
            return Ok(None);
        }
        let values = &distinct[input];
        let above = (0..values.len()).find(|place| *place as f64 > rank);
        let pair =
            above.and_then(|above| Some((values.get(above.checked_sub(1)?)?, values[above])));
        Ok(pair.map(|(below, above)| {
            let middle = below / 2.0 + above / 2.0;
            let apart = *below <= middle && middle < above;
            (input, if apart { middle } else { *below })
        }))
    }
}

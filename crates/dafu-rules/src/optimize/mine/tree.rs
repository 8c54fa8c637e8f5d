//! Paths of decision trees.

use super::params::MineParams;
use super::sample::{Kind, MISSING, Sample, Term, Test};
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_trees::DecisionTree;
use ndarray::{Array1, Array2};

/// Rows of a tree at most, and what their weights are together: linfa-trees sums weights in 32 bits, where whole numbers up
/// to this are exact.
const MOST_ROWS: usize = 1 << 22;
const UNITS: f64 = 8_388_608.0;
/// What a split takes from the impurity of its node, at least.
const LEAST_DECREASE: f64 = 1e-7;

/// A column of a tree: a variable, or whether it has one of its texts.
type Column = (usize, Option<u16>);

/// What leads to the nodes of trees, where enough frauds are. Trees weigh frauds so that a node is half fraud at the precision
/// that rules need, as it is, and where frauds are as frequent as among all events.
pub(super) fn paths(params: &MineParams, sample: &Sample, rows: &[u32]) -> Vec<Vec<Term>> {
    let every = rows.len().div_ceil(MOST_ROWS).max(1);
    let rows: Vec<u32> = rows.iter().copied().step_by(every).collect();
    let mut columns: Vec<Column> = Vec::new();
    for (place, feature) in sample.features.iter().enumerate() {
        match &feature.kind {
            Kind::Texts(texts) => {
                columns.extend((0..).take(texts.len()).map(|text| (place, Some(text))));
            }
            _ => columns.push((place, None)),
        }
    }
    if columns.is_empty() {
        return Vec::new();
    }
    let counts = sample.count(&rows);
    let prevalence = counts.frauds as f64 / rows.len().max(1) as f64;
    let mut found: Vec<Vec<Term>> = Vec::new();
    for share in [params.min_precision, 0.5, prevalence] {
        let mut growth = Growth {
            params,
            sample,
            columns: &columns,
            share,
            found: &mut found,
        };
        growth.node(&rows, &[], 0);
    }
    let allowed = |term: &Term| sample.features[term.feature].allows(term.test);
    let mut distinct: Vec<Vec<Term>> = Vec::new();
    for terms in found {
        if !terms.is_empty() && terms.iter().all(allowed) && !distinct.contains(&terms) {
            distinct.push(terms);
        }
    }
    distinct
}

/// A tree that is growing.
struct Growth<'a> {
    params: &'a MineParams,
    sample: &'a Sample,
    columns: &'a [Column],
    /// Frauds are weighed so that a node with this share of them is half fraud.
    share: f64,
    found: &'a mut Vec<Vec<Term>>,
}

impl Growth<'_> {
    /// Adds what leads to a node, and to all below it. linfa-trees is asked for one split at a time: below the first it passes
    /// over splits behind values that rows outside of the node have, too.
    fn node(&mut self, rows: &[u32], path: &[Term], depth: usize) {
        let counts = self.sample.count(rows);
        if counts.frauds < self.params.min_support {
            return;
        }
        self.found.push(path.to_vec());
        // One level more than a rule has terms: it may get along with fewer when thresholds are moved.
        if depth > self.params.max_terms || counts.honest == 0 {
            return;
        }
        let Some((column, threshold)) = self.split(rows) else {
            return;
        };
        let Some((feature, text)) = self.columns.get(column).copied() else {
            return;
        };
        let above = |row: &u32| self.value(*row, (feature, text)) > threshold;
        let (right, left): (Vec<u32>, Vec<u32>) = rows.iter().copied().partition(above);
        for (side, above) in [(left, false), (right, true)] {
            if side.len() == rows.len() {
                return;
            }
            let mut longer = path.to_vec();
            if let Some(test) = asked(
                &self.sample.features[feature].kind,
                (text, threshold),
                above,
            ) {
                narrow(&mut longer, Term { feature, test });
            }
            self.node(&side, &longer, depth + 1);
        }
    }

    fn value(&self, row: u32, (feature, text): Column) -> f64 {
        let cell = self.sample.features[feature].cells[row as usize];
        match text {
            Some(text) => f64::from(u8::from(cell == text)),
            // Missing values lie below all others.
            None if cell == MISSING => -1.0,
            None => f64::from(cell),
        }
    }

    /// The best split of rows: a column and a threshold.
    fn split(&self, rows: &[u32]) -> Option<(usize, f64)> {
        let cells = Array2::from_shape_fn((rows.len(), self.columns.len()), |(row, column)| {
            self.value(rows[row], self.columns[column])
        });
        let frauds = rows.iter().map(|row| self.sample.fraud[*row as usize]);
        let frauds: Array1<bool> = frauds.collect();
        let unit = UNITS / rows.len().max(1) as f64;
        #[expect(clippy::cast_possible_truncation, reason = "linfa-trees has 32 bits")]
        let weight = |part: f64| (unit * part).round().max(1.0) as f32;
        let (fraud, honest) = (weight(1.0 - self.share), weight(self.share));
        let weights = frauds.mapv(|is_fraud| if is_fraud { fraud } else { honest });
        let stump = DecisionTree::params()
            .max_depth(Some(1))
            // Above 0: it panics on an empty side.
            .min_weight_leaf(0.5)
            .min_impurity_decrease(LEAST_DECREASE)
            .fit(&DatasetBase::new(cells, frauds).with_weights(weights))
            .ok()?;
        // The question of the root is kept where both sides have the same label and were merged.
        let (column, threshold, decrease) = stump.root_node().split();
        (decrease >= LEAST_DECREASE).then_some((column, threshold))
    }
}

/// What one side of a split asks; `None` for what a rule does not: to have another text, or any value.
fn asked(kind: &Kind, (text, threshold): (Option<u16>, f64), above: bool) -> Option<Test> {
    match (kind, text) {
        (_, Some(text)) => above.then_some(Test::Is(text)),
        (_, None) if threshold < 0.0 => (!above).then_some(Test::Missing),
        (Kind::Number { bounds, .. }, None) => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from 0 to the number of bounds"
            )]
            let bound = *bounds.get(threshold as usize)?;
            Some(if above {
                Test::Above(bound)
            } else {
                Test::AtMost(bound)
            })
        }
        (_, None) => Some(Test::Is(u16::from(above))),
    }
}

/// Adds a term behind one that asks the same of the variable in its place: further down, numbers are narrower.
fn narrow(terms: &mut Vec<Term>, term: Term) {
    let at = terms.partition_point(|other| other.kind() < term.kind());
    match terms.get_mut(at) {
        Some(other) if other.kind() == term.kind() => *other = term,
        _ => terms.insert(at, term),
    }
}

//! Forests of scikit-learn, as JSON of `benches/peers/export_sklearn_forest.py`.

use super::problem::{ImportProblem, check_head};
use crate::error::{DamagedModel, HeaderField};
use crate::node::{Bounds, FlatTree, Node, Trees};
use crate::params::{MAX_HEIGHT, MAX_SAMPLE_SIZE, MAX_TREES, MAX_WIDTH};
use crate::prepared::Prepared;
use crate::value::{TreeKind, ValueScale};
use crate::{
    AveragePath, ContaminationThreshold, IsolationForest, IsolationForestError, MissingValues,
    Parallelism, Scoring, UnseenCategories,
};
use dafu_core::Score;
use dafu_core::model::Limits;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

const FORMAT: &str = "sklearn-isolation-forest";
const VERSION: u32 = 1;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "format")]
    _format: IgnoredAny,
    #[serde(rename = "version")]
    _version: IgnoredAny,
    #[serde(rename = "sklearn")]
    _sklearn: IgnoredAny,
    n_features: u32,
    n_rows: u64,
    max_samples: u32,
    offset: f64,
    contamination: Option<f64>,
    trees: Vec<FileTree>,
}

/// Nodes in any order, the root first; children of leaves are -1.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTree {
    children_left: Vec<i32>,
    children_right: Vec<i32>,
    feature: Vec<i32>,
    threshold: Vec<f64>,
    n_node_samples: Vec<u32>,
    missing_go_to_left: Option<Vec<bool>>,
}

impl FileTree {
    /// Puts the nodes in breadth-first order. `tree` is the number of the tree, for messages.
    fn flatten(&self, tree: usize, width: u32, out: &mut FlatTree) -> Result<(), ImportError> {
        out.clear();
        let len = self.children_left.len();
        let missing = self.missing_go_to_left.as_ref();
        for (key, got) in [
            ("children_right", self.children_right.len()),
            ("feature", self.feature.len()),
            ("threshold", self.threshold.len()),
            ("n_node_samples", self.n_node_samples.len()),
            ("missing_go_to_left", missing.map_or(len, Vec::len)),
        ] {
            if got != len {
                return Err(ImportProblem::Length { key, tree }.into());
            }
        }
        let shape = DamagedModel::Shape { tree };
        if len == 0 {
            return Err(shape.into());
        }
        let mut order = vec![0];
        let mut at = 0;
        while let Some(&place) = order.get(at) {
            let children = (self.children_left[place], self.children_right[place]);
            out.counts.push(self.n_node_samples[place]);
            let node = if children == (-1, -1) {
                Node::leaf(to_u32(at))
            } else {
                let child = |child| usize::try_from(child).ok().filter(|child| *child < len);
                let left = child(children.0).ok_or(shape)?;
                let right = child(children.1).ok_or(shape)?;
                let column = u32::try_from(self.feature[place])
                    .ok()
                    .filter(|column| *column < width)
                    .ok_or(DamagedModel::Feature { tree, width })?;
                let threshold = self.threshold[place];
                if !threshold.is_finite() {
                    return Err(DamagedModel::Threshold { tree }.into());
                }
                let first_child = to_u32(order.len());
                order.extend([left, right]);
                // A node that is led to twice, or leads above itself, has the list grow beyond all nodes.
                if order.len() > len {
                    return Err(shape.into());
                }
                let missing_right = missing.is_some_and(|left| !left[place]);
                Node::split(column, threshold_of_unrounded(threshold), first_child)
                    .with_missing_right(missing_right)
            };
            out.nodes.push(node);
            at += 1;
        }
        // Nodes that no way leads to.
        if order.len() < len {
            return Err(shape.into());
        }
        Ok(())
    }
}

/// The text is bounded by far less, or the check of the tree fails.
fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Whatever an import may fail by.
enum ImportError {
    Problem(ImportProblem),
    Damaged(DamagedModel),
}

impl From<ImportProblem> for ImportError {
    fn from(problem: ImportProblem) -> Self {
        Self::Problem(problem)
    }
}

impl From<DamagedModel> for ImportError {
    fn from(damaged: DamagedModel) -> Self {
        Self::Damaged(damaged)
    }
}

impl From<ImportError> for IsolationForestError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Problem(problem) => Self::Import(problem),
            ImportError::Damaged(damaged) => Self::DamagedModel(damaged),
        }
    }
}

/// The number up to which a value is at most `threshold` once it is rounded to 32 bits, as scikit-learn does with rows.
///
/// With f the largest 32 bit number up to the threshold and g the next, all values below the middle of f and g are
/// rounded to f or below; the middle itself goes to the one of both whose last bit is 0. Infinity stands for the number
/// that would follow the largest, 2^128.
fn threshold_of_unrounded(threshold: f64) -> f64 {
    const BEYOND: f64 = 340_282_366_920_938_463_463_374_607_431_768_211_456.0;
    let wide = |number: f32| f64::from(number).clamp(-BEYOND, BEYOND);
    let nearest = round(threshold);
    let below = if f64::from(nearest) > threshold {
        nearest.next_down()
    } else {
        nearest
    };
    let middle = f64::midpoint(wide(below), wide(below.next_up()));
    if round(middle) <= below {
        middle
    } else {
        middle.next_down()
    }
}

/// To 32 bits, ties to even.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what scikit-learn does with rows"
)]
fn round(value: f64) -> f32 {
    value as f32
}

impl File {
    fn check(&self, limits: &Limits) -> Result<(), ImportError> {
        let header = |what| Err(DamagedModel::Header { what }.into());
        let trees = self.trees.len();
        if trees == 0 || trees > MAX_TREES || trees as u64 > limits.max_trees {
            return header(HeaderField::Trees);
        }
        let width = self.n_features;
        if width == 0 || width as usize > MAX_WIDTH || u64::from(width) > limits.max_features {
            return header(HeaderField::Width);
        }
        let rows = self.max_samples;
        if rows == 0 || rows as usize > MAX_SAMPLE_SIZE || u64::from(rows) > self.n_rows {
            return header(HeaderField::SampleSize);
        }
        if self.node_count() as u64 > limits.max_nodes {
            return header(HeaderField::Nodes);
        }
        if !(-1.0..=0.0).contains(&self.offset) {
            return Err(ImportProblem::Entry { key: "offset" }.into());
        }
        if self
            .contamination
            .is_some_and(|level| !(level > 0.0 && level <= 0.5))
        {
            let key = "contamination";
            return Err(ImportProblem::Entry { key }.into());
        }
        let with = |tree: &FileTree| tree.missing_go_to_left.is_some();
        if self.trees.iter().any(|tree| with(tree) != self.may_miss()) {
            let key = "missing_go_to_left";
            return Err(ImportProblem::Header { key }.into());
        }
        Ok(())
    }

    fn node_count(&self) -> usize {
        self.trees.iter().map(|tree| tree.children_left.len()).sum()
    }

    /// Whether the trees say where missing values go.
    fn may_miss(&self) -> bool {
        self.trees
            .first()
            .is_some_and(|tree| tree.missing_go_to_left.is_some())
    }

    fn restore(self, limits: &Limits) -> Result<IsolationForest, ImportError> {
        self.check(limits)?;
        let average_path = AveragePath::Approximate;
        let unit = TreeKind::new(self.max_samples, average_path).unit;
        let mut trees = Trees::with_capacity(self.trees.len(), self.node_count());
        let mut tree = FlatTree::default();
        // With `bootstrap`, trees have counted different rows: a kind for each number of them.
        let mut kinds = Vec::new();
        let mut kind_of_rows = BTreeMap::new();
        for (number, file_tree) in self.trees.iter().enumerate() {
            file_tree.flatten(number, self.n_features, &mut tree)?;
            let sample_size = tree.counts.first().copied().unwrap_or(0);
            if sample_size == 0 || sample_size > self.max_samples {
                return Err(DamagedModel::Counts { tree: number }.into());
            }
            let kind = *kind_of_rows.entry(sample_size).or_insert_with(|| {
                kinds.push(TreeKind { sample_size, unit });
                to_u32(kinds.len() - 1)
            });
            let bounds = Bounds {
                width: self.n_features,
                sample_size,
                height_limit: MAX_HEIGHT,
                categorical: &[],
            };
            trees.push(&tree, kind, &bounds)?;
        }
        let mut forest = IsolationForest {
            height_limit: trees.max_depth(),
            trees,
            kinds,
            scale: ValueScale::default(),
            scoring: Scoring::Depth,
            missing: if self.may_miss() {
                MissingValues::Impute
            } else {
                MissingValues::Refuse
            },
            unseen: UnseenCategories::default(),
            categorical: Vec::new(),
            width: self.n_features,
            average_path,
            seed: 0,
            rules: 1,
            trees_grown: self.trees.len() as u64,
            rows_fitted: self.n_rows,
            thresholds: Vec::new(),
            parallelism: Parallelism::default(),
            prepared: Prepared::default(),
        };
        forest.set_values();
        if let Some(level) = self.contamination {
            forest.thresholds = vec![self.threshold(level, &forest.scale)?];
        }
        Ok(forest)
    }

    /// The threshold that flags what scikit-learn does.
    fn threshold(
        &self,
        contamination: f64,
        scale: &ValueScale,
    ) -> Result<ContaminationThreshold, ImportError> {
        let score = -self.offset;
        // By so much a score may be above that of scikit-learn, whose border row must not be flagged for it: a mean is
        // off by half of its last bit at most. The rest is for what sums and powers are rounded by.
        let slack = score * std::f64::consts::LN_2 * 0.5 / scale.one() + 1e-13;
        let threshold = Score::new((score + slack).min(1.0))
            .map_err(|_| ImportProblem::Entry { key: "offset" })?;
        Ok(ContaminationThreshold {
            contamination,
            threshold,
            flagged: below_percentile(contamination, self.n_rows),
            rows: self.n_rows,
        })
    }
}

/// Rows below a percentile of all where no two are alike.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count"
)]
fn below_percentile(share: f64, rows: u64) -> u64 {
    (share * rows.saturating_sub(1) as f64).ceil() as u64
}

impl IsolationForest {
    /// A fitted `sklearn.ensemble.IsolationForest`, from JSON that `benches/peers/export_sklearn_forest.py` writes.
    ///
    /// The score of a row is that of scikit-learn with the sign turned: `score_row` is `-score_samples` to 1e-9 (a path
    /// length is a whole multiple of c(psi) / 2^28 here, so that no score is more than 1.3e-9 off). scikit-learn rounds
    /// rows to 32 bits; the thresholds are turned into ones that send unrounded rows the same way, every bit of them.
    /// c(n) is [`AveragePath::Approximate`], as there. NaN goes where scikit-learn sends it; infinite values remain an
    /// error here.
    ///
    /// Where `contamination` is a number, it is the one level of the forest. A row is an anomaly there when
    /// `decision_function`, which is `score_samples - offset_`, is below 0, so when its score is strictly above
    /// `-offset_`; the border row itself, from which `offset_` often was taken, is none. The threshold here is
    /// `-offset_` and the 1.3e-9 by which scores may differ, so that it is none here either. scikit-learn does not keep
    /// how many training rows it flags; [`flagged`](ContaminationThreshold::flagged) says how many those are when no two
    /// rows score alike. With `contamination="auto"` there is no level; scikit-learn's `predict` then is a score above
    /// 0.5.
    ///
    /// # Format
    ///
    /// One object, without other keys than these:
    ///
    /// | key | what |
    /// |---|---|
    /// | `format`, `version` | `"sklearn-isolation-forest"`, 1 |
    /// | `sklearn` | version of scikit-learn, for people |
    /// | `n_features`, `n_rows` | columns and rows of the training data |
    /// | `max_samples` | `max_samples_`, the rows drawn for a tree: psi |
    /// | `offset` | `offset_` |
    /// | `contamination` | the parameter, `null` for `"auto"` |
    /// | `trees` | list of trees |
    ///
    /// A tree has the arrays of scikit-learn's `tree_`, with one entry for each node, the root first: `children_left`
    /// and `children_right` (-1 for a leaf), `feature` (a column of the data: mapped by `estimators_features_`),
    /// `threshold`, `n_node_samples`, and either in all trees or in none `missing_go_to_left` (booleans).
    ///
    /// # Errors
    ///
    /// [`Json`](IsolationForestError::Json) for a text that is no such JSON, [`Import`](IsolationForestError::Import) for
    /// one that is too large, of another version or out of range, and
    /// [`DamagedModel`](IsolationForestError::DamagedModel) where nodes make no tree, rows do not add up, thresholds are
    /// not finite, or there is more than the limits allow.
    ///
    /// # Complexity
    ///
    /// O(length of the text) time and memory, at most 32 bytes for each byte of the text.
    ///
    /// ```
    /// use dafu_iforest::Limits;
    /// use dafu_iforest::IsolationForest;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// // One tree that parts three rows from one.
    /// let text = r#"{"format": "sklearn-isolation-forest", "version": 1, "sklearn": "1.9.1",
    ///     "n_features": 1, "n_rows": 4, "max_samples": 4, "offset": -0.5, "contamination": null,
    ///     "trees": [{"children_left": [1, -1, -1], "children_right": [2, -1, -1], "feature": [0, -2, -2],
    ///         "threshold": [7.5, -2.0, -2.0], "n_node_samples": [4, 3, 1]}]}"#;
    /// let forest = IsolationForest::from_sklearn_json(text, &Limits::default())?;
    /// assert!(forest.score_row(&[9.0])? > forest.score_row(&[5.0])?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_sklearn_json(text: &str, limits: &Limits) -> Result<Self, IsolationForestError> {
        check_head(text, (FORMAT, VERSION), limits)?;
        let file: File = serde_json::from_str(text).map_err(IsolationForestError::Json)?;
        Ok(file.restore(limits)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{round, threshold_of_unrounded};
    use proptest::prelude::*;

    /// Whether a value goes left by the rule of scikit-learn and by the threshold for unrounded values.
    fn agree(value: f64, threshold: f64) -> bool {
        let theirs = f64::from(round(value)) <= threshold;
        theirs == (value <= threshold_of_unrounded(threshold))
    }

    /// Values around the middles between the 32 bit numbers around a threshold.
    fn agree_around(threshold: f64) {
        let unrounded = threshold_of_unrounded(threshold);
        assert!(unrounded.is_finite(), "{threshold:e}");
        let near = round(threshold);
        for number in [
            near.next_down().next_down(),
            near.next_down(),
            near,
            near.next_up(),
            near.next_up().next_up(),
        ] {
            let middle = f64::midpoint(f64::from(number), f64::from(number.next_up()));
            for value in [f64::from(number), middle, unrounded, threshold] {
                for value in [value, value.next_down(), value.next_up()] {
                    // Infinite values are an error before any threshold.
                    if value.is_finite() {
                        assert!(agree(value, threshold), "{value:e} against {threshold:e}");
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn any_bits_go_the_way_that_they_go_rounded(value: u64, threshold: u64, low in 0_u32..16) {
            let threshold = f64::from_bits(threshold);
            if threshold.is_finite() {
                agree_around(threshold);
                // Thresholds near 32 bit numbers and near middles of them.
                let rounded = f64::from(round(threshold));
                if rounded.is_finite() {
                    agree_around(rounded);
                    agree_around(f64::midpoint(rounded, f64::from(round(threshold).next_up())).clamp(f64::MIN, f64::MAX));
                }
                let value = f64::from_bits(value);
                prop_assert!(!value.is_finite() || agree(value, threshold));
                let value = f64::from_bits(threshold.to_bits() ^ u64::from(low) << 28);
                prop_assert!(!value.is_finite() || agree(value, threshold));
            }
        }

        #[test]
        fn numbers_of_32_bits_are_thresholds_as_well(bits: u32) {
            let threshold = f32::from_bits(bits);
            if threshold.is_finite() {
                agree_around(f64::from(threshold));
                agree_around(f64::from(threshold).next_up());
                agree_around(f64::from(threshold).next_down());
            }
        }
    }

    #[test]
    fn zeros_subnormal_numbers_and_the_ends_are_no_exception() {
        let smallest = f64::from(f32::from_bits(1));
        let beyond = 2.0_f64.powi(128);
        for threshold in [
            0.0,
            smallest,
            smallest / 2.0,
            smallest / 4.0,
            1.5 * smallest,
            f64::from_bits(1),
            f64::from(f32::MIN_POSITIVE),
            f64::from(f32::MAX),
            beyond,
            beyond - 2.0_f64.powi(103),
            f64::MAX,
            1_700_000_000.5,
        ] {
            for threshold in [threshold, threshold.next_up(), threshold.next_down()] {
                if threshold.is_finite() {
                    agree_around(threshold);
                    agree_around(-threshold);
                }
            }
        }
        agree_around(-0.0);
    }
}

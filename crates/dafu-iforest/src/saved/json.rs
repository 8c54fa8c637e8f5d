//! Forests as JSON for people and for other languages.

use super::{SavedForest, SavedKind, SavedLevel, to_u32};
use crate::interchange::problem::{ImportProblem, check_head};
use crate::node::{Node, Tree};
use crate::{
    AveragePath, IsolationForest, IsolationForestError, MissingValues, Scoring, UnseenCategories,
};
use dafu_core::model::Limits;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

const FORMAT: &str = "dafu-isolation-forest";
const VERSION: u32 = 1;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonForest {
    format: Cow<'static, str>,
    version: u32,
    columns: u32,
    categorical: Vec<u32>,
    missing: MissingValues,
    unseen: UnseenCategories,
    scoring: Scoring,
    formula: Cow<'static, str>,
    average_path: AveragePath,
    height_limit: u32,
    seed: u64,
    rules: u32,
    trees_grown: u64,
    rows_fitted: u64,
    value_bits: u8,
    levels: Vec<JsonLevel>,
    kinds: Vec<JsonKind>,
    trees: Vec<JsonTree>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonLevel {
    contamination: f64,
    threshold: f64,
    flagged: u64,
    rows: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonKind {
    sample_size: u32,
    unit: f64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonTree {
    kind: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    penalty: Option<f64>,
    nodes: Vec<JsonNode>,
}

/// A leaf has a value, a split a column or terms; all the rest belongs to splits.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonNode {
    rows: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    terms: Vec<JsonTerm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing: Option<Side>,
    /// Without a bound an end of it is `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<[Option<f64>; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_share: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    Left,
    Right,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonTerm {
    column: u32,
    #[serde(default, skip_serializing_if = "is_plus_zero")]
    coefficient: f64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    categories: Vec<(u32, f64)>,
    #[serde(default, skip_serializing_if = "is_plus_zero")]
    absent: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_plus_zero(number: &f64) -> bool {
    number.to_bits() == 0
}

const fn formula(scoring: Scoring) -> &'static str {
    match scoring {
        Scoring::Depth | Scoring::AdjustedDepth => "2^-mean",
        Scoring::Density => "1/(1+2^mean)",
    }
}

impl JsonForest {
    /// All but the trees.
    fn head(forest: &IsolationForest) -> Self {
        let columns = (0_u32..).zip(&forest.categorical);
        let level = |level: &_| {
            let SavedLevel {
                contamination,
                threshold,
                flagged,
                rows,
            } = SavedLevel::from(level);
            JsonLevel {
                contamination,
                threshold,
                flagged,
                rows,
            }
        };
        let kinds = forest.kinds.iter().map(|kind| JsonKind {
            sample_size: kind.sample_size,
            unit: kind.unit,
        });
        Self {
            format: FORMAT.into(),
            version: VERSION,
            columns: forest.width,
            categorical: columns.filter(|(_, is)| **is).map(|(at, _)| at).collect(),
            missing: forest.missing,
            unseen: forest.unseen,
            scoring: forest.scoring,
            formula: formula(forest.scoring).into(),
            average_path: forest.average_path,
            height_limit: forest.height_limit,
            seed: forest.seed,
            rules: forest.rules,
            trees_grown: forest.trees_grown,
            rows_fitted: forest.rows_fitted,
            value_bits: forest.scale.max_bits,
            levels: forest.thresholds.iter().map(level).collect(),
            kinds: kinds.collect(),
            trees: Vec::new(),
        }
    }

    /// The arrays of a saved forest, whose checks find what is wrong with them.
    fn columns(&self) -> SavedForest {
        let levels = self.levels.iter().map(|level| SavedLevel {
            contamination: level.contamination,
            threshold: level.threshold,
            flagged: level.flagged,
            rows: level.rows,
        });
        let kinds = self.kinds.iter().map(|kind| SavedKind {
            sample_size: kind.sample_size,
            unit: kind.unit,
        });
        let mut saved = SavedForest {
            width: self.columns,
            height_limit: self.height_limit,
            average_path: self.average_path.into(),
            scoring: self.scoring.into(),
            missing: self.missing.into(),
            unseen: self.unseen.into(),
            value_bits: self.value_bits,
            penalized: self.trees.iter().any(|tree| tree.penalty.is_some()),
            categorical: self.categorical.clone(),
            seed: self.seed,
            rules: self.rules,
            trees_grown: self.trees_grown,
            rows_fitted: self.rows_fitted,
            levels: levels.collect(),
            kinds: kinds.collect(),
            ..SavedForest::default()
        };
        for tree in &self.trees {
            saved.tree_kinds.push(tree.kind);
            saved.tree_nodes.push(to_u32(tree.nodes.len()));
            // Places of children follow from the order; that they are those of the text is checked afterwards.
            let mut child = 1;
            for node in &tree.nodes {
                let left_rows = tree.nodes.get(child).map_or(0, |left| left.rows);
                child = child.saturating_add(2 * usize::from(node.is_split()));
                self.append(node, left_rows, &mut saved);
            }
        }
        saved
    }

    fn append(&self, node: &JsonNode, left_rows: u32, saved: &mut SavedForest) {
        if !node.is_split() {
            saved.tests.push(0);
            return;
        }
        // A column beyond the width would be a form.
        let test = match node.column {
            Some(column) if column < self.columns => column,
            Some(_) => u32::MAX >> 2,
            None => self.columns,
        };
        let factor = 1 + u32::from(self.missing != MissingValues::Refuse);
        let right = u32::from(node.missing == Some(Side::Right));
        let test = test.saturating_mul(factor).saturating_add(1 + right);
        saved.tests.push(test);
        saved.left_counts.push(left_rows);
        saved.thresholds.push(node.threshold.unwrap_or(f64::NAN));
        saved.ranges.extend(node.range.map(|[low, high]| {
            [
                low.unwrap_or(f64::NEG_INFINITY),
                high.unwrap_or(f64::INFINITY),
            ]
        }));
        saved.shares.extend(node.left_share);
        if node.column.is_some() {
            return;
        }
        saved.form_terms.push(to_u32(node.terms.len()));
        for term in &node.terms {
            saved.term_columns.push(term.column);
            saved.term_codes.push(to_u32(term.categories.len()));
            saved.coefficients.push(term.coefficient);
            saved.absents.push(term.absent);
            let (codes, values) = (
                term.categories.iter().map(|(code, _)| code),
                term.categories.iter().map(|(_, value)| value),
            );
            saved.codes.extend(codes);
            saved.code_values.extend(values);
        }
    }
}

impl JsonNode {
    fn is_split(&self) -> bool {
        self.column.is_some() || !self.terms.is_empty()
    }
}

impl JsonTree {
    fn new(forest: &IsolationForest, tree: &Tree<'_>) -> Self {
        let nodes = tree.nodes.iter().enumerate();
        Self {
            kind: tree.kind,
            penalty: (!tree.ranges.is_empty()).then(|| f64::from(tree.level) / forest.scale.one()),
            nodes: nodes
                .map(|(at, node)| JsonNode::new(forest, tree, at, node))
                .collect(),
        }
    }
}

impl JsonNode {
    fn new(forest: &IsolationForest, tree: &Tree<'_>, at: usize, node: &Node) -> Self {
        let rows = tree.counts[at];
        if node.is_leaf(at) {
            let value = f64::from(tree.values[at]) / forest.scale.one() + forest.scale.offset;
            return Self {
                rows,
                value: Some(value),
                ..Self::default()
            };
        }
        let form = node.test().checked_sub(forest.width());
        let terms = form.map_or(&[][..], |form| &tree.terms[tree.forms[form].terms()]);
        let side = if node.missing_right() {
            Side::Right
        } else {
            Side::Left
        };
        let end = |end: f64| end.is_finite().then_some(end);
        Self {
            rows,
            value: None,
            column: form.is_none().then(|| to_u32(node.test())),
            terms: terms
                .iter()
                .map(|term| JsonTerm {
                    column: term.column,
                    coefficient: term.coefficient,
                    categories: tree.codes[term.codes()]
                        .iter()
                        .map(|code| (code.code, code.value))
                        .collect(),
                    absent: term.absent,
                })
                .collect(),
            threshold: Some(node.threshold),
            left: Some(node.left),
            missing: (forest.missing != MissingValues::Refuse).then_some(side),
            range: tree
                .ranges
                .get(at)
                .map(|&[low, high]| [end(low), end(high)]),
            left_share: tree.shares.get(at).copied(),
        }
    }
}

impl IsolationForest {
    /// The forest as JSON, with everything that another language needs to score.
    ///
    /// Numbers are written with as many digits as give the same bits when read. `benches/peers/score_json_forest.py`
    /// scores with the standard library of Python alone.
    ///
    /// # Format
    ///
    /// One object, without other keys than these:
    ///
    /// | key | what |
    /// |---|---|
    /// | `format`, `version` | `"dafu-isolation-forest"`, 1 |
    /// | `columns` | numbers of a row |
    /// | `categorical` | columns that hold categories (whole numbers from 0 to 2^32 - 1), ascending |
    /// | `missing` | `"refuse"`, `"impute"` or `"divide"`: see [`MissingValues`] and below |
    /// | `unseen` | `"smaller"`, `"larger"` or `"divide"`: see [`UnseenCategories`] and below |
    /// | `scoring` | `"depth"`, `"adjusted_depth"` or `"density"`: see [`Scoring`] |
    /// | `formula` | what makes a score of the mean over the trees: `"2^-mean"`, or for densities `"1/(1+2^mean)"` |
    /// | `levels` | objects with `contamination`, `threshold`, `flagged`, `rows`: a score strictly above `threshold` is an anomaly at that level |
    /// | `trees` | objects with `kind`, `nodes`, and `penalty` where ranges are penalised |
    /// | `kinds` | objects with `sample_size` (rows a tree) and `unit` (what an edge is worth, 1 / c(psi) for a single kind); `kind` of a tree is a place in this list |
    /// | `average_path`, `height_limit`, `seed`, `rules`, `trees_grown`, `rows_fitted`, `value_bits` | of the fit; not needed to score |
    ///
    /// The nodes of a tree come level by level, the root first. Every node has `rows`, the training rows in it. A leaf
    /// has only its `value` besides, a multiple of 2^-28 as a rule. All other keys are those of splits:
    ///
    /// | key | what |
    /// |---|---|
    /// | `left` | place of the left child; the right one is next to it |
    /// | `threshold` | a row goes left when its value is at most this, else right |
    /// | `column` | the value is that of this column |
    /// | `terms` | or it is a sum over these, added in their order: `column`, and either `coefficient` (default 0), which the column's number is multiplied by, or `categories`, pairs of a category and what it is worth; `absent` (default 0) |
    /// | `missing` | unless refused: `"left"` or `"right"` |
    /// | `range` | lowest and highest value that are not penalised, `null` for no bound |
    /// | `left_share` | share of the range on the left; it is in the leaves' values already |
    ///
    /// In a sum of several terms a missing value and a category that is not listed add `absent`. Where the value is
    /// that of a single column, or a sum of one term, a row without it goes where `missing` says, or with `"divide"`
    /// both ways: its value is the mean of both, weighed by the `rows` of the children. A category that the only term
    /// does not list goes where `unseen` says: to the child of fewer rows (the left one where they are alike), to the
    /// other one, or both ways. Each value outside a `range` on the way takes `penalty` from the value of the leaf.
    ///
    /// # Errors
    ///
    /// [`Json`](IsolationForestError::Json), which sound forests do not meet.
    ///
    /// # Complexity
    ///
    /// O(nodes), about 50 bytes a node for splits by single columns.
    ///
    /// ```
    /// use dafu_iforest::Limits;
    /// use dafu_iforest::{IsolationForest, IsolationForestParams};
    /// use ndarray::array;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let rows = array![[1.0], [2.0], [1.5], [40.0]];
    /// let forest = IsolationForestParams::default().fit(rows.view())?;
    /// let text = forest.to_json()?;
    /// assert!(text.starts_with(r#"{"format":"dafu-isolation-forest","version":1,"columns":1,"#));
    /// assert_eq!(IsolationForest::from_json(&text, &Limits::default())?, forest);
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_json(&self) -> Result<String, IsolationForestError> {
        let mut whole = JsonForest::head(self);
        let trees = self.trees.iter();
        whole.trees = trees.map(|tree| JsonTree::new(self, &tree)).collect();
        serde_json::to_string(&whole).map_err(IsolationForestError::Json)
    }

    /// Reads what [`to_json`](Self::to_json) wrote: the same forest to the bit. Nothing in the text is trusted, and
    /// nothing in it may contradict the rest: the values of leaves, which follow from the trees, must be those.
    ///
    /// # Errors
    ///
    /// [`Json`](IsolationForestError::Json) for a text that is no such JSON, [`Import`](IsolationForestError::Import) for
    /// one that is too large, of another version or contradicts itself, and
    /// [`DamagedModel`](IsolationForestError::DamagedModel) where the forest is not sound or beyond the limits.
    ///
    /// # Complexity
    ///
    /// O(length of the text) time and memory, at most 32 bytes for each byte of the text.
    pub fn from_json(text: &str, limits: &Limits) -> Result<Self, IsolationForestError> {
        check_head(text, (FORMAT, VERSION), limits)?;
        let mut whole: JsonForest =
            serde_json::from_str(text).map_err(IsolationForestError::Json)?;
        let forest = whole
            .columns()
            .restore(limits)
            .map_err(IsolationForestError::DamagedModel)?;
        let trees = std::mem::take(&mut whole.trees);
        // What was read is what would be written.
        for (number, (read, tree)) in trees.iter().zip(forest.trees.iter()).enumerate() {
            if *read != JsonTree::new(&forest, &tree) {
                let problem = ImportProblem::Contradiction { tree: number };
                return Err(IsolationForestError::Import(problem));
            }
        }
        let head = JsonForest::head(&forest);
        if head != whole {
            // All other entries are taken as they are.
            let key = "formula";
            return Err(IsolationForestError::Import(ImportProblem::Header { key }));
        }
        Ok(forest)
    }
}

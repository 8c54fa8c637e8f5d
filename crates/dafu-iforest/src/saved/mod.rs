//! Saving and loading.
//!
//! Children are not stored: nodes are in breadth-first order and every split node takes the next two. Of training rows
//! only those of left children are stored. A file can therefore not hold a cycle or an index outside its tree, only
//! wrong numbers of nodes and rows.

#[cfg(feature = "json")]
mod json;
mod v1;

use crate::error::{DamagedModel, HeaderField};
use crate::form::{Code, Form, Term};
use crate::node::{Bounds, FlatTree, Node, Trees};
use crate::params::{MAX_HEIGHT, MAX_KINDS, MAX_LEVELS, MAX_SAMPLE_SIZE, MAX_TREES, MAX_WIDTH};
use crate::prepared::Prepared;
use crate::value::{MAX_BITS, TreeKind, ValueScale};
use crate::{
    AveragePath, ContaminationThreshold, IsolationForest, IsolationForestError, MissingValues,
    Parallelism, Scoring, UnseenCategories,
};
use dafu_core::model::{Envelope, Limits};
use dafu_core::{SchemaHash, Score};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use v1::SavedForestV1;

/// Layout of the payload, counted up with every change.
const SCHEMA_VERSION: u16 = 2;
/// Largest worth of an edge.
const MAX_UNIT: f64 = 65_536.0;

#[derive(Debug, Default, Serialize, Deserialize)]
struct SavedForest {
    width: u32,
    height_limit: u32,
    average_path: SavedAveragePath,
    scoring: SavedScoring,
    missing: SavedMissing,
    unseen: SavedUnseen,
    /// Most fraction bits of values.
    value_bits: u8,
    /// Columns of categories, ascending.
    categorical: Vec<u32>,
    seed: u64,
    /// Split rules, of which the first kinds are.
    rules: u32,
    trees_grown: u64,
    rows_fitted: u64,
    levels: Vec<SavedLevel>,
    kinds: Vec<SavedKind>,
    tree_kinds: Vec<u32>,
    /// Nodes of each tree.
    tree_nodes: Vec<u32>,
    /// For each node 0 for a leaf, else 1 + its column, or 1 + width for the next form; where values may be missing
    /// 1 + 2 times that, and 1 more where they go right.
    tests: Vec<u32>,
    /// For each split node the training rows of its left child.
    left_counts: Vec<u32>,
    /// For each split node its threshold.
    thresholds: Vec<f64>,
    /// Terms of each form.
    form_terms: Vec<u32>,
    term_columns: Vec<u32>,
    /// Categories of each term, 0 for a numeric column.
    term_codes: Vec<u32>,
    coefficients: Vec<f64>,
    absents: Vec<f64>,
    codes: Vec<u32>,
    code_values: Vec<f64>,
    /// Whether ranges are penalised.
    penalized: bool,
    /// For each split node lowest and highest value that are not penalised, or nothing at all.
    ranges: Vec<[f64; 2]>,
    /// For each split node the share of its range on the left, or nothing at all.
    shares: Vec<f64>,
}

/// Declares a twin of an enum of the crate, so that the order of the original can never change what a file says.
macro_rules! saved_enum {
    ($saved:ident of $original:ident: $($variant:ident),+) => {
        #[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
        enum $saved {
            #[default]
            $($variant),+
        }

        impl From<$original> for $saved {
            fn from(original: $original) -> Self {
                match original {
                    $($original::$variant => Self::$variant),+
                }
            }
        }

        impl From<$saved> for $original {
            fn from(saved: $saved) -> Self {
                match saved {
                    $($saved::$variant => Self::$variant),+
                }
            }
        }
    };
}

saved_enum!(SavedAveragePath of AveragePath: Exact, Approximate);
saved_enum!(SavedScoring of Scoring: Depth, AdjustedDepth, Density);
saved_enum!(SavedMissing of MissingValues: Refuse, Impute, Divide);
saved_enum!(SavedUnseen of UnseenCategories: Smaller, Larger, Divide);

#[derive(Debug, Serialize, Deserialize)]
struct SavedLevel {
    contamination: f64,
    threshold: f64,
    flagged: u64,
    rows: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedKind {
    sample_size: u32,
    unit: f64,
}

impl From<&IsolationForest> for SavedForest {
    fn from(forest: &IsolationForest) -> Self {
        let columns = (0_u32..).zip(&forest.categorical);
        let mut saved = Self {
            width: forest.width,
            height_limit: forest.height_limit,
            average_path: forest.average_path.into(),
            scoring: forest.scoring.into(),
            missing: forest.missing.into(),
            unseen: forest.unseen.into(),
            value_bits: forest.scale.max_bits,
            penalized: forest.trees.penalizes(),
            categorical: columns.filter(|(_, is)| **is).map(|(at, _)| at).collect(),
            seed: forest.seed,
            rules: forest.rules,
            trees_grown: forest.trees_grown,
            rows_fitted: forest.rows_fitted,
            levels: forest.thresholds.iter().map(SavedLevel::from).collect(),
            ..Self::default()
        };
        saved
            .kinds
            .extend(forest.kinds.iter().map(|kind| SavedKind {
                sample_size: kind.sample_size,
                unit: kind.unit,
            }));
        for tree in forest.trees.iter() {
            saved.tree_kinds.push(tree.kind);
            saved.tree_nodes.push(to_u32(tree.nodes.len()));
            for (at, node) in tree.nodes.iter().enumerate() {
                if node.is_leaf(at) {
                    saved.tests.push(0);
                    continue;
                }
                let test = to_u32(node.test()).min(forest.width);
                saved.tests.push(match forest.missing {
                    MissingValues::Refuse => 1 + test,
                    _ => 1 + 2 * test + u32::from(node.missing_right()),
                });
                saved.left_counts.push(tree.counts[node.left as usize]);
                saved.thresholds.push(node.threshold);
                saved.ranges.extend(tree.ranges.get(at));
                saved.shares.extend(tree.shares.get(at));
            }
            saved
                .form_terms
                .extend(tree.forms.iter().map(|form| form.len));
            for term in tree.terms {
                saved.term_columns.push(term.column);
                saved.term_codes.push(term.code_count);
                saved.coefficients.push(term.coefficient);
                saved.absents.push(term.absent);
            }
            saved.codes.extend(tree.codes.iter().map(|code| code.code));
            let values = tree.codes.iter().map(|code| code.value);
            saved.code_values.extend(values);
        }
        saved
    }
}

fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The next of some numbers; their lengths are checked before.
fn next<T: Copy + Default>(numbers: &mut std::slice::Iter<'_, T>) -> T {
    numbers.next().copied().unwrap_or_default()
}

/// The arrays of a saved forest, read from front to back.
struct Reader<'a> {
    saved: &'a SavedForest,
    tests: std::slice::Iter<'a, u32>,
    left_counts: std::slice::Iter<'a, u32>,
    thresholds: std::slice::Iter<'a, f64>,
    form_terms: std::slice::Iter<'a, u32>,
    /// Terms and categories read so far.
    terms: usize,
    codes: usize,
    ranges: std::slice::Iter<'a, [f64; 2]>,
    shares: std::slice::Iter<'a, f64>,
}

impl<'a> Reader<'a> {
    fn new(saved: &'a SavedForest) -> Self {
        Self {
            saved,
            tests: saved.tests.iter(),
            left_counts: saved.left_counts.iter(),
            thresholds: saved.thresholds.iter(),
            form_terms: saved.form_terms.iter(),
            terms: 0,
            codes: 0,
            ranges: saved.ranges.iter(),
            shares: saved.shares.iter(),
        }
    }

    /// Reads a tree of so many nodes with so many rows at the root; what is wrong with it is found when it is pushed.
    fn read(&mut self, len: u32, root_rows: u32, tree: &mut FlatTree) {
        tree.clear();
        let width = self.saved.width;
        let may_miss = !matches!(self.saved.missing, SavedMissing::Refuse);
        let mut next_child = 1_u32;
        tree.counts.push(root_rows);
        for at in 0..len {
            // A node without a parent has no rows, which no tree may have.
            let rows = tree.counts.get(at as usize).copied().unwrap_or(0);
            let (range, share) = (self.saved.penalized, self.saved.has_shares());
            let Some(test) = next(&mut self.tests).checked_sub(1) else {
                tree.nodes.push(Node::leaf(at));
                tree.ranges
                    .extend(range.then_some([f64::NEG_INFINITY, f64::INFINITY]));
                tree.shares.extend(share.then_some(0.5));
                continue;
            };
            let (mut test, missing_right) = if may_miss {
                (test / 2, test % 2 == 1)
            } else {
                (test, false)
            };
            if test == width {
                test = test.saturating_add(to_u32(tree.forms.len()));
                self.read_form(tree);
            } else if test > width {
                // Not what a node can ask for; refused when pushed.
                test = u32::MAX >> 1;
            }
            let node = Node::split(test, next(&mut self.thresholds), next_child);
            tree.nodes.push(node.with_missing_right(missing_right));
            tree.ranges.extend(range.then(|| next(&mut self.ranges)));
            tree.shares.extend(share.then(|| next(&mut self.shares)));
            let left = next(&mut self.left_counts);
            tree.counts.extend([left, rows.saturating_sub(left)]);
            next_child = next_child.saturating_add(2);
        }
        tree.counts.truncate(len as usize);
    }

    fn read_form(&mut self, tree: &mut FlatTree) {
        let saved = self.saved;
        let len = next(&mut self.form_terms);
        let first = to_u32(tree.terms.len());
        tree.forms.push(Form { first, len });
        let end = self.terms.saturating_add(len as usize);
        for at in self.terms..end.min(saved.term_columns.len()) {
            let code_count = saved.term_codes[at];
            tree.terms.push(Term {
                column: saved.term_columns[at],
                first_code: to_u32(tree.codes.len()),
                code_count,
                coefficient: saved.coefficients[at],
                absent: saved.absents[at],
            });
            let end = self.codes.saturating_add(code_count as usize);
            let end = end.min(saved.codes.len());
            let codes = &saved.codes[self.codes..end];
            let values = &saved.code_values[self.codes..end];
            let pairs = codes.iter().zip(values);
            tree.codes
                .extend(pairs.map(|(&code, &value)| Code { code, value }));
            self.codes = end;
        }
        self.terms = end.min(saved.term_columns.len());
    }
}

impl SavedForest {
    /// The forest, if everything in the file is sound and within the limits.
    fn restore(self, limits: &Limits) -> Result<IsolationForest, DamagedModel> {
        self.check_header(limits)?;
        self.check_lengths()?;
        let levels = self.levels.iter().enumerate();
        let thresholds = levels
            .map(|(index, level)| level.restore().ok_or(DamagedModel::Level { index }))
            .collect::<Result<Vec<_>, _>>()?;
        let categorical = self.categorical()?;
        let kinds = self.kinds.iter().map(|kind| TreeKind {
            sample_size: kind.sample_size,
            unit: kind.unit,
        });
        let kinds: Vec<TreeKind> = kinds.collect();
        let mut trees = Trees::with_capacity(self.tree_nodes.len(), self.tests.len());
        let mut tree = FlatTree::default();
        let mut reader = Reader::new(&self);
        for (&len, &kind) in self.tree_nodes.iter().zip(&self.tree_kinds) {
            let header = DamagedModel::Header {
                what: HeaderField::Kinds,
            };
            let sample_size = kinds.get(kind as usize).ok_or(header)?.sample_size;
            let bounds = Bounds {
                width: self.width,
                sample_size,
                height_limit: self.height_limit,
                categorical: &categorical,
            };
            reader.read(len, sample_size, &mut tree);
            trees.push(&tree, kind, &bounds)?;
        }
        let mut forest = IsolationForest {
            trees,
            kinds,
            scale: ValueScale::with_max_bits(self.value_bits),
            scoring: self.scoring.into(),
            missing: self.missing.into(),
            unseen: self.unseen.into(),
            categorical,
            width: self.width,
            height_limit: self.height_limit,
            average_path: self.average_path.into(),
            seed: self.seed,
            rules: self.rules,
            trees_grown: self.trees_grown,
            rows_fitted: self.rows_fitted,
            thresholds,
            parallelism: Parallelism::default(),
            prepared: Prepared::default(),
        };
        forest.set_values();
        Ok(forest)
    }

    fn categorical(&self) -> Result<Vec<bool>, DamagedModel> {
        let wrong = DamagedModel::Header {
            what: HeaderField::Categorical,
        };
        let ascending = self.categorical.windows(2).all(|pair| pair[0] < pair[1]);
        let Some(&last) = self.categorical.last() else {
            return Ok(Vec::new());
        };
        if !ascending || last >= self.width {
            return Err(wrong);
        }
        // As long as the list needs, so that a wide model without categories costs nothing.
        let mut categorical = vec![false; last as usize + 1];
        for &column in &self.categorical {
            categorical[column as usize] = true;
        }
        Ok(categorical)
    }

    /// Whether splits say which share of their range is on the left.
    fn has_shares(&self) -> bool {
        !matches!(self.scoring, SavedScoring::Depth)
    }

    fn check_header(&self, limits: &Limits) -> Result<(), DamagedModel> {
        let header = |what| Err(DamagedModel::Header { what });
        let trees = self.tree_nodes.len();
        if trees == 0
            || trees > MAX_TREES
            || trees as u64 > limits.max_trees
            || self.trees_grown > MAX_GROWN
        {
            return header(HeaderField::Trees);
        }
        if self.width == 0
            || self.width as usize > MAX_WIDTH
            || u64::from(self.width) > limits.max_features
        {
            return header(HeaderField::Width);
        }
        let rules = self.rules as usize;
        if rules == 0 || rules > self.kinds.len() || self.kinds.len() > MAX_KINDS {
            return header(HeaderField::Kinds);
        }
        for kind in &self.kinds {
            let rows = kind.sample_size;
            if rows == 0 || rows as usize > MAX_SAMPLE_SIZE || u64::from(rows) > self.rows_fitted {
                return header(HeaderField::SampleSize);
            }
            if !(0.0..=MAX_UNIT).contains(&kind.unit) {
                return header(HeaderField::Kinds);
            }
        }
        if self.height_limit > MAX_HEIGHT {
            return header(HeaderField::HeightLimit);
        }
        if self.value_bits > MAX_BITS {
            return header(HeaderField::ValueBits);
        }
        if self.levels.len() > MAX_LEVELS {
            return Err(DamagedModel::Level { index: MAX_LEVELS });
        }
        let nodes: u64 = self.tree_nodes.iter().copied().map(u64::from).sum();
        if nodes > limits.max_nodes {
            return header(HeaderField::Nodes);
        }
        Ok(())
    }

    fn check_lengths(&self) -> Result<(), DamagedModel> {
        fn total(numbers: &[u32]) -> u64 {
            numbers.iter().copied().map(u64::from).sum()
        }
        let splits = self.tests.iter().filter(|&&test| test > 0).count() as u64;
        let if_any = |any: bool| if any { splits } else { 0 };
        let (terms, codes) = (total(&self.form_terms), total(&self.term_codes));
        for (what, expected, got) in [
            (
                "tree kinds",
                self.tree_nodes.len() as u64,
                self.tree_kinds.len(),
            ),
            ("tests", total(&self.tree_nodes), self.tests.len()),
            ("left counts", splits, self.left_counts.len()),
            ("thresholds", splits, self.thresholds.len()),
            ("term columns", terms, self.term_columns.len()),
            ("term codes", terms, self.term_codes.len()),
            ("coefficients", terms, self.coefficients.len()),
            ("absents", terms, self.absents.len()),
            ("codes", codes, self.codes.len()),
            ("code values", codes, self.code_values.len()),
            ("ranges", if_any(self.penalized), self.ranges.len()),
            ("shares", if_any(self.has_shares()), self.shares.len()),
        ] {
            let got = got as u64;
            if expected != got {
                return Err(DamagedModel::Length {
                    what,
                    expected,
                    got,
                });
            }
        }
        Ok(())
    }
}

/// The bytes of a file, of one that is too large one more than the limit.
pub(crate) fn read_file(path: &Path, limits: &Limits) -> Result<Vec<u8>, IsolationForestError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| {
            file.take(limits.max_bytes.saturating_add(1))
                .read_to_end(&mut bytes)
        })
        .map_err(IsolationForestError::File)?;
    Ok(bytes)
}

/// Most trees that can ever have been grown for one forest.
const MAX_GROWN: u64 = 1 << 48;

impl From<&ContaminationThreshold> for SavedLevel {
    fn from(level: &ContaminationThreshold) -> Self {
        Self {
            contamination: level.contamination,
            threshold: level.threshold.get(),
            flagged: level.flagged,
            rows: level.rows,
        }
    }
}

impl SavedLevel {
    fn restore(&self) -> Option<ContaminationThreshold> {
        let level_holds = self.contamination > 0.0 && self.contamination <= 0.5;
        let counts_hold = self.rows > 0 && self.flagged < self.rows;
        let threshold = Score::new(self.threshold).ok()?;
        (level_holds && counts_hold).then_some(ContaminationThreshold {
            contamination: self.contamination,
            threshold,
            flagged: self.flagged,
            rows: self.rows,
        })
    }
}

impl IsolationForest {
    /// Kind of the saved model in its envelope.
    pub const KIND: &'static str = "dafu.iforest";

    /// The forest as the bytes of a model file.
    ///
    /// # Errors
    ///
    /// [`Envelope`](IsolationForestError::Envelope), which sound forests do not meet.
    ///
    /// # Complexity
    ///
    /// O(nodes), about 7 bytes a node.
    ///
    /// ```
    /// use dafu_iforest::{IsolationForest, IsolationForestParams};
    /// use ndarray::array;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let rows = array![[1.0], [2.0], [1.5], [40.0]];
    /// let forest = IsolationForestParams::default().fit(rows.view())?;
    /// let loaded = IsolationForest::from_bytes(&forest.to_bytes()?)?;
    /// assert_eq!(loaded.score_row(&[40.0])?, forest.score_row(&[40.0])?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_bytes(&self) -> Result<Vec<u8>, IsolationForestError> {
        Envelope::encode(
            Self::KIND,
            SCHEMA_VERSION,
            SchemaHash(0),
            &SavedForest::from(self),
        )
        .map_err(IsolationForestError::Envelope)
    }

    /// Reads a model file, within the default [`Limits`].
    ///
    /// # Errors
    ///
    /// As [`from_bytes_within`](Self::from_bytes_within).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IsolationForestError> {
        Self::from_bytes_within(bytes, &Limits::default())
    }

    /// Reads a model file, trusting nothing in it.
    ///
    /// # Errors
    ///
    /// [`Envelope`](IsolationForestError::Envelope) when the bytes are no intact envelope of a forest within the
    /// limits, [`DamagedModel`](IsolationForestError::DamagedModel) when the forest in it is not sound.
    ///
    /// # Complexity
    ///
    /// O(bytes) time and memory: at most 32 bytes for each byte of the file, 48 KiB, and a byte for each column up to the
    /// last of categories, of which there are no more than the limits allow.
    pub fn from_bytes_within(bytes: &[u8], limits: &Limits) -> Result<Self, IsolationForestError> {
        let envelope = Envelope::expect(bytes, Self::KIND, SCHEMA_VERSION, limits)
            .map_err(IsolationForestError::Envelope)?;
        let saved: Result<SavedForest, DamagedModel> = match envelope.header().schema_version() {
            0 | 1 => envelope
                .decode::<SavedForestV1>()
                .map_err(IsolationForestError::Envelope)?
                .upgrade(),
            _ => Ok(envelope.decode().map_err(IsolationForestError::Envelope)?),
        };
        saved
            .and_then(|saved| saved.restore(limits))
            .map_err(IsolationForestError::DamagedModel)
    }

    /// Writes a model file.
    ///
    /// # Errors
    ///
    /// [`File`](IsolationForestError::File), and as [`to_bytes`](Self::to_bytes).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), IsolationForestError> {
        std::fs::write(path, self.to_bytes()?).map_err(IsolationForestError::File)
    }

    /// Reads a model file; of a file larger than the default [`Limits`] no more than those.
    ///
    /// # Errors
    ///
    /// [`File`](IsolationForestError::File), and as [`from_bytes`](Self::from_bytes).
    pub fn load(path: impl AsRef<Path>) -> Result<Self, IsolationForestError> {
        let limits = Limits::default();
        Self::from_bytes_within(&read_file(path.as_ref(), &limits)?, &limits)
    }
}

/// As [`IsolationForest::to_bytes`] without the envelope, to be part of a larger model.
impl Serialize for IsolationForest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SavedForest::from(self).serialize(serializer)
    }
}

/// Checks as much as [`IsolationForest::from_bytes`].
impl<'de> Deserialize<'de> for IsolationForest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SavedForest::deserialize(deserializer)?
            .restore(&Limits::default())
            .map_err(serde::de::Error::custom)
    }
}

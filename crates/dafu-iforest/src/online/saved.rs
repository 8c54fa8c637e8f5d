//! Saving and loading: the whole state, so that a loaded forest goes on with the same bits.
//!
//! Nodes are in the order root, first child and all below it, second child ..., and say nothing about where their
//! children are: a file can hold no cycle and no index outside its tree. Random streams are derived from seed, tree
//! and number of the split, so that of them only these numbers are kept.

use super::model::OnlineIsolationForest;
use super::params::{Rules, check_width};
use super::tree::{Shape, Tree, Visit};
use crate::error::{DamagedModel, HeaderField};
use crate::saved::read_file;
use crate::{IsolationForestError, LeafGrowth, OnlineIsolationForestParams, Renewal};
use dafu_core::SchemaHash;
use dafu_core::model::{Envelope, Limits};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::Path;

/// Layout of the payload, counted up with every change.
const SCHEMA_VERSION: u16 = 1;
/// Counters beyond this are no honest file; below it none can overflow.
const MAX_COUNTER: u64 = 1 << 62;

#[derive(Debug, Serialize, Deserialize)]
struct SavedForest {
    width: u32,
    window: u32,
    max_leaf_samples: u32,
    growth: SavedGrowth,
    subsample: f64,
    branching: u32,
    renewal: SavedRenewal,
    seed: u64,
    seen: u64,
    /// Nodes of each tree.
    tree_nodes: Vec<u32>,
    /// Splits so far of each tree.
    draws: Vec<u64>,
    /// For each node 0 for a leaf, else feature + 1.
    features: Vec<u32>,
    /// Points of each node.
    counts: Vec<u32>,
    /// Branching - 1 numbers for each split node.
    values: Vec<f64>,
    /// Lowest, then highest values of each leaf.
    bounds: Vec<f64>,
    /// The rows of the window, oldest first.
    rows: Vec<f64>,
}

/// Apart from [`LeafGrowth`], so that its order can never change what a file says.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum SavedGrowth {
    Adaptive,
    Fixed,
}

/// Apart from [`Renewal`], for the same reason.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum SavedRenewal {
    Never,
    EveryWindow,
}

impl From<&OnlineIsolationForest> for SavedForest {
    fn from(forest: &OnlineIsolationForest) -> Self {
        let params = forest.params();
        let shape = &forest.shape;
        let mut saved = Self {
            width: u32::try_from(shape.width).unwrap_or(u32::MAX),
            window: shape.rules.window,
            max_leaf_samples: shape.rules.eta,
            growth: match params.growth {
                LeafGrowth::Adaptive => SavedGrowth::Adaptive,
                LeafGrowth::Fixed => SavedGrowth::Fixed,
            },
            subsample: params.subsample,
            branching: shape.rules.branching,
            renewal: match params.renewal {
                Renewal::Never => SavedRenewal::Never,
                Renewal::EveryWindow => SavedRenewal::EveryWindow,
            },
            seed: params.seed,
            seen: forest.seen,
            tree_nodes: Vec::with_capacity(forest.trees.len()),
            draws: forest.trees.iter().map(Tree::draws).collect(),
            features: Vec::new(),
            counts: Vec::new(),
            values: Vec::new(),
            bounds: Vec::new(),
            rows: Vec::with_capacity(forest.window.len()),
        };
        for tree in &forest.trees {
            let nodes = tree.node_count(shape);
            saved
                .tree_nodes
                .push(u32::try_from(nodes).unwrap_or(u32::MAX));
            tree.visit(shape, |visit| match visit {
                Visit::Leaf { count, bounds } => {
                    saved.features.push(0);
                    saved.counts.push(count);
                    saved.bounds.extend_from_slice(bounds);
                }
                Visit::Split {
                    count,
                    feature,
                    values,
                } => {
                    saved.features.push(feature + 1);
                    saved.counts.push(count);
                    saved.values.extend_from_slice(values);
                }
            });
        }
        let (newer, older) = forest.window.split_at(forest.oldest());
        saved.rows.extend_from_slice(older);
        saved.rows.extend_from_slice(newer);
        saved
    }
}

/// What is left of the arrays while trees are read from them.
struct Rest<'a> {
    features: std::slice::Iter<'a, u32>,
    counts: std::slice::Iter<'a, u32>,
    values: &'a [f64],
    bounds: &'a [f64],
}

/// The first numbers of a slice, which loses them; empty when there are fewer.
fn take<'a>(slice: &mut &'a [f64], count: usize) -> &'a [f64] {
    let (front, rest) = slice.split_at_checked(count).unwrap_or((&[], slice));
    *slice = rest;
    front
}

impl SavedForest {
    /// The forest, if everything in the file is sound and within the limits.
    fn restore(self, limits: &Limits) -> Result<OnlineIsolationForest, DamagedModel> {
        let params = self.params(limits)?;
        let checked = params.check().map_err(|_| DamagedModel::Parameters)?;
        self.check_lengths(limits)?;
        let width = self.width as usize;
        let shape = Shape {
            rules: Rules::new(&params),
            width,
        };
        if let Some(at) = self.rows.iter().position(|value| !value.is_finite()) {
            return Err(DamagedModel::Window { row: at / width });
        }
        // Without trees: they come one by one as the file pays for them.
        let mut forest = OnlineIsolationForest::without_trees(checked, shape);
        forest.seen = self.seen;
        forest.window = self.rows;
        let oldest = forest.oldest();
        forest.window.rotate_right(oldest);
        let mut rest = Rest {
            features: self.features.iter(),
            counts: self.counts.iter(),
            values: &self.values,
            bounds: &self.bounds,
        };
        for (number, (&nodes, &draws)) in self.tree_nodes.iter().zip(&self.draws).enumerate() {
            let mut tree = Tree::new(params.seed, number, &shape);
            tree.set_draws(draws);
            rest.read(&mut tree, &shape, (number, nodes))?;
            let rows = forest.window_len();
            let held = tree.rows() as usize;
            if !tree.adds_up(&shape) || held > rows || (params.subsample >= 1.0 && held < rows) {
                return Err(DamagedModel::Counts { tree: number });
            }
            forest.trees.push(tree);
        }
        forest.count_levels();
        Ok(forest)
    }

    fn params(&self, limits: &Limits) -> Result<OnlineIsolationForestParams, DamagedModel> {
        let header = |what| Err(DamagedModel::Header { what });
        let trees = self.tree_nodes.len();
        if trees as u64 > limits.max_trees {
            return header(HeaderField::Trees);
        }
        if check_width(self.width as usize).is_err() || u64::from(self.width) > limits.max_features
        {
            return header(HeaderField::Width);
        }
        if self.seen > MAX_COUNTER || self.draws.iter().any(|&draws| draws > MAX_COUNTER) {
            return header(HeaderField::Counter);
        }
        let params = OnlineIsolationForestParams {
            trees,
            window: self.window as usize,
            max_leaf_samples: self.max_leaf_samples as usize,
            growth: match self.growth {
                SavedGrowth::Adaptive => LeafGrowth::Adaptive,
                SavedGrowth::Fixed => LeafGrowth::Fixed,
            },
            subsample: self.subsample,
            branching: self.branching as usize,
            renewal: match self.renewal {
                SavedRenewal::Never => Renewal::Never,
                SavedRenewal::EveryWindow => Renewal::EveryWindow,
            },
            seed: self.seed,
        };
        Ok(params)
    }

    fn check_lengths(&self, limits: &Limits) -> Result<(), DamagedModel> {
        let nodes: u64 = self.tree_nodes.iter().copied().map(u64::from).sum();
        if nodes > limits.max_nodes {
            let what = HeaderField::Nodes;
            return Err(DamagedModel::Header { what });
        }
        let splits = self.features.iter().filter(|&&feature| feature > 0).count() as u64;
        let leaves = self.features.len() as u64 - splits;
        // Each split has so many children, of which each is a node.
        let children = splits.saturating_mul(u64::from(self.branching));
        if children.checked_add(self.tree_nodes.len() as u64) != Some(nodes) {
            return Err(DamagedModel::Shape { tree: 0 });
        }
        let width = u64::from(self.width);
        let rows = self.seen.min(u64::from(self.window));
        for (what, expected, got) in [
            ("draws", self.tree_nodes.len() as u64, self.draws.len()),
            ("features", nodes, self.features.len()),
            ("counts", nodes, self.counts.len()),
            (
                "values",
                splits * u64::from(self.branching - 1),
                self.values.len(),
            ),
            (
                "bounds",
                (2 * width).saturating_mul(leaves),
                self.bounds.len(),
            ),
            ("rows", width.saturating_mul(rows), self.rows.len()),
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

impl Rest<'_> {
    fn read(
        &mut self,
        tree: &mut Tree,
        shape: &Shape,
        (number, nodes): (usize, u32),
    ) -> Result<(), DamagedModel> {
        let rules = &shape.rules;
        let shape_error = DamagedModel::Shape { tree: number };
        let mut stack = vec![(0, 0)];
        for _ in 0..nodes {
            let (at, depth) = stack.pop().ok_or(shape_error)?;
            let (Some(&feature), Some(&count)) = (self.features.next(), self.counts.next()) else {
                return Err(shape_error);
            };
            let visit = match feature.checked_sub(1) {
                None => {
                    let bounds = take(&mut self.bounds, 2 * shape.width);
                    if !is_box(bounds, count) {
                        return Err(DamagedModel::Box { tree: number });
                    }
                    Visit::Leaf { count, bounds }
                }
                Some(feature) => {
                    let values = take(&mut self.values, rules.branching as usize - 1);
                    if feature as usize >= shape.width {
                        let width = u32::try_from(shape.width).unwrap_or(u32::MAX);
                        return Err(DamagedModel::Feature {
                            tree: number,
                            width,
                        });
                    }
                    if !values.iter().all(|value| value.is_finite()) || !values.is_sorted() {
                        return Err(DamagedModel::Threshold { tree: number });
                    }
                    if !rules.is_depth_open(depth, rules.window) {
                        return Err(DamagedModel::Depth {
                            tree: number,
                            limit: depth,
                        });
                    }
                    if u64::from(count) < rules.points_to_split(depth) {
                        return Err(DamagedModel::Counts { tree: number });
                    }
                    Visit::Split {
                        count,
                        feature,
                        values,
                    }
                }
            };
            let children = tree.put(shape, at, visit);
            stack.extend(children.rev().map(|child| (child, depth + 1)));
        }
        if stack.is_empty() {
            Ok(())
        } else {
            Err(shape_error)
        }
    }
}

/// Whether a box is finite, and may be that of a leaf without points only for one.
fn is_box(bounds: &[f64], count: u32) -> bool {
    let (lows, highs) = bounds.split_at(bounds.len() / 2);
    let mut sides = lows.iter().zip(highs);
    bounds.iter().all(|value| value.is_finite())
        && (sides.all(|(low, high)| low <= high)
            || (count == 0
                && lows.iter().all(|&low| low >= f64::MAX)
                && highs.iter().all(|&high| high <= f64::MIN)))
}

impl OnlineIsolationForest {
    /// Kind of the saved model in its envelope.
    pub const KIND: &'static str = "dafu.iforest.online";

    /// The forest, with its window and all it needs to go on, as the bytes of a model file.
    ///
    /// # Errors
    ///
    /// [`Envelope`](IsolationForestError::Envelope), which sound forests do not meet.
    ///
    /// # Complexity
    ///
    /// O(omega d + nodes d): 8 bytes for each number of the window, and 16 d for each leaf.
    ///
    /// ```
    /// use dafu_iforest::{IsolationForestError, OnlineIsolationForest, OnlineIsolationForestParams};
    /// # fn main() -> Result<(), IsolationForestError> {
    /// let mut forest = OnlineIsolationForestParams::default().window(100).build(1)?;
    /// for i in 0..200_u32 {
    ///     forest.update(&[f64::from(i % 7)])?;
    /// }
    /// let mut loaded = OnlineIsolationForest::from_bytes(&forest.to_bytes()?)?;
    /// forest.update(&[40.0])?;
    /// loaded.update(&[40.0])?;
    /// assert_eq!(loaded.score_row(&[20.0])?, forest.score_row(&[20.0])?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_bytes(&self) -> Result<Vec<u8>, IsolationForestError> {
        let saved = SavedForest::from(self);
        Envelope::encode(Self::KIND, SCHEMA_VERSION, SchemaHash(0), &saved)
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
    /// [`Envelope`](IsolationForestError::Envelope) when the bytes are no intact envelope of such a forest within
    /// the limits, [`DamagedModel`](IsolationForestError::DamagedModel) when the forest in it is not sound.
    ///
    /// # Complexity
    ///
    /// O(bytes) time and memory: at most 32 bytes for each byte of the file, and 64 KiB.
    pub fn from_bytes_within(bytes: &[u8], limits: &Limits) -> Result<Self, IsolationForestError> {
        let saved: SavedForest = Envelope::expect(bytes, Self::KIND, SCHEMA_VERSION, limits)
            .and_then(|envelope| envelope.decode())
            .map_err(IsolationForestError::Envelope)?;
        saved
            .restore(limits)
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

/// As [`OnlineIsolationForest::to_bytes`] without the envelope, to be part of a larger model.
impl Serialize for OnlineIsolationForest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SavedForest::from(self).serialize(serializer)
    }
}

/// Checks as much as [`OnlineIsolationForest::from_bytes`].
impl<'de> Deserialize<'de> for OnlineIsolationForest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SavedForest::deserialize(deserializer)?
            .restore(&Limits::default())
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::{DamagedModel, Limits, OnlineIsolationForestParams, SavedForest};

    #[test]
    fn files_with_a_split_too_many_or_too_few_are_errors() {
        let params = OnlineIsolationForestParams::default().trees(3).window(60);
        let mut forest = params.max_leaf_samples(4).build(2).unwrap();
        for row in 0..90_u32 {
            let row = [f64::from(row * 7 % 31), f64::from(row * 5 % 23)];
            forest.update(&row).unwrap();
        }
        let saved = || SavedForest::from(&forest);
        assert!(saved().restore(&Limits::default()).is_ok());
        let nodes = saved().features.len();
        assert!(nodes > 9, "{nodes}");
        for at in 0..nodes {
            let mut saved = saved();
            saved.features[at] = u32::from(saved.features[at] == 0);
            // All that belongs to splits and leaves as it would have to be.
            let splits = saved.features.iter().filter(|&&it| it > 0).count();
            saved.values.resize(splits, 0.5);
            saved.bounds.resize(4 * (nodes - splits), 0.0);
            let error = saved.restore(&Limits::default()).unwrap_err();
            assert!(matches!(error, DamagedModel::Shape { .. }), "{error}");
        }
    }
}

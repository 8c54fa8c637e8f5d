//! Saving and loading.
//!
//! Children are not stored: nodes are in breadth-first order and every split node takes the next two. A file can
//! therefore not hold a cycle or an index outside its tree, only a wrong number of nodes.

use crate::average_path::AveragePathTable;
use crate::error::{DamagedModel, HeaderField};
use crate::node::{FlatTree, Node, PathScale, Trees};
use crate::params::{MAX_HEIGHT, MAX_LEVELS, MAX_SAMPLE_SIZE, MAX_TREES, MAX_WIDTH};
use crate::{
    AveragePath, ContaminationThreshold, IsolationForest, IsolationForestError, Parallelism,
};
use dafu_core::model::{Envelope, Limits};
use dafu_core::{SchemaHash, Score};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Layout of the payload, counted up with every change.
const SCHEMA_VERSION: u16 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct SavedForest {
    width: u32,
    sample_size: u32,
    height_limit: u32,
    average_path: SavedAveragePath,
    seed: u64,
    rows_fitted: u64,
    levels: Vec<SavedLevel>,
    /// Nodes of each tree.
    tree_nodes: Vec<u32>,
    /// For each node 0 for a leaf, else feature + 1.
    features: Vec<u32>,
    /// Training rows of each node.
    counts: Vec<u32>,
    /// For each split node its threshold.
    thresholds: Vec<f64>,
}

/// Apart from [`AveragePath`], so that its order can never change what a file says.
#[derive(Debug, Serialize, Deserialize)]
enum SavedAveragePath {
    Exact,
    Approximate,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedLevel {
    contamination: f64,
    threshold: f64,
    flagged: u64,
    rows: u64,
}

impl From<&IsolationForest> for SavedForest {
    fn from(forest: &IsolationForest) -> Self {
        let nodes = forest.trees.node_count();
        let mut saved = Self {
            width: forest.width,
            sample_size: forest.sample_size,
            height_limit: forest.height_limit,
            average_path: match forest.average_path {
                AveragePath::Exact => SavedAveragePath::Exact,
                AveragePath::Approximate => SavedAveragePath::Approximate,
            },
            seed: forest.seed,
            rows_fitted: forest.rows_fitted,
            levels: forest
                .thresholds
                .iter()
                .map(|level| SavedLevel {
                    contamination: level.contamination,
                    threshold: level.threshold.get(),
                    flagged: level.flagged,
                    rows: level.rows,
                })
                .collect(),
            tree_nodes: Vec::with_capacity(forest.trees.len()),
            features: Vec::with_capacity(nodes),
            counts: Vec::with_capacity(nodes),
            thresholds: Vec::with_capacity(nodes / 2),
        };
        for tree in forest.trees.iter() {
            saved
                .tree_nodes
                .push(u32::try_from(tree.nodes.len()).unwrap_or(u32::MAX));
            saved.counts.extend(tree.counts);
            for (at, node) in tree.nodes.iter().enumerate() {
                if node.is_leaf(at) {
                    saved.features.push(0);
                } else {
                    saved.features.push(node.feature + 1);
                    saved.thresholds.push(node.threshold);
                }
            }
        }
        saved
    }
}

impl SavedForest {
    /// The forest, if everything in the file is sound and within the limits.
    fn restore(self, limits: &Limits) -> Result<IsolationForest, DamagedModel> {
        self.check_header(limits)?;
        let levels = self
            .levels
            .iter()
            .enumerate()
            .map(|(index, level)| level.restore().ok_or(DamagedModel::Level { index }))
            .collect::<Result<Vec<_>, _>>()?;
        let table = AveragePathTable::new(self.average_path(), self.sample_size);
        let scale = PathScale::new(table, self.sample_size);
        let shape = (self.width, self.sample_size, self.height_limit);
        let mut trees = Trees::with_capacity(self.tree_nodes.len(), self.features.len());
        let (mut features, mut counts) = (self.features.iter(), self.counts.iter());
        let mut thresholds = self.thresholds.iter();
        let mut tree = FlatTree::default();
        for &len in &self.tree_nodes {
            tree.nodes.clear();
            tree.counts.clear();
            let mut next_child = 1;
            for (at, &feature) in (0..len).zip(&mut features) {
                tree.nodes.push(match feature.checked_sub(1) {
                    None => Node::leaf(at),
                    Some(feature) => {
                        let left = next_child;
                        next_child += 2;
                        let threshold = thresholds.next().copied().unwrap_or(f64::NAN);
                        Node {
                            threshold,
                            feature,
                            left,
                        }
                    }
                });
            }
            tree.counts.extend(counts.by_ref().take(len as usize));
            trees.push(&tree, shape, &scale)?;
        }
        Ok(IsolationForest {
            trees,
            width: self.width,
            sample_size: self.sample_size,
            height_limit: self.height_limit,
            average_path: self.average_path(),
            seed: self.seed,
            rows_fitted: self.rows_fitted,
            thresholds: levels,
            parallelism: Parallelism::default(),
        })
    }

    fn average_path(&self) -> AveragePath {
        match self.average_path {
            SavedAveragePath::Exact => AveragePath::Exact,
            SavedAveragePath::Approximate => AveragePath::Approximate,
        }
    }

    fn check_header(&self, limits: &Limits) -> Result<(), DamagedModel> {
        let header = |what| Err(DamagedModel::Header { what });
        let trees = self.tree_nodes.len();
        if trees == 0 || trees > MAX_TREES || trees as u64 > limits.max_trees {
            return header(HeaderField::Trees);
        }
        if self.width == 0
            || self.width as usize > MAX_WIDTH
            || u64::from(self.width) > limits.max_features
        {
            return header(HeaderField::Width);
        }
        if self.sample_size == 0
            || self.sample_size as usize > MAX_SAMPLE_SIZE
            || u64::from(self.sample_size) > self.rows_fitted
        {
            return header(HeaderField::SampleSize);
        }
        if self.height_limit > MAX_HEIGHT {
            return header(HeaderField::HeightLimit);
        }
        if self.levels.len() > MAX_LEVELS {
            return Err(DamagedModel::Level { index: MAX_LEVELS });
        }
        let nodes: u64 = self.tree_nodes.iter().copied().map(u64::from).sum();
        if nodes > limits.max_nodes {
            return header(HeaderField::Nodes);
        }
        let splits = self.features.iter().filter(|&&feature| feature > 0).count() as u64;
        for (what, expected, got) in [
            ("features", nodes, self.features.len() as u64),
            ("counts", nodes, self.counts.len() as u64),
            ("thresholds", splits, self.thresholds.len() as u64),
        ] {
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
    /// O(bytes) time and memory: at most 32 bytes for each byte of the file, and 48 KiB.
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
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| {
                file.take(limits.max_bytes.saturating_add(1))
                    .read_to_end(&mut bytes)
            })
            .map_err(IsolationForestError::File)?;
        Self::from_bytes_within(&bytes, &limits)
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

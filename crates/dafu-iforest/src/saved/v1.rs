//! The first version of the payload: plain trees of one kind, values with 15 fraction bits.

use super::{
    SavedAveragePath, SavedForest, SavedKind, SavedLevel, SavedMissing, SavedScoring, SavedUnseen,
};
use crate::AveragePath;
use crate::error::DamagedModel;
use crate::value::TreeKind;
use serde::Deserialize;

/// Fraction bits of values in this version.
const VALUE_BITS: u8 = 15;

#[derive(Debug, Deserialize)]
pub(super) struct SavedForestV1 {
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

impl SavedForestV1 {
    /// The same in the newest version.
    pub(super) fn upgrade(self) -> Result<SavedForest, DamagedModel> {
        let average_path = AveragePath::from(self.average_path);
        let kind = TreeKind::new(self.sample_size, average_path);
        let left_counts = self.left_counts()?;
        Ok(SavedForest {
            width: self.width,
            height_limit: self.height_limit,
            average_path: self.average_path,
            scoring: SavedScoring::Depth,
            missing: SavedMissing::Refuse,
            unseen: SavedUnseen::Smaller,
            value_bits: VALUE_BITS,
            categorical: Vec::new(),
            seed: self.seed,
            rules: 1,
            trees_grown: self.tree_nodes.len() as u64,
            rows_fitted: self.rows_fitted,
            levels: self.levels,
            kinds: vec![SavedKind {
                sample_size: self.sample_size,
                unit: kind.unit,
            }],
            tree_kinds: vec![0; self.tree_nodes.len()],
            left_counts,
            tree_nodes: self.tree_nodes,
            tests: self.features,
            thresholds: self.thresholds,
            ..SavedForest::default()
        })
    }

    /// Training rows of the left child of each split, if all counts add up.
    fn left_counts(&self) -> Result<Vec<u32>, DamagedModel> {
        let mut left_counts = Vec::with_capacity(self.thresholds.len());
        let (mut features, mut counts) = (&self.features[..], &self.counts[..]);
        for (tree, &len) in self.tree_nodes.iter().enumerate() {
            let shape = DamagedModel::Shape { tree };
            let wrong = DamagedModel::Counts { tree };
            let own_features;
            let own_counts;
            (own_features, features) = features.split_at_checked(len as usize).ok_or(shape)?;
            (own_counts, counts) = counts.split_at_checked(len as usize).ok_or(shape)?;
            if own_counts
                .first()
                .is_some_and(|&rows| rows != self.sample_size)
            {
                return Err(wrong);
            }
            let mut next = 1;
            for (feature, &rows) in own_features.iter().zip(own_counts) {
                if *feature > 0 {
                    let children = own_counts.get(next..next + 2).ok_or(shape)?;
                    if children[0].checked_add(children[1]) != Some(rows) {
                        return Err(wrong);
                    }
                    left_counts.push(children[0]);
                    next += 2;
                }
            }
        }
        if features.is_empty() && counts.is_empty() {
            Ok(left_counts)
        } else {
            Err(DamagedModel::Length {
                what: "features",
                expected: (self.features.len() - features.len()) as u64,
                got: self.features.len() as u64,
            })
        }
    }
}
